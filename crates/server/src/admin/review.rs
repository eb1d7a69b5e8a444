//! `/admin/v1/trail` and `/admin/v1/quarantine`: what is recorded, what was set aside.

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::{HeaderValue, header};
use leadglass_archive::review::{Quarantined, TrailQuery, TrailRow};
use leadglass_archive::trail::{Event, Outcome};
use leadglass_archive::{Caller, Door, Operation};
use leadglass_dicom::StudyInstanceUid;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Body;
use crate::web::{Problem, WebState};

/// Rows of an answer when nobody says how many.
const DEFAULT_LIMIT: u32 = 100;

/// Entries of a file when nobody says how many.
const DEFAULT_FILE_LIMIT: u32 = 20_000;

/// `?from=&to=&caller=&person=&peer=&patient_id=&study=&operation=&outcome=&door=&address=&event=&limit=&after=`:
/// times in RFC 3339; `to` (or `before`) is not included.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TrailKeys {
    from: Option<String>,
    #[serde(alias = "before")]
    to: Option<String>,
    caller: Option<String>,
    person: Option<String>,
    peer: Option<String>,
    patient_id: Option<String>,
    study: Option<String>,
    operation: Option<String>,
    outcome: Option<String>,
    door: Option<String>,
    address: Option<std::net::IpAddr>,
    event: Option<String>,
    limit: Option<u32>,
    after: Option<String>,
}

impl TrailKeys {
    fn query(self, limit: u32) -> Result<TrailQuery, Problem> {
        self.check_names()?;
        Ok(TrailQuery {
            from_ns: self.from.as_deref().map(nanoseconds).transpose()?,
            before_ns: self.to.as_deref().map(nanoseconds).transpose()?,
            caller: self.caller,
            patient_id: self.patient_id,
            study: self.study.as_deref().map(StudyInstanceUid::parse).transpose().map_err(|_| malformed())?,
            person: self.person,
            peer: self.peer,
            action: self.operation,
            outcome: self.outcome,
            door: self.door.map(|name| name.replace("dicom-web", Door::DicomWeb.name())),
            address: self.address,
            event: self.event,
            after: self.after.as_deref().map(place).transpose()?,
            limit,
        })
    }
}

impl TrailKeys {
    /// A name that nothing has finds nothing, and who asked would take that for an answer.
    fn check_names(&self) -> Result<(), Problem> {
        let is_operation = |name: &str| Operation::ALL.iter().any(|operation| operation.name() == name);
        let is_outcome = |name: &str| serde_json::from_value::<Outcome>(json!(name)).is_ok();
        let is_door = |name: &str| name == "dicom-web" || Door::ALL.iter().any(|door| door.name() == name);
        let known = self.operation.as_deref().is_none_or(|name| is_operation(name) || Event::named(name).is_some())
            && self.outcome.as_deref().is_none_or(is_outcome)
            && self.door.as_deref().is_none_or(is_door)
            && self.event.as_deref().is_none_or(Event::is_code);
        if known {
            return Ok(());
        }
        Err(Problem::bad_request("operation, outcome, door and event are names and codes of docs/TRAIL.md"))
    }
}

/// What a bundle is asked with.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BundleRequest {
    /// Which entries: the keys of a search.
    #[serde(default)]
    query: std::collections::BTreeMap<String, String>,
    /// Checkpoint notes kept elsewhere.
    #[serde(default)]
    since: Vec<String>,
}

/// `?limit=&after=`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QuarantineKeys {
    limit: Option<u32>,
    after: Option<u64>,
}

/// `GET /admin/v1/trail`: `{"entries": […], "next": …}`, newest first; `next`, when it is
/// there, is the `after` of the next page.
pub(super) async fn trail(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    keys: Result<Query<TrailKeys>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(keys) = keys.map_err(|_| malformed())?;
    let limit = limit(keys.limit)?;
    let query = keys.query(limit)?;
    let rows = state.archive().trail(&caller, query).await?;
    let next = (rows.len() as u64 == u64::from(limit)).then(|| rows.last()).flatten();
    let next = next.map(|row| format!("{}-{}", row.time_ns, row.entry));
    Ok(Json(json!({ "entries": rows.iter().map(entry).collect::<Vec<_>>(), "next": next })))
}

/// `POST /admin/v1/trail/bundle`: entries with their proofs, for `leadglass-verify`. It takes
/// checkpoints as well, hence POST; it changes nothing.
pub(super) async fn bundle(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Body(request): Body<BundleRequest>,
) -> Result<Response, Problem> {
    let keys = serde_json::to_value(&request.query).map_err(|_| malformed())?;
    let limit = request.query.get("limit").map(|limit| limit.parse()).transpose().map_err(|_| malformed())?;
    let mut keys = keys.as_object().cloned().unwrap_or_default();
    keys.remove("limit");
    let keys: TrailKeys = serde_json::from_value(Value::Object(keys)).map_err(|_| malformed())?;
    let query = keys.query(limit.unwrap_or(DEFAULT_FILE_LIMIT))?;
    let bundle = state.archive().trail_bundle(&caller, query, request.since).await?;
    let mut response = bundle.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    Ok(response)
}

/// `GET /admin/v1/quarantine`: `{"objects": […], "next": …}`, newest first.
pub(super) async fn quarantine(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    keys: Result<Query<QuarantineKeys>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(keys) = keys.map_err(|_| malformed())?;
    let limit = limit(keys.limit)?;
    let objects = state.archive().quarantine(&caller, keys.after, limit).await?;
    let next = (objects.len() as u64 == u64::from(limit)).then(|| objects.last().map(|object| object.number)).flatten();
    Ok(Json(json!({ "objects": objects.iter().map(object).collect::<Vec<_>>(), "next": next })))
}

/// The entry as it was recorded, with its number and its time for people.
fn entry(row: &TrailRow) -> Value {
    let mut entry: Map<String, Value> = serde_json::from_str(&row.detail).unwrap_or_default();
    for ours in ["closes", "time_ns"] {
        entry.remove(ours);
    }
    entry.insert("entry".into(), json!(row.entry));
    entry.insert("time".into(), json!(rfc3339(row.time_ns)));
    entry.insert("outcome".into(), json!(row.outcome));
    if let Some(event) = &row.event {
        entry.insert("event_code".into(), json!(event));
    }
    Value::Object(entry)
}

fn object(object: &Quarantined) -> Value {
    json!({
        "number": object.number,
        "sop_instance": object.sop_instance.as_str(),
        "blake3": hex::encode(object.digest),
        "data_set_bytes": object.data_set_bytes,
        "received": rfc3339(object.received_ns),
        "caller": object.caller,
        "reason": object.reason,
    })
}

fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    match asked.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=1000 => Ok(limit),
        _ => Err(Problem::bad_request("limit is 1 to 1000")),
    }
}

fn nanoseconds(text: &str) -> Result<i64, Problem> {
    let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| Problem::bad_request("times are in RFC 3339"))?;
    i64::try_from(time.unix_timestamp_nanos()).map_err(|_| malformed())
}

fn rfc3339(ns: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ns)).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
}

/// Where a page ended: time and number of its last entry.
fn place(text: &str) -> Result<(i64, u64), Problem> {
    let (time, entry) = text.rsplit_once('-').ok_or_else(malformed)?;
    Ok((time.parse().map_err(|_| malformed())?, entry.parse().map_err(|_| malformed())?))
}

/// Never repeats what was asked: it may hold a patient's identity.
fn malformed() -> Problem {
    Problem::bad_request("the query is not one expected here; see docs/OPERATIONS.md")
}
