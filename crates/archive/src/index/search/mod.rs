//! Searching: a [`Query`] becomes SQL under a [`Scope`], rows come back as data sets.
//!
//! SQL narrows down, by an index wherever the query's shape allows ([`plan`]); every
//! candidate then passes the reference evaluator of `leadglass_dicom::query`, so what is
//! answered is what the standard says, not what SQL makes of it. The scope, however, is
//! wholly in the `WHERE`: no row outside it is ever a candidate.
//! Rows stream in an order that an index serves, and reading stops with the page.

use leadglass_dicom::DataSet;
use leadglass_dicom::query::Query;

use super::{Index, IndexError, KnownInstance};
use crate::access::scope::Scope;

/// Which part of the answer is wanted.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// At most so many rows.
    pub limit: u64,
    /// So many are skipped first (counted after `after`, when that is there).
    pub offset: u64,
    /// Goes on where the page before ended: its [`SearchPage::next`].
    pub after: Option<Cursor>,
}

/// Where a page ended. Of use only with the same query and scope.
#[derive(Clone, Debug, PartialEq)]
pub struct Cursor(pub(super) Vec<rusqlite::types::Value>);

/// Rows found.
#[derive(Clone, Debug, Default)]
pub struct SearchPage {
    /// In a stable order; each holds the requested attributes that exist and the unique keys
    /// of its level and those above.
    pub rows: Vec<DataSet>,
    /// Where to go on; `None` when no further row matches.
    pub next: Option<Cursor>,
}

/// Loads the stored attributes of an instance, for keys and requested attributes that no
/// column holds. `None` when they cannot be read: the row then has none.
pub type LoadAttributes<'a> = &'a mut dyn FnMut(&KnownInstance) -> Option<DataSet>;

impl Index {
    /// Finds entities of the query's level, PS3.4 C.2.2.2, PS3.18 10.6. For keys and
    /// attributes that no column holds `load` is called with an instance of the entity that
    /// is in scope. At the instance level `Include::All` adds everything that was loaded.
    pub fn search(&self, _query: &Query, _scope: &Scope, _page: &Page, _load: LoadAttributes<'_>) -> Result<SearchPage, IndexError> {
        todo!()
    }
}
