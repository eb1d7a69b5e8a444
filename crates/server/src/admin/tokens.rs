//! `/admin/v1/tokens`: API tokens. A secret is shown once, when it is made.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use http::StatusCode;
use leadglass_archive::Caller;
use leadglass_archive::access::Scope;
use leadglass_archive::administer::Token;
use serde_json::{Value, json};

use super::Body;
use crate::web::{Problem, WebState};

/// Lifetime of a token that is asked for without one.
const DEFAULT_LIFETIME_DAYS: u32 = 90;
const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    name: String,
    role: String,
    owner: Option<String>,
    lifetime_days: Option<u32>,
    scope: Option<Scope>,
}

/// `GET`: all tokens, without secrets.
pub(super) async fn list(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Vec<Token>>, Problem> {
    Ok(Json(state.archive().tokens(&caller).await?))
}

/// `POST {"name", "role", "owner"?, "lifetime_days"?, "scope"?}`: a new token, of the caller's
/// own when it names no owner and the caller is a user. A scope has lists of
/// `modalities`, `institutions`, `patient_ids`, `studies`; each that is there narrows.
pub(super) async fn create(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewToken>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let days = new.lifetime_days.unwrap_or(DEFAULT_LIFETIME_DAYS);
    let lifetime = Duration::from_secs(u64::from(days) * SECONDS_PER_DAY);
    let scope = new.scope.unwrap_or_else(Scope::everything);
    let owner = new.owner.as_deref().or(caller.user());
    let archive = state.archive();
    let token = archive.create_token_of(&caller, owner, &new.name, &new.role, lifetime, scope.clone()).await?;
    Ok((StatusCode::CREATED, Json(json!({ "name": new.name, "role": new.role, "scope": scope, "token": token }))))
}

/// `DELETE /admin/v1/tokens/{name}`: ends a token at once.
pub(super) async fn revoke(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    state.archive().revoke_token(&caller, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
