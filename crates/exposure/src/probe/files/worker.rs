//! One thread of a walk: takes folders and files, gives work away while others are hungry.

use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use rustix::fs::{FileType, RawDir};

use super::Paths;
use super::folder::{Folder, NotEntered, is_writable};
use super::queue::{Queue, Work};
use super::source::WINDOW;
use super::tally::{Tally, count};
use crate::run::Run;

/// Bytes of folder entries that are read at once.
const ENTRIES: usize = 32 * 1024;
/// Files that are given away together.
const BATCH: usize = 64;

/// What all threads of a walk know.
pub(super) struct Walk<'walk> {
    /// The run.
    pub run: &'walk Run,
    /// The device that is not left.
    pub device: u64,
    /// Folders and files that are not entered.
    pub excluded: HashSet<PathBuf>,
    /// Whether headers are read.
    pub reads_headers: bool,
    /// Whether the file system shows ACLs of Windows.
    pub windows_acls: bool,
    /// Files met so far.
    pub progress: &'walk AtomicU64,
    /// Where the owner wants the paths behind the hashes.
    pub paths: Option<&'walk Paths<'walk>>,
    /// The second at which the scope was last asked whether it holds.
    pub asked: AtomicI64,
    /// Whether it said no.
    pub over: AtomicBool,
    /// Work.
    pub queue: Queue,
}

/// A thread's own things.
pub(super) struct Worker<'walk> {
    pub(super) walk: &'walk Walk<'walk>,
    pub(super) tally: Tally,
    /// The window over a file, used again for each.
    pub(super) buffer: Vec<u8>,
    /// Whether files may be opened without touching their access time, as far as is known.
    pub(super) keeps_access_time: bool,
    /// Whether the file system has POSIX ACLs, as far as is known.
    pub(super) has_acls: bool,
    entries: Vec<MaybeUninit<u8>>,
}

/// A folder that is being walked, and those in it that are still to be entered.
struct Level {
    folder: Arc<Folder>,
    below: Vec<CString>,
}

impl<'walk> Worker<'walk> {
    pub(super) fn new(walk: &'walk Walk<'walk>) -> Worker<'walk> {
        Worker {
            walk,
            tally: Tally::default(),
            buffer: vec![0; WINDOW],
            keeps_access_time: true,
            has_acls: true,
            entries: vec![MaybeUninit::uninit(); ENTRIES],
        }
    }

    /// Works until all work is done.
    pub(super) fn work(mut self) -> Tally {
        while let Some(work) = self.walk.queue.next() {
            match work {
                Work::Within(folder) => self.within(folder),
                Work::Below(folder, name) => {
                    if let Some(folder) = self.enter(&folder, &name) {
                        self.within(folder);
                    }
                }
                Work::Files(folder, names) => {
                    for name in &names {
                        if self.is_stopped() {
                            break;
                        }
                        self.file(&folder, name);
                    }
                    self.walk.progress.fetch_add(names.len() as u64, Ordering::Relaxed);
                }
            }
            self.walk.queue.done();
        }
        self.tally
    }

    /// Walks a folder and all below it that nobody else takes. The stack is as deep as the tree,
    /// and that is bounded.
    fn within(&mut self, folder: Arc<Folder>) {
        let mut levels = vec![Level { folder, below: Vec::new() }];
        while let Some(level) = levels.last_mut() {
            if self.is_stopped() {
                return;
            }
            let folder = level.folder.clone();
            if let Some(name) = level.below.pop() {
                if let Some(name) = self.keep(&folder, name)
                    && let Some(folder) = self.enter(&folder, &name)
                {
                    levels.push(Level { folder, below: Vec::new() });
                }
                continue;
            }
            match self.entries(&folder) {
                Some(below) => level.below = below,
                None => drop(levels.pop()),
            }
        }
    }

    /// A folder to enter oneself; given away when somebody is hungry.
    fn keep(&self, folder: &Arc<Folder>, name: CString) -> Option<CString> {
        if !self.walk.queue.is_hungry() {
            return Some(name);
        }
        match self.walk.queue.offer(Work::Below(folder.clone(), name)) {
            Err(Work::Below(_, name)) => Some(name),
            _ => None,
        }
    }

    fn enter(&mut self, folder: &Folder, name: &CStr) -> Option<Arc<Folder>> {
        if self.is_excluded(folder, name) {
            count(&mut self.tally.missed, "excluded");
            return None;
        }
        match folder.enter(name, self.walk.device) {
            Ok((inner, stat)) => {
                self.tally.writable_folders += u64::from(folder.passable && is_writable(&stat));
                return Some(Arc::new(inner));
            }
            Err(NotEntered::Unreadable) => self.tally.unreadable("unreadable-folders"),
            Err(NotEntered::Vanished) => count(&mut self.tally.missed, "vanished"),
            Err(NotEntered::OtherFileSystem) => count(&mut self.tally.missed, "other-file-systems"),
            Err(NotEntered::TooDeep) => count(&mut self.tally.missed, "too-deep"),
        }
        None
    }

    /// Takes the next entries of a folder: looks at its files, gives back the folders in it.
    /// `None` at the end.
    fn entries(&mut self, folder: &Arc<Folder>) -> Option<Vec<CString>> {
        let mut buffer = std::mem::take(&mut self.entries);
        let mut entries = RawDir::new(&folder.fd, &mut buffer);
        let (mut below, mut batch, mut seen, mut files) = (Vec::new(), Vec::new(), false, 0);
        while let Some(entry) = entries.next() {
            let Ok(entry) = entry else {
                self.tally.unreadable("unreadable-folders");
                seen = false;
                break;
            };
            seen = true;
            let name = entry.file_name();
            if !matches!(name.to_bytes(), b"." | b"..") {
                match self.kind(folder, name, entry.file_type()) {
                    FileType::Directory => below.push(name.to_owned()),
                    FileType::RegularFile if self.walk.queue.is_hungry() => batch.push(name.to_owned()),
                    FileType::RegularFile => {
                        self.file(folder, name);
                        files += 1;
                    }
                    FileType::Symlink => count(&mut self.tally.missed, "symbolic-links"),
                    FileType::Unknown => {}
                    _ => count(&mut self.tally.missed, "special-files"),
                }
            }
            if batch.len() >= BATCH {
                files += self.give_away(folder, std::mem::take(&mut batch));
            }
            // The rest comes with the next call: what is below goes first, so memory stays small.
            if entries.is_buffer_empty() || self.is_stopped() {
                break;
            }
        }
        files += self.give_away(folder, batch);
        self.entries = buffer;
        self.walk.progress.fetch_add(files, Ordering::Relaxed);
        seen.then_some(below)
    }

    /// Gives files away, or looks at them; says how many were looked at.
    fn give_away(&mut self, folder: &Arc<Folder>, batch: Vec<CString>) -> u64 {
        if batch.is_empty() {
            return 0;
        }
        let Err(Work::Files(_, batch)) = self.walk.queue.offer(Work::Files(folder.clone(), batch)) else { return 0 };
        batch.iter().for_each(|name| self.file(folder, name));
        batch.len() as u64
    }

    /// What an entry is; some file systems do not say it along with the name.
    fn kind(&mut self, folder: &Folder, name: &CStr, told: FileType) -> FileType {
        if told != FileType::Unknown {
            return told;
        }
        match folder.stat_of(name) {
            Ok(stat) => FileType::from_raw_mode(stat.st_mode),
            Err(_) => {
                count(&mut self.tally.missed, "vanished");
                FileType::Unknown
            }
        }
    }

    /// Whether the owner wants something left alone.
    pub(super) fn is_excluded(&self, folder: &Folder, name: &CStr) -> bool {
        !self.walk.excluded.is_empty() && self.walk.excluded.contains(&folder.path_of(name))
    }

    fn is_stopped(&mut self) -> bool {
        let stopped = self.walk.run.stop.is_cancelled() || self.is_over();
        self.tally.stopped |= stopped;
        stopped
    }

    /// Whether the hours that the scope allows have ended; asked each second.
    fn is_over(&self) -> bool {
        let (walk, now) = (self.walk, self.walk.run.now());
        if walk.asked.swap(now, Ordering::Relaxed) != now && walk.run.scope.holds_at(now).is_err() {
            walk.over.store(true, Ordering::Relaxed);
        }
        walk.over.load(Ordering::Relaxed)
    }
}
