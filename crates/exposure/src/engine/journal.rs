//! A run's folder: the log, the key beside it while the run lasts, and the state they give.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::log::{self, BadLog, Begun, Entry, LOG_FILE, Log};
use super::plan::Plan;
use super::state::State;
use super::{AuditError, Options};
use crate::report::Report;

/// The key's name in a run's folder.
pub(super) const KEY_FILE: &str = "run.key";

/// A run's folder.
pub(super) struct Journal<'a> {
    log: Log,
    path: PathBuf,
    plan: &'a Plan,
    /// Where the run stands.
    pub(super) state: State,
}

/// What is kept of a key.
pub(super) type KeyBytes = Zeroizing<[u8; 32]>;

impl<'a> Journal<'a> {
    /// Begins a run in a folder or goes on with the one there; gives its key. A run that is
    /// complete has none any more, and needs none.
    pub(super) fn open(
        options: &Options,
        begun: Begun,
        entropy: &KeyBytes,
        plan: &'a Plan,
    ) -> Result<(Journal<'a>, KeyBytes), AuditError> {
        let (path, key_path) = (options.out.join(LOG_FILE), options.out.join(KEY_FILE));
        let there = path.exists();
        if there && !options.resume {
            return Err(AuditError::AlreadyThere(options.out.clone()));
        }
        if !there && options.resume && !key_path.exists() {
            return Err(AuditError::NothingThere(options.out.clone()));
        }
        if there && let Some(journal) = Journal::go_on(&path, &begun, plan)? {
            let key = match read_key(&key_path) {
                Ok(key) => key,
                Err(_) if journal.state.is_complete() => entropy.clone(),
                Err(_) => return Err(AuditError::KeyLost(key_path)),
            };
            return Ok((journal, key));
        }
        private_folder(&options.out).map_err(failed("make", &options.out))?;
        write_key(&key_path, entropy).map_err(failed("write", &key_path))?;
        if there {
            // Killed before its first line was whole.
            fs::remove_file(&path).map_err(failed("begin", &path))?;
        }
        let log = Log::create(&path).map_err(failed("begin", &path))?;
        let mut journal = Journal { log, path, plan, state: State::new(begun.clone()) };
        journal.note(Entry::Begun(begun))?;
        journal.sync()?;
        sync_folder(&options.out).map_err(failed("write", &options.out))?;
        Ok((journal, entropy.clone()))
    }

    /// Reads the log that is there; none when it does not hold a whole line.
    fn go_on(path: &Path, begun: &Begun, plan: &'a Plan) -> Result<Option<Journal<'a>>, AuditError> {
        let mut state: Option<State> = None;
        let mut other = None;
        let read = log::read(path, |_, entry| match (&mut state, entry) {
            (None, Entry::Begun(there)) => {
                other = differs(begun, &there);
                state = Some(State::new(there));
                if other.is_some() { Err("another run") } else { Ok(()) }
            }
            (None, _) => Err("a run begins with its first line"),
            (Some(state), entry) => state.take(entry, plan),
        });
        if let Some(other) = other {
            return Err(other);
        }
        let end = read?;
        let Some(state) = state else { return Ok(None) };
        let log = Log::resume(path, &end).map_err(failed("go on with", path))?;
        Ok(Some(Journal { log, path: path.to_owned(), plan, state }))
    }

    /// Writes a line and goes on by it.
    pub(super) fn note(&mut self, entry: Entry) -> Result<(), AuditError> {
        self.log.append(&entry).map_err(failed("write", &self.path))?;
        let foreign = |what| BadLog::Foreign { path: self.path.clone(), line: 0, what };
        Ok(self.state.take(entry, self.plan).map_err(foreign)?)
    }

    /// Writes down which report the run came to, unless the last line says so already.
    pub(super) fn bind(&mut self, report: &Report) -> Result<(), AuditError> {
        let body = report.body_sha256();
        if self.state.reported.as_ref() != Some(&body) {
            self.note(Entry::Reported(body))?;
        }
        self.sync()
    }

    /// Brings all lines to the disk.
    pub(super) fn sync(&mut self) -> Result<(), AuditError> {
        self.log.sync().map_err(failed("write", &self.path))
    }

    /// Hash of the last line, hex.
    pub(super) fn head(&self) -> String {
        self.log.head()
    }

    /// Forgets the run's key: nothing is left to be hashed with it.
    pub(super) fn forget_key(&self) -> Result<(), AuditError> {
        let path = self.path.with_file_name(KEY_FILE);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("delete", &path)(error)),
            _ => Ok(()),
        }
    }
}

/// Why a run cannot be gone on with, when it was asked for something else.
fn differs(asked: &Begun, there: &Begun) -> Option<AuditError> {
    if asked.scope != there.scope {
        return Some(AuditError::OtherScope);
    }
    let same = [
        (asked.format == there.format && asked.tool == there.tool, "version of the tool or its rules"),
        (asked.seed == there.seed, "seed"),
        (asked.shard == there.shard, "shard"),
        (asked.depth == there.depth, "depth"),
        (asked.ports == there.ports, "ports"),
        (asked.sweep == there.sweep, "choice of sweeping"),
        (asked.imported == there.imported, "imports"),
    ];
    same.into_iter().find(|(same, _)| !same).map(|(_, what)| AuditError::OtherOptions(what))
}

fn read_key(path: &Path) -> io::Result<KeyBytes> {
    let mut key = KeyBytes::default();
    File::open(path)?.read_exact(key.as_mut_slice())?;
    Ok(key)
}

/// Only its owner reads it, from the first byte on.
fn write_key(path: &Path, key: &KeyBytes) -> io::Result<()> {
    if path.exists() {
        fs::remove_file(path)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(key.as_slice())?;
    file.sync_all()
}

/// A folder that only its owner reads; one that is there already is left as it is.
fn private_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> AuditError {
    let path = path.to_owned();
    move |source| AuditError::Files { doing, path, source }
}
