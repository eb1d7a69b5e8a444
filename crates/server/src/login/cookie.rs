//! Cookies: `__Host-`, `Secure`, `HttpOnly`, for this host and no other.

use axum::response::Response;
use http::{HeaderMap, HeaderValue, header};

/// The session's secret.
pub(crate) const SESSION: &str = "__Host-leadglass-session";
/// The ticket of something begun.
pub(crate) const BEGUN: &str = "__Host-leadglass-begun";
/// What ties a visit to an identity provider to this browser. It must come back from there, so
/// it is the one cookie that others' pages may lead to.
pub(crate) const PROVIDER: &str = "__Host-leadglass-provider";
/// What a browser is known by to whom signed in with it. It opens nothing.
pub(crate) const BROWSER: &str = "__Host-leadglass-browser";
/// Seconds a browser is known.
const BROWSER_SECONDS: u32 = 365 * 24 * 3600;
/// Seconds something may be begun.
const BEGUN_SECONDS: u32 = 300;

/// The value of that cookie, when there is exactly one of that name.
pub(crate) fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (Some(value), None) if !value.is_empty() => Some(value),
        _ => None,
    }
}

/// Sets the session's cookie: for the browser's own session, sent with requests of our pages alone.
pub(crate) fn set_session(response: &mut Response, secret: &str) {
    set(response, SESSION, secret, "SameSite=Strict");
    clear(response, BEGUN);
}

/// Sets the ticket's cookie.
pub(crate) fn set_begun(response: &mut Response, ticket: &str) {
    set(response, BEGUN, ticket, &format!("SameSite=Strict; Max-Age={BEGUN_SECONDS}"));
}

/// Sets the cookie that comes back from an identity provider.
pub(crate) fn set_provider(response: &mut Response, secret: &str) {
    set(response, PROVIDER, secret, &format!("SameSite=Lax; Max-Age={BEGUN_SECONDS}"));
}

/// Sets the cookie that a browser is known by.
pub(crate) fn set_browser(response: &mut Response, secret: &str) {
    set(response, BROWSER, secret, &format!("SameSite=Strict; Max-Age={BROWSER_SECONDS}"));
}

/// Takes a cookie away.
pub(crate) fn clear(response: &mut Response, name: &str) {
    set(response, name, "", "SameSite=Strict; Max-Age=0");
}

fn set(response: &mut Response, name: &str, value: &str, rest: &str) {
    let cookie = format!("{name}={value}; Path=/; Secure; HttpOnly; {rest}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cookie_of_a_name_counts_and_two_do_not() {
        let with = |lines: &[&'static str]| -> HeaderMap {
            lines.iter().map(|line| (header::COOKIE, HeaderValue::from_static(line))).collect()
        };
        assert_eq!(value(&with(&["a=b; __Host-leadglass-session=x"]), SESSION), Some("x"));
        assert_eq!(value(&with(&["__Host-leadglass-session=x; __Host-leadglass-session=y"]), SESSION), None);
        assert_eq!(value(&with(&["__Host-leadglass-session=x", "__Host-leadglass-session=x"]), SESSION), None);
        assert_eq!(value(&with(&["__host-leadglass-session=x; __Host-leadglass-session="]), SESSION), None);
    }
}
