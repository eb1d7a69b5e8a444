//! Attributes that are computed: counts, modalities, SOP classes, as far as the scope reaches.

use leadglass_dicom::attribute::{Attribute, Derived, Level, Matchable};
use leadglass_dicom::{DataSet, VR, Value};
use rusqlite::Connection;

use crate::access::Reach;
use crate::index::engine::{self, Sql};
use crate::index::{IndexError, KnownInstance, lookup, scope};

/// The ids of an entity and those above it, top down.
pub(super) type Ids = Vec<i64>;

/// Puts a derived attribute of an entity.
pub(super) fn put(
    attribute: &Attribute,
    ids: &Ids,
    limits: &Reach,
    connection: &Connection,
    into: &mut DataSet,
) -> Result<(), IndexError> {
    let Matchable::Derived(derived) = attribute.kind else { return Ok(()) };
    let Some(&id) = ids.get(attribute.level as usize) else { return Ok(()) };
    let (what, rest) = match derived {
        Derived::ModalitiesInStudy => ("DISTINCT l.modality", "AND l.modality <> '' ORDER BY l.modality"),
        Derived::SopClassesInStudy => ("DISTINCT l.sop_class", "ORDER BY l.sop_class"),
        Derived::Count(Level::Instance) => ("CAST(coalesce(sum(y.instances), 0) AS TEXT)", ""),
        Derived::Count(Level::Series) => ("CAST(count(DISTINCT e.id) AS TEXT)", ""),
        Derived::Count(_) => ("CAST(count(DISTINCT s.id) AS TEXT)", ""),
    };
    let by_series = attribute.level == Level::Series || derived == Derived::Count(Level::Series);
    let texts = texts(attribute.level, id, what, rest, by_series, limits, connection)?;
    let value = if texts.is_empty() { Value::Empty } else { Value::Text(texts) };
    let vr = if attribute.vr == VR::UN { VR::LO } else { attribute.vr };
    into.put(attribute.tag, vr, value);
    Ok(())
}

fn texts(
    level: Level,
    id: i64,
    what: &str,
    rest: &str,
    by_series: bool,
    limits: &Reach,
    connection: &Connection,
) -> Result<Vec<String>, IndexError> {
    let from = if by_series {
        "series e JOIN series_label y ON y.series = e.id JOIN study s ON s.id = e.study"
    } else {
        "study s JOIN study_label y ON y.study = s.id"
    };
    let key = match level {
        Level::Patient => "s.patient",
        Level::Study => "s.id",
        Level::Series | Level::Instance => "e.id",
    };
    let mut sql = Sql::default();
    let id = sql.bind(id);
    let limits = scope::on_label(limits, &mut sql).map(|limits| format!("AND {limits}")).unwrap_or_default();
    let text = format!(
        "SELECT {what} FROM {from} JOIN patient p ON p.id = s.patient JOIN label l ON l.id = y.label
         WHERE {key} = {id} {limits} {rest}"
    );
    let mut statement = connection.prepare_cached(&text)?;
    let mut rows = engine::query(&mut statement, &sql.values)?;
    let mut texts = Vec::new();
    while let Some(row) = rows.next()? {
        texts.push(row.get(0)?);
    }
    Ok(texts)
}

/// An instance that stands for an entity: the first that is in scope.
pub(super) fn representative(
    level: Level,
    ids: &Ids,
    limits: &Reach,
    connection: &Connection,
) -> Result<Option<KnownInstance>, IndexError> {
    let Some(&id) = ids.get(level as usize) else { return Ok(None) };
    let (key, order) = match level {
        Level::Patient => ("s.patient", "s.id, e.id, i.id"),
        Level::Study => ("e.study", "e.id, i.id"),
        Level::Series => ("i.series", "i.id"),
        Level::Instance => ("i.id", "i.id"),
    };
    let mut sql = Sql::default();
    let id = sql.bind(id);
    let limits = scope::on_label(limits, &mut sql).map(|limits| format!("AND {limits}")).unwrap_or_default();
    let text = format!(
        "SELECT {} FROM study s CROSS JOIN patient p ON p.id = s.patient CROSS JOIN series e ON e.study = s.id
         CROSS JOIN instance i ON i.series = e.id CROSS JOIN label l ON l.id = i.label
         WHERE {key} = {id} {limits} ORDER BY {order} LIMIT 1",
        lookup::KNOWN_INSTANCE
    );
    // From below the tables are better walked upwards.
    let text = if level >= Level::Series { text.replace("CROSS JOIN", "JOIN") } else { text };
    let mut statement = connection.prepare_cached(&text)?;
    let mut rows = engine::query(&mut statement, &sql.values)?;
    rows.next()?.map(lookup::known_instance).transpose()
}
