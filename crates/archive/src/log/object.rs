//! Parts too large for a segment: a file each, in `data_dir/objects/`.

use super::{Hash, LogError};

/// A file being written. Dropped before [`SpillFile::sync`], it is removed.
#[derive(Debug)]
pub struct SpillFile {}

impl SpillFile {
    /// Appends sealed bytes.
    pub fn write(&mut self, _sealed: &[u8]) -> Result<(), LogError> {
        todo!()
    }

    /// Makes file and name durable. What it gives goes into a record; dropped without
    /// being appended, the file is removed.
    pub fn sync(self) -> Result<SpilledObject, LogError> {
        todo!()
    }
}

/// A durable file of sealed bytes that a record may refer to.
#[derive(Debug)]
pub struct SpilledObject {}

impl SpilledObject {
    /// Sealed bytes in it.
    pub fn bytes(&self) -> u64 {
        todo!()
    }

    /// Their SHA-256.
    pub fn sha256(&self) -> Hash {
        todo!()
    }
}
