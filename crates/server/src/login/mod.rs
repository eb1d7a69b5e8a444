//! People at the web face: signing in, their own account, identity providers.
//!
//! Handlers translate between a browser and the archive, which decides. What a browser is given
//! to keep is a cookie that no script can read; what it sends is believed when our own page
//! sent it ([`same_origin`]). Deliberately absent: passphrases, codes and secrets in addresses,
//! logs and pages.

mod account;
pub(crate) mod breached;
pub(crate) mod cookie;
mod oidc;
mod page;
pub(crate) mod same_origin;
mod sign_in;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use http::{HeaderValue, StatusCode, header};
use leadglass_archive::access::people::{RelyingParty, SignInRefused};

pub use oidc::Providers;

use crate::config::Config;
use crate::config::people::host_of;
use crate::web::{Problem, WebState};

/// What signing in needs to know.
#[derive(Clone, Default)]
pub struct LoginSettings {
    /// `https://host[:port]`: where identity providers send people back to.
    pub origin: String,
    /// For whom passkeys are made; nobody where there is no name for it.
    pub party: Option<RelyingParty>,
    /// Identity providers.
    pub providers: Arc<Providers>,
}

impl LoginSettings {
    /// The settings of a host whose web face answers at that address.
    pub fn of(config: &Config, https: SocketAddr, providers: Arc<Providers>) -> LoginSettings {
        let public = config.people.public_url.as_str();
        let at_port = |name: &str| match https.port() {
            443 => format!("https://{name}"),
            port => format!("https://{name}:{port}"),
        };
        if let Some(host) = host_of(public) {
            // Browsers leave the port out where it says nothing.
            let origin = public.strip_suffix(":443").unwrap_or(public).to_owned();
            let party = RelyingParty { id: host.to_owned(), origins: vec![origin.clone()] };
            return LoginSettings { origin, party: Some(party), providers };
        }
        let origin = at_port("localhost");
        // An address is no name that a passkey could be made for.
        let party = RelyingParty { id: "localhost".into(), origins: vec![origin.clone()] };
        LoginSettings { origin, party: https.ip().is_loopback().then_some(party), providers }
    }
}

/// What a stranger can ask: the pages, which hold nothing, and to be signed in.
pub(crate) fn public_router() -> Router<WebState> {
    Router::new()
        .route("/login", get(page::login))
        .route("/account", get(page::account))
        .route("/login/app.js", get(page::script))
        .route("/login/app.css", get(page::style))
        .route("/login/passphrase", post(sign_in::passphrase))
        .route("/login/code", post(sign_in::code))
        .route("/login/invitation", post(sign_in::invitation))
        .route("/login/passkey/challenge", post(sign_in::passkey_challenge))
        .route("/login/passkey", post(sign_in::passkey))
        .route("/login/oidc/{name}", get(oidc::begin))
        .route("/login/oidc/{name}/callback", get(oidc::callback))
}

/// What a person can ask who is signed in.
pub(crate) fn router() -> Router<WebState> {
    Router::new()
        .route("/logout", post(account::sign_out))
        .route("/account/v1", get(account::account))
        .route("/account/v1/passphrase", post(account::change_passphrase))
        .route("/account/v1/totp", post(account::begin_totp).delete(account::remove_totp))
        .route("/account/v1/totp/confirm", post(account::confirm_totp))
        .route("/account/v1/passkeys/challenge", post(account::begin_passkey))
        .route("/account/v1/passkeys", post(account::confirm_passkey))
        .route("/account/v1/passkeys/{id}", delete(account::remove_passkey))
        .route("/account/v1/recovery-codes", post(account::renew_recovery_codes))
        .route("/account/v1/sessions", delete(account::end_other_sessions))
        .route("/account/v1/grants", get(account::grants))
        .route("/account/v1/grants/{id}", delete(account::end_grant))
}

/// A text that somebody showed: wiped when dropped, never printed.
#[derive(serde::Deserialize)]
#[serde(from = "String")]
pub(crate) struct Secret(zeroize::Zeroizing<String>);

impl From<String> for Secret {
    fn from(text: String) -> Secret {
        Secret(text.into())
    }
}

impl std::ops::Deref for Secret {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// How a sign-in is refused: one table.
pub(crate) struct Refusal(SignInRefused);

impl From<SignInRefused> for Refusal {
    fn from(refused: SignInRefused) -> Refusal {
        Refusal(refused)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let wait = |seconds: u64| {
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many tries: wait a little and try again");
            let mut response = problem.into_response();
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            response
        };
        match self.0 {
            SignInRefused::Wrong => {
                Problem::new(StatusCode::UNAUTHORIZED, "that is not right: look at name, passphrase and code")
                    .into_response()
            }
            SignInRefused::TooMany(how_long) => wait(how_long.as_secs() + 1),
            SignInRefused::Busy => wait(1),
            SignInRefused::Refused(refused) => Problem::from(refused).into_response(),
        }
    }
}

/// Either kind of refusal.
pub(crate) enum Refusing {
    Problem(Problem),
    SignIn(Refusal),
}

impl From<Problem> for Refusing {
    fn from(problem: Problem) -> Refusing {
        Refusing::Problem(problem)
    }
}

impl From<SignInRefused> for Refusing {
    fn from(refused: SignInRefused) -> Refusing {
        Refusing::SignIn(refused.into())
    }
}

impl IntoResponse for Refusing {
    fn into_response(self) -> Response {
        match self {
            Refusing::Problem(problem) => problem.into_response(),
            Refusing::SignIn(refusal) => refusal.into_response(),
        }
    }
}
