//! Signing in by an identity provider: authorization code with PKCE (OpenID Connect Core 3.1,
//! RFC 7636), one visit at a time, tied to the browser that began it.
//!
//! What a visit needs (state, nonce, verifier) the browser keeps, sealed. The ID token is believed by the archive alone, by keys fetched from the configured
//! issuer. Deliberately absent: access tokens, user info, and any address that is not the
//! configured issuer's or one of the hosts named with it.

mod fetch;
mod provider;
mod visit;

use std::time::SystemTime;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, rand};
use axum::extract::{Path, Query, Request, State};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderValue, StatusCode, header};
use leadglass_archive::Archive;
use leadglass_archive::access::jwt::KeySet;
use leadglass_archive::access::people::{SignIn, SignInRefused};
use leadglass_dicom::clock::Clock;

use self::provider::{KeysAge, Provider};
use self::visit::{Visit, Visits};
use super::{Refusing, cookie, page, sign_in};
use crate::config::oidc::Oidc;
use crate::web::authenticate::source;
use crate::web::{Problem, WebState};

/// The identity providers, and what visits to them are sealed by.
#[derive(Default)]
pub struct Providers {
    all: Vec<Provider>,
    visits: Option<Visits>,
    clock: Option<std::sync::Arc<dyn Clock>>,
}

#[derive(serde::Deserialize)]
pub(super) struct Returned {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
}

impl Providers {
    /// Those that are configured.
    ///
    /// # Errors
    /// When a file that is named cannot be read.
    pub fn of(configured: &[Oidc], clock: std::sync::Arc<dyn Clock>) -> Result<Providers, std::io::Error> {
        let all = configured.iter().map(Provider::of).collect::<Result<_, _>>()?;
        Ok(Providers { all, visits: Visits::new(), clock: Some(clock) })
    }

    /// Asks each provider anew for the keys it signs with when those that are here are old: one
    /// that it withdrew is believed no longer.
    pub(crate) async fn refresh(&self, archive: &Archive) {
        for provider in &self.all {
            if provider.keys_age(self.now()) != KeysAge::None {
                self.refresh_one(provider, archive).await;
            }
        }
    }

    async fn refresh_one(&self, provider: &Provider, archive: &Archive) {
        let now = self.now();
        let age = provider.keys_age(now);
        if age == KeysAge::Fresh {
            return;
        }
        match provider.keys(now).await {
            Ok(Some(keys)) => archive.put_issuer_keys(provider.name(), keys),
            Ok(None) => {}
            Err(error) => {
                let name = provider.name();
                tracing::warn!(%error, provider = name, "the identity provider's keys cannot be fetched");
                if age == KeysAge::Over {
                    archive.put_issuer_keys(name, KeySet::default());
                }
            }
        }
    }

    /// What they are called.
    pub(super) fn names(&self) -> Vec<&str> {
        self.all.iter().map(Provider::name).collect()
    }

    fn find(&self, name: &str) -> Result<&Provider, Problem> {
        self.all.iter().find(|provider| provider.name() == name).ok_or_else(Problem::not_found)
    }

    fn now(&self) -> SystemTime {
        self.clock.as_ref().map_or(SystemTime::UNIX_EPOCH, |clock| clock.now())
    }
}

/// `GET /login/oidc/{name}`: sends the browser to the provider.
pub(super) async fn begin(
    State(state): State<WebState>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Refusing> {
    let source = source(&request)?;
    let providers = &state.login().providers;
    let provider = providers.find(&name)?;
    state.archive().begin_visit(&source)?;
    let drawn = || random().ok_or_else(|| Problem::internal("the operating system gives no random bytes"));
    let (told, nonce, verifier) = (drawn()?, drawn()?, drawn()?);
    let at = provider.discovered(providers.now()).await.map_err(unreachable)?;
    let parameters = [
        ("response_type", "code"),
        ("client_id", provider.client_id()),
        ("redirect_uri", &redirect_uri(&state, &name)),
        ("scope", &provider.scope()),
        ("state", &told),
        ("nonce", &nonce),
        ("code_challenge", &sha256(&verifier)),
        ("code_challenge_method", "S256"),
    ];
    let address = with_query(&at.authorization_endpoint, &parameters);
    let visit = Visit { provider: name, state: told, nonce, verifier };
    let sealed = providers.visits.as_ref().and_then(|visits| visits.seal(&visit, providers.now()));
    let sealed = sealed.ok_or_else(|| Problem::internal("no random bytes"))?;
    let mut response = StatusCode::SEE_OTHER.into_response();
    let location = HeaderValue::from_str(&address).map_err(|_| unreachable("an address that is none"))?;
    response.headers_mut().insert(header::LOCATION, location);
    cookie::set_provider(&mut response, &sealed);
    Ok(response)
}

/// `GET /login/oidc/{name}/callback`: the browser is back, with a code.
pub(super) async fn callback(
    State(state): State<WebState>,
    Path(name): Path<String>,
    returned: Result<Query<Returned>, axum::extract::rejection::QueryRejection>,
    request: Request,
) -> Result<Response, Refusing> {
    let source = source(&request)?;
    let providers = &state.login().providers;
    let provider = providers.find(&name)?;
    let Ok(Query(returned)) = returned else { return Err(SignInRefused::Wrong.into()) };
    let sealed = cookie::value(request.headers(), cookie::PROVIDER).ok_or(SignInRefused::Wrong)?;
    let visit = providers.visits.as_ref().and_then(|visits| visits.open(sealed, providers.now()));
    let visit = visit.filter(|visit| visit.provider == name).ok_or(SignInRefused::Wrong)?;
    let told = returned.state.unwrap_or_default();
    let same = verify_slices_are_equal(told.as_bytes(), visit.state.as_bytes()).is_ok();
    // RFC 9207: who answers says who they are.
    let answers = returned.iss.as_ref().is_none_or(|issuer| issuer == provider.issuer());
    let (true, true, Some(code)) = (same, answers, returned.code) else { return Err(SignInRefused::Wrong.into()) };
    let redirect_uri = redirect_uri(&state, &name);
    let token = provider.exchange(&code, &visit.verifier, &redirect_uri, providers.now()).await;
    let token = token.map_err(|error| {
        tracing::warn!(%error, provider = name, "the identity provider gave no ID token");
        SignInRefused::Wrong
    })?;
    providers.refresh_one(provider, state.archive()).await;
    if !state.archive().has_issuer_key(&name, &token) {
        match provider.keys(providers.now()).await {
            Ok(Some(keys)) => state.archive().put_issuer_keys(&name, keys),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, provider = name, "the identity provider's keys cannot be fetched"),
        }
    }
    let step = state.archive().issuer_sign_in(&source, &name, &token, &visit.nonce).await?;
    Ok(led_on(&step))
}

/// The cookies of the step, and a page of ours that leads on.
fn led_on(step: &SignIn) -> Response {
    let cookies = sign_in::answer(step);
    let mut response = page::leading_to(match step {
        SignIn::Session(_) => "/account",
        SignIn::SecondFactor { .. } => "/login#code",
    });
    for value in cookies.headers().get_all(header::SET_COOKIE) {
        response.headers_mut().append(header::SET_COOKIE, value.clone());
    }
    cookie::clear(&mut response, cookie::PROVIDER);
    response
}

fn redirect_uri(state: &WebState, name: &str) -> String {
    format!("{}/login/oidc/{name}/callback", state.login().origin)
}

fn unreachable(error: impl std::fmt::Display) -> Problem {
    tracing::warn!(%error, "the identity provider is not to be reached");
    Problem::new(StatusCode::BAD_GATEWAY, "the identity provider does not answer as it should; try again later")
}

/// 256 random bits, base64url.
fn random() -> Option<String> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// Base64url of the SHA-256: also the code challenge of a verifier (RFC 7636 4.2).
fn sha256(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

fn with_query(endpoint: &str, parameters: &[(&str, &str)]) -> String {
    let divider = if endpoint.contains('?') { '&' } else { '?' };
    format!("{endpoint}{divider}{}", form(parameters))
}

/// `application/x-www-form-urlencoded`.
fn form(parameters: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = parameters.iter().map(|(key, value)| format!("{key}={}", percent(value))).collect();
    pairs.join("&")
}

fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
