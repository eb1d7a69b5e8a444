//! `/admin/v1/grants`, `/admin/v1/emergencies`, `/admin/v1/shares`: rights for a time.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use http::StatusCode;
use leadglass_archive::Caller;
use leadglass_archive::administer::Grant;
use leadglass_dicom::StudyInstanceUid;

use super::Body;
use crate::web::{Problem, WebState};

/// `GET`: the grants that live.
pub(super) async fn list(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Vec<Grant>>, Problem> {
    Ok(Json(state.archive().grants(&caller).await?))
}

/// `DELETE /admin/v1/grants/{id}`: ends one before its time.
pub(super) async fn end(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    state.archive().end_grant(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Emergency {
    patient_id: String,
    reason: String,
    minutes: u32,
}

/// `POST`: takes a patient in an emergency.
pub(super) async fn break_glass(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Body(emergency): Body<Emergency>,
) -> Result<(StatusCode, Json<Grant>), Problem> {
    let lifetime = Duration::from_secs(u64::from(emergency.minutes) * 60);
    let Emergency { patient_id, reason, .. } = emergency;
    Ok((StatusCode::CREATED, Json(state.archive().break_glass(&caller, &patient_id, &reason, lifetime).await?)))
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewShare {
    study: String,
    with: String,
    #[serde(default)]
    hours: u32,
    #[serde(default)]
    minutes: u32,
}

/// `POST`: shares a study with a user, for so many hours and minutes.
pub(super) async fn share(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Body(share): Body<NewShare>,
) -> Result<(StatusCode, Json<Grant>), Problem> {
    let study = StudyInstanceUid::parse(&share.study).map_err(|error| Problem::bad_request(error.to_string()))?;
    let lifetime = Duration::from_secs(u64::from(share.hours) * 3600 + u64::from(share.minutes) * 60);
    Ok((StatusCode::CREATED, Json(state.archive().share(&caller, &study, &share.with, lifetime).await?)))
}
