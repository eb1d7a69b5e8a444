//! A scope as SQL: the other reading of [`Scope::admits`].

use super::engine::Sql;
use crate::access::scope::Scope;

/// Conditions on an instance's label `l`, its study `s` and its study's patient `p`. `None` for
/// everything; `FALSE` for nothing.
pub(super) fn on_label(scope: &Scope, sql: &mut Sql) -> Option<String> {
    if scope.everything {
        return None;
    }
    if scope.is_nothing() {
        return Some("1 = 0".into());
    }
    let mut conditions = Vec::new();
    for (column, list) in [
        ("l.modality", &scope.modalities),
        ("l.institution", &scope.institutions),
        ("coalesce(l.patient_id, p.patient_id)", &scope.patient_ids),
        ("s.study_instance_uid", &scope.studies),
    ] {
        if !list.is_empty() {
            // An absent value is kept as an empty one, and is in no list.
            let list = sql.list(list.iter().map(String::as_str).filter(|value| !value.is_empty()));
            conditions.push(format!("{column} IN {list}"));
        }
    }
    Some(conditions.join(" AND "))
}
