//! W-12: a share link that the owner named, looked at without a session. HEAD, no body.

use crate::catalogue::web::W_12;
use crate::evidence::Fact;
use crate::finding::{Facet, Notes, State};
use crate::net::http::{Request, Server, Talk};
use crate::probe::web::door::with_status;
use crate::run::Run;
use crate::scope::link::Link;

/// Looks whether the link still opens; whether it does.
pub async fn audit(talk: &mut Talk, server: &Server, run: &Run, url: &Link, facet: Facet, notes: &mut Notes) -> bool {
    let mut answer = talk.ask(Request::head(&url.path)).await;
    if answer.as_ref().is_ok_and(|answer| matches!(answer.status, 405 | 501)) {
        answer = talk.ask(Request::get(&url.path, 0)).await;
    }
    let Ok(answer) = answer else {
        notes.note(&W_12, State::Error).facet(facet);
        return false;
    };
    let state = match answer.status {
        200..=299 => State::Finding,
        300..=399 | 400 | 401 | 403 | 404 | 407 | 410 => State::Pass,
        _ => State::Error,
    };
    let outcome = with_status(notes.note(&W_12, state), &answer).facet(facet);
    if let Some(redirect) = answer.redirect(server, &run.scope, run.now()) {
        outcome.with("redirect-to", Fact::Known(redirect.to.name()));
    }
    state == State::Finding
}
