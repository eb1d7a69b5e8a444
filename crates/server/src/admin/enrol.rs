//! `POST /enrol` and `POST /enrol/renew`: how a device becomes a peer, and stays one.
//!
//! Doors like `/setup`: a stranger learns nothing there but that they were refused. The
//! certificate is signed inside the archive's own change, so none is made for whoever is
//! then refused. Deliberately absent: any say of the device in what it may do.

use axum::Json;
use axum::extract::{FromRequest as _, Request, State};
use http::StatusCode;
use leadglass_archive::administer::{Certified, Peer};
use leadglass_archive::{Credential, Refused};
use leadglass_dicom::AeTitle;
use serde_json::{Value, json};

use super::Body;
use super::certificates::{IssueError, IssuedCertificate};
use crate::web::authenticate::source;
use crate::web::{Problem, WebState};

/// The certificate that whoever calls showed in the TLS handshake, DER; the listener puts it
/// into the extensions of requests of those who came to renew.
#[derive(Clone)]
pub struct ClientCertificate(pub Vec<u8>);

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Enrolment {
    token: String,
    /// PKCS #10, PEM.
    request: String,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Renewal {
    ae: String,
    /// PKCS #10, PEM.
    request: String,
}

/// Takes `{"token", "request"}`, gives the certificate and the title it is for.
pub(super) async fn enrol(
    State(state): State<WebState>,
    request: Request,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let source = source(&request)?;
    let Body(enrolment) = Body::<Enrolment>::from_request(request, &state).await?;
    let caller = state.archive().authenticate(source, Credential::Invitation(enrolment.token)).await;
    let caller = caller.map_err(|_| Problem::unauthenticated())?;
    let mut signing = Signing::of(&state, &enrolment.request);
    let peer = state.archive().enrol(&caller, async |ae| signing.sign(ae).await).await;
    signing.answer(peer)
}

/// Takes `{"ae", "request"}` over mutual TLS, gives the next certificate.
pub(super) async fn renew(
    State(state): State<WebState>,
    request: Request,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let source = source(&request)?;
    let shown = request.extensions().get::<ClientCertificate>().cloned().ok_or_else(Problem::unauthenticated)?;
    let Body(renewal) = Body::<Renewal>::from_request(request, &state).await?;
    let calling_ae = AeTitle::parse(&renewal.ae).map_err(|_| Problem::unauthenticated())?;
    let credential = Credential::Peer { certificate_der: shown.0, calling_ae, user_identity: None };
    let caller = state.archive().authenticate(source, credential).await.map_err(|_| Problem::unauthenticated())?;
    let mut signing = Signing::of(&state, &renewal.request);
    let peer = state.archive().renew_peer(&caller, async |ae| signing.sign(ae).await).await;
    signing.answer(peer)
}

/// A signature asked for by the archive, and what came of it.
struct Signing<'a> {
    state: &'a WebState,
    request_pem: &'a str,
    issued: Option<IssuedCertificate>,
}

impl<'a> Signing<'a> {
    fn of(state: &'a WebState, request_pem: &'a str) -> Signing<'a> {
        Signing { state, request_pem, issued: None }
    }

    async fn sign(&mut self, ae: &AeTitle) -> Result<Certified, Refused> {
        let issued = self.state.certificates().sign(ae, self.request_pem).await.map_err(|error| match error {
            IssueError::Authority(cause) => Refused::Broken(cause),
            error => Refused::Invalid(error.to_string()),
        })?;
        let certified = issued.certified();
        self.issued = Some(issued);
        Ok(certified)
    }

    fn answer(self, peer: Result<Peer, Refused>) -> Result<(StatusCode, Json<Value>), Problem> {
        let peer = match peer {
            Ok(peer) => peer,
            Err(Refused::NotAllowed | Refused::NotFound) => return Err(Problem::unauthenticated()),
            Err(refused) => return Err(refused.into()),
        };
        let certificate = self.issued.ok_or_else(|| Problem::internal("no certificate was signed"))?;
        Ok((StatusCode::CREATED, Json(json!({ "ae": peer.ae, "verbs": peer.verbs, "certificate": certificate }))))
    }
}
