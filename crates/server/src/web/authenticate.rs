//! Who asks: an API token in `Authorization: Bearer` (RFC 6750), or the cookie of a person's
//! session with a request that our own page made. Both at once are neither.
//!
//! Tokens in query strings and bodies are not looked at: they end up in logs.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, header};
use leadglass_archive::{Credential, Door, Source};

use super::{ClientAddress, Problem, WebState, manners};
use crate::login::{cookie, same_origin};

/// Lets a request pass with its [`leadglass_archive::Caller`] in its extensions, or answers
/// 401, the same for every reason, before a byte of the body is read.
pub async fn require_caller(State(state): State<WebState>, request: Request, next: Next) -> Result<Response, Problem> {
    let source = source(&request)?;
    let (parts, body) = request.into_parts();
    let credential = credential(&parts)?;
    let mut request = Request::from_parts(parts, body);
    let caller = match state.archive().authenticate(source, credential).await {
        Ok(caller) => caller,
        Err(rejected) => {
            tracing::info!(reason = rejected.reason, "authentication failed");
            return Err(Problem::unauthenticated());
        }
    };
    let place = state.occupancy().enter(caller.name())?;
    let name = caller.name().to_owned();
    request.extensions_mut().insert(caller);
    let mut response = next.run(request).await;
    response.extensions_mut().insert(manners::CallerName(name));
    Ok(response.map(|body| manners::hold(body, place)))
}

/// What is shown: a token or a cookie.
fn credential(request: &http::request::Parts) -> Result<Credential, Problem> {
    let headers = &request.headers;
    let session = cookie::value(headers, cookie::SESSION);
    match (headers.contains_key(header::AUTHORIZATION), session) {
        (true, None) => {
            let token = bearer(headers).ok_or_else(Problem::unauthenticated)?;
            Ok(Credential::ApiToken(token.to_owned()))
        }
        (false, Some(secret)) => {
            same_origin::check(request)?;
            Ok(Credential::Session(secret.to_owned()))
        }
        _ => Err(Problem::unauthenticated()),
    }
}

/// Where a request comes from, and through which door.
pub(crate) fn source(request: &Request) -> Result<Source, Problem> {
    let extensions = request.extensions();
    let told = extensions.get::<ClientAddress>().map(|told| told.0);
    let connection = extensions.get::<ConnectInfo<SocketAddr>>().map(|connection| connection.0.ip());
    let Some(address) = told.or(connection) else {
        return Err(Problem::internal("the listener did not say where the request came from"));
    };
    let path = request.uri().path();
    let admin = ["/admin/", "/setup", "/enrol", "/metrics", "/login", "/logout", "/account"]
        .iter()
        .any(|prefix| path.starts_with(prefix));
    Ok(Source { address: Some(address), door: if admin { Door::Admin } else { Door::DicomWeb } })
}

/// The token, when there is exactly one `Authorization` header and it bears one.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|v| (header::AUTHORIZATION, http::HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn one_bearer_token_counts_and_nothing_else() {
        assert_eq!(bearer(&with(&["Bearer abc"])), Some("abc"));
        assert_eq!(bearer(&with(&["bearer  abc"])), Some("abc"));
        for values in [&[][..], &["Basic YTpi"], &["Bearer"], &["Bearer "], &["Bearer a", "Bearer b"]] {
            assert_eq!(bearer(&with(values)), None, "{values:?}");
        }
    }
}
