//! `/admin/v1/roles`, `/admin/v1/marks`, `/admin/v1/explain`: who may do what with which
//! studies.

use std::collections::BTreeSet;

use axum::extract::{Query, State};
use axum::{Extension, Json};
use http::StatusCode;
use leadglass_archive::access::{Marked, Marks};
use leadglass_archive::administer::{DefinedRole, Entitled};
use leadglass_archive::{Caller, Operation};

use super::Body;
use crate::posture::Shown;
use crate::web::{Problem, WebState};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRole {
    name: String,
    operations: BTreeSet<Operation>,
}

/// `GET`: the roles that administrators defined.
pub(super) async fn roles(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Vec<DefinedRole>>, Problem> {
    Ok(Json(state.archive().roles(&caller).await?))
}

/// `POST`: defines a role, or redefines it.
pub(super) async fn define(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewRole>,
) -> Result<StatusCode, Problem> {
    state.archive().define_role(&caller, &new.name, new.operations).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whose labels and restrictions: one of both.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Whose {
    study: Option<String>,
    patient: Option<String>,
}

impl Whose {
    fn subject(self) -> Result<Marked, Problem> {
        match (self.study, self.patient) {
            (Some(study), None) => Ok(Marked::Study(study)),
            (None, Some(patient)) => Ok(Marked::Patient(patient)),
            _ => Err(Problem::bad_request("name a study or a patient, one of both")),
        }
    }
}

/// `GET ?study=` or `?patient=`: labels and restrictions.
pub(super) async fn marks(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Query(whose): Query<Whose>,
) -> Result<Json<Marks>, Problem> {
    Ok(Json(state.archive().marks(&caller, whose.subject()?).await?))
}

/// `PUT ?study=` or `?patient=`: sets all of them.
pub(super) async fn mark(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Query(whose): Query<Whose>,
    Body(marks): Body<Marks>,
) -> Result<StatusCode, Problem> {
    state.archive().mark(&caller, whose.subject()?, marks).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Where the doors are, who comes in, and what they may do.
#[derive(serde::Serialize)]
pub(super) struct Explained {
    posture: Shown,
    entitled: Vec<Entitled>,
}

/// `GET`: the whole on one page.
pub(super) async fn explain(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Explained>, Problem> {
    let entitled = state.archive().explain(&caller).await?;
    Ok(Json(Explained { posture: state.posture().shown(), entitled }))
}
