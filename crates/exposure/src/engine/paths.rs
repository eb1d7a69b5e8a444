//! The folders behind the hashes of a report, in clear, for the owner alone: a file beside the
//! report that only its owner reads. Deliberately absent: any other way of a path out of a walk.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use parking_lot::Mutex;

use super::AuditError;
use crate::evidence::Hash;

/// The file: a hash, a tab, a path, a line each. Bytes of a path that are no printable ASCII,
/// and backslashes, are escaped.
pub(super) struct PathsFile(Mutex<File>);

impl PathsFile {
    /// Opens it to go on, or makes it.
    pub(super) fn open(path: &Path) -> Result<PathsFile, AuditError> {
        let failed = |source| AuditError::Files { doing: "write", path: path.to_path_buf(), source };
        let open = || -> io::Result<File> {
            let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
            file.set_permissions(Permissions::from_mode(0o600))?;
            Ok(file)
        };
        Ok(PathsFile(Mutex::new(open().map_err(failed)?)))
    }

    /// Writes what a hash stands for.
    pub(super) fn tell(&self, hash: Hash, path: &Path) {
        let line = format!("{hash}\t{}\n", path.as_os_str().as_bytes().escape_ascii());
        if let Err(error) = self.0.lock().write_all(line.as_bytes()) {
            tracing::warn!(error = %error.kind(), "the file of paths cannot be written");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("paths.tsv");
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        PathsFile::open(&path).unwrap().tell(Hash([7; 16]), Path::new("/srv/a\nb"));
        PathsFile::open(&path).unwrap().tell(Hash([8; 16]), Path::new("/srv/c"));
        let lines = format!("{}\t/srv/a\\nb\n{}\t/srv/c\n", "07".repeat(16), "08".repeat(16));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), lines);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
