//! The index: a view of the log that answers searches and finds records.
//!
//! It can be deleted and is rebuilt from the log with the same answers. It holds names, so
//! its pages are encrypted (SQLCipher). One [`Writer`], owned by whoever applies the log;
//! any number of readers behind the cloneable [`Index`], all calls blocking: call them on
//! threads that may block. SQL text never contains a value, only `$n`; names of columns come
//! from `leadglass_dicom::attribute`.
//! Deliberately absent: durability (the log is durable), decisions, decryption of objects.

mod apply;
mod column;
mod engine;
mod error;
mod habit;
mod lookup;
mod progress;
mod records;
mod row;
mod scope;
mod search;
#[cfg(test)]
mod tests;
mod trail;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use zeroize::Zeroizing;

pub use apply::Writer;
pub use error::IndexError;
pub(crate) use habit::Past;
pub use row::{
    Applied, Change, Counts, InstanceRow, KnownInstance, KnownStudy, Location, QuarantineRow, SeriesSummary,
    TrailQuery, TrailRow,
};
pub use search::{Cursor, LoadAttributes, Page, SearchPage, hands_out_attributes, needs_attributes};

use engine::{Engine, Lane};

/// Answers from the index; clones share it. Who asks waits until what was announced is
/// applied, so an answer holds all that was acknowledged before the question.
#[derive(Clone)]
pub struct Index {
    engine: Arc<Engine>,
    waits: bool,
}

impl Index {
    /// Opens the index at that path, making it when it is not there. `key` is the raw page
    /// key. One process, one call: the writer is alone.
    pub fn open(path: &Path, key: &Zeroizing<[u8; 32]>) -> Result<(Index, Writer), IndexError> {
        let (engine, connection) = Engine::open(path, key)?;
        let engine = Arc::new(engine);
        Ok((Index { engine: Arc::clone(&engine), waits: true }, Writer::new(engine, connection)))
    }

    /// The index as far as it is applied: who asks this one waits for nothing.
    pub(crate) fn as_applied(&self) -> Index {
        Index { waits: false, ..self.clone() }
    }

    /// Announces records that are durable and will be applied: the last of those that
    /// searches show, and the last of all.
    pub(crate) fn announce(&self, searched: u64, last: u64) {
        self.engine.progress.announce(searched, last);
    }

    /// For who applies: waits until somebody waits for it, but no longer than that.
    pub(crate) fn linger(&self, longest: Duration) {
        self.engine.progress.linger(longest);
    }

    /// Whether who asks now waits for nothing.
    pub(crate) fn is_caught_up(&self) -> bool {
        self.engine.progress.is_caught_up()
    }

    /// The sequence number up to which the log has been applied, 0 at first.
    pub fn applied(&self) -> u64 {
        self.engine.applied()
    }

    /// Reads what is named.
    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, IndexError>) -> Result<T, IndexError> {
        if !self.waits {
            return self.engine.read(Lane::Ours, read);
        }
        self.engine.progress.wait_for_searched()?;
        self.engine.read(Lane::LookUp, read)
    }

    /// Reads what a search finds; it may take long, but not for ever.
    fn read_search<T>(&self, read: impl FnOnce(&Connection) -> Result<T, IndexError>) -> Result<T, IndexError> {
        self.engine.progress.wait_for_searched()?;
        self.engine.read(Lane::Search, read)
    }

    /// Reads what the trail shows.
    fn read_trail<T>(&self, read: impl FnOnce(&Connection) -> Result<T, IndexError>) -> Result<T, IndexError> {
        self.engine.progress.wait_for_all()?;
        self.engine.read(Lane::Search, read)
    }
}
