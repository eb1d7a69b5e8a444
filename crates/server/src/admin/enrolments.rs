//! `/admin/v1/enrolments`: devices invited to become peers.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use http::StatusCode;
use leadglass_archive::Caller;
use leadglass_archive::access::Scope;
use leadglass_archive::administer::{Invitation, NewInvitation, Peer, Verb};
use serde_json::{Value, json};

use super::Body;
use super::peers::title;
use crate::web::{Problem, WebState};

/// How long an invitation lives when nobody says: an hour.
const USUAL_S: u64 = 3600;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    ae: String,
    verbs: Vec<Verb>,
    scope: Option<Scope>,
    address: Option<String>,
    label: Option<String>,
    contact: Option<String>,
    lifetime_s: Option<u64>,
}

/// `GET`: all invitations, open or not.
pub(super) async fn list(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Vec<Invitation>>, Problem> {
    Ok(Json(state.archive().invitations(&caller).await?))
}

/// `POST`: invites a device; the token is in the answer and nowhere else.
pub(super) async fn create(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Body(wish): Body<Wish>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let peer = Peer {
        ae: title(&wish.ae)?.to_string(),
        verbs: wish.verbs,
        scope: wish.scope.unwrap_or_else(Scope::everything),
        address: wish.address,
        label: wish.label,
        contact: wish.contact,
        ..Peer::default()
    };
    let lifetime = Duration::from_secs(wish.lifetime_s.unwrap_or(USUAL_S));
    let (token, invitation) = state.archive().invite_peer(&caller, NewInvitation { peer, lifetime }).await?;
    let authority = state.certificates().authority_sha256();
    let answer = json!({ "token": token, "invitation": invitation, "authority_sha256": authority });
    Ok((StatusCode::CREATED, Json(answer)))
}

/// `DELETE /admin/v1/enrolments/{id}`: withdraws an open invitation.
pub(super) async fn withdraw(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    state.archive().withdraw_invitation(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
