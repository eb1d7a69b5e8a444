//! A reach as SQL: the other reading of [`Reach::admits`].

use super::engine::Sql;
use crate::access::scope::{Physicians, Scope};
use crate::access::{Reach, Restriction};

/// Conditions on an instance's label `l`, its study `s` and its study's patient `p`. `None` for
/// everything; `FALSE` for nothing.
pub(super) fn on_label(reach: &Reach, sql: &mut Sql) -> Option<String> {
    if reach.sides().is_empty() {
        return Some("1 = 0".into());
    }
    let sides: Vec<String> = reach.sides().iter().filter_map(|side| of_side(side, reach.is_guarded(), sql)).collect();
    (!sides.is_empty()).then(|| sides.join(" AND "))
}

fn of_side(side: &[std::sync::Arc<Scope>], guarded: bool, sql: &mut Sql) -> Option<String> {
    let scopes: Option<Vec<String>> = side.iter().map(|scope| of_scope(scope, guarded, sql)).collect();
    match scopes?.as_slice() {
        [] => Some("1 = 0".into()),
        [one] => Some(one.clone()),
        several => Some(format!("({})", several.join(" OR "))),
    }
}

fn of_scope(scope: &Scope, guarded: bool, sql: &mut Sql) -> Option<String> {
    if scope.is_nothing() {
        return Some("1 = 0".into());
    }
    let mut conditions = Vec::new();
    if !scope.everything {
        of_lists(scope, sql, &mut conditions);
    }
    if guarded {
        conditions.extend(unrestricted(&scope.cleared, sql));
    }
    (!conditions.is_empty()).then(|| format!("({})", conditions.join(" AND ")))
}

fn of_lists(scope: &Scope, sql: &mut Sql, conditions: &mut Vec<String>) {
    for (column, list) in [
        ("l.modality", &scope.modalities),
        ("l.institution", &scope.institutions),
        ("l.department", &scope.departments),
        ("coalesce(l.patient_id, p.patient_id)", &scope.patient_ids),
        ("s.study_instance_uid", &scope.studies),
    ] {
        if !list.is_empty() {
            // An absent value is kept as an empty one, and is in no list.
            let list = sql.list(list.iter().map(String::as_str).filter(|value| !value.is_empty()));
            conditions.push(format!("{column} IN {list}"));
        }
    }
    conditions.extend(scope.physicians().iter().map(|physicians| of_physicians(physicians, sql)));
    if !scope.labels.is_empty() {
        let list = sql.list(scope.labels.iter().map(String::as_str));
        conditions.push(format!(
            "EXISTS (SELECT 1 FROM mark m WHERE m.subject = 'study:' || s.study_instance_uid AND m.what = 'label'
                 AND m.value IN {list})"
        ));
    }
}

fn of_physicians(physicians: &Physicians<'_>, sql: &mut Sql) -> String {
    let forms = physicians.forms();
    let list = sql.list(forms.iter().map(String::as_str));
    format!(
        "EXISTS (SELECT 1 FROM label_name n WHERE n.label = l.id AND n.kind = '{}' AND n.form IN {list})",
        physicians.kind
    )
}

/// No restriction of the study, of its patient, or of whom the instance says it is of, but
/// those cleared: one odd instance does not open the study of somebody who is restricted.
fn unrestricted(cleared: &[Restriction], sql: &mut Sql) -> Option<String> {
    if Restriction::ALL.iter().all(|restriction| cleared.contains(restriction)) {
        return None;
    }
    let list = sql.list(cleared.iter().map(|restriction| restriction.name()));
    Some(format!(
        "NOT EXISTS (SELECT 1 FROM mark m WHERE m.subject IN ('study:' || s.study_instance_uid,
             'patient:' || coalesce(p.patient_id, ''), 'patient:' || coalesce(l.patient_id, ''))
             AND m.what = 'restriction' AND m.value NOT IN {list})"
    ))
}
