//! `/admin/v1/projects`: what things are de-identified for.

use axum::extract::State;
use axum::{Extension, Json};
use http::StatusCode;
use leadglass_archive::Caller;
use leadglass_archive::deidentify::Project;
use leadglass_dicom::deidentify::Profile;

use super::Body;
use crate::web::{Problem, WebState};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewProject {
    name: String,
    #[serde(default)]
    profile: Profile,
}

/// `GET`: all projects with their profiles.
pub(super) async fn list(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Vec<Project>>, Problem> {
    Ok(Json(state.archive().projects(&caller).await?))
}

/// `POST {"name", "profile"?}`: a new project; without a profile, the Basic Profile alone.
pub(super) async fn make(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewProject>,
) -> Result<(StatusCode, Json<Project>), Problem> {
    let NewProject { name, profile } = new;
    state.archive().make_project(&caller, &name, profile.clone()).await?;
    Ok((StatusCode::CREATED, Json(Project { name, profile })))
}
