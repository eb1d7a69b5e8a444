//! Where a redirect points to. Nobody goes there.

use super::Server;
use crate::net::Over;
use crate::scope::Scope;

/// Where a redirect points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// To HTTPS, to HTTP, or to something else.
    pub to: RedirectTo,
    /// Whether its host is the asked one or in scope.
    pub in_scope: bool,
    /// Whether it looks like a log-in, by fixed words.
    pub log_in: bool,
}

/// A redirect's scheme; that of the request when it names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectTo {
    /// `https`.
    Https,
    /// `http`.
    Http,
    /// Any other scheme, or not a reference.
    Elsewhere,
}

/// Segments of a path that lead to a log-in, without what follows a dot or a semicolon.
const LOG_IN_SEGMENTS: &[&str] = &[
    "login",
    "log-in",
    "logon",
    "signin",
    "sign-in",
    "sso",
    "saml",
    "saml2",
    "adfs",
    "cas",
    "oidc",
    "oauth",
    "oauth2",
    "openid",
    "openid-connect",
    "auth",
    "authorize",
    "authenticate",
    "realms",
];

/// Where a `Location` of a server's answer points to.
pub(super) fn redirect(location: &str, server: &Server, scope: &Scope, now: i64) -> Redirect {
    let same = if server.over == Over::Tls { RedirectTo::Https } else { RedirectTo::Http };
    let lower = location.to_ascii_lowercase();
    let (to, rest) = match lower.split_once("://") {
        Some(("https", rest)) => (RedirectTo::Https, Some(rest)),
        Some(("http", rest)) => (RedirectTo::Http, Some(rest)),
        Some((scheme, _)) if scheme.bytes().all(|b| b.is_ascii_alphanumeric()) => (RedirectTo::Elsewhere, None),
        _ => (same, lower.strip_prefix("//")),
    };
    let in_scope = match rest {
        Some(rest) => host_in_scope(rest.split(['/', '?', '#']).next().unwrap_or_default(), server, scope, now),
        None => to != RedirectTo::Elsewhere,
    };
    let path = match rest {
        Some(rest) => rest.find('/').map_or("", |at| &rest[at..]),
        None => &lower,
    };
    Redirect { to, in_scope, log_in: leads_to_log_in(path) }
}

/// Whether a segment of a path is a log-in's; a query is none, a fragment may be a page of a script's.
fn leads_to_log_in(path: &str) -> bool {
    let (before, fragment) = path.split_once('#').unwrap_or((path, ""));
    let path = before.split('?').next().unwrap_or_default();
    let fragment = fragment.split('?').next().unwrap_or_default();
    let name = |segment: &str| segment.split(['.', ';']).next().map(str::to_owned).unwrap_or_default();
    path.split('/').chain(fragment.split('/')).any(|segment| LOG_IN_SEGMENTS.contains(&name(segment).as_str()))
}

fn host_in_scope(authority: &str, server: &Server, scope: &Scope, now: i64) -> bool {
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let listed = || scope.assets.iter().flat_map(|asset| &asset.hosts).any(|name| name.eq_ignore_ascii_case(host));
    host.eq_ignore_ascii_case(&server.host)
        || host.parse().is_ok_and(|address| scope.permits(address, now).is_ok())
        || listed()
}
