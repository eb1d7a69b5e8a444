//! How far a destination has got: the number of the last record, and how many things were sent.

use std::path::{Path, PathBuf};

use super::Failed;
use crate::host::write_file;

/// The place of one destination, kept in the data directory.
#[derive(Clone, Debug)]
pub struct Cursor {
    path: PathBuf,
    /// The last record that arrived, or that was none of its business.
    pub record: u64,
    /// Things sent so far.
    pub sent: u64,
}

impl Cursor {
    /// Reads it; from the first record on when there is none.
    pub fn read(data_dir: &Path, name: &str) -> Result<Cursor, Failed> {
        let folder = data_dir.join("trail");
        let path = folder.join(format!("{name}.cursor"));
        let failed = |error| Failed::File(path.clone(), error);
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(failed(error)),
        };
        let mut numbers = text.split_ascii_whitespace().map(str::parse::<u64>);
        // A damaged one begins anew: twice is better than never.
        let (record, sent) = match (numbers.next(), numbers.next()) {
            (Some(Ok(record)), Some(Ok(sent))) => (record, sent),
            _ => (0, 0),
        };
        Ok(Cursor { path, record, sent })
    }

    /// Moves it; durable when this returns.
    pub fn moved(&mut self, record: u64, sent: u64) -> Result<(), Failed> {
        if (record, sent) == (self.record, self.sent) {
            return Ok(());
        }
        let text = format!("{record} {sent}\n");
        let written = write_file(&self.path, text.as_bytes(), 0o600);
        written.map_err(|error| Failed::File(self.path.clone(), std::io::Error::other(error.to_string())))?;
        (self.record, self.sent) = (record, sent);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_where_it_was_left() {
        let folder = tempfile::tempdir().unwrap();
        let mut cursor = Cursor::read(folder.path(), "a").unwrap();
        assert_eq!((cursor.record, cursor.sent), (0, 0));
        cursor.moved(7, 3).unwrap();
        let again = Cursor::read(folder.path(), "a").unwrap();
        assert_eq!((again.record, again.sent), (7, 3));
        std::fs::write(folder.path().join("trail/a.cursor"), "nonsense").unwrap();
        assert_eq!(Cursor::read(folder.path(), "a").unwrap().record, 0);
    }
}
