//! A query from the query string of a QIDO-RS request, PS3.18 8.3.4 and 10.6.

use super::{Query, QueryError};
use crate::attribute::Level;
use crate::uid::{SeriesInstanceUid, StudyInstanceUid};

/// The longest query string, in bytes.
pub const MAX_QUERY_BYTES: usize = 65_536;

/// A QIDO-RS search.
#[derive(Clone, Debug)]
pub struct QidoSearch {
    /// What is asked.
    pub query: Query,
    /// At most so many results.
    pub limit: Option<u64>,
    /// So many results are skipped first.
    pub offset: u64,
}

/// The search that a target resource and its query string (percent-encoded, without `?`) ask.
pub fn from_qido(
    _level: Level,
    _study: Option<&StudyInstanceUid>,
    _series: Option<&SeriesInstanceUid>,
    query_string: &str,
) -> Result<QidoSearch, QueryError> {
    if query_string.len() > MAX_QUERY_BYTES {
        return Err(QueryError::QueryTooLong);
    }
    Err(QueryError::LevelMissing)
}
