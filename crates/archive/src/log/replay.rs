//! Reading the log: a part of a record, or every record from one on.

use std::ops::Range;

use super::{Header, Location, LogError};

/// A record met in [`super::Log::replay`].
pub struct RecordView<'a> {
    /// Where it is.
    pub location: Location,
    /// Its header, checked.
    pub header: &'a Header,
}

impl RecordView<'_> {
    /// The sealed bytes of a part, digest checked. [`LogError::Erased`] when they were
    /// erased.
    pub fn part(&self, _part: usize) -> Result<Vec<u8>, LogError> {
        todo!()
    }
}

/// What a replay went over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Records visited.
    pub records: u64,
    /// Sequence of the last one.
    pub last_sequence: u64,
    /// Where headers are damaged: the records there were not visited.
    pub damaged: Vec<Location>,
}

/// One sealed part opened for reading plain bytes anywhere in it. Holds its file open;
/// outlives the log.
pub struct PartReader {}

impl PartReader {
    /// Plain bytes of the part.
    pub fn plain_bytes(&self) -> u64 {
        todo!()
    }

    /// Plain bytes of that range, cut to the end: reads and opens only their chunks.
    pub fn read(&self, _plain: Range<u64>) -> Result<Vec<u8>, LogError> {
        todo!()
    }
}
