//! Orthanc's REST interface.

use serde_json::Value;

use super::{LOOK_AT, Place, Told, count, json};
use crate::catalogue::Name;
use crate::catalogue::product::{A_01, A_02};
use crate::evidence::{Fact, Version};
use crate::finding::{Notes, State};
use crate::net::http::{Request, Talk};
use crate::probe::web::door::asks_who;

/// Keys of `/system`, of which one is there beside `Version`.
const KEYS: &[&str] = &["DicomAet", "ApiVersion", "DatabaseVersion", "StorageAreaPlugin", "HttpPort"];
/// Switches that `/system` tells, with their unsafe value; it tells no others that are dangerous
/// (what D-07 and D-11 say of `DicomAlwaysAllow…` is seen on the DICOM port). The first being safe
/// proves nothing: Orthanc says so of itself with authentication off, too.
const SWITCHES: &[(&str, bool)] = &[("IsHttpServerSecure", false), ("OverwriteInstances", true)];

pub(super) async fn audit(talk: &mut Talk, place: &Place<'_>, notes: &mut Notes, told: &mut Told) {
    let product = place.product.map(Name::as_str);
    let is_orthanc = product == Some("orthanc");
    if !is_orthanc && (product.is_some() || place.asks_everywhere) {
        notes.note(&A_01, State::NotApplicable);
        notes.note(&A_02, State::NotApplicable);
        return;
    }
    let unknown = if is_orthanc { State::RefusedBefore } else { State::NotApplicable };
    let Ok(answer) = talk.ask(Request::get("/system", LOOK_AT).accepting("application/json")).await else {
        notes.note(&A_01, State::Error);
        notes.note(&A_02, unknown);
        return;
    };
    let system = json(&answer).filter(|system| {
        system.get("Version").is_some_and(Value::is_string) && KEYS.iter().any(|key| system.get(key).is_some())
    });
    let Some(system) = system else {
        let state = match answer.status {
            _ if asks_who(&answer, place.server, place.run) => State::Pass,
            429 | 500..=999 => State::Error,
            _ if is_orthanc => State::RefusedBefore,
            _ => State::NotApplicable,
        };
        notes.note(&A_01, state).with("status", Fact::Code(answer.status.into()));
        notes.note(&A_02, unknown);
        return;
    };
    let version = system.get("Version").and_then(Value::as_str).and_then(Version::parse);
    told.open = true;
    told.product = Some(Name::fixed("orthanc"));
    told.version = version;
    let counts = statistics(talk).await;
    let outcome = notes.finding(&A_01).with("status", Fact::Code(answer.status.into()));
    if let Some(version) = version {
        outcome.with("version", Fact::Version(version));
    }
    for (name, count) in counts {
        outcome.with(name, Fact::Count(count));
        if name == "studies" {
            told.studies = Some(count);
        }
    }
    note_switches(notes, &system);
}

/// The four counters: no field of a patient travels.
async fn statistics(talk: &mut Talk) -> Vec<(&'static str, u64)> {
    let Ok(answer) = talk.ask(Request::get("/statistics", LOOK_AT).accepting("application/json")).await else {
        return Vec::new();
    };
    let Some(statistics) = json(&answer) else { return Vec::new() };
    let counters = [
        ("patients", "CountPatients"),
        ("studies", "CountStudies"),
        ("series", "CountSeries"),
        ("instances", "CountInstances"),
    ];
    counters.into_iter().filter_map(|(name, key)| Some((name, count(statistics.get(key))?))).collect()
}

///
fn note_switches(notes: &mut Notes, system: &Value) {
    let is_unsafe = |(key, value): &&(&'static str, bool)| system.get(key).and_then(Value::as_bool) == Some(*value);
    let found: Vec<Name> = SWITCHES.iter().filter(is_unsafe).map(|(key, _)| Name::fixed(key)).collect();
    // What it does not tell stays unknown: nothing here is a pass.
    let state = if found.is_empty() { State::RefusedBefore } else { State::Finding };
    let outcome = notes.note(&A_02, state);
    if !found.is_empty() {
        outcome.with("unsafe", Fact::Names(found));
    }
}
