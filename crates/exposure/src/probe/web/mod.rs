//! DICOMweb and portals (W).
//!
//! One GET makes out whether a port speaks HTTP and what is behind it ([`greet`]); the checks
//! then ask for studies that cannot exist ([`audit`]), and for what the owner listed
//! ([`audit_url`]). Deliberately absent: following a redirect, sending anything storable,
//! keeping a byte of a page.

pub mod at_rest;
pub mod dicomweb;
pub mod door;
pub mod greeting;
mod icon;
pub mod link;
pub mod listing;
pub mod signature;
pub mod viewer;

use std::collections::BTreeMap;

pub use greeting::Greeting;

use crate::catalogue::web::{W_02, W_03, W_04, W_05, W_06, W_07, W_10, W_11, W_12};
use crate::catalogue::{Check, Depth};
use crate::evidence::Fact;
use crate::finding::{Facet, State};
use crate::net::Over;
use crate::net::http::{self, Request, Server, Talk};
use crate::probe::{Look, Speech};
use crate::scope::link::Link;
use dicomweb::Place;
use door::baseline;

/// Most requests to one port by this family and the products' together: every base and viewer
/// is asked for, because one that asks who comes says nothing of the next.
pub const MAX_REQUESTS: u32 = 48;
/// Most requests for one URL of the scope.
const MAX_REQUESTS_OF_URL: u32 = 10;
/// What a server says in clear on a port that wants TLS: then there is no clear service.
const WANTS_TLS: &[&str] = &[
    "plain http request was sent to https port",
    "client sent an http request to an https server",
    "speaking plain http to an ssl-enabled server port",
    "this combination of host and port requires tls",
    "http request was sent to https",
];

/// What this family knows of a port.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The first pages, in clear and behind TLS.
    pub greetings: BTreeMap<Over, Greeting>,
    /// Requests made so far.
    pub asked: u32,
    /// Whether whoever asks for a path that nobody has is asked who he is.
    pub asks_everywhere: bool,
    /// Whether every path is served.
    pub serves_all: bool,
}

impl Facts {
    /// The way that the checks take: in clear where it serves something there, else behind TLS.
    pub fn way(&self) -> Option<(Over, &Greeting)> {
        let clear = self.greetings.get(&Over::Clear).filter(|greeting| !greeting.sends_to_https());
        let way = clear.map(|greeting| (Over::Clear, greeting));
        let tls = || self.greetings.get(&Over::Tls).map(|greeting| (Over::Tls, greeting));
        way.or_else(tls).or_else(|| self.greetings.get(&Over::Clear).map(|greeting| (Over::Clear, greeting)))
    }

    /// Requests that may still be made.
    pub fn left(&self) -> u32 {
        MAX_REQUESTS.saturating_sub(self.asked)
    }
}

/// The server at a port: by the one name that the owner gave, else by its address.
pub fn server(look: &Look<'_, '_>, over: Over) -> Server {
    let name = match (&look.asset.tls_name, look.asset.hosts.as_slice()) {
        (Some(name), _) => Some(name),
        (None, [name]) => Some(name),
        (None, _) => None,
    };
    let host = name.cloned().unwrap_or_else(|| look.line.address().to_string());
    Server { port: look.port, over, host }
}

/// Asks for the first page; whether the port speaks HTTP that way.
pub async fn greet(look: &mut Look<'_, '_>, over: Over) -> bool {
    let server = server(look, over);
    greet_server(look, &server).await
}

async fn greet_server(look: &mut Look<'_, '_>, server: &Server) -> bool {
    let run = look.line.run();
    let request = Request::get("/", listing::LOOK_AT).accepting("text/html, application/json;q=0.9, */*;q=0.8");
    let answer = http::talk(look.line, server, 1, async |mut talk: Talk| talk.ask(request).await).await;
    let Ok(answer) = answer else { return false };
    if server.over == Over::Clear && wants_tls(&answer) {
        return false;
    }
    let greeting = Greeting::of(&answer, server, run);
    let known = &mut *look.known;
    match server.over {
        Over::Clear => known_as_http(&mut known.clear),
        Over::Tls => known_as_http(&mut known.behind_tls),
    }
    if let Some(product) = greeting.product().filter(|_| known.product.is_none()) {
        known.product = Some(product.name);
        known.product_version = product.version;
    }
    let facts = known.web.get_or_insert_default();
    facts.asked += 1;
    facts.greetings.insert(server.over, greeting);
    true
}

/// A service of the network family that speaks HTTP keeps its name.
fn known_as_http(speech: &mut Option<Speech>) {
    if !matches!(speech, Some(Speech::Other(_))) {
        *speech = Some(Speech::Http);
    }
}

fn wants_tls(answer: &http::Answer) -> bool {
    let body = signature::lower(&answer.body);
    matches!(answer.status, 400 | 403 | 426 | 497) && WANTS_TLS.iter().any(|mark| body.contains(mark))
}

/// Looks at a port that speaks HTTP: W-01 to W-11. Does nothing where none was found.
pub async fn audit(look: &mut Look<'_, '_>) {
    let Some(facts) = look.known.web.clone() else { return };
    let Some((over, greeting)) = facts.way() else { return };
    greeting::note_headers(look.notes, greeting, look.asset.class);
    let server = server(look, over);
    note_listing(look, &server, greeting, "/", Facet::Whole).await;
    if !may_all(look, &[&W_02, &W_03, &W_04, &W_05, &W_06, &W_07, &W_11]) {
        greeting::note_banner(look.notes, greeting, None);
        greeting::note_clear(look.notes, facts.greetings.get(&Over::Clear), false);
        return;
    }
    look.announce(&W_02, crate::AUDIT_AE_TITLE);
    let run = look.line.run();
    let called_ae = look.asset.called_ae.as_ref().map(ToString::to_string);
    let bases = dicomweb::usual_bases(called_ae.as_deref(), look.known.product);
    let (line, notes, known) = (&mut *look.line, &mut *look.notes, &mut *look.known);
    let product = known.product;
    let left = facts.left();
    let (open, asked, found, icon) = http::talk(line, &server, left, async |mut talk: Talk| {
        let found = baseline(&mut talk, &server, run).await;
        let Ok(baseline) = found else {
            return (false, talk.asked(), Err(()), None);
        };
        let place = Place { server: &server, run, baseline, product, facet: Facet::Whole };
        let open = dicomweb::audit(&mut talk, &place, bases, notes).await;
        viewer::audit(&mut talk, &place, Some(greeting), notes).await;
        let icon = icon::recognise(&mut talk, greeting.icon).await;
        (open, talk.asked(), Ok(baseline), icon)
    })
    .await;
    greeting::note_banner(notes, greeting, icon);
    known.product = known.product.or(icon.map(|icon| icon.name));
    match found {
        Ok(baseline) => {
            let facts = known.web.get_or_insert_default();
            (facts.asks_everywhere, facts.serves_all) = (baseline.asks, baseline.serves_all());
        }
        Err(()) => note_rest(look, State::Error),
    }
    greeting::note_clear(look.notes, facts.greetings.get(&Over::Clear), open && over == Over::Clear);
    look.known.open |= open;
    look.known.web.get_or_insert_default().asked += asked;
}

/// Looks at a URL that the scope lists (`asset.urls`), on the host that it resolved to: as the
/// base of a DICOMweb service and as a folder that may be listed. `look.port` is the URL's.
/// Its outcomes carry the URL's place in the list, which is given counted from 0, plus 1.
pub async fn audit_url(look: &mut Look<'_, '_>, place: u32, url: &Link) {
    let server = server_of(url);
    let facet = Facet::Code(place.saturating_add(1));
    if !may_all_of(look, &[&W_02, &W_03, &W_04, &W_05, &W_06, &W_07, &W_10], &facet) {
        return;
    }
    let run = look.line.run();
    let (product, depth) = (look.known.product, look.depth);
    let notes = &mut *look.notes;
    let open = http::talk(look.line, &server, MAX_REQUESTS_OF_URL, async |mut talk: Talk| {
        let mut open = false;
        match talk.ask(Request::get(&url.path, listing::LOOK_AT)).await {
            Ok(page) => {
                let (status, seen) = (page.status, listing::Listing::of(&page));
                drop(page);
                let holds = seen.as_ref().is_some_and(|seen| seen.dicom_names() > 0);
                let prefix =
                    if holds && depth >= Depth::Counts { listing::prefix(&mut talk, &url.path).await } else { None };
                let state = seen.as_ref().map_or(listing_state(status), listing::Listing::state);
                open |= state == State::Finding;
                let outcome = notes.note(&W_10, state).facet(facet.clone());
                outcome.with("status", Fact::Code(status.into()));
                if let Some(seen) = &seen {
                    seen.describe(outcome, prefix);
                }
            }
            Err(_) => {
                notes.note(&W_10, State::Error).facet(facet.clone());
            }
        }
        let Ok(baseline) = baseline(&mut talk, &server, run).await else {
            for check in [&W_02, &W_03, &W_04, &W_05, &W_06, &W_07] {
                notes.note(check, State::Error).facet(facet.clone());
            }
            return open;
        };
        let place = Place { server: &server, run, baseline, product, facet: facet.clone() };
        let bases = vec![dicomweb::base_of_scope(base(url))];
        dicomweb::audit(&mut talk, &place, bases, notes).await || open
    })
    .await;
    look.announce(&W_02, crate::AUDIT_AE_TITLE);
    look.known.open |= open;
}

/// Looks at a share link that the scope lists (`asset.share_links`), on the host that it
/// resolved to: W-12. Its outcome carries the link's place in the list plus 1.
pub async fn audit_link(look: &mut Look<'_, '_>, place: u32, url: &Link) {
    let facet = Facet::Code(place.saturating_add(1));
    if !may_all_of(look, &[&W_12], &facet) {
        return;
    }
    let (run, server, notes) = (look.line.run(), server_of(url), &mut *look.notes);
    let open = http::talk(look.line, &server, 2, async |mut talk: Talk| {
        link::audit(&mut talk, &server, run, url, facet, notes).await
    })
    .await;
    look.known.open |= open;
}

fn server_of(url: &Link) -> Server {
    let over = if url.tls { Over::Tls } else { Over::Clear };
    Server { port: url.port, over, host: url.host.clone() }
}

/// A URL's path without a query and without a slash at the end: the base of a DICOMweb service.
fn base(url: &Link) -> &str {
    url.path.split('?').next().unwrap_or_default().trim_end_matches('/')
}

/// W-10 on the first page, which was looked at already; four bytes of one file when counts are
/// allowed.
async fn note_listing(look: &mut Look<'_, '_>, server: &Server, greeting: &Greeting, folder: &str, facet: Facet) {
    let Some(listing) = &greeting.listing else {
        let outcome = look.notes.note(&W_10, listing_state(greeting.status)).facet(facet);
        outcome.with("status", Fact::Code(greeting.status.into()));
        return;
    };
    let mut prefix = None;
    if listing.dicom_names() > 0 && look.depth >= Depth::Counts {
        let four = async |mut talk: Talk| listing::prefix(&mut talk, folder).await;
        prefix = http::talk(look.line, server, 2, four).await;
        look.known.web.get_or_insert_default().asked += 2;
    }
    look.known.open |= listing.state() == State::Finding;
    let outcome = look.notes.note(&W_10, listing.state()).facet(facet);
    outcome.with("status", Fact::Code(greeting.status.into()));
    listing.describe(outcome, prefix);
}

/// How W-10 ends where there is no listing.
fn listing_state(status: u16) -> State {
    if matches!(status, 429 | 500..=999) { State::Error } else { State::Pass }
}

fn note_rest(look: &mut Look<'_, '_>, state: State) {
    for check in [&W_02, &W_04, &W_05, &W_06, &W_07, &W_11] {
        look.notes.note(check, state);
    }
    for part in ["wado-rs", "wado-uri"] {
        look.notes.note(&W_03, state).facet(Facet::Part(crate::catalogue::Name::fixed(part)));
    }
}

fn may_all(look: &mut Look<'_, '_>, checks: &[&'static Check]) -> bool {
    checks.iter().filter(|check| !look.may(check)).count() == 0
}

fn may_all_of(look: &mut Look<'_, '_>, checks: &[&'static Check], facet: &Facet) -> bool {
    let may = checks.iter().all(|check| check.depth <= look.depth);
    if !may {
        for check in checks {
            look.notes.note(check, State::SkippedByPolicy).facet(facet.clone());
        }
    }
    may
}
