//! Finding: C-FIND and QIDO-RS are one operation.

use leadglass_dicom::DataSet;

use crate::{Archive, Caller, Refused};

/// A search, parsed and within limits: see [`leadglass_dicom::query`] for its keys.
#[derive(Clone, Debug)]
pub struct Search {
    /// Level, matching keys, requested attributes, fuzzy name matching.
    pub query: (),
    /// At most so many rows; `None` for all.
    pub limit: Option<u64>,
    /// So many rows are skipped first.
    pub offset: u64,
}

/// The rows found, fetched page by page. Dropping it closes the trail entry.
pub struct Matches {}

impl Matches {
    /// The next page of rows, `None` after the last. Rows hold the requested attributes that
    /// exist, as Unicode; the level's unique keys always.
    pub async fn next_page(&mut self) -> Result<Option<Vec<DataSet>>, Refused> {
        todo!()
    }

    /// Whether rows beyond `limit` exist (known after the last page).
    pub fn more_available(&self) -> bool {
        todo!()
    }
}

impl Archive {
    /// Searches, PS3.4 C.2.2.2 and PS3.18 10.6.
    pub async fn search(&self, _caller: &Caller, _search: Search) -> Result<Matches, Refused> {
        todo!()
    }
}
