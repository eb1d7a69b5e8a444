//! dcm4chee's REST interface: A-03.

use serde_json::Value;

use super::{LOOK_AT, Place, Told, count, json};
use crate::catalogue::Name;
use crate::catalogue::product::A_03;
use crate::evidence::Fact;
use crate::finding::{Notes, State};
use crate::net::http::{Request, Talk};
use crate::probe::web::door::asks_who;

pub(super) async fn audit(talk: &mut Talk, place: &Place<'_>, notes: &mut Notes, told: &mut Told) {
    let product = told.product.or(place.product).map(Name::as_str);
    let is_dcm4chee = product == Some("dcm4chee");
    if !is_dcm4chee && (product.is_some() || place.asks_everywhere) {
        notes.note(&A_03, State::NotApplicable);
        return;
    }
    let Ok(answer) = talk.ask(Request::get("/dcm4chee-arc/aets", LOOK_AT).accepting("application/json")).await else {
        notes.note(&A_03, State::Error);
        return;
    };
    let listed = json(&answer).and_then(|json| Some(json.as_array()?.iter().filter_map(ae).collect::<Vec<_>>()));
    let Some(entities) = listed.filter(|entities| !entities.is_empty()) else {
        let state = match answer.status {
            _ if asks_who(&answer, place.server, place.run) => State::Pass,
            429 | 500..=999 => State::Error,
            _ if is_dcm4chee => State::RefusedBefore,
            _ => State::NotApplicable,
        };
        notes.note(&A_03, state).with("status", Fact::Code(answer.status.into()));
        return;
    };
    told.open = true;
    told.product = Some(Name::fixed("dcm4chee"));
    told.studies = studies(talk, &entities).await;
    let outcome = notes.finding(&A_03).with("status", Fact::Code(answer.status.into()));
    outcome.with("entities", Fact::Count(entities.len() as u64));
    if let Some(studies) = told.studies {
        outcome.with("studies", Fact::Count(studies));
    }
}

/// The AE Title of an entry: asked back with, dropped after.
fn ae(entry: &Value) -> Option<String> {
    let ae = entry.get("dicomAETitle")?.as_str()?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    ((1..=16).contains(&ae.len()) && ae.bytes().all(plain)).then(|| ae.to_owned())
}

/// How many studies its first entity has: no field of a patient travels.
async fn studies(talk: &mut Talk, entities: &[String]) -> Option<u64> {
    let path = format!("/dcm4chee-arc/aets/{}/rs/studies/count", entities.first()?);
    let answer = talk.ask(Request::get(path, LOOK_AT).accepting("application/json")).await.ok()?;
    count(json(&answer)?.get("count"))
}
