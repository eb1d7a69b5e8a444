//! The trail: the record of every operation, durable before its first byte leaves.
//!
//! Entries are records of the log like any other, sealed with the trail key. [`Trail`]
//! writes them; [`OpenEntry`] is one that still waits for its end. Deliberately absent: a
//! way to skip it.

mod accesses;
mod alerts;
mod bundle;
mod coding;
mod delivery;
mod entry;
pub(crate) mod erase;
mod event;
pub(crate) mod identity;

use parking_lot::Mutex;

pub(crate) use accesses::{Access, Accesses};
pub(crate) use alerts::Alerts;
pub use delivery::{Batch, Delivered, TrailDelivery};
pub use entry::{Act, Entry, Outcome, Subject};
pub use event::{Action, Alert, Coding, Event, EventId, EventType};

use crate::Refused;
use crate::commit::Committer;

/// Writes entries.
#[derive(Clone)]
pub(crate) struct Trail {
    committer: Committer,
}

impl Trail {
    /// A trail that writes through that committer.
    pub(crate) fn new(committer: Committer) -> Trail {
        Trail { committer }
    }

    /// Writes an entry; durable when it returns its sequence number. Only `perform` calls
    /// this: no access without a decision, no decision without an entry.
    pub(crate) async fn append(&self, entry: Entry) -> Result<u64, Refused> {
        self.committer.record(entry).await
    }

    /// Hands over an entry that nobody waits for: an end, a count, a stranger. It rides with
    /// the next batch.
    pub(crate) fn note(&self, entry: Entry) {
        self.committer.note(entry);
    }

    /// An entry that is durable as [`Outcome::Begun`] under that number.
    pub(crate) fn opened(&self, entry: Entry, sequence: u64) -> OpenEntry {
        let entry = Entry { closes: Some(sequence), outcome: Outcome::Interrupted, ..entry };
        OpenEntry { trail: self.clone(), entry: Mutex::new(Some(entry)) }
    }
}

/// An entry whose operation goes on. Dropped before [`OpenEntry::close`], it records an
/// interruption.
pub(crate) struct OpenEntry {
    trail: Trail,
    entry: Mutex<Option<Entry>>,
}

impl OpenEntry {
    /// The number of the entry that says that it was begun.
    pub(crate) fn number(&self) -> Option<u64> {
        self.entry.lock().as_ref().and_then(|entry| entry.closes)
    }

    /// Counts rows or instances.
    pub(crate) fn count(&self, more: u64) {
        if let Some(entry) = self.entry.lock().as_mut() {
            entry.subject.count += more;
        }
    }

    /// The operation has ended so.
    pub(crate) fn close(&self, outcome: Outcome) {
        let entry = self.entry.lock().take();
        if let Some(entry) = entry {
            self.trail.note(Entry { outcome, ..entry });
        }
    }
}

impl Drop for OpenEntry {
    fn drop(&mut self) {
        self.close(Outcome::Interrupted);
    }
}
