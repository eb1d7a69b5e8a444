//! Bytes of a file at an offset, through one window of bounded size.

use std::io;
use std::os::fd::AsFd;

use rustix::io::Errno;

/// Bytes of the first read of a file that is likely DICOM.
pub(super) const FIRST_READ: usize = 16 * 1024;
/// Bytes of a window.
pub(super) const WINDOW: usize = 64 * 1024;
/// Reads of one file at most: a header that needs more is not read to its end.
const MOST_READS: u32 = 64;

/// Something with bytes at offsets.
pub(super) trait ReadAt {
    /// Reads what there is at an offset; 0 at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

/// An open file.
pub(super) struct File<Fd>(pub Fd);

impl<Fd: AsFd> ReadAt for File<Fd> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            match rustix::io::pread(&self.0, &mut *buffer, offset) {
                Err(Errno::INTR) => {}
                other => return Ok(other?),
            }
        }
    }
}

impl ReadAt for &[u8] {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }
}

/// Why bytes are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoBytes {
    /// The file ends before.
    Ended,
    /// It may not be read so often.
    TooManyReads,
    /// The disk said no.
    Failed,
}

/// A window over a file. What left the window is gone.
pub(super) struct Window<'buffer, S> {
    source: S,
    buffer: &'buffer mut [u8],
    start: u64,
    have: usize,
    asked: usize,
    reads: u32,
}

impl<'buffer, S: ReadAt> Window<'buffer, S> {
    /// A window with a buffer of at least 64 bytes; nothing is read yet.
    pub(super) fn new(source: S, buffer: &'buffer mut [u8]) -> Window<'buffer, S> {
        Window { source, buffer, start: 0, have: 0, asked: 0, reads: 0 }
    }

    /// Reads the beginning, at most `length` bytes, and gives what there is.
    pub(super) fn begin(&mut self, length: usize) -> Result<&[u8], NoBytes> {
        self.fill(0, length)?;
        Ok(&self.buffer[..self.have])
    }

    /// The first [`FIRST_READ`] bytes, or what there is of them.
    pub(super) fn begin_again(&mut self) -> Result<&[u8], NoBytes> {
        if self.start != 0 || self.asked < FIRST_READ {
            self.fill(0, FIRST_READ)?;
        }
        Ok(&self.buffer[..self.have])
    }

    /// At most `length` bytes from an offset on, as many as there are.
    pub(super) fn stretch(&mut self, offset: u64, length: usize) -> Result<&[u8], NoBytes> {
        self.fill(offset, length)?;
        Ok(&self.buffer[..self.have])
    }

    /// `length` bytes (at most 64) at an offset.
    pub(super) fn at(&mut self, offset: u64, length: usize) -> Result<&[u8], NoBytes> {
        let inside = |this: &Self| {
            let from = usize::try_from(offset.checked_sub(this.start)?).ok()?;
            (from.checked_add(length)? <= this.have).then_some(from)
        };
        let from = match inside(self) {
            Some(from) => from,
            None => {
                // A header that goes on past its first window is a long one.
                let most = if self.reads < 2 { FIRST_READ } else { WINDOW };
                self.fill(offset, most)?;
                inside(self).ok_or(NoBytes::Ended)?
            }
        };
        Ok(&self.buffer[from..from + length])
    }

    fn fill(&mut self, offset: u64, length: usize) -> Result<(), NoBytes> {
        if self.reads >= MOST_READS {
            return Err(NoBytes::TooManyReads);
        }
        self.reads += 1;
        let length = length.min(self.buffer.len());
        self.have = self.source.read_at(&mut self.buffer[..length], offset).map_err(|_| NoBytes::Failed)?;
        (self.start, self.asked) = (offset, length);
        Ok(())
    }
}
