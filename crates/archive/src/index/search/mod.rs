//! Searching: a [`Query`] becomes SQL under a [`Reach`], rows come back as data sets.
//!
//! SQL narrows down, by an index wherever the query's shape allows ([`plan`]); every
//! candidate then passes the reference evaluator of `leadglass_dicom::query`, so what is
//! answered is what the standard says, not what SQL makes of it. The scope, however, is
//! wholly in the `WHERE`: no row outside it is ever a candidate.
//! Rows stream in an order that an index serves, and reading stops with the page.

mod condition;
mod derived;
mod few;
mod plan;
mod row;

use leadglass_dicom::DataSet;
use leadglass_dicom::attribute::Level;
use leadglass_dicom::query::Query;
use rusqlite::types::Value as Cell;

use super::engine::{self, Sql};
use super::{Index, IndexError, KnownInstance, scope};
use crate::access::{GrantedScope, Reach};
use condition::alias;
use plan::Plan;
use row::Wanted;

pub use row::{hands_out_attributes, needs_attributes};

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
pub struct Cursor(Vec<Cell>);

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
    /// attributes that no column holds (see [`needs_attributes`]) `load` is called with an
    /// instance of the entity that is in scope. At the instance level `Include::All` adds
    /// everything that was loaded. `IndexError::TooBroad` when too many rows would have to be
    /// loaded.
    pub fn search(
        &self,
        query: &Query,
        scope: &GrantedScope,
        page: &Page,
        load: LoadAttributes<'_>,
    ) -> Result<SearchPage, IndexError> {
        let mut wanted = Wanted::of(query, scope, load);
        self.read_search(|connection| {
            let by_studies = query.level >= Level::Study && !plan::is_named(query);
            let few = if by_studies { few::studies(connection, scope)? } else { None };
            let (text, sql, levels) = statement(query, scope, page, few);
            let mut statement = connection.prepare_cached(&text)?;
            let mut rows = engine::query(&mut statement, &sql.values)?;
            let mut found = SearchPage::default();
            let (mut skipped, mut last) = (0, None);
            while let Some(row) = rows.next()? {
                let Some(entity) = wanted.entity(row, connection)? else { continue };
                if skipped < page.offset {
                    skipped += 1;
                    continue;
                }
                if found.rows.len() as u64 >= page.limit {
                    found.next = last;
                    break;
                }
                found.rows.push(wanted.answer(entity, connection)?);
                let cursor = (2 * levels..).map_while(|column| row.get::<_, Cell>(column).ok());
                last = Some(Cursor(cursor.collect()));
            }
            Ok(found)
        })
    }
}

/// The whole statement: for every level from the top its attributes, then its ids, then what
/// rows are ordered by.
fn statement(query: &Query, scope: &Reach, page: &Page, few: Option<String>) -> (String, Sql, usize) {
    let mut sql = Sql::default();
    let plan = Plan::of(query, scope, few, &mut sql);
    let mut conditions = plan.conditions;
    conditions.extend(query.keys.iter().filter_map(|key| condition::of_key(key, query.level, scope, &mut sql)));
    conditions.extend(in_scope(query.level, scope, &mut sql));
    if let Some(Cursor(after)) = page.after.as_ref().filter(|after| after.0.len() == plan.order.len()) {
        conditions.extend(beyond(&plan.order, plan.descending, after, &mut sql));
    }
    let levels: Vec<&str> = Level::ALL.into_iter().filter(|level| *level <= query.level).map(alias).collect();
    let columns = levels.iter().map(|alias| format!("{alias}.attributes"));
    let columns = columns.chain(levels.iter().map(|alias| format!("{alias}.id"))).chain(plan.order.iter().cloned());
    let columns: Vec<String> = columns.collect();
    let direction = if plan.descending { " DESC" } else { "" };
    let order: Vec<String> = plan.order.iter().map(|term| format!("{term}{direction}")).collect();
    let filter = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    let order = if plan.in_order { String::new() } else { format!(" ORDER BY {}", order.join(", ")) };
    let text = format!("SELECT {} FROM {}{filter}{order}", columns.join(", "), plan.from);
    (text, sql, levels.len())
}

/// An entity is in scope when an instance of it is.
fn in_scope(level: Level, scope: &Reach, sql: &mut Sql) -> Option<String> {
    let limits = scope::on_label(scope, sql)?;
    let instances = match level {
        Level::Instance => "label l WHERE l.id = i.label",
        Level::Series => "series_label y JOIN label l ON l.id = y.label WHERE y.series = e.id",
        Level::Study => "study_label y JOIN label l ON l.id = y.label WHERE y.study = s.id",
        Level::Patient => {
            "study s JOIN study_label y ON y.study = s.id JOIN label l ON l.id = y.label WHERE s.patient = p.id"
        }
    };
    Some(format!("EXISTS (SELECT 1 FROM {instances} AND {limits})"))
}

/// Rows behind the cursor. The first term alone is said once more, as an index likes it.
fn beyond(order: &[String], descending: bool, after: &[Cell], sql: &mut Sql) -> Vec<String> {
    let (than, than_or_equal) = if descending { ("<", "<=") } else { (">", ">=") };
    let values: Vec<String> = after.iter().map(|value| sql.bind(value.clone())).collect();
    let mut conditions = Vec::new();
    if order.len() > 1 {
        conditions
            .extend(order.first().zip(values.first()).map(|(term, value)| format!("{term} {than_or_equal} {value}")));
    }
    conditions.push(format!("({}) {than} ({})", order.join(", "), values.join(", ")));
    conditions
}
