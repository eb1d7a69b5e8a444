//! W-12: a share link that the owner named, looked at without a session. HEAD, and GET where
//! that is not served: some answer 404 to every HEAD. No byte of a body is taken.

use crate::catalogue::web::W_12;
use crate::evidence::Fact;
use crate::finding::{Facet, Notes, State};
use crate::net::http::{Answer, Request, Server, Talk};
use crate::probe::web::at_rest;
use crate::probe::web::door::with_status;
use crate::run::Run;
use crate::scope::link::Link;

/// Looks whether the link still opens; whether it does.
pub async fn audit(talk: &mut Talk, server: &Server, run: &Run, url: &Link, facet: Facet, notes: &mut Notes) -> bool {
    let mut answer = talk.ask(Request::head(&url.path)).await;
    if !answer.as_ref().is_ok_and(Answer::is_success) {
        answer = talk.ask(Request::get(&url.path, 0)).await;
    }
    let Ok(answer) = answer else {
        notes.note(&W_12, State::Error).facet(facet);
        return false;
    };
    let redirect = answer.redirect(server, &run.scope, run.now());
    let state = match answer.status {
        200..=299 => State::Finding,
        300..=399 if redirect.is_some_and(|redirect| redirect.log_in) => State::Pass,
        // What it leads to is not looked at: it may be the study.
        300..=399 => State::RefusedBefore,
        400 | 401 | 403 | 404 | 407 | 410 => State::Pass,
        _ => State::Error,
    };
    if state == State::Finding {
        at_rest::note(notes, &answer, facet.clone());
    }
    let outcome = with_status(notes.note(&W_12, state), &answer).facet(facet);
    if let Some(redirect) = redirect {
        outcome.with("redirect-to", Fact::Known(redirect.to.name()));
    }
    state == State::Finding
}
