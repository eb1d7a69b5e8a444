//! What a record is: its kinds, its header, what is handed in to be appended.

use super::{Hash, SpilledObject};
use crate::seal::{KeyError, KeyId, SealContext, SealedBlob};

/// Most parts a record may have.
pub const MAX_PARTS: usize = 8;

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A stored instance: attributes, data set.
    Instance = 1,
    /// A change: peer, token, label, correction, tombstone.
    Change = 2,
    /// A trail entry.
    Trail = 3,
    /// A signed checkpoint of the tree: its text is public, not sealed.
    Checkpoint = 4,
    /// All attributes of a settled series.
    SeriesSummary = 5,
    /// An instance whose SOP Instance UID is taken by other bytes.
    Quarantine = 6,
}

impl Kind {
    /// The kind of that number; `None` for one this version does not know.
    pub fn from_number(number: u8) -> Option<Kind> {
        Some(match number {
            1 => Kind::Instance,
            2 => Kind::Change,
            3 => Kind::Trail,
            4 => Kind::Checkpoint,
            5 => Kind::SeriesSummary,
            6 => Kind::Quarantine,
            _ => return None,
        })
    }
}

/// A random name of a record, chosen before its place in the log is known; its parts are
/// sealed to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RecordId(pub [u8; 16]);

impl RecordId {
    /// A fresh one.
    pub fn random() -> Result<RecordId, KeyError> {
        let mut id = [0; 16];
        crate::seal::random_bytes(&mut id)?;
        Ok(RecordId(id))
    }

    /// What part `part` of this record is sealed to.
    pub fn context(self, kind: Kind, part: u8) -> SealContext {
        SealContext { kind: kind as u8, part, id: self.0 }
    }
}

/// Where a record's header begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// Number of the segment, from 1.
    pub segment: u32,
    /// Byte in the segment.
    pub offset: u64,
}

/// A record to append.
#[derive(Debug)]
pub struct NewRecord {
    /// What it is about.
    pub kind: Kind,
    /// The name its parts are sealed to.
    pub id: RecordId,
    /// The data key its parts are sealed with; [`KeyId::NONE`] when they are public.
    pub key: KeyId,
    /// Its parts, at most eight.
    pub parts: Vec<Part>,
}

/// Sealed bytes of a record to append.
#[derive(Debug)]
pub enum Part {
    /// Into the segment, after the header.
    Inline {
        /// The sealed bytes.
        bytes: Vec<u8>,
        /// Their SHA-256, made where they were sealed.
        sha256: Hash,
    },
    /// Already durable in a file of its own.
    Spilled(SpilledObject),
}

impl From<SealedBlob> for Part {
    fn from(blob: SealedBlob) -> Part {
        Part::Inline { sha256: blob.digest.sha256, bytes: blob.bytes }
    }
}

/// The header of a record in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Number of the kind; see [`Kind::from_number`].
    pub kind: u8,
    /// Place in the log, from 1, without gaps. The leaf index is one less.
    pub sequence: u64,
    /// Sequence of the first record of the same append.
    pub batch_first: u64,
    /// The data key its parts are sealed with.
    pub key: KeyId,
    /// The name its parts are sealed to.
    pub id: RecordId,
    /// Leaf of the record before.
    pub previous: Hash,
    /// Its parts.
    pub parts: Vec<PartHeader>,
    /// Its own leaf in the tree.
    pub leaf: Hash,
}

/// What the header says of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartHeader {
    /// Sealed bytes.
    pub bytes: u64,
    /// Name of its file in `objects/`, when it has one.
    pub object: Option<[u8; 16]>,
    /// SHA-256 of the sealed bytes.
    pub sha256: Hash,
}
