//! An open folder: everything in it is reached through its descriptor, never by a path, so that
//! nobody can swap a folder for a link while it is walked.

use std::ffi::{CStr, OsStr};
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use rustix::fs::{AtFlags, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::access::{OTHERS_PASS, OTHERS_WRITE, STICKY};
use super::naming::Stray;

/// Folders within folders, counted from the root: deeper ones are counted and not entered, so
/// that descriptors stay few.
pub(super) const DEPTH: u16 = 96;

/// An open folder.
pub(super) struct Folder {
    /// Its descriptor.
    pub fd: OwnedFd,
    /// Where it is, absolute. Never leaves but as a keyed hash.
    pub path: PathBuf,
    /// How far below the root.
    pub depth: u16,
    /// Whether others may pass through it and all above it.
    pub passable: bool,
    /// What kind of stray copies it or a folder above it holds, by its name.
    pub stray: Option<Stray>,
    /// Whether a file that everyone may read was found in it.
    pub told: AtomicBool,
}

/// Why a folder is not entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotEntered {
    /// It may not be read.
    Unreadable,
    /// It is gone, or no folder any more.
    Vanished,
    /// It is on another file system.
    OtherFileSystem,
    /// It is deeper than is walked.
    TooDeep,
}

impl Folder {
    /// Opens the root of a walk. `path` is absolute and has no links.
    pub(super) fn root(path: &Path) -> Result<(Folder, Stat), Errno> {
        let fd = rustix::fs::open(path, OFLAGS, Mode::empty())?;
        let stat = rustix::fs::fstat(&fd)?;
        let passable = stat.st_mode & OTHERS_PASS != 0;
        let path = path.to_path_buf();
        Ok((Folder { fd, path, depth: 0, passable, stray: None, told: AtomicBool::new(false) }, stat))
    }

    /// Opens a folder in this one, on the same file system.
    pub(super) fn enter(&self, name: &CStr, device: u64) -> Result<(Folder, Stat), NotEntered> {
        if self.depth >= DEPTH {
            return Err(NotEntered::TooDeep);
        }
        let fd = rustix::fs::openat(&self.fd, name, OFLAGS, Mode::empty()).map_err(NotEntered::of)?;
        let stat = rustix::fs::fstat(&fd).map_err(NotEntered::of)?;
        if stat.st_dev != device {
            return Err(NotEntered::OtherFileSystem);
        }
        let folder = Folder {
            fd,
            path: self.path_of(name),
            depth: self.depth + 1,
            passable: self.passable && stat.st_mode & OTHERS_PASS != 0,
            stray: Stray::of(name.to_bytes()).or(self.stray),
            told: AtomicBool::new(false),
        };
        Ok((folder, stat))
    }

    /// Where something in it is.
    pub(super) fn path_of(&self, name: &CStr) -> PathBuf {
        self.path.join(OsStr::from_bytes(name.to_bytes()))
    }

    /// What something in it is, without following it.
    pub(super) fn stat_of(&self, name: &CStr) -> Result<Stat, Errno> {
        rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT)
    }
}

/// Whether others may pass all folders above this one, which is absolute and has no links.
pub(super) fn others_reach(path: &Path) -> bool {
    path.ancestors().skip(1).all(|above| {
        // What cannot be asked is no protection that could be counted on.
        fs::metadata(above).map_or(true, |found| found.permissions().mode() & OTHERS_PASS != 0)
    })
}

/// Whether everyone may put files into a folder with this mode, and take others' away.
pub(super) fn is_writable(stat: &Stat) -> bool {
    stat.st_mode & OTHERS_WRITE != 0 && stat.st_mode & STICKY == 0
}

impl NotEntered {
    fn of(error: Errno) -> NotEntered {
        match error {
            Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::STALE => NotEntered::Vanished,
            _ => NotEntered::Unreadable,
        }
    }
}

const OFLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);
