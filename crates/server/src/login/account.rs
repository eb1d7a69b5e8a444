//! `/account/v1` and `/logout`: one's own account, by the session's cookie.
//!
//! Each change of what one signs in with comes back with the session's new cookie.

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use http::{HeaderValue, StatusCode};
use leadglass_archive::Caller;
use leadglass_archive::access::people::passkey::NewPasskey;
use leadglass_archive::access::people::{Account, Changed, OwnFactor, TotpEnrolment};
use leadglass_archive::administer::OwnGrants;
use serde_json::{Value, json};

use super::sign_in::party;
use super::{Refusing, Secret, cookie};
use crate::admin::Body;
use crate::web::{Problem, WebState};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassphrase {
    old: Secret,
    new: Secret,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TotpCode {
    ticket: String,
    code: Secret,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MadePasskey {
    ticket: String,
    name: String,
    client_data: String,
    authenticator_data: String,
}

/// `GET`: the account.
pub(super) async fn account(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Account>, Problem> {
    Ok(Json(state.archive().account(&caller).await?))
}

/// `POST {"old", "new"}`.
pub(super) async fn change_passphrase(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Body(asked): Body<NewPassphrase>,
) -> Result<Response, Refusing> {
    Ok(changed(&state.archive().change_passphrase(&caller, &asked.old, &asked.new).await?))
}

/// `POST`: the secret of an app for one-time codes.
pub(super) async fn begin_totp(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<TotpEnrolment>, Problem> {
    Ok(Json(state.archive().begin_totp(&caller).await?))
}

/// `POST {"ticket", "code"}`.
pub(super) async fn confirm_totp(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Body(asked): Body<TotpCode>,
) -> Result<Response, Problem> {
    Ok(changed(&state.archive().confirm_totp(&caller, &asked.ticket, &asked.code).await?))
}

/// `DELETE`.
pub(super) async fn remove_totp(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    Ok(changed(&state.archive().remove_factor(&caller, &OwnFactor::Totp).await?))
}

/// `POST`: what a new passkey is made for.
pub(super) async fn begin_passkey(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, Problem> {
    let party = party(&state)?;
    let asked = state.archive().begin_passkey(&caller).await?;
    let name = caller.name();
    Ok(Json(json!({ "ticket": asked.ticket, "challenge": asked.challenge, "rp_id": party.id, "user": name })))
}

/// `POST {"ticket", "name", "client_data", "authenticator_data"}`.
pub(super) async fn confirm_passkey(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Body(asked): Body<MadePasskey>,
) -> Result<Response, Problem> {
    let new = NewPasskey { client_data: asked.client_data, authenticator_data: asked.authenticator_data };
    let archive = state.archive();
    Ok(changed(&archive.confirm_passkey(&caller, party(&state)?, &asked.ticket, &asked.name, &new).await?))
}

/// `DELETE /account/v1/passkeys/{id}`.
pub(super) async fn remove_passkey(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    Ok(changed(&state.archive().remove_factor(&caller, &OwnFactor::Passkey(id)).await?))
}

/// `POST`: fresh recovery codes.
pub(super) async fn renew_recovery_codes(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    Ok(changed(&state.archive().renew_recovery_codes(&caller).await?))
}

/// `DELETE /account/v1/sessions`: all but this one.
pub(super) async fn end_other_sessions(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
) -> Result<StatusCode, Problem> {
    state.archive().end_other_sessions(&caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /account/v1/grants`: emergencies and shares of one's own that live, and what one may do.
pub(super) async fn grants(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<OwnGrants>, Problem> {
    Ok(Json(state.archive().own_grants(&caller).await?))
}

/// `DELETE /account/v1/grants/{id}`: ends an emergency of one's own, or what one shares.
pub(super) async fn end_grant(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    state.archive().end_own_grant(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /logout`: the session is over, here and in the archive.
pub(super) async fn sign_out(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    state.archive().sign_out(&caller).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    cookie::clear(&mut response, cookie::SESSION);
    // What was looked at goes with the session; the cookie that knows the browser may stay.
    response.headers_mut().insert("clear-site-data", HeaderValue::from_static(r#""cache", "storage""#));
    Ok(response)
}

fn changed(changed: &Changed) -> Response {
    let mut response = Json(json!({ "recovery_codes": changed.recovery_codes })).into_response();
    cookie::set_session(&mut response, &changed.secret);
    response
}
