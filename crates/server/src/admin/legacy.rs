//! `/admin/v1/legacy-peers`: devices that may store in clear text, each for a year at most.

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use http::StatusCode;
use leadglass_archive::Caller;
use leadglass_archive::access::Scope;
use leadglass_archive::administer::{LegacyPeer, NewLegacyPeer};
use serde_json::{Value, json};

use super::Body;
use super::peers::title;
use crate::web::{Problem, WebState};

const DAY: Duration = Duration::from_secs(24 * 3600);

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Declared {
    ae: String,
    address: String,
    days: u32,
    scope: Option<Scope>,
    label: Option<String>,
    contact: Option<String>,
}

/// `GET`: all of them, those that are over too.
pub(super) async fn list(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Vec<LegacyPeer>>, Problem> {
    Ok(Json(state.archive().legacy_peers(&caller).await?))
}

/// `POST`: declares one, or replaces the declaration of that title. The answer says where such
/// peers are listened to, for without a listener nobody comes.
pub(super) async fn add(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Body(declared): Body<Declared>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let address: Result<IpAddr, _> = declared.address.parse();
    let new = NewLegacyPeer {
        ae: declared.ae,
        address: address.map_err(|_| Problem::bad_request("an address is one IPv4 or IPv6 address, no range"))?,
        lifetime: DAY * declared.days,
        scope: declared.scope.unwrap_or_else(Scope::everything),
        label: declared.label,
        contact: declared.contact,
    };
    let peer = state.archive().add_legacy_peer(&caller, new).await?;
    Ok((StatusCode::CREATED, Json(json!({ "peer": peer, "listener": state.posture().shown().legacy }))))
}

/// `DELETE /admin/v1/legacy-peers/{ae}`: ends a declaration; its associations end.
pub(super) async fn revoke(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Path(ae): Path<String>,
) -> Result<StatusCode, Problem> {
    state.archive().revoke_legacy_peer(&caller, &title(&ae)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
