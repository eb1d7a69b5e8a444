//! `/admin/v1/users`: who may sign in, and what they may do. An invitation is shown once.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use http::StatusCode;
use leadglass_archive::Caller;
use leadglass_archive::administer::{NewUser, User, UserChange};
use serde_json::{Value, json};

use super::Body;
use crate::web::{Problem, WebState};

/// `GET`: all users, without anything they sign in with.
pub(super) async fn list(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Vec<User>>, Problem> {
    Ok(Json(state.archive().users(&caller).await?))
}

/// `POST {"name", "display"?, "service"?, "rights"?, "patients"?}`: a new user.
pub(super) async fn add(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewUser>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let invitation = state.archive().add_user(&caller, new.clone()).await?;
    Ok((StatusCode::CREATED, Json(json!({ "name": new.name, "invitation": invitation }))))
}

/// `PATCH /admin/v1/users/{name}` `{"display"?, "rights"?, "patients"?, "disabled"?}`.
pub(super) async fn change(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Body(change): Body<UserChange>,
) -> Result<StatusCode, Problem> {
    state.archive().change_user(&caller, &name, change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /admin/v1/users/{name}/invitation`: takes passphrase and factors away, invites anew.
pub(super) async fn reset(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    let invitation = state.archive().reset_user(&caller, &name).await?;
    Ok(Json(json!({ "name": name, "invitation": invitation })))
}

/// `DELETE /admin/v1/users/{name}/sessions`: signs them out everywhere.
pub(super) async fn end_sessions(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    state.archive().end_sessions(&caller, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
