//! The log of a run: JSON lines, each with the hash of the one before.
//!
//! It is enough to go on with a killed run, and to tell that nobody changed a line. Nothing
//! of a target can be in it or come out of it: it holds the types of reports, and what an
//! owner wrote is taken from the scope when it is read. Deliberately absent: any repair. A
//! line that was torn at the end is cut; anything else that does not fit is refused.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use super::Ended;
use crate::catalogue::{CheckRef, Depth, Name};
use crate::finding::Outcome;
use crate::report::{Left, Report, Service};

/// The form of the log.
pub const FORMAT: u32 = 1;
/// The log's name in a run's folder.
pub const LOG_FILE: &str = "run.log";
/// Longest line that is read.
const MAX_LINE: u64 = 64 << 20;
/// Longest time that a line may lie unsynced.
const SYNC: Duration = Duration::from_millis(500);
/// Hash before the first line.
const NOTHING: [u8; 32] = [0; 32];

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Entry {
    /// The first line.
    Begun(Begun),
    /// What the scope's names and URLs resolved to.
    Resolved(Vec<Resolved>),
    /// The sweep came so far.
    Swept(Swept),
    /// A host was looked at.
    Host(Box<Seen>),
    /// A credential try is about to be made.
    Tried(Tried),
    /// A file tree was walked.
    Tree(Box<Walked>),
    /// The run ended, or paused.
    Ended(Stamped<Ended>),
    /// The run was resumed.
    Resumed(Stamped<()>),
    /// SHA-256 of the body of the report that all lines before came to, hex.
    Reported(String),
}

/// What a run was asked for: everything that a report depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Begun {
    pub(super) format: u32,
    /// SHA-256 of the tool's name, version and rules: another tool may say other things.
    pub(super) tool: String,
    pub(super) scope: String,
    pub(super) seed: u64,
    pub(super) shard: (u32, u32),
    pub(super) depth: Depth,
    pub(super) ports: Vec<u16>,
    pub(super) sweep: bool,
    /// SHA-256 of what was imported.
    pub(super) imported: String,
    pub(super) at: i64,
}

/// A name or URL of an asset, resolved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Resolved {
    /// Place of the asset in the scope.
    pub(super) asset: u32,
    /// What of it.
    pub(super) what: Pointer,
    pub(super) address: IpAddr,
}

/// Which of an asset's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Pointer {
    /// Of `hosts`.
    Host(u32),
    /// Of `urls`.
    Url(u32),
    /// Of `share_links`.
    ShareLink(u32),
}

/// How far the sweep came, and what it met since the line before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Swept {
    pub(super) upto: u64,
    pub(super) refused: u64,
    pub(super) silent: u64,
    pub(super) opens: Vec<SocketAddr>,
}

/// How connects that were not the sweep's went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reached {
    pub(super) planned: u64,
    pub(super) open: u64,
    pub(super) refused: u64,
    pub(super) silent: u64,
}

/// A host that was looked at. What the owner says of it is not here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seen {
    pub(super) address: IpAddr,
    pub(super) product: Option<Name>,
    pub(super) studies: Option<u64>,
    pub(super) services: Vec<Service>,
    pub(super) left: Option<Left>,
    pub(super) reached: Reached,
    pub(super) answered: bool,
    pub(super) fell_silent: bool,
    pub(super) announced: Vec<Spoken>,
}

/// What a host's own audit trail should hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spoken {
    pub(super) port: u16,
    pub(super) calling_ae: String,
    pub(super) at: i64,
    pub(super) check: CheckRef,
}

/// A credential try, written before it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tried {
    /// Place in the scope of the first asset with the system's label.
    pub(super) asset: u32,
    /// The pair that was tried, by its id.
    pub(super) account: Name,
}

/// A file tree that was walked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Walked {
    /// Place of the asset in the scope.
    pub(super) asset: u32,
    pub(super) root: u32,
    pub(super) dicom_files: u64,
    pub(super) files: u64,
    pub(super) unreadable: u64,
    pub(super) outcomes: Vec<Outcome>,
}

/// Something with its second, since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stamped<T> {
    pub(super) what: T,
    pub(super) at: i64,
}

/// Why a log is refused.
#[derive(Debug, thiserror::Error)]
pub enum BadLog {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The log.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A line does not carry the hash of the one before: something was changed, added or left out.
    #[error("{}, line {line}: the chain is broken here; the log was changed after it was written", path.display())]
    Broken {
        /// The log.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
    },
    /// A line is none of ours.
    #[error("{}, line {line}: {what}", path.display())]
    Foreign {
        /// The log.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// What a log that holds is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many lines.
    pub lines: u64,
    /// Hash of the last one, hex.
    pub head: String,
    /// How the run ended, when it did.
    pub ended: Option<Ended>,
    /// SHA-256 of the body of the report that the run came to, hex, when its last line says so.
    pub reported: Option<String>,
    /// Whether a torn line follows the last whole one, as after a power cut.
    pub torn: bool,
}

/// Why a report is not the one that a log came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unbound {
    /// The log was written anew, or it is another run's.
    #[error(
        "the report names another last line of the log than it has: the log was written anew, or they are of two runs"
    )]
    Log,
    /// The report was changed, or it is another run's.
    #[error("the log names another report than the one beside it: the report was changed, or it is older than the log")]
    Report,
}

impl Verified {
    /// Whether the run came to its end and to a report, and nothing is torn.
    pub fn is_whole(&self) -> bool {
        self.ended == Some(Ended::Complete) && self.reported.is_some() && !self.torn
    }

    /// Whether a report is the one that this log came to: each names the other. Who can write
    /// both can forge both; a signature over the report, which names the log, ends that.
    pub fn binds(&self, report: &Report) -> Result<(), Unbound> {
        if self.reported.as_deref() != Some(report.body_sha256().as_str()) {
            return Err(Unbound::Report);
        }
        if report.times.log_head.as_deref() != Some(self.head.as_str()) {
            return Err(Unbound::Log);
        }
        Ok(())
    }
}

/// Checks the chain and the form of a log.
pub fn verify_log(path: &Path) -> Result<Verified, BadLog> {
    let (mut ended, mut reported) = (None, None);
    let end = read(path, |_, entry| {
        reported = None;
        match entry {
            Entry::Reported(body) => reported = Some(body),
            Entry::Ended(how) => ended = Some(how.what),
            Entry::Resumed(_) => ended = None,
            _ => {}
        }
        Ok(())
    })?;
    Ok(Verified { lines: end.lines, head: hex::encode(end.head), ended, reported, torn: end.torn })
}

/// Where a log ends.
pub(super) struct End {
    pub(super) lines: u64,
    pub(super) head: [u8; 32],
    /// Bytes of the whole lines.
    bytes: u64,
    torn: bool,
}

/// Reads a log line by line.
pub(super) fn read(path: &Path, take: impl FnMut(u64, Entry) -> Result<(), &'static str>) -> Result<End, BadLog> {
    let file = File::open(path).map_err(|source| BadLog::Unreadable { path: path.to_owned(), source })?;
    read_from(BufReader::new(file), path, take)
}

/// Reads the log that is at a path from anything that gives its bytes.
pub(super) fn read_from(
    mut reader: impl BufRead,
    path: &Path,
    mut take: impl FnMut(u64, Entry) -> Result<(), &'static str>,
) -> Result<End, BadLog> {
    let unreadable = |source| BadLog::Unreadable { path: path.to_owned(), source };
    let mut end = End { lines: 0, head: NOTHING, bytes: 0, torn: false };
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).map_err(unreadable)?;
        let number = end.lines + 1;
        let foreign = |what| BadLog::Foreign { path: path.to_owned(), line: number, what };
        let Some(text) = line.strip_suffix(b"\n") else {
            if read as u64 == MAX_LINE {
                return Err(foreign("longer than any line that is written"));
            }
            end.torn = read > 0;
            return Ok(end);
        };
        let said: Said = serde_json::from_slice(text).map_err(|_| foreign("not a line that this version writes"))?;
        if said.before != hex::encode(end.head) {
            return Err(BadLog::Broken { path: path.to_owned(), line: number });
        }
        if matches!(said.entry, Entry::Begun(_)) != (number == 1) {
            return Err(foreign("a run begins with its first line and nowhere else"));
        }
        take(number, said.entry).map_err(foreign)?;
        end = End { lines: number, head: hash(text), bytes: end.bytes + read as u64, torn: false };
    }
}

/// A line, as it is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    before: String,
    entry: Entry,
}

/// A line, as it is written.
#[derive(Serialize)]
struct Saying<'a> {
    before: String,
    entry: &'a Entry,
}

/// A log that is being written.
pub(super) struct Log {
    file: File,
    head: [u8; 32],
    synced: Instant,
    unsynced: bool,
}

impl Log {
    /// A new log; the file must not exist.
    pub(super) fn create(path: &Path) -> io::Result<Log> {
        let file = OpenOptions::new().create_new(true).append(true).mode(0o600).open(path)?;
        file.try_lock().map_err(io::Error::from)?;
        Ok(Log { file, head: NOTHING, synced: Instant::now(), unsynced: false })
    }

    /// Goes on with a log after what was read of it; what was torn is cut off.
    pub(super) fn resume(path: &Path, end: &End) -> io::Result<Log> {
        let file = OpenOptions::new().append(true).open(path)?;
        file.try_lock().map_err(io::Error::from)?;
        file.set_len(end.bytes)?;
        Ok(Log { file, head: end.head, synced: Instant::now(), unsynced: false })
    }

    /// Appends a line; it is on the disk within half a second of the next.
    pub(super) fn append(&mut self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Saying { before: hex::encode(self.head), entry })?;
        let head = hash(&line);
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.head = head;
        self.unsynced = true;
        if self.synced.elapsed() >= SYNC { self.sync() } else { Ok(()) }
    }

    /// Brings all lines to the disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if self.unsynced {
            self.file.sync_data()?;
            self.unsynced = false;
        }
        self.synced = Instant::now();
        Ok(())
    }

    /// Hash of the last line, hex.
    pub(super) fn head(&self) -> String {
        hex::encode(self.head)
    }
}

pub(super) fn hash(line: &[u8]) -> [u8; 32] {
    let mut hash = NOTHING;
    hash.copy_from_slice(digest::digest(&digest::SHA256, line).as_ref());
    hash
}
