//! What the first page shows: W-01, W-08, W-09.

use crate::catalogue::Name;
use crate::catalogue::web::{W_01, W_08, W_09};
use crate::evidence::Fact;
use crate::finding::{Notes, Severity, State};
use crate::net::Over;
use crate::net::http::{Answer, Redirect, RedirectTo, Server};
use crate::probe::web::listing::Listing;
use crate::probe::web::signature::{self, Kind, Seen};
use crate::run::Run;
use crate::scope::AssetClass;

/// What the first page showed: nothing of its text.
#[derive(Clone, Debug)]
pub struct Greeting {
    /// The status.
    pub status: u16,
    /// Where it sends us.
    pub redirect: Option<Redirect>,
    /// Signatures that it matches.
    pub seen: Vec<Seen>,
    /// Whether it asks for HTTP Basic.
    pub asks_basic: bool,
    /// Whether it asks for a password in a form.
    pub log_in_form: bool,
    /// The listing that it is.
    pub listing: Option<Listing>,
    /// Where the site's icon is.
    pub(super) icon: &'static str,
    is_page: bool,
    missing: Vec<&'static str>,
    cookies: u64,
    cookies_without: Vec<&'static str>,
    stores_log_in: bool,
}

impl Greeting {
    /// Looks at the first page.
    pub fn of(answer: &Answer, server: &Server, run: &Run) -> Greeting {
        let asks = |scheme: &str| {
            let challenges = answer.headers("www-authenticate");
            challenges.into_iter().any(|challenge| challenge.to_ascii_lowercase().starts_with(scheme))
        };
        let log_in_form = signature::has_log_in_form(answer);
        let (cookies, cookies_without) = cookies(answer);
        let no_store =
            answer.header("cache-control").is_some_and(|value| value.to_ascii_lowercase().contains("no-store"));
        Greeting {
            status: answer.status,
            redirect: answer.redirect(server, &run.scope, run.now()),
            seen: signature::matches(answer),
            asks_basic: answer.status == 401 && asks("basic"),
            log_in_form,
            listing: Listing::of(answer),
            icon: super::icon::place(answer),
            is_page: answer.is_success() && answer.is_of_type("text/html"),
            missing: missing_headers(answer, server.over),
            cookies,
            cookies_without,
            stores_log_in: (log_in_form || cookies > 0) && !no_store,
        }
    }

    /// The imaging product that it is of.
    pub fn product(&self) -> Option<Seen> {
        let of = |kind| self.seen.iter().find(move |seen| seen.kind == kind);
        of(Kind::Product).or_else(|| of(Kind::Viewer)).copied()
    }

    /// Whether whoever comes is sent to a log-in or asked for one.
    pub fn asks_who(&self) -> bool {
        self.log_in_form || matches!(self.status, 401 | 407) || self.redirect.is_some_and(|redirect| redirect.log_in)
    }

    /// Whether it does nothing but send the caller to HTTPS.
    pub fn sends_to_https(&self) -> bool {
        self.redirect.is_some_and(|redirect| redirect.to == RedirectTo::Https)
    }
}

/// W-01: what it says in clear; `serves` is whether patients' data is served there, wherever the
/// first page sends the caller.
pub fn note_clear(notes: &mut Notes, clear: Option<&Greeting>, serves: bool) {
    let Some(greeting) = clear else {
        notes.pass(&W_01);
        return;
    };
    let state = match greeting.status {
        _ if serves => State::Finding,
        _ if greeting.sends_to_https() => State::Pass,
        426 => State::Pass,
        500..=999 => State::Error,
        _ => State::Finding,
    };
    let outcome = notes.note(&W_01, state);
    outcome.with("status", Fact::Code(greeting.status.into()));
    if let Some(redirect) = greeting.redirect {
        outcome.with("redirect-to", Fact::Known(redirect.to.name()));
        outcome.with("redirect-in-scope", Fact::Flag(redirect.in_scope));
    }
}

/// W-08: what a browser needs to protect its user.
pub fn note_headers(notes: &mut Notes, greeting: &Greeting, class: AssetClass) {
    let careless = !greeting.cookies_without.is_empty();
    if !greeting.is_page && !careless {
        let portal = class == AssetClass::Portal && greeting.status >= 500;
        notes.note(&W_08, if portal { State::Error } else { State::NotApplicable });
        return;
    }
    let mut missing = if greeting.is_page { greeting.missing.clone() } else { Vec::new() };
    if greeting.is_page && greeting.stores_log_in {
        missing.push("cache-control");
    }
    let bad = careless || missing.contains(&"cache-control");
    let state = if missing.is_empty() && !careless { State::Pass } else { State::Finding };
    let outcome = notes.note(&W_08, state);
    if state == State::Finding && bad {
        outcome.severity(Severity::Medium);
    }
    if greeting.cookies > 0 {
        outcome.with("cookies", Fact::Count(greeting.cookies));
    }
    if !missing.is_empty() {
        outcome.with("missing", Fact::Names(missing.into_iter().map(Name::fixed).collect()));
    }
    if careless {
        let without = greeting.cookies_without.iter().copied().map(Name::fixed).collect();
        outcome.with("cookie-without", Fact::Names(without));
    }
}

/// W-09: which product and version it tells, and whose icon it has.
pub fn note_banner(notes: &mut Notes, greeting: &Greeting, icon: Option<Seen>) {
    let versioned = greeting.seen.iter().find_map(|seen| Some((seen.name, seen.version?)));
    let outcome = notes.note(&W_09, if versioned.is_some() { State::Finding } else { State::Pass });
    if !greeting.seen.is_empty() {
        let mut names: Vec<_> = greeting.seen.iter().map(|seen| seen.name).collect();
        names.sort_unstable();
        names.dedup();
        outcome.with("signatures", Fact::Names(names));
    }
    if let Some(icon) = icon {
        outcome.with("icon", Fact::Known(icon.name));
    }
    if let Some((name, version)) = versioned {
        outcome.with("version", Fact::Version(version));
        outcome.with("product-version", Fact::Known(name));
    }
}

impl RedirectTo {
    /// As reports say it.
    pub fn name(self) -> Name {
        Name::fixed(match self {
            RedirectTo::Https => "https",
            RedirectTo::Http => "http",
            RedirectTo::Elsewhere => "elsewhere",
        })
    }
}

fn missing_headers(answer: &Answer, over: Over) -> Vec<&'static str> {
    let lower = |name: &str| answer.header(name).unwrap_or_default().to_ascii_lowercase();
    let policy = lower("content-security-policy");
    let framed = !policy.contains("frame-ancestors") && lower("x-frame-options").is_empty();
    let max_age = lower("strict-transport-security");
    let transport = !max_age.contains("max-age=") || max_age.contains("max-age=0");
    let lacks = [
        // RFC 6797 7.2: not to be sent in clear, where W-01 speaks.
        ("strict-transport-security", over == Over::Tls && transport),
        ("content-security-policy", policy.is_empty()),
        ("frame-ancestors", framed),
        ("x-content-type-options", !lower("x-content-type-options").contains("nosniff")),
        ("referrer-policy", lower("referrer-policy").is_empty()),
    ];
    lacks.into_iter().filter(|(_, lacks)| *lacks).map(|(name, _)| name).collect()
}

/// How many cookies it sets, and what some of them lack (RFC 6265 4.1.2).
fn cookies(answer: &Answer) -> (u64, Vec<&'static str>) {
    let (mut count, mut secure, mut http_only, mut same_site) = (0, true, true, true);
    for cookie in answer.headers("set-cookie") {
        count += 1;
        let attributes: Vec<String> =
            cookie.split(';').skip(1).map(|attribute| attribute.trim().to_ascii_lowercase()).collect();
        let has = |name: &str| attributes.iter().any(|attribute| attribute.split('=').next() == Some(name));
        secure &= has("secure");
        http_only &= has("httponly");
        same_site &= has("samesite");
    }
    let lacks = [("secure", !secure), ("http-only", !http_only), ("same-site", !same_site)];
    (count, lacks.into_iter().filter(|(_, lacks)| *lacks).map(|(name, _)| name).collect())
}
