//! `POST /login/…`: from what a person shows to the cookie of a session.

use axum::Json;
use axum::extract::{FromRequest as _, Request, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::request::Parts;
use leadglass_archive::Source;
use leadglass_archive::access::people::passkey::Assertion;
use leadglass_archive::access::people::{NewSession, RelyingParty, SignIn, SignInRefused};
use serde_json::json;

use super::{Refusing, Secret, cookie, same_origin};
use crate::admin::Body;
use crate::tls::authority::random;
use crate::web::authenticate::source;
use crate::web::{Problem, WebState};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Passphrase {
    name: String,
    passphrase: Secret,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    code: Secret,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Invitation {
    name: String,
    invitation: Secret,
    passphrase: Secret,
}

/// `{"name", "passphrase"}`: the first step.
pub(super) async fn passphrase(State(state): State<WebState>, request: Request) -> Result<Response, Refusing> {
    let (source, parts, shown) = asked::<Passphrase>(&state, request).await?;
    let fresh = || random::<32>().map(hex::encode).ok();
    let kept = cookie::value(&parts.headers, cookie::BROWSER).filter(|kept| is_secret(kept)).map(str::to_owned);
    let browser = kept.or_else(fresh);
    let step = state.archive().sign_in_with(&source, browser.as_deref(), &shown.name, &shown.passphrase).await?;
    let mut response = answer(&step);
    if let Some(browser) = browser {
        cookie::set_browser(&mut response, &browser);
    }
    Ok(response)
}

/// Whether that looks like a secret we gave a browser: 256 bits.
fn is_secret(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `{"code"}` with the cookie of the first step: the second.
pub(super) async fn code(State(state): State<WebState>, request: Request) -> Result<Response, Refusing> {
    let (source, parts, shown) = asked::<Code>(&state, request).await?;
    let ticket = cookie::value(&parts.headers, cookie::BEGUN).ok_or(SignInRefused::Wrong)?;
    Ok(signed_in(&state.archive().sign_in_second(&source, ticket, &shown.code).await?))
}

/// `{"name", "invitation", "passphrase"}`: a passphrase of one's own choice.
pub(super) async fn invitation(State(state): State<WebState>, request: Request) -> Result<Response, Refusing> {
    let (source, _, shown) = asked::<Invitation>(&state, request).await?;
    let archive = state.archive();
    let session = archive.accept_invitation(&source, &shown.name, &shown.invitation, &shown.passphrase).await?;
    Ok(signed_in(&session))
}

/// `{}`: what a passkey is to sign.
pub(super) async fn passkey_challenge(State(state): State<WebState>, request: Request) -> Result<Response, Refusing> {
    let (parts, _) = request.into_parts();
    same_origin::check(&parts)?;
    let source = source(&Request::from_parts(parts, axum::body::Body::empty()))?;
    let party = party(&state)?;
    let asked = state.archive().passkey_challenge(&source)?;
    let mut response = Json(json!({ "challenge": asked.challenge, "rp_id": party.id })).into_response();
    cookie::set_begun(&mut response, &asked.ticket);
    Ok(response)
}

/// What a passkey signed, with the cookie of the challenge.
pub(super) async fn passkey(State(state): State<WebState>, request: Request) -> Result<Response, Refusing> {
    let (source, parts, shown) = asked::<Assertion>(&state, request).await?;
    let ticket = cookie::value(&parts.headers, cookie::BEGUN).ok_or(SignInRefused::Wrong)?;
    Ok(signed_in(&state.archive().passkey_sign_in(&source, party(&state)?, ticket, &shown).await?))
}

/// Whose passkeys are made here.
pub(super) fn party(state: &WebState) -> Result<&RelyingParty, Problem> {
    let party = state.login().party.as_ref();
    party.ok_or_else(|| Problem::new(StatusCode::CONFLICT, "passkeys need a public name: set people.public_url"))
}

/// How far somebody got, with the cookie to go on with.
pub(super) fn answer(step: &SignIn) -> Response {
    match step {
        SignIn::Session(session) => signed_in(session),
        SignIn::SecondFactor { ticket, code, passkey } => {
            let said = json!({ "second_factor": { "code": code, "passkey": passkey } });
            let mut response = Json(said).into_response();
            cookie::set_begun(&mut response, ticket);
            response
        }
    }
}

fn signed_in(session: &NewSession) -> Response {
    let NewSession { user, ends, second_factor_due, .. } = session;
    let said = json!({ "user": user, "ends": ends, "second_factor_due": second_factor_due });
    let mut response = Json(said).into_response();
    cookie::set_session(&mut response, &session.secret);
    response
}

/// Where from, the head and the JSON of a request that our own page made.
async fn asked<T: serde::de::DeserializeOwned + 'static>(
    state: &WebState,
    request: Request,
) -> Result<(Source, Parts, T), Problem> {
    let source = source(&request)?;
    let (parts, body) = request.into_parts();
    same_origin::check(&parts)?;
    let Body(shown) = Body::<T>::from_request(Request::from_parts(parts.clone(), body), state).await?;
    Ok((source, parts, shown))
}
