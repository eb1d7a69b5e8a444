//! How far a destination has got: the number of the last record, and how many things were sent.
//!
//! The archive signs it: whoever can write into the data directory can have things sent twice,
//! which is told, and can have nothing left out.

use std::path::{Path, PathBuf};

use leadglass_archive::trail::{Alert, Event, TrailDelivery};

use super::Failed;
use crate::host::{Host, write_file};

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
    /// Where that delivery got to; the first record when it never began, or when what says so is
    /// not ours or not of this log: twice is better than never.
    pub fn read(host: &Host, name: &str, delivery: &TrailDelivery) -> Result<Cursor, Failed> {
        let (cursor, is_ours) = Cursor::at(&host.config.data.dir, name, |text| delivery.placed(text))?;
        if !is_ours {
            let said = format!("the place of {name} in the trail was not written by this archive: all is sent again");
            tracing::error!(destination = name, "{said}");
            host.archive.alert(Alert::of(Event::IntegrityBroken).saying(said));
        }
        Ok(cursor)
    }

    fn at(data_dir: &Path, name: &str, placed: impl Fn(&str) -> Option<(u64, u64)>) -> Result<(Cursor, bool), Failed> {
        let folder = data_dir.join("trail");
        let path = folder.join(format!("{name}.cursor"));
        let failed = |error| Failed::File(path.clone(), error);
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let at = match std::fs::read(&path) {
            Ok(text) => std::str::from_utf8(&text).ok().and_then(placed),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some((0, 0)),
            Err(error) => return Err(failed(error)),
        };
        let (record, sent) = at.unwrap_or((0, 0));
        Ok((Cursor { path, record, sent }, at.is_some()))
    }

    /// Moves it; durable when this returns.
    pub fn moved(&mut self, record: u64, sent: u64, delivery: &TrailDelivery) -> Result<(), Failed> {
        if (record, sent) == (self.record, self.sent) {
            return Ok(());
        }
        let written = write_file(&self.path, delivery.place(record, sent).as_bytes(), 0o600);
        written.map_err(|error| Failed::File(self.path.clone(), std::io::Error::other(error.to_string())))?;
        (self.record, self.sent) = (record, sent);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use leadglass_archive::testing::TestArchive;

    use super::*;

    #[tokio::test]
    async fn it_is_where_it_was_left_and_nobody_else_moves_it() {
        let test = TestArchive::new();
        let host = test.host().await;
        let delivery = test.archive().deliver_trail(&host, "entries to a").await.unwrap();
        let other = test.archive().deliver_trail(&host, "entries to b").await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let read = |delivery: &TrailDelivery| {
            let (cursor, is_ours) = Cursor::at(folder.path(), "a", |text| delivery.placed(text)).unwrap();
            (cursor.record, cursor.sent, is_ours)
        };
        assert_eq!(read(&delivery), (0, 0, true));
        let (mut cursor, _) = Cursor::at(folder.path(), "a", |_| None).unwrap();
        cursor.moved(2, 3, &delivery).unwrap();
        assert_eq!(read(&delivery), (2, 3, true));
        assert_eq!(read(&other), (0, 0, false), "another's");
        let path = folder.path().join("trail/a.cursor");
        let text = std::fs::read_to_string(&path).unwrap();
        for forged in ["nonsense", "", "2 3\n", &text.replacen('2', "3", 1), &delivery.place(999_999, 0)] {
            std::fs::write(&path, forged).unwrap();
            assert_eq!(read(&delivery), (0, 0, false), "{forged}");
        }
        std::fs::write(&path, [0xff]).unwrap();
        assert_eq!(read(&delivery), (0, 0, false));
    }
}
