//! The open log: appending, and the door to reading.

use std::ops::{ControlFlow, Range};
use std::path::PathBuf;
use std::time::SystemTime;

use super::{Checkpoint, CheckpointKey, Hash, Header, Location, LogError, NewRecord, PartReader, RecordView, Replayed, SpillFile};
use crate::seal::DataKey;

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
pub struct Log {}

impl Log {
    /// Opens the log: finds its end, clears a torn append, removes unreferenced files.
    pub fn open(_options: LogOptions, _key: CheckpointKey) -> Result<(Log, Opened), LogError> {
        todo!()
    }

    /// Appends the batch: one write, one fdatasync. Durable when this returns `Ok`; after
    /// an `Err(Io)` or `Err(Poisoned)` nothing more can be appended.
    pub fn append(&self, _batch: Vec<NewRecord>) -> Result<Vec<Appended>, LogError> {
        todo!()
    }

    /// Why nothing can be appended, if so.
    pub fn poisoned(&self) -> Option<String> {
        todo!()
    }

    /// Sequence of the last record; 0 in an empty log.
    pub fn last_sequence(&self) -> u64 {
        todo!()
    }

    /// Root of the tree over all records.
    pub fn root(&self) -> Hash {
        todo!()
    }

    /// Whether a checkpoint is due: a minute or 1,000 records since the last, and something
    /// to cover.
    pub fn checkpoint_due(&self, _now: SystemTime) -> bool {
        todo!()
    }

    /// Signs and appends a checkpoint of all records so far.
    pub fn checkpoint(&self, _now: SystemTime) -> Result<Checkpoint, LogError> {
        todo!()
    }

    /// The newest checkpoint, when there is one.
    pub fn last_checkpoint(&self) -> Option<Checkpoint> {
        todo!()
    }

    /// The header of a record, checked.
    pub fn header(&self, _location: Location) -> Result<Header, LogError> {
        todo!()
    }

    /// Sealed bytes of a part; the range is cut to its end.
    pub fn read_part(&self, _location: Location, _part: usize, _sealed: Range<u64>) -> Result<Vec<u8>, LogError> {
        todo!()
    }

    /// Opens a part for reading plain bytes anywhere in it.
    pub fn open_part(&self, _location: Location, _part: usize, _key: &DataKey) -> Result<PartReader, LogError> {
        todo!()
    }

    /// Visits every record from that sequence on. `near` is the place of a record at or
    /// before it, where the caller knows one; without it the segment is searched.
    pub fn replay(
        &self,
        _from: u64,
        _near: Option<Location>,
        _visit: &mut dyn FnMut(RecordView<'_>) -> ControlFlow<()>,
    ) -> Result<Replayed, LogError> {
        todo!()
    }

    /// Begins a file for a part too large for a segment.
    pub fn spill(&self) -> Result<SpillFile, LogError> {
        todo!()
    }

    /// Whether that many bytes fit above the reserve.
    pub fn has_room(&self, _bytes: u64) -> Result<bool, LogError> {
        todo!()
    }

    /// Erases the parts of a record for good, leaving its header and proofs. Destroy its
    /// key first.
    pub fn punch(&self, _location: Location) -> Result<(), LogError> {
        todo!()
    }
}
