//! The index: a view of the log that answers searches and finds records.
//!
//! It can be deleted and is rebuilt from the log with the same answers. It holds names, so
//! its pages are encrypted (SQLCipher). One [`Writer`], owned by whoever applies the log;
//! any number of readers behind the cloneable [`Index`], all calls blocking: call them on
//! threads that may block. SQL text never contains a value, only `$n`.
//! Deliberately absent: durability (the log is durable), decisions, decryption of objects.

mod error;
mod row;
mod search;

use std::path::Path;
use std::sync::Arc;

use leadglass_dicom::{SeriesInstanceUid, SopInstanceUid, StudyInstanceUid};
use zeroize::Zeroizing;

pub use error::IndexError;
pub use row::{
    Applied, Change, Counts, InstanceRow, KnownInstance, KnownStudy, Location, QuarantineRow, SeriesSummary, TrailQuery, TrailRow,
};

pub use search::{Cursor, LoadAttributes, Page, SearchPage};

use crate::Selection;
use crate::access::scope::Scope;

/// Answers from the index; clones share it. Sees every batch whose `apply` returned.
#[derive(Clone)]
pub struct Index {
    #[expect(dead_code, reason = "bodies follow")]
    inner: Arc<()>,
}

/// Applies records to the index. There is one.
pub struct Writer {}

impl Index {
    /// Opens the index at that path, making it when it is not there. `key` is the raw page key.
    pub fn open(_path: &Path, _key: &Zeroizing<[u8; 32]>) -> Result<(Index, Writer), IndexError> {
        todo!()
    }

    /// The sequence number up to which the log has been applied, 0 at first.
    pub fn applied(&self) -> u64 {
        todo!()
    }

    /// The stored instance of that UID.
    pub fn instance_by_sop(&self, _sop_instance: &SopInstanceUid) -> Result<Option<KnownInstance>, IndexError> {
        todo!()
    }

    /// The study of that UID: its data key and patient.
    pub fn study(&self, _study: &StudyInstanceUid) -> Result<Option<KnownStudy>, IndexError> {
        todo!()
    }

    /// The instances selected that are in scope, ordered by study, series number, series,
    /// instance number, instance.
    pub fn select(&self, _selection: &Selection, _scope: &Scope) -> Result<Vec<KnownInstance>, IndexError> {
        todo!()
    }

    /// The latest summary of that series.
    pub fn series_summary(&self, _study: &StudyInstanceUid, _series: &SeriesInstanceUid) -> Result<Option<SeriesSummary>, IndexError> {
        todo!()
    }

    /// Series that got an instance before `before_ns` and none since, and have no summary or a stale one.
    pub fn settled_series(&self, _before_ns: i64, _limit: u32) -> Result<Vec<(StudyInstanceUid, SeriesInstanceUid)>, IndexError> {
        todo!()
    }

    /// One entry of a registry, JSON.
    pub fn registry(&self, _kind: &str, _key: &str) -> Result<Option<String>, IndexError> {
        todo!()
    }

    /// All entries of a registry by key: `(key, JSON)`.
    pub fn registry_list(&self, _kind: &str) -> Result<Vec<(String, String)>, IndexError> {
        todo!()
    }

    /// Trail entries, newest first.
    pub fn trail(&self, _query: &TrailQuery) -> Result<Vec<TrailRow>, IndexError> {
        todo!()
    }

    /// Objects in quarantine, newest first.
    pub fn quarantine(&self, _limit: u32) -> Result<Vec<QuarantineRow>, IndexError> {
        todo!()
    }

    /// How much is indexed.
    pub fn counts(&self) -> Result<Counts, IndexError> {
        todo!()
    }
}

impl Writer {
    /// The sequence number up to which the log has been applied.
    pub fn applied(&self) -> u64 {
        todo!()
    }

    /// Applies records in one transaction, in rising order of their sequence numbers. On an
    /// error nothing of the batch is there.
    pub fn apply(&mut self, _batch: &[Applied<'_>]) -> Result<(), IndexError> {
        todo!()
    }
}
