//! The log: everything the archive knows, once, append-only, sealed and checksummed.
//!
//! ```text
//! data_dir/log/00000001.seg   segments, preallocated; records one after another
//! data_dir/log/tail           where the newest checkpoint is (a view: may be lost)
//! data_dir/objects/<hex>.obj  sealed parts too large for a segment
//! ```
//!
//! A record is a header and its sealed parts. The header (big-endian, no padding):
//!
//! | bytes | field |
//! |---|---|
//! | 8 | magic `LGRECORD` |
//! | 1 | format version, 1 |
//! | 1 | kind ([`Kind`]) |
//! | 1 | number of parts *n*, at most 8 |
//! | 1 | bit *i* set: part *i* is a file in `objects/`, not in the segment |
//! | 8 | sequence, from 1, without gaps |
//! | 8 | sequence of the first record of the same append |
//! | 16 | id of the data key, zero when the parts are public |
//! | 16 | random record id, bound into the seal of every part |
//! | 32 | leaf of the record before, zeros before the first |
//! | *n* × 56 | per part: sealed bytes (8), name of the file or zeros (16), SHA-256 of the sealed bytes (32) |
//! | 32 | leaf: SHA-256(0x00 ‖ all header bytes above) |
//!
//! The leaf is the header's checksum and the record's leaf in the RFC 6962 tree at once, and
//! covers the parts through their digests: when parts are erased (a hole punched over them)
//! header, leaf and every proof still hold. The first record of an append in each header
//! tells a torn last append (nobody was answered) from damage to what was durable.
//!
//! An append is one write and one `fdatasync`. When either fails the log is poisoned: no
//! later append is tried, reads go on.
//!
//! Deliberately absent: SQL, keys (they are handed in), decisions, any name from outside,
//! and retrying an fsync.

mod append;
mod checkpoint;
mod error;
mod files;
mod merkle;
mod object;
mod proofs;
mod record;
mod replay;
mod segment;
mod tail;
#[cfg(test)]
mod tests;
mod verify;
mod walk;
mod writer;

pub use append::{Appended, Log, LogOptions, Opened, TornTail};
pub use checkpoint::{Checkpoint, CheckpointKey, CheckpointVerifier};
pub use error::LogError;
pub(crate) use merkle::sha256;
pub use merkle::{Hash, Tree, consistency_proof, inclusion_proof, verify_consistency, verify_inclusion};
pub use object::{SpillFile, SpilledObject};
pub use proofs::Proofs;
pub use record::{Header, Kind, Location, NewRecord, Part, PartHeader, RecordId};
pub use replay::{PartReader, RecordView, Replayed};
pub use verify::{Damage, Report, VerifyOptions, verify};
