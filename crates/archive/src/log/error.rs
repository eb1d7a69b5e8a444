//! What can go wrong with the log.

use std::path::{Path, PathBuf};

use super::Location;
use crate::seal::SealError;
use crate::settings::OpenError;

/// What can go wrong with the log. Texts name segment and offset, never content.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// An earlier write or sync failed, or the end of the log is damaged: no appends until
    /// an operator has looked and restarted.
    #[error("the log is read-only: {0}")]
    Poisoned(String),
    /// Stored bytes are not what was written.
    #[error("log damaged in segment {} at byte {}: {what}", location.segment, location.offset)]
    Damaged {
        /// The record.
        location: Location,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The parts of that record were erased.
    #[error("the parts of that record were erased")]
    Erased,
    /// The record has no such part, or the part not those bytes.
    #[error("the record has no such part or bytes")]
    OutOfRange,
    /// The caller hands in what the format cannot hold (parts, sizes).
    #[error("a record cannot hold that: {0}")]
    TooLarge(&'static str),
    /// The seal of a part does not open.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A checkpoint text is malformed or its signature is not by this log's key.
    #[error("not a checkpoint of this log: {0}")]
    BadCheckpoint(&'static str),
    /// A checkpoint kept beside the segments covers records that are not there.
    #[error(
        "the log ends at record {ends}, its newest checkpoint covers {covered}: the end was cut off. Restore it from a \
         copy; to go on without it, remove log/checkpoint and run `leadglass rebuild`"
    )]
    CutOff {
        /// The last record there is.
        ends: u64,
        /// The last record of which there is a proof.
        covered: u64,
    },
    /// No space left but the reserve.
    #[error("no space left on the data directory's file system but its reserve")]
    NoRoom,
    /// The operating system says no.
    #[error("{what} {path}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl LogError {
    /// For `map_err` on an operation on `path`.
    pub(super) fn io<E: Into<std::io::Error>>(what: &'static str, path: &Path) -> impl FnOnce(E) -> LogError {
        move |source| LogError::Io { what, path: path.to_owned(), source: source.into() }
    }
}

impl From<LogError> for OpenError {
    fn from(error: LogError) -> OpenError {
        match error {
            LogError::Io { what, path, source } => OpenError::Io { what: format!("{what} {}", path.display()), source },
            other => OpenError::Damaged(other.to_string()),
        }
    }
}
