//! The one door to stored images.
//!
//! Every operation, through whichever protocol it came, is one call on [`Archive`]; the
//! call decides, records, and only then touches data: see `perform`. Deliberately absent:
//! DIMSE, HTTP, codecs. SQL lives in `index`, files in `log`, keys in `seal`.

pub mod access;
pub mod administer;
pub mod brake;
mod change;
mod commit;
pub mod deidentify;
mod digest;
pub mod held;
pub mod index;
mod ingest;
pub mod log;
mod open;
pub mod operation;
mod perform;
pub mod relay;
pub mod retrieve;
pub mod review;
pub mod seal;
pub mod search;
pub mod settings;
pub mod spool;
pub mod statistics;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod trail;
mod upkeep;
pub mod verify;

pub use access::{Caller, Credential, Door, Rejected, Role, Source, UserIdentity};
pub use operation::{Operation, Refused, Selection};
pub use settings::{KeySource, OpenError, Settings};

use std::sync::Arc;

use leadglass_dicom::clock::Clock;

use crate::access::failures::Failures;
use crate::access::federation::Federated;
use crate::access::people::People;
use crate::access::recognized::Visits;
use crate::access::registry::Registry;
use crate::brake::Brake;
use crate::commit::Committer;
use crate::held::Held;
use crate::index::{Index, IndexError};
use crate::ingest::{Memory, StudyKeys};
use crate::log::{Log, LogError};
use crate::relay::Whose;
use crate::seal::Keyring;
use crate::trail::{Accesses, Alerts, Trail};

/// An open archive. Clones share it.
#[derive(Clone)]
pub struct Archive {
    inner: Arc<Inner>,
}

/// What the clones share.
pub(crate) struct Inner {
    settings: Settings,
    clock: Arc<dyn Clock>,
    keyring: Arc<Keyring>,
    log: Arc<Log>,
    index: Index,
    registry: Arc<Registry>,
    committer: Committer,
    trail: Trail,
    accesses: Accesses,
    brake: Brake,
    /// Whose the studies are that an old archive told of.
    whose: Whose,
    /// When it was looked last whether anybody has to be reminded.
    reminded: parking_lot::Mutex<Option<std::time::SystemTime>>,
    alerts: Alerts,
    failures: Failures,
    federated: Federated,
    visits: Visits,
    people: People,
    held: Held,
    study_keys: StudyKeys,
    memory: Memory,
    /// Held while a change of access is prepared and committed.
    changing: tokio::sync::Mutex<()>,
    /// Locked as long as the archive is open; the committer holds it too.
    lock: parking_lot::Mutex<Option<Arc<std::fs::File>>>,
}

/// Runs blocking work on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refused> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Refused::Broken("a worker thread stopped".into()))
}

/// A short look into the index: at once when it holds all that is durable, for that is quicker
/// than a change of thread, otherwise on a thread that may wait.
pub(crate) async fn look_up<T: Send + 'static>(
    index: &Index,
    look: impl FnOnce(&Index) -> Result<T, IndexError> + Send + 'static,
) -> Result<T, Refused> {
    let found = if index.is_caught_up() {
        look(index)
    } else {
        let index = index.clone();
        blocking(move || look(&index)).await?
    };
    found.map_err(|error| index_failed(&error))
}

/// What went wrong with the index, as callers are told.
pub(crate) fn index_failed(error: &IndexError) -> Refused {
    match error {
        IndexError::TooManyValues { .. } | IndexError::TooBroad => Refused::Invalid(error.to_string()),
        IndexError::Behind | IndexError::NoRoom => Refused::OutOfResources(error.to_string()),
        _ => Refused::Broken(error.to_string()),
    }
}

/// What went wrong with a record, as callers are told.
pub(crate) fn log_failed(error: &LogError) -> Refused {
    match error {
        LogError::Damaged { .. } | LogError::Seal(_) => Refused::Damaged(error.to_string()),
        LogError::Erased => Refused::NotFound,
        LogError::Poisoned(reason) => Refused::ReadOnly(reason.clone()),
        LogError::NoRoom => Refused::OutOfResources(error.to_string()),
        _ => Refused::Broken(error.to_string()),
    }
}
