//! The one door to stored images.
//!
//! Every operation, through whichever protocol it came, is one call on [`Archive`]; the
//! call decides, records, and only then touches data. Deliberately absent: DIMSE, HTTP,
//! codecs. SQL lives in `index`, `access` and `trail`, files in `log`.

pub mod access;
pub mod administer;
pub mod index;
pub mod log;
pub mod operation;
pub mod retrieve;
pub mod seal;
pub mod search;
pub mod settings;
pub mod store;

pub use access::{Caller, Credential, Door, Rejected, Source};
pub use operation::{Refused, Selection};
pub use settings::{KeySource, OpenError, Settings};

use std::sync::Arc;

/// An open archive. Clones share it.
#[derive(Clone)]
pub struct Archive {
    #[expect(dead_code, reason = "skeleton")]
    inner: Arc<()>,
}

impl Archive {
    /// Opens the data directory, making what an empty one lacks: keyring, log, index.
    /// Takes the one-instance lock. Replays what the index has not seen.
    pub fn open(_settings: Settings) -> Result<Archive, OpenError> {
        todo!()
    }

    /// Finds out who is calling. The only maker of a [`Caller`]. A rejection is recorded.
    pub async fn authenticate(&self, _source: Source, _credential: Credential) -> Result<Caller, Rejected> {
        todo!()
    }
}
