//! The open log: appending, checkpoints, erasing. Reading is in `replay`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use parking_lot::Mutex;

use super::files::{Files, sync_directory};
use super::segment::{self, free_bytes};
use super::writer::{Disk, Kernel, Writer};
use super::{Checkpoint, CheckpointKey, Hash, Location, LogError, NewRecord, SpillFile, object, tail};

/// How a log is opened.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// The data directory; `log/` and `objects/` are made in it.
    pub data_dir: PathBuf,
    /// Bytes of a segment.
    pub segment_bytes: u64,
    /// Free bytes below which [`Log::has_room`] says no.
    pub reserve_bytes: u64,
}

/// What opening found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Sequence of the last record; 0 in an empty log.
    pub last_sequence: u64,
    /// An unfinished last append that was cleared.
    pub torn: Option<TornTail>,
    /// Damage met on the way (only the tail is walked; see `verify` for all).
    pub damaged: Vec<Location>,
    /// Files nobody refers to that were removed.
    pub swept: u64,
}

/// An append that a crash cut off. Nobody was told it succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// Where it began.
    pub location: Location,
    /// Bytes cleared.
    pub bytes: u64,
}

/// Where an appended record went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its sequence.
    pub sequence: u64,
    /// Its place.
    pub location: Location,
    /// Sealed bytes of its parts.
    pub lengths: Vec<u64>,
    /// Its leaf.
    pub leaf: Hash,
}

/// An open log: one per data directory, shared by reference. Appends take a lock inside and
/// come from one thread, the committer's; reads take none.
pub struct Log {
    options: LogOptions,
    pub(super) files: Arc<Files>,
    writer: Mutex<Writer>,
    last_sequence: AtomicU64,
    key: CheckpointKey,
}

impl Log {
    /// Opens the log: finds its end, clears a torn append, removes unreferenced files.
    pub fn open(options: LogOptions, key: CheckpointKey) -> Result<(Log, Opened), LogError> {
        Log::open_on(options, key, Box::new(Kernel))
    }

    /// As [`Log::open`], writing through `disk`, which tests make fail.
    pub(super) fn open_on(
        options: LogOptions,
        key: CheckpointKey,
        disk: Box<dyn Disk>,
    ) -> Result<(Log, Opened), LogError> {
        let files = Arc::new(Files::of(&options.data_dir));
        files.make_directories()?;
        let mut tail = tail::find(&files, &key.verifier())?;
        tail.opened.swept = object::sweep(&files, &tail.objects)?;
        let opened = std::mem::take(&mut tail.opened);
        let writer = Writer::begin(Arc::clone(&files), &options, tail, disk)?;
        let last_sequence = AtomicU64::new(opened.last_sequence);
        Ok((Log { options, files, writer: Mutex::new(writer), last_sequence, key }, opened))
    }

    /// Appends the batch: one write, one fdatasync (more only when it spans segments). Durable
    /// when this returns `Ok`. [`LogError::NoRoom`] and [`LogError::TooLarge`] leave the log
    /// as it was; after any other error nothing more can be appended.
    pub fn append(&self, batch: Vec<NewRecord>) -> Result<Vec<Appended>, LogError> {
        let mut writer = self.writer.lock();
        let appended = writer.append(batch);
        self.last_sequence.store(writer.last_sequence(), Ordering::Release);
        appended
    }

    /// Why nothing can be appended, if so.
    pub fn poisoned(&self) -> Option<String> {
        self.writer.lock().poisoned().map(str::to_owned)
    }

    /// Sequence of the last record; 0 in an empty log.
    pub fn last_sequence(&self) -> u64 {
        self.last_sequence.load(Ordering::Acquire)
    }

    /// Root of the tree over all records.
    pub fn root(&self) -> Hash {
        self.writer.lock().root()
    }

    /// Whether a checkpoint is due: a minute or 1,000 records since the last, and something
    /// to cover.
    pub fn checkpoint_due(&self, now: SystemTime) -> bool {
        self.writer.lock().checkpoint_due(now)
    }

    /// Signs and appends a checkpoint of all records so far.
    pub fn checkpoint(&self, now: SystemTime) -> Result<Checkpoint, LogError> {
        let mut writer = self.writer.lock();
        let checkpoint = writer.checkpoint(&self.key, now);
        self.last_sequence.store(writer.last_sequence(), Ordering::Release);
        checkpoint
    }

    /// The newest checkpoint, when there is one.
    pub fn last_checkpoint(&self) -> Option<Checkpoint> {
        self.writer.lock().last_checkpoint()
    }

    /// Begins a file for a part too large for a segment.
    pub fn spill(&self) -> Result<SpillFile, LogError> {
        SpillFile::create(&self.files)
    }

    /// Whether that many bytes fit above the reserve.
    pub fn has_room(&self, bytes: u64) -> Result<bool, LogError> {
        Ok(free_bytes(&self.files)? >= self.options.reserve_bytes.saturating_add(bytes))
    }

    /// Erases the parts of a record for good, leaving its header and proofs. Destroy its
    /// key first, and append the record that says so.
    pub fn punch(&self, location: Location) -> Result<(), LogError> {
        let header = self.files.header(location)?;
        let path = self.files.segment_path(location.segment);
        let io = |what| LogError::io(what, &path);
        let file = std::fs::OpenOptions::new().write(true).read(true).open(&path).map_err(io("cannot open"))?;
        for (number, part) in header.parts.iter().enumerate() {
            match part.object {
                None => segment::punch(&file, location.offset + header.part_offset(number), part.bytes)
                    .map_err(io("cannot erase in"))?,
                Some(name) => remove_object(&self.files, &name)?,
            }
        }
        file.sync_all().map_err(io("cannot sync"))?;
        sync_directory(self.files.objects())
    }
}

fn remove_object(files: &Files, name: &[u8; 16]) -> Result<(), LogError> {
    for path in [files.object_path(name), files.new_object_path(name)] {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(LogError::io("cannot remove", &path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}
