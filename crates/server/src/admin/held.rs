//! `/admin/v1/held`: what unknown senders sent, and what becomes of it.

use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use leadglass_archive::Caller;
use leadglass_archive::access::Scope;
use leadglass_archive::administer::Verb;
use leadglass_archive::held::{Enrolment, HeldSender, TakenIn};
use serde_json::{Value, json};

use super::Body;
use crate::web::{Problem, WebState};

/// Rows of an answer when nobody says how many.
const DEFAULT_LIMIT: usize = 100;

/// `?limit=&after=`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Keys {
    limit: Option<usize>,
    after: Option<u64>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPeer {
    verbs: Vec<Verb>,
    scope: Option<Scope>,
    address: Option<String>,
    label: Option<String>,
    contact: Option<String>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Why {
    reason: String,
}

/// `GET`: the senders of whom something waits.
pub(super) async fn list(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Vec<HeldSender>>, Problem> {
    Ok(Json(state.archive().held(&caller).await?))
}

/// `GET /admin/v1/held/{sender}`: `{"objects": […], "next": …}`, in order of arrival.
pub(super) async fn show(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Path(sender): Path<String>,
    keys: Result<Query<Keys>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(keys) = keys.map_err(|_| Problem::bad_request("limit and after are numbers"))?;
    let limit = keys.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=1000).contains(&limit) {
        return Err(Problem::bad_request("limit is 1 to 1000"));
    }
    let objects = state.archive().held_objects(&caller, &sender, keys.after.unwrap_or_default(), limit).await?;
    let next = (objects.len() == limit).then(|| objects.last().map(|object| object.number)).flatten();
    Ok(Json(json!({ "objects": objects, "next": next })))
}

/// `POST`: takes in what waits; its sender stays unknown.
pub(super) async fn accept(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Path(sender): Path<String>,
) -> Result<Json<TakenIn>, Problem> {
    Ok(Json(state.archive().accept_held(&caller, &sender).await?))
}

/// `POST`: makes the sender a peer and takes in what waits.
pub(super) async fn enrol(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Path(sender): Path<String>,
    Body(new): Body<NewPeer>,
) -> Result<Json<TakenIn>, Problem> {
    let enrolment = Enrolment {
        verbs: new.verbs,
        scope: new.scope.unwrap_or_else(Scope::everything),
        address: new.address,
        label: new.label,
        contact: new.contact,
    };
    Ok(Json(state.archive().enrol_held(&caller, &sender, enrolment).await?))
}

/// `POST`: destroys what waits.
pub(super) async fn discard(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Path(sender): Path<String>,
    Body(why): Body<Why>,
) -> Result<Json<TakenIn>, Problem> {
    Ok(Json(state.archive().discard_held(&caller, &sender, &why.reason).await?))
}
