//! Proves the log offline: every byte against its digest, every record against the tree,
//! every checkpoint against its signature.

use std::path::Path;

use super::{CheckpointVerifier, Hash, Location, LogError};
use crate::seal::Keyring;

/// What to check beyond digests, tree and sequence.
#[derive(Default)]
pub struct VerifyOptions<'a> {
    /// Checks signatures.
    pub verifier: Option<&'a CheckpointVerifier>,
    /// A checkpoint note kept elsewhere: the log must contain that state.
    pub since: Option<&'a str>,
    /// Opens every seal, and tells erased parts (key destroyed) from zeroed ones.
    pub keyring: Option<&'a Keyring>,
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where the record (or what should be one) begins.
    pub location: Location,
    /// Its sequence, when known.
    pub sequence: Option<u64>,
    /// What is wrong.
    pub what: String,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Records found.
    pub records: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Records whose parts were erased.
    pub erased: u64,
    /// Checkpoints whose root (and signature, given a verifier) is right.
    pub checkpoints: u64,
    /// Root of the tree over all records; meaningless when damaged.
    pub root: Hash,
    /// Everything that is wrong. Empty: the log is as it was written.
    pub damaged: Vec<Damage>,
}

/// Verifies the log of a data directory; `progress` hears (bytes done, bytes in all).
/// Errors only when the directory cannot be read: damage is in the report.
pub fn verify(_data_dir: &Path, _options: &VerifyOptions<'_>, _progress: &mut dyn FnMut(u64, u64)) -> Result<Report, LogError> {
    todo!()
}
