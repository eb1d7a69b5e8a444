//! Signed checkpoints of the tree, in the form of C2SP tlog-checkpoint: a signed note of
//! origin, size and root.

use super::{Hash, LogError};

/// The Ed25519 key that signs checkpoints, and the origin it signs for.
pub struct CheckpointKey {}

impl CheckpointKey {
    /// The public half.
    pub fn verifier(&self) -> CheckpointVerifier {
        todo!()
    }
}

/// The public half of a [`CheckpointKey`]: checks checkpoints without any secret.
#[derive(Clone, Debug)]
pub struct CheckpointVerifier {}

impl CheckpointVerifier {
    /// The verifier as a note verifier key: `origin+hash+base64`.
    pub fn text(&self) -> String {
        todo!()
    }

    /// Reads what [`CheckpointVerifier::text`] gave.
    pub fn parse(_text: &str) -> Result<CheckpointVerifier, LogError> {
        todo!()
    }

    /// Checks the signature of a checkpoint and reads it.
    pub fn open(&self, _note: &str) -> Result<Checkpoint, LogError> {
        todo!()
    }
}

/// A state of the tree somebody signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Leaves in the tree: the sequence of the last record covered.
    pub size: u64,
    /// Root of the tree.
    pub root: Hash,
    /// The signed note.
    pub note: String,
}
