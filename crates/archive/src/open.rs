//! Opening and closing a data directory.
//!
//! ```text
//! data_dir/lock        flock: one process at a time
//! data_dir/keyring/    wrapped keys        (seal)
//! data_dir/log/        segments            (log)
//! data_dir/objects/    large objects       (log)
//! data_dir/held/       what unknown senders sent: a spool (held)
//! data_dir/index.db    the view of the log (index); may be deleted, is made again
//! ```

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::access::registry::Registry;
use crate::change::{Fact, kind};
use crate::commit::replay::{Replay, replay};
use crate::held::Held;
use crate::index::{Index, IndexError, Writer};
use crate::ingest::StudyKeys;
use crate::log::{Log, LogOptions, Opened};
use crate::perform::nanoseconds;
use crate::seal::Keyring;
use crate::settings::{OpenError, Settings};
use crate::trail::{Entry, Outcome, Trail};
use crate::{Archive, Inner, commit, upkeep};

/// The index's file and what SQLite keeps beside it.
const INDEX_FILES: &[&str] = &["index.db", "index.db-wal", "index.db-shm", "index.db-journal"];

impl Archive {
    /// Opens the data directory, making what an empty one lacks: keyring, log, index.
    /// Takes the one-instance lock. Replays what the index has not seen.
    ///
    /// # Errors
    /// See [`OpenError`]; nothing was changed that a second try would mind.
    pub fn open(settings: Settings) -> Result<Archive, OpenError> {
        let lock = Arc::new(locked(&settings.data_dir)?);
        let keyring = Arc::new(Keyring::open_or_create(&settings.data_dir, &settings.key_source)?);
        let log = Arc::new(opened_log(&settings, &keyring)?.0);
        let (index, mut writer) = opened_index(&settings.data_dir, &keyring)?;
        let replayed = replay(&log, &keyring, &index, &mut writer, &mut |_| {})?;
        report(&replayed);
        if index.applied() > log.last_sequence() {
            return Err(OpenError::Damaged(format!(
                "the log ends at record {}, the index has seen record {}: the end of the log was cut off. Restore it \
                 from a copy; to go on without it, run `leadglass rebuild`",
                log.last_sequence(),
                index.applied()
            )));
        }
        let registry = Arc::new(registry(&index, &settings)?);
        let held = Held::open(&settings, &registry)?;
        let parts = commit::Parts {
            log: log.clone(),
            index: index.clone(),
            keyring: keyring.clone(),
            registry: registry.clone(),
            clock: settings.clock.clone(),
            lock: lock.clone(),
        };
        let committer =
            commit::start(parts, writer).map_err(|source| io("starting the committer", &settings.data_dir, source))?;
        let inner = Arc::new(Inner {
            clock: settings.clock.clone(),
            trail: Trail::new(committer.clone()),
            study_keys: StudyKeys::new(&index, keyring.clone()),
            settings,
            keyring,
            log,
            index,
            registry,
            committer,
            memory: Default::default(),
            accesses: Default::default(),
            brake: Default::default(),
            whose: Default::default(),
            reminded: Default::default(),
            alerts: Default::default(),
            failures: Default::default(),
            federated: Default::default(),
            visits: Default::default(),
            people: Default::default(),
            held,
            changing: Default::default(),
            lock: parking_lot::Mutex::new(Some(lock)),
        });
        close_left_open(&inner)?;
        if let Some(alert) = inner.held.opening() {
            inner.trail.note(alert.into_entry(nanoseconds(inner.clock.now())));
        }
        upkeep::start(&inner).map_err(|source| io("starting the upkeep", &inner.settings.data_dir, source))?;
        Ok(Archive { inner })
    }

    /// Deletes the index and makes it again from the log; `progress` hears how many records
    /// were read. For the host, while no other process has the archive open.
    ///
    /// # Errors
    /// As [`Archive::open`].
    pub fn rebuild(settings: &Settings, progress: &mut dyn FnMut(u64)) -> Result<u64, OpenError> {
        let _lock = locked(&settings.data_dir)?;
        let keyring = Keyring::open_or_create(&settings.data_dir, &settings.key_source)?;
        let (log, _) = opened_log(settings, &keyring)?;
        remove_index(&settings.data_dir)?;
        let (index, mut writer) = opened_index(&settings.data_dir, &keyring)?;
        let replayed = replay(&log, &keyring, &index, &mut writer, progress)?;
        report(&replayed);
        Ok(replayed.records)
    }

    /// Removes what interrupted work left behind and says how many files went. For the host,
    /// while no other process has the archive open; opening does the same.
    ///
    /// # Errors
    /// As [`Archive::open`].
    pub fn sweep(settings: &Settings) -> Result<u64, OpenError> {
        let _lock = locked(&settings.data_dir)?;
        let keyring = Keyring::open_or_create(&settings.data_dir, &settings.key_source)?;
        Ok(opened_log(settings, &keyring)?.1.swept)
    }

    /// Writes what waits, closes what is open in the trail, signs a checkpoint and lets go
    /// of the data directory. Afterwards every operation is refused.
    pub async fn close(&self) {
        self.tend(None);
        self.inner.held.close();
        self.inner.committer.close().await;
        drop(self.inner.lock.lock().take());
    }
}

/// What had begun when the process ended without a word was interrupted: the trail says so.
fn close_left_open(inner: &Inner) -> Result<(), OpenError> {
    let left = inner.index.trail_left_open().map_err(|error| OpenError::Damaged(error.to_string()))?;
    for row in left {
        let Ok(entry) = serde_json::from_str::<Entry>(&row.detail) else { continue };
        inner.trail.note(Entry { closes: Some(row.entry), outcome: Outcome::Interrupted, ..entry });
    }
    Ok(())
}

pub(crate) fn locked(data_dir: &Path) -> Result<File, OpenError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(data_dir);
    made.map_err(|source| io("making the data directory", data_dir, source))?;
    let path = data_dir.join("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = file.map_err(|source| io("opening", &path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::InUse(path)),
        Err(std::fs::TryLockError::Error(source)) => Err(io("locking", &path, source)),
    }
}

fn opened_log(settings: &Settings, keyring: &Keyring) -> Result<(Log, Opened), OpenError> {
    let options = LogOptions {
        data_dir: settings.data_dir.clone(),
        segment_bytes: settings.segment_bytes,
        reserve_bytes: settings.reserve_bytes,
    };
    let (log, opened) = Log::open(options, keyring.checkpoint_key()?)?;
    if let Some(torn) = &opened.torn {
        tracing::info!(bytes = torn.bytes, "an append that a crash cut off was cleared");
    }
    for location in &opened.damaged {
        tracing::error!(segment = location.segment, offset = location.offset, "a record is damaged");
    }
    Ok((log, opened))
}

/// The index; one that cannot be read, or is of another version, is a view lost: it is
/// made again.
fn opened_index(data_dir: &Path, keyring: &Keyring) -> Result<(Index, Writer), OpenError> {
    let key = Zeroizing::new(*keyring.index_key().secret());
    let path = data_dir.join("index.db");
    match Index::open(&path, &key) {
        Ok(opened) => Ok(opened),
        Err(error @ (IndexError::Unreadable | IndexError::OtherSchema { .. } | IndexError::Damaged(_))) => {
            tracing::warn!(%error, "the index is made again from the log");
            remove_index(data_dir)?;
            Index::open(&path, &key).map_err(|error| OpenError::Damaged(error.to_string()))
        }
        Err(error) => Err(OpenError::Damaged(error.to_string())),
    }
}

fn remove_index(data_dir: &Path) -> Result<(), OpenError> {
    for name in INDEX_FILES {
        let path: PathBuf = data_dir.join(name);
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(io("removing", &path, source)),
        }
    }
    Ok(())
}

fn registry(index: &Index, settings: &Settings) -> Result<Registry, OpenError> {
    let damaged = |error: &dyn std::fmt::Display| OpenError::Damaged(error.to_string());
    let registry = Registry::new(&settings.people);
    for &kind in kind::ALL {
        for (name, document) in index.registry_list(kind).map_err(|error| damaged(&error))? {
            registry.learn(&Fact { kind, name, document }).map_err(|error| damaged(&error))?;
        }
    }
    Ok(registry)
}

fn report(replayed: &Replay) {
    if replayed.records > 0 {
        tracing::info!(records = replayed.records, "records the index had not seen were applied");
    }
    for location in &replayed.damaged {
        tracing::error!(segment = location.segment, offset = location.offset, "a record cannot be read");
    }
}

fn io(what: &str, path: &Path, source: std::io::Error) -> OpenError {
    OpenError::Io { what: format!("{what} {}", path.display()), source }
}
