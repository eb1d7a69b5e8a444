//! A reach of few studies: they are found first, and the search looks at them alone.
//!
//! Whoever may see one study in a thousand would otherwise have a thousand looked at for each
//! row. The order of the rows is the same either way, so pages fit together even when a study
//! comes in between. What is found here is no less than what is in reach; that it is in reach
//! is still said by the `WHERE`.

use rusqlite::Connection;

use crate::access::Reach;
use crate::access::scope::Scope;
use crate::index::IndexError;
use crate::index::engine::{self, Sql};

/// Most studies that are few.
const FEW: usize = if cfg!(test) { 3 } else { 5_000 };

/// The row ids of few studies that hold all that is in reach, each once, as a JSON array;
/// nothing when there may be many.
pub(super) fn studies(connection: &Connection, reach: &Reach) -> Result<Option<String>, IndexError> {
    for side in reach.sides() {
        let mut sql = Sql::default();
        let parts: Option<Vec<String>> = side.iter().map(|scope| holding(scope, &mut sql)).collect();
        let Some(parts) = parts else { continue };
        let text = format!("SELECT DISTINCT id FROM ({}) LIMIT {}", parts.join(" UNION "), FEW + 1);
        let mut statement = connection.prepare_cached(&text)?;
        let mut rows = engine::query(&mut statement, &sql.values)?;
        let mut ids: Vec<i64> = Vec::new();
        while let Some(row) = rows.next()? {
            ids.push(row.get(0)?);
        }
        if ids.len() <= FEW {
            return Ok(serde_json::to_string(&ids).ok());
        }
    }
    Ok(None)
}

/// Studies that hold all of a scope, by the list that is likely to be shortest.
fn holding(scope: &Scope, sql: &mut Sql) -> Option<String> {
    if scope.everything {
        return None;
    }
    let by_label = |column: &str, list: &str| {
        format!("SELECT y.study AS id FROM label l JOIN study_label y ON y.label = l.id WHERE l.{column} IN {list}")
    };
    let list = |sql: &mut Sql, values: &[String]| sql.list(values.iter().map(String::as_str));
    let text = if !scope.studies.is_empty() {
        format!("SELECT id FROM study WHERE study_instance_uid IN {}", list(sql, &scope.studies))
    } else if !scope.patient_ids.is_empty() {
        let list = list(sql, &scope.patient_ids);
        let own = format!("SELECT s.id FROM patient p JOIN study s ON s.patient = p.id WHERE p.patient_id IN {list}");
        format!("{own} UNION {}", by_label("patient_id", &list))
    } else if !scope.labels.is_empty() {
        format!(
            "SELECT s.id FROM mark m JOIN study s ON s.study_instance_uid = substr(m.subject, 7)
             WHERE m.what = 'label' AND m.value IN {}",
            list(sql, &scope.labels)
        )
    } else if let Some(physicians) = scope.physicians().first() {
        let forms = list(sql, &physicians.forms());
        format!(
            "SELECT y.study AS id FROM label_name n JOIN study_label y ON y.label = n.label
             WHERE n.kind = '{}' AND n.form IN {forms}",
            physicians.kind
        )
    } else {
        let lists =
            [("department", &scope.departments), ("institution", &scope.institutions), ("modality", &scope.modalities)];
        let (column, values) = lists.into_iter().find(|(_, values)| !values.is_empty())?;
        by_label(column, &list(sql, values))
    };
    Some(text)
}
