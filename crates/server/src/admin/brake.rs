//! `/admin/v1/envelopes` and `/admin/v1/reviews`: how much callers may take, and what
//! somebody has to look at.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use http::StatusCode;
use leadglass_archive::Caller;
use leadglass_archive::administer::{Review, SetEnvelope};
use leadglass_archive::brake::Envelope;

use super::Body;
use crate::web::{Problem, WebState};

/// `GET`: the envelopes that were set.
pub(super) async fn envelopes(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Vec<SetEnvelope>>, Problem> {
    Ok(Json(state.archive().envelopes(&caller).await?))
}

/// `PUT`: sets one.
pub(super) async fn set(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Path(of): Path<String>,
    Body(envelope): Body<Envelope>,
) -> Result<StatusCode, Problem> {
    state.archive().set_envelope(&caller, &of, Some(envelope)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE`: back to what kind and habit leave.
pub(super) async fn unset(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Path(of): Path<String>,
) -> Result<StatusCode, Problem> {
    state.archive().set_envelope(&caller, &of, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST`: the caller begins anew.
pub(super) async fn release(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Path(of): Path<String>,
) -> Result<StatusCode, Problem> {
    state.archive().release_brake(&caller, &of).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET`: what waits for somebody, and what does no longer.
pub(super) async fn reviews(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Vec<Review>>, Problem> {
    Ok(Json(state.archive().reviews(&caller).await?))
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Found {
    reason: String,
}

/// `POST`: closes a review with what was found.
pub(super) async fn close(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Body(found): Body<Found>,
) -> Result<StatusCode, Problem> {
    state.archive().close_review(&caller, &id, &found.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}
