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
mod lookup;
mod records;
mod row;
mod scope;
mod search;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

pub use apply::Writer;
pub use error::IndexError;
pub use row::{
    Applied, Change, Counts, InstanceRow, KnownInstance, KnownStudy, Location, QuarantineRow, SeriesSummary,
    TrailQuery, TrailRow,
};
pub use search::{Cursor, LoadAttributes, Page, SearchPage, needs_attributes};

use engine::Engine;

/// Answers from the index; clones share it. Sees every batch whose `apply` returned.
#[derive(Clone)]
pub struct Index {
    engine: Arc<Engine>,
}

impl Index {
    /// Opens the index at that path, making it when it is not there. `key` is the raw page
    /// key. One process, one call: the writer is alone.
    pub fn open(path: &Path, key: &Zeroizing<[u8; 32]>) -> Result<(Index, Writer), IndexError> {
        let (engine, connection) = Engine::open(path, key)?;
        let engine = Arc::new(engine);
        Ok((Index { engine: Arc::clone(&engine) }, Writer::new(engine, connection)))
    }

    /// The sequence number up to which the log has been applied, 0 at first.
    pub fn applied(&self) -> u64 {
        self.engine.applied()
    }
}
