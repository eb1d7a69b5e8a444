//! The spool's directory: names, and what a command may do beside the process that runs.
//!
//! Whoever lists, retries and discards needs the master key and no lock: each act is one
//! rename or removal, and the running process takes note of it ([`super::Spool::refresh`]).

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::file::{HEAD_BYTES, Head, MOST_SHEET_BYTES, Reason, Sheet};
use crate::seal::{KeyId, Keyring};
use crate::settings::{KeySource, OpenError};

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FileKind {
    Waiting,
    Apart,
    /// It does not open: it is no object here until somebody has mended it.
    Damaged,
}

/// How the names of files end that do not open.
const DAMAGED: &str = "damaged";

/// The directory of a spool's files.
pub struct SpoolDirectory(PathBuf);

/// An object as listed.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Listed {
    /// Its number, as `retry` and `discard` take it: 16 hexadecimal digits.
    pub number: String,
    /// Bytes of its data set.
    pub bytes: u64,
    /// What is known of it.
    #[serde(flatten)]
    pub sheet: Sheet,
    /// Why it was set apart; none while it waits.
    pub reason: Option<String>,
    /// When it was set apart, nanoseconds since 1970-01-01 UTC.
    pub apart_since_ns: Option<i64>,
}

impl SpoolDirectory {
    /// The one of that data directory, which is left as it is.
    pub fn of(data_dir: &Path) -> SpoolDirectory {
        SpoolDirectory(data_dir.join("spool"))
    }

    /// Whether there is one.
    pub(crate) fn is_there(&self) -> bool {
        self.0.is_dir()
    }

    /// Makes it where it is not, mode 0700, durable.
    pub(super) fn make(data_dir: &Path) -> Result<SpoolDirectory, OpenError> {
        let directory = SpoolDirectory::of(data_dir);
        if !directory.0.is_dir() {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&directory.0);
            made.map_err(|source| directory.io("cannot make", source))?;
            sync(data_dir).map_err(|source| directory.io("cannot sync what holds", source))?;
        }
        Ok(directory)
    }

    /// All objects that wait or are set apart, in order of arrival, opened with the master
    /// key. For a command beside the process that runs.
    ///
    /// # Errors
    /// The key is not there, or a file is damaged.
    pub fn list(data_dir: &Path, key_source: &KeySource) -> Result<Vec<Listed>, OpenError> {
        let directory = SpoolDirectory::of(data_dir);
        let mut listing = directory.listing()?;
        listing.retain(|(_, kind)| *kind != FileKind::Damaged);
        if listing.is_empty() {
            return Ok(Vec::new());
        }
        let keyring = Keyring::open_existing(data_dir, key_source)?;
        let mut listed = Vec::with_capacity(listing.len());
        for (number, kind) in listing {
            match directory.listed(number, kind, &keyring) {
                // Sent on while we looked.
                Err(OpenError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
                found => listed.push(found?),
            }
        }
        Ok(listed)
    }

    /// Puts an object that was set apart back among those that wait. `false`: there is none.
    ///
    /// # Errors
    /// What the system says.
    pub fn retry(&self, number: u64) -> Result<bool, OpenError> {
        match std::fs::rename(self.path(number, FileKind::Apart), self.path(number, FileKind::Waiting)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            renamed => renamed.map_err(|source| self.io("cannot rename in", source))?,
        }
        self.without_reason(number)?;
        Ok(true)
    }

    /// Removes an object that was set apart; nobody has it then. `false`: there is none.
    ///
    /// # Errors
    /// What the system says.
    pub fn discard(&self, number: u64) -> Result<bool, OpenError> {
        match std::fs::remove_file(self.path(number, FileKind::Apart)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            removed => removed.map_err(|source| self.io("cannot remove from", source))?,
        }
        self.without_reason(number)?;
        Ok(true)
    }

    fn without_reason(&self, number: u64) -> Result<(), OpenError> {
        match std::fs::remove_file(self.reason_path(number)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(self.io("cannot remove from", error)),
            _ => {}
        }
        self.sync().map_err(|source| self.io("cannot sync", source))
    }

    pub(super) fn path(&self, number: u64, kind: FileKind) -> PathBuf {
        let ending = match kind {
            FileKind::Waiting => "obj",
            FileKind::Apart => "apart",
            FileKind::Damaged => DAMAGED,
        };
        self.0.join(format!("{number:016x}.{ending}"))
    }

    pub(super) fn new_path(&self, id: &[u8; 16]) -> PathBuf {
        self.0.join(format!("{}.new", hex::encode(id)))
    }

    fn reason_path(&self, number: u64) -> PathBuf {
        self.0.join(format!("{number:016x}.why"))
    }

    /// Numbers and kinds, ascending; a directory that is not there has none.
    pub(super) fn listing(&self) -> Result<Vec<(u64, FileKind)>, OpenError> {
        let entries = match std::fs::read_dir(&self.0) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|source| self.io("cannot list", source))?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let name = entry.map_err(|source| self.io("cannot list", source))?.file_name();
            let Some((number, ending)) = name.to_str().and_then(|name| name.split_once('.')) else { continue };
            let kind = match ending {
                "obj" => FileKind::Waiting,
                "apart" => FileKind::Apart,
                DAMAGED => FileKind::Damaged,
                _ => continue,
            };
            found.extend(u64::from_str_radix(number, 16).ok().filter(|_| number.len() == 16).map(|n| (n, kind)));
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Gives a file that does not open another ending, under which nobody looks for objects.
    pub(super) fn set_aside(&self, number: u64, kind: FileKind) -> Result<(), OpenError> {
        let renamed = std::fs::rename(self.path(number, kind), self.path(number, FileKind::Damaged));
        renamed.and_then(|()| self.sync()).map_err(|source| self.io("cannot rename in", source))
    }

    /// The key that a file names which was set aside, where that can still be read.
    pub(super) fn key_of_damaged(&self, number: u64) -> Option<KeyId> {
        let mut head = [0; HEAD_BYTES];
        File::open(self.path(number, FileKind::Damaged)).ok()?.read_exact(&mut head).ok()?;
        Some(Head::decode(&head)?.key)
    }

    /// Removes what was on its way in when the process ended.
    pub(super) fn sweep(&self) -> Result<(), OpenError> {
        for entry in std::fs::read_dir(&self.0).map_err(|source| self.io("cannot list", source))? {
            let path = entry.map_err(|source| self.io("cannot list", source))?.path();
            if path.extension().is_some_and(|ending| ending == "new") {
                std::fs::remove_file(&path).map_err(|source| self.io("cannot remove from", source))?;
            }
        }
        Ok(())
    }

    /// What a file says of itself: sheet, key, bytes of the file.
    pub(super) fn head(
        &self,
        number: u64,
        kind: FileKind,
        keyring: &Keyring,
    ) -> Result<(Sheet, KeyId, u64), OpenError> {
        let (head, sheet, bytes) = self.opened(number, kind, keyring)?;
        Ok((sheet, head.key, bytes))
    }

    fn listed(&self, number: u64, kind: FileKind, keyring: &Keyring) -> Result<Listed, OpenError> {
        let (head, sheet, bytes) = self.opened(number, kind, keyring)?;
        let reason = match kind {
            FileKind::Waiting | FileKind::Damaged => None,
            FileKind::Apart => std::fs::read(self.reason_path(number))
                .ok()
                .and_then(|sealed| head.reason(&keyring.key(head.key).ok()?, &sealed)),
        };
        Ok(Listed {
            number: format!("{number:016x}"),
            bytes: head.data_set_bytes(bytes).unwrap_or_default(),
            sheet,
            apart_since_ns: reason.as_ref().map(|reason| reason.since_ns),
            reason: reason.map(|reason| reason.reason),
        })
    }

    fn opened(&self, number: u64, kind: FileKind, keyring: &Keyring) -> Result<(Head, Sheet, u64), OpenError> {
        let damaged = || OpenError::Damaged(format!("object {number:016x} of the spool does not open"));
        let mut file = File::open(self.path(number, kind)).map_err(|source| self.io("cannot read from", source))?;
        let bytes = file.metadata().map_err(|source| self.io("cannot read from", source))?.len();
        let mut head = [0; HEAD_BYTES];
        file.read_exact(&mut head).map_err(|_| damaged())?;
        let head = Head::decode(&head).ok_or_else(damaged)?;
        debug_assert!(head.sheet_bytes <= MOST_SHEET_BYTES);
        let mut sealed = vec![0; head.sheet_bytes];
        file.read_exact(&mut sealed).map_err(|_| damaged())?;
        let sheet = head.sheet(&keyring.key(head.key)?, &sealed).ok_or_else(damaged)?;
        Ok((head, sheet, bytes))
    }

    /// Sets an object apart with a sealed reason; durable when this returns.
    pub(super) fn set_apart(&self, number: u64, reason: &Reason, keyring: &Keyring) -> Result<(), OpenError> {
        let (head, ..) = self.opened(number, FileKind::Waiting, keyring)?;
        let sealed = head.seal_reason(&keyring.key(head.key)?, reason);
        let sealed = sealed.map_err(|error| OpenError::Damaged(error.to_string()))?;
        let written = (|| {
            let path = self.reason_path(number);
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
            file.write_all(&sealed)?;
            file.sync_all()?;
            std::fs::rename(self.path(number, FileKind::Waiting), self.path(number, FileKind::Apart))?;
            self.sync()
        })();
        written.map_err(|source| self.io("cannot set an object apart in", source))
    }

    pub(super) fn remove(&self, number: u64, kind: FileKind) -> Result<(), OpenError> {
        match std::fs::remove_file(self.path(number, kind)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.io("cannot remove from", error)),
            _ => Ok(()),
        }
    }

    pub(super) fn sync(&self) -> std::io::Result<()> {
        sync(&self.0)
    }

    pub(super) fn free_bytes(&self) -> std::io::Result<u64> {
        let space = rustix::fs::statvfs(&self.0)?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }

    fn io(&self, what: &str, source: std::io::Error) -> OpenError {
        OpenError::Io { what: format!("{what} {}", self.0.display()), source }
    }
}

/// Makes a directory, mode 0700, where it is not; durable in the one that holds it.
pub(super) fn make_directory(path: &Path) -> Result<(), OpenError> {
    if path.is_dir() {
        return Ok(());
    }
    let made = DirBuilder::new().mode(0o700).create(path);
    let synced = made.and_then(|()| path.parent().map_or(Ok(()), sync));
    synced.map_err(|source| OpenError::Io { what: format!("cannot make {}", path.display()), source })
}

fn sync(directory: &Path) -> std::io::Result<()> {
    File::open(directory).and_then(|directory| directory.sync_all())
}
