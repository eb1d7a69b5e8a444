//! Into a folder: events a line each, checkpoints a file each; durable when said so.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::Failed;

/// Appends lines to a file of that folder; durable when it returns.
pub fn append(folder: &Path, name: &str, lines: &str) -> Result<(), Failed> {
    let path = folder.join(name);
    let written = (|| {
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
        let before = file.metadata()?.len();
        // A line that an earlier crash left half is ended first.
        let torn = before > 0 && !ends_line(&path, before)?;
        if torn {
            file.write_all(b"\n")?;
        }
        file.write_all(lines.as_bytes())?;
        file.sync_all()?;
        File::open(folder)?.sync_all()
    })();
    written.map_err(|error| Failed::File(path, error))
}

/// Writes a file whole, once: one that is there stays as it is. Durable when it returns.
pub fn keep(folder: &Path, name: &str, text: &str) -> Result<(), Failed> {
    let path = folder.join(name);
    let written = (|| {
        if path.exists() {
            return Ok(());
        }
        let beside = folder.join(format!(".{name}.new"));
        let _ = fs::remove_file(&beside);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, &path)?;
        File::open(folder)?.sync_all()
    })();
    written.map_err(|error| Failed::File(path.clone(), error))
}

fn ends_line(path: &Path, length: u64) -> std::io::Result<bool> {
    use std::os::unix::fs::FileExt;
    let mut last = [0];
    File::open(path)?.read_exact_at(&mut last, length - 1)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_follow_each_other_and_a_kept_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        append(folder.path(), "a", "1\n").unwrap();
        fs::write(folder.path().join("a"), "1\n{\"half").unwrap();
        append(folder.path(), "a", "2\n").unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("a")).unwrap(), "1\n{\"half\n2\n");
        keep(folder.path(), "c", "one").unwrap();
        keep(folder.path(), "c", "two").unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("c")).unwrap(), "one");
        assert!(matches!(keep(&folder.path().join("gone"), "c", "x"), Err(Failed::File(..))));
    }
}
