//! `/admin/v1/peers`: who may speak DIMSE with us, by certificate, title and verbs.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use http::StatusCode;
use leadglass_archive::Caller;
use leadglass_archive::access::Scope;
use leadglass_archive::administer::{Certified, Peer, Verb};
use leadglass_dicom::AeTitle;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::Body;
use super::certificates::IssueError;
use crate::web::{Problem, WebState};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPeer {
    ae: String,
    verbs: Vec<Verb>,
    scope: Option<Scope>,
    address: Option<String>,
    label: Option<String>,
    contact: Option<String>,
    #[serde(default)]
    certificate: CertificateWish,
}

/// Where the peer's certificate comes from: one of four, so one type.
#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum CertificateWish {
    /// We make key and certificate.
    #[default]
    Issue,
    /// The peer has a key; here is its signing request, PEM.
    Request(String),
    /// The peer has a certificate already, of whichever making; here it is, PEM. It is pinned.
    Certificate(String),
    /// The same by its SHA-256, hex; what it is fit for shows when it is used.
    Sha256(String),
}

/// `GET`: all peers.
pub(super) async fn list(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Vec<Peer>>, Problem> {
    Ok(Json(state.archive().peers(&caller).await?))
}

/// `POST`: adds a peer, or replaces certificate, verbs and address of one by that title.
pub(super) async fn add(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewPeer>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let ae = title(&new.ae)?;
    let draft = Peer {
        ae: ae.to_string(),
        verbs: new.verbs,
        scope: new.scope.unwrap_or_else(Scope::everything),
        address: new.address,
        label: new.label,
        contact: new.contact,
        ..Peer::default()
    };
    // Nothing is signed for somebody who may not add it.
    state.archive().check_add_peer(&caller, draft.clone()).await?;
    let ((certificate_sha256, expires), issued) = certificate(&state, &ae, new.certificate).await?;
    let peer = Peer { certificate_sha256, expires, ..draft };
    state.archive().add_peer(&caller, peer.clone()).await?;
    Ok((StatusCode::CREATED, Json(json!({ "peer": peer, "issued": issued }))))
}

/// `DELETE /admin/v1/peers/{ae}`: revokes a peer; its associations end.
pub(super) async fn revoke(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Path(ae): Path<String>,
) -> Result<StatusCode, Problem> {
    state.archive().revoke_peer(&caller, &title(&ae)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn title(text: &str) -> Result<AeTitle, Problem> {
    AeTitle::parse(text).map_err(|error| Problem::bad_request(error.to_string()))
}

/// SHA-256 of a certificate and when it ends, when that is known.
type Known = (String, Option<OffsetDateTime>);

/// What to know the peer by, and what was issued, to be shown once.
async fn certificate(state: &WebState, ae: &AeTitle, wish: CertificateWish) -> Result<(Known, Value), Problem> {
    let authority = state.certificates();
    match wish {
        CertificateWish::Issue => {
            let bundle = authority.issue(ae).await.map_err(refuse)?;
            Ok((known(bundle.certificate.certified()), json!(bundle)))
        }
        CertificateWish::Request(pem) => {
            let certificate = authority.sign(ae, &pem).await.map_err(refuse)?;
            Ok((known(certificate.certified()), json!(certificate)))
        }
        CertificateWish::Certificate(pem) => Ok((known(authority.check(&pem).map_err(refuse)?), Value::Null)),
        CertificateWish::Sha256(hex) => {
            let well_formed = hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit());
            match well_formed {
                true => Ok(((hex.to_ascii_lowercase(), None), Value::Null)),
                false => Err(Problem::bad_request("a SHA-256 is 64 hexadecimal digits")),
            }
        }
    }
}

fn known(certified: Certified) -> Known {
    (certified.sha256, Some(certified.expires.into()))
}

pub(super) fn refuse(error: IssueError) -> Problem {
    match error {
        IssueError::BadRequest | IssueError::Unfit(_) => Problem::bad_request(error.to_string()),
        IssueError::Authority(cause) => Problem::internal(cause),
    }
}
