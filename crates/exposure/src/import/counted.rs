//! A reader that counts lines, and does not let a row grow without end.

use std::io::{self, BufRead, Read};

use super::{Format, ImportError};

/// Counts what is consumed from a reader.
pub(super) struct Counted<R> {
    source: R,
    limit: usize,
    since_mark: usize,
    line: u64,
}

impl<R: BufRead> Counted<R> {
    /// At most so many bytes between two marks.
    pub(super) fn new(source: R, limit: usize) -> Counted<R> {
        Counted { source, limit, since_mark: 0, line: 1 }
    }

    /// Here a row begins.
    pub(super) fn mark(&mut self) {
        self.since_mark = 0;
    }

    /// The line that is read, counted from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// What an error of this reader means, at its line.
    pub(super) fn error(&self, source: io::Error) -> ImportError {
        at_line(source, self.line, self.limit)
    }

    /// Reads a line without its end into a buffer; false at the end of the file.
    pub(super) fn read_line(&mut self, into: &mut Vec<u8>) -> Result<bool, ImportError> {
        into.clear();
        self.mark();
        let read = self.read_until(b'\n', into);
        let read = read.map_err(|source| self.error(source))?;
        while into.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            into.pop();
        }
        Ok(read > 0)
    }
}

/// What an error of a counting reader means.
pub(super) fn at_line(source: io::Error, line: u64, limit: usize) -> ImportError {
    match source.kind() {
        io::ErrorKind::FileTooLarge => ImportError::TooLong { line, limit },
        _ => ImportError::Io { line, source },
    }
}

/// A text of a row, or that the file is not what it began as.
pub(super) fn text(bytes: &[u8], line: u64, format: Format) -> Result<&str, ImportError> {
    std::str::from_utf8(bytes).map_err(|_| ImportError::Broken { line, format })
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.since_mark >= self.limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let room = self.limit - self.since_mark;
        let buffer = self.source.fill_buf()?;
        Ok(&buffer[..room.min(buffer.len())])
    }

    fn consume(&mut self, count: usize) {
        // Filled already: this gives what is there.
        if let Ok(buffer) = self.source.fill_buf() {
            let newlines = buffer.iter().take(count).filter(|byte| **byte == b'\n').count();
            self.line += newlines as u64;
        }
        self.since_mark += count;
        self.source.consume(count);
    }
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let buffer = self.fill_buf()?;
        let count = buffer.len().min(into.len());
        into[..count].copy_from_slice(&buffer[..count]);
        self.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_end_is_refused_where_it_begins() {
        let text = format!("one\ntwo\r\n{}", "x".repeat(100));
        let mut counted = Counted::new(text.as_bytes(), 64);
        let mut line = Vec::new();
        assert!(counted.read_line(&mut line).unwrap() && line == b"one");
        assert!(counted.read_line(&mut line).unwrap() && line == b"two");
        assert!(matches!(counted.read_line(&mut line), Err(ImportError::TooLong { line: 3, limit: 64 })));
        assert!(line.len() <= 64);
    }
}
