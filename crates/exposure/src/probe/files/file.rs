//! The look at one file: one open, one read of its beginning, more only while its header goes on.

use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;

use leadglass_dicom::Encoding;
use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::access::{self, OTHERS_READ, OTHERS_WRITE};
use super::exports;
use super::folder::Folder;
use super::inflate;
use super::magic::{self, ISO_MAGIC, ISO_OFFSET, MAGIC};
use super::naming::{Configuration, Promise, promise};
use super::orthanc;
use super::preamble::{PREAMBLE, Preamble};
use super::reader::{read_data_set, read_part10, sniff};
use super::record::{End, Record};
use super::source::{FIRST_READ, File, ReadAt, Window};
use super::tally::{count, hash_of};
use super::worker::Worker;

/// Where the prefix of PS3.10 7.1 is, and the end of what is read of a file that promises nothing.
const PREFIX: std::ops::Range<usize> = PREAMBLE..PREAMBLE + 4;
/// Seconds after which a stray copy is one.
const STRAY_AFTER: i64 = 90 * 86_400;

/// What a file turned out to be.
enum Kind {
    /// DICOM: its kind's name, and what its header said, when it was read.
    Dicom(&'static str, Option<Box<Record>>),
    /// A container, or something else.
    Other(&'static str),
}

impl Worker<'_> {
    /// Looks at a file.
    pub(super) fn file(&mut self, folder: &Folder, name: &CStr) {
        if self.is_excluded(folder, name) {
            return count(&mut self.tally.missed, "excluded");
        }
        self.tally.files += 1;
        let promise = promise(name.to_bytes());
        match promise {
            Promise::Program(program) => count(&mut self.tally.programs, program),
            Promise::Secret(secret) => return self.secret(folder, name, secret),
            Promise::Dicom | Promise::Nothing | Promise::Container | Promise::Configuration(_) => {}
        }
        let (fd, stat) = match self.open(folder, name) {
            Ok(opened) => opened,
            Err(Errno::NOENT | Errno::STALE | Errno::LOOP) => return count(&mut self.tally.missed, "vanished"),
            Err(_) => return self.tally.unreadable("unreadable-files"),
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || stat.st_dev != self.walk.device {
            return count(&mut self.tally.missed, "special-files");
        }
        match self.kind_of(&fd, &stat, promise) {
            Some(Kind::Dicom(kind, record)) => {
                count(&mut self.tally.kinds, kind);
                self.tally.dicom += 1;
                if let Some(record) = record {
                    self.tally.record(&record);
                }
                self.permissions(folder, &fd, &stat);
                self.age(folder, &stat);
            }
            // Counted by its name.
            Some(Kind::Other("other")) if matches!(promise, Promise::Program(_)) => {}
            Some(Kind::Other(kind)) => {
                count(&mut self.tally.kinds, kind);
                if let (Promise::Configuration(which), "other") = (promise, kind) {
                    self.configuration(folder, &fd, which);
                }
            }
            None => self.tally.unreadable("unreadable-files"),
        }
    }

    /// Opens a file: never through a link, never waiting for whoever writes a FIFO.
    fn open(&mut self, folder: &Folder, name: &CStr) -> Result<(OwnedFd, Stat), Errno> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let opened = if self.keeps_access_time {
            rustix::fs::openat(&folder.fd, name, flags | OFlags::NOATIME, Mode::empty())
        } else {
            Err(Errno::PERM)
        };
        let fd = match opened {
            // Only a file's owner may leave its access time alone.
            Err(Errno::PERM) => {
                self.keeps_access_time = false;
                rustix::fs::openat(&folder.fd, name, flags, Mode::empty())?
            }
            other => other?,
        };
        let stat = rustix::fs::fstat(&fd)?;
        Ok((fd, stat))
    }

    /// Tells the kind by the first bytes; `None` when they cannot be read.
    fn kind_of(&mut self, fd: &OwnedFd, stat: &Stat, promise: Promise) -> Option<Kind> {
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let first = match promise {
            Promise::Dicom => FIRST_READ,
            Promise::Container => MAGIC,
            _ => PREFIX.end,
        };
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut window = Window::new(File(fd), &mut buffer);
        let kind = match window.begin(first) {
            Ok(start) if start.get(PREFIX) == Some(b"DICM") => Some(self.part10(&mut window, size)),
            Ok(start) => {
                let (sniffed, container) = (sniff(start), magic::container(start));
                let bare =
                    sniffed.filter(|_| self.walk.reads_headers).and_then(|encoding| bare(&mut window, size, encoding));
                match (bare, container) {
                    (Some(record), _) => Some(Kind::Dicom("bare-data-set", Some(Box::new(record)))),
                    (None, Some(container)) => Some(Kind::Other(container)),
                    (None, None) if promise == Promise::Container && is_iso(&mut window) => {
                        Some(Kind::Other("iso9660"))
                    }
                    (None, None) => Some(Kind::Other("other")),
                }
            }
            Err(_) => None,
        };
        self.buffer = buffer;
        kind
    }

    fn part10(&mut self, window: &mut Window<'_, File<&OwnedFd>>, size: u64) -> Kind {
        if let Ok(start) = window.begin_again() {
            let preamble = Preamble::of(start);
            let bytes = start.get(..PREAMBLE).unwrap_or_default();
            self.tally.preamble(preamble, &self.walk.run.key, bytes);
        }
        if !self.walk.reads_headers {
            return Kind::Dicom("part10", None);
        }
        let (mut record, at) = read_part10(window, size, PREFIX.end as u64);
        if record.end == End::NotInflated {
            inflate::read(window, at, &mut record);
        }
        if record.end == End::Truncated {
            count(&mut self.tally.missed, "changed");
        }
        let kind = if record.is_directory { "dicomdir" } else { "part10" };
        Kind::Dicom(kind, Some(Box::new(record)))
    }

    /// Who may read and write a DICOM file.
    fn permissions(&mut self, folder: &Folder, fd: &OwnedFd, stat: &Stat) {
        let mode = stat.st_mode;
        *self.tally.modes.entry((mode & 0o7777) as u16).or_default() += 1;
        let mut grants = access::Grants::default();
        if self.has_acls {
            match access::posix_acl(fd) {
                Some(found) => grants = found,
                None => self.has_acls = false,
            }
        }
        let by_mode = folder.passable && (mode & OTHERS_READ != 0 || grants.everyone);
        let by_windows = self.walk.windows_acls && access::windows_acl(fd).everyone;
        self.tally.named_grants += u64::from(grants.named);
        self.tally.writable += u64::from(folder.passable && mode & OTHERS_WRITE != 0);
        self.tally.by_windows_acl += u64::from(by_windows && !by_mode);
        if !by_mode && !by_windows {
            return;
        }
        self.tally.readable += 1;
        if folder.told.swap(true, Ordering::Relaxed) {
            return;
        }
        let hash = hash_of(&self.walk.run.key, &folder.path);
        let example = (folder.depth, hash);
        self.tally.readable_folders += 1;
        self.tally.example_folder = Some(self.tally.example_folder.map_or(example, |other| other.min(example)));
        if let Some(paths) = self.walk.paths {
            paths(hash, &folder.path);
        }
    }

    /// Whether a DICOM file is a stray copy.
    fn age(&mut self, folder: &Folder, stat: &Stat) {
        let Some(stray) = folder.stray else { return };
        let modified = stat.st_mtime;
        if self.walk.run.now().saturating_sub(modified) > STRAY_AFTER
            && let Ok(time) = time::OffsetDateTime::from_unix_timestamp(modified)
        {
            self.tally.stray(stray, time.year());
        }
    }

    /// A file whose name says that it is secret: its permissions only. Orthanc's configuration
    /// holds switches as well.
    fn secret(&mut self, folder: &Folder, name: &CStr, secret: &'static str) {
        match folder.stat_of(name) {
            Ok(stat) if folder.passable && stat.st_mode & OTHERS_READ != 0 => {
                count(&mut self.tally.open_secrets, secret);
            }
            Ok(_) => self.tally.closed_secrets += 1,
            Err(_) => return count(&mut self.tally.missed, "vanished"),
        }
        if secret == "orthanc-configuration" {
            self.named_orthanc(folder, name);
        }
    }

    /// Reads a file that is called as Orthanc's configuration is.
    fn named_orthanc(&mut self, folder: &Folder, name: &CStr) {
        let opened = self.open(folder, name).ok().filter(|_| self.walk.reads_headers);
        let is_regular = |stat: &Stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        let text = opened.filter(|(_, stat)| is_regular(stat)).and_then(|(fd, _)| text_of(&fd, orthanc::LONGEST));
        match text.map(|text| orthanc::read(&text)) {
            Some(orthanc::Read::Orthanc(switches)) => self.tally.orthanc(Some(&switches)),
            // Another Orthanc than ours, or one of several files of its configuration.
            Some(orthanc::Read::Foreign) => {}
            Some(orthanc::Read::Malformed) | None => self.tally.orthanc(None),
        }
    }

    /// Reads what may be a configuration, and lets go of what is none.
    fn configuration(&mut self, folder: &Folder, fd: &OwnedFd, which: Configuration) {
        if !self.walk.reads_headers {
            return;
        }
        match which {
            Configuration::Orthanc => {
                let Some(text) = text_of(fd, orthanc::LONGEST) else { return };
                if orthanc::may_begin(&text)
                    && let orthanc::Read::Orthanc(switches) = orthanc::read(&text)
                {
                    self.tally.orthanc(Some(&switches));
                }
            }
            Configuration::Exports => {
                let in_folder = folder.path.file_name().is_some_and(|name| name == "exports.d" || name == "etc");
                match text_of(fd, exports::LONGEST) {
                    Some(text) => {
                        for export in exports::read(&String::from_utf8_lossy(&text)) {
                            self.tally.exports.exported.add_export(&export);
                        }
                    }
                    None => self.tally.exports.unread += u64::from(in_folder),
                }
            }
        }
    }
}

/// All of a file that is no longer than `longest`.
fn text_of(fd: &OwnedFd, longest: usize) -> Option<Zeroizing<Vec<u8>>> {
    // Room from the start: a text that moves leaves itself behind.
    let size = usize::try_from(rustix::fs::fstat(fd).ok()?.st_size).ok().filter(|size| *size <= longest)?;
    let (source, mut text) = (File(fd), Zeroizing::new(Vec::with_capacity(size)));
    let mut some = Zeroizing::new([0; 8192]);
    loop {
        match source.read_at(&mut some[..], text.len() as u64).ok()? {
            0 => return Some(text),
            read if text.len() + read > longest => return None,
            read => text.extend_from_slice(&some[..read]),
        }
    }
}

/// A data set without preamble; only one that reads like an instance is one.
pub(super) fn bare<S: ReadAt>(window: &mut Window<'_, S>, size: u64, encoding: Encoding) -> Option<Record> {
    let begins_with_meta = window.at(0, 4).is_ok_and(|bytes| bytes.starts_with(&[2, 0]));
    let record =
        if begins_with_meta { read_part10(window, size, 0).0 } else { read_data_set(window, size, 0, encoding) };
    let is_whole = !matches!(record.end, End::Malformed | End::Failed);
    (record.is_instance && is_whole && record.elements >= 4).then_some(record)
}

fn is_iso(window: &mut Window<'_, File<&OwnedFd>>) -> bool {
    window.at(ISO_OFFSET, ISO_MAGIC.len()).is_ok_and(|bytes| bytes == ISO_MAGIC)
}
