//! Finding: C-FIND and QIDO-RS are one operation.

mod asked;
mod words;

use std::sync::Arc;

use leadglass_dicom::attribute::Level;
use leadglass_dicom::query::{Include, Query};
use leadglass_dicom::{DataSet, Tag};

use crate::access::Granted;
use crate::access::decide::Request;
use crate::brake::Taken;
use crate::index::{Cursor, KnownInstance, Page, SearchPage, hands_out_attributes};
use crate::retrieve::attributes;
use crate::trail::{OpenEntry, Outcome, Subject};
use crate::{Archive, Caller, Inner, Operation, Refused, blocking, index_failed};

const PATIENT_NAME: Tag = Tag(0x0010, 0x0010);
const PATIENT_ID: Tag = Tag(0x0010, 0x0020);
const STUDY_INSTANCE_UID: Tag = Tag(0x0020, 0x000D);

/// Rows in one page.
const PAGE: u64 = 256;

/// A search, parsed and within limits.
#[derive(Clone, Debug)]
pub struct Search {
    /// Level, matching keys, requested attributes, fuzzy name matching.
    pub query: Query,
    /// At most so many rows; `None` for all.
    pub limit: Option<u64>,
    /// So many rows are skipped first.
    pub offset: u64,
}

impl Request for Search {
    const OPERATION: Operation = Operation::Search;

    /// All attributes of instances are as much as their metadata.
    fn beside(&self) -> Option<Operation> {
        let whole = self.query.level == Level::Instance && matches!(self.query.include, Include::All);
        whole.then_some(Operation::Retrieve)
    }

    fn subject(&self) -> Subject {
        let mut detail = words::words(&self.query);
        if self.beside().is_some() {
            detail.push_str("; all attributes");
        }
        if let Some(limit) = self.limit {
            detail.push_str(&format!(
                "; rows {} to {}",
                self.offset.saturating_add(1),
                self.offset.saturating_add(limit)
            ));
        }
        let (patient_id, study) = asked::named(&self.query);
        Subject { patient_id, study, detail: Some(detail), query: asked::asked(&self.query), ..Subject::default() }
    }
}

/// The rows found, fetched page by page. Dropped before its last page it records an
/// interruption.
pub struct Matches {
    archive: Archive,
    caller: Caller,
    granted: Arc<Granted<Search>>,
    entry: OpenEntry,
    /// Rows still to be given out, when there is a limit.
    left: Option<u64>,
    next: Next,
    more: bool,
}

/// Where the next page begins.
#[derive(Clone)]
enum Next {
    First,
    After(Cursor),
    None,
}

impl Matches {
    /// The next page of rows, `None` after the last. Rows hold the requested attributes that
    /// exist, as Unicode; the level's unique keys always.
    ///
    /// # Errors
    /// [`Refused::Invalid`] for a search that costs more than a search may, [`Refused::Braked`]
    /// when the rows would take the caller beyond its envelope.
    pub async fn next_page(&mut self) -> Result<Option<Vec<DataSet>>, Refused> {
        let after = match std::mem::replace(&mut self.next, Next::None) {
            Next::First => None,
            Next::After(cursor) => Some(cursor),
            Next::None => return Ok(None),
        };
        let offset = if after.is_none() { self.granted.request().offset } else { 0 };
        let page = Page { limit: self.left.map_or(PAGE, |left| left.min(PAGE)), offset, after };
        let (archive, granted) = (self.archive.clone(), self.granted.clone());
        let found = blocking(move || rows(&archive.inner, &granted, &page)).await?;
        let found = match found {
            Ok(found) => {
                self.archive.brake_listing(&self.caller, self.granted.request(), &found.rows).await.map(|()| found)
            }
            Err(refused) => Err(refused),
        };
        let found = found.inspect_err(|refused| self.entry.close(Outcome::of::<()>(&Err(refused.clone()))))?;
        let rows = found.rows.len() as u64;
        self.entry.count(rows);
        self.left = self.left.map(|left| left.saturating_sub(rows));
        match found.next {
            Some(cursor) if self.left != Some(0) => self.next = Next::After(cursor),
            next => {
                self.more = next.is_some();
                self.entry.close(Outcome::Done);
            }
        }
        Ok(if found.rows.is_empty() { None } else { Some(found.rows) })
    }

    /// Whether rows beyond `limit` exist (known after the last page).
    pub fn more_available(&self) -> bool {
        self.more
    }
}

impl Archive {
    /// Searches, PS3.4 C.2.2.2 and PS3.18 10.6.
    ///
    /// # Errors
    /// [`Refused::NotAllowed`] for a caller that may not search.
    pub async fn search(&self, caller: &Caller, search: Search) -> Result<Matches, Refused> {
        let left = search.limit;
        let (granted, entry) = self.begin(caller, search).await?;
        let next = if left == Some(0) { Next::None } else { Next::First };
        let (archive, caller) = (self.clone(), caller.clone());
        Ok(Matches { archive, caller, granted: Arc::new(granted), entry, left, next, more: false })
    }
}

impl Archive {
    /// Counts the patients that rows tell of; beyond the caller's envelope no row leaves. Rows
    /// with stored attributes of instances open whom they tell of.
    async fn brake_listing(&self, caller: &Caller, search: &Search, rows: &[DataSet]) -> Result<(), Refused> {
        let told: Vec<String> = rows.iter().map(told_of).collect();
        let opened = if hands_out_attributes(&search.query) { told.clone() } else { Vec::new() };
        self.brake(caller, Taken { opened, listed: told, ..Taken::default() }).await
    }
}

/// Whom a row tells of: by Patient ID, or else by what it has, so that nobody is told of uncounted.
fn told_of(row: &DataSet) -> String {
    let texts = [PATIENT_ID, STUDY_INSTANCE_UID, PATIENT_NAME].map(|tag| row.text(tag).unwrap_or_default());
    texts
        .map(|text| text.trim_matches([' ', '\0']))
        .into_iter()
        .find(|text| !text.is_empty())
        .unwrap_or_default()
        .to_owned()
}

/// One page, from the index; what no column holds comes from the stored attributes.
fn rows(inner: &Inner, granted: &Granted<Search>, page: &Page) -> Result<SearchPage, Refused> {
    let mut load = |known: &KnownInstance| attributes(inner, granted.scope(), known);
    let found = inner.index.search(&granted.request().query, granted.scope(), page, &mut load);
    found.map_err(|error| index_failed(&error))
}
