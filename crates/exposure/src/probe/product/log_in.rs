//! The two credential tries, where the owner opted in.
//!
//! One blank try, and one of the pair that the recognised product is delivered with: at most
//! two on a system, all its addresses and ports together ([`crate::tries`]), a minute apart,
//! fewer where accounts lock early, none after a sign of a lock. What a try is let in to is not
//! looked at; a session that a form began is ended.

use crate::catalogue::product::{A_05, A_06};
use crate::catalogue::{Check, Name};
use crate::evidence::Fact;
use crate::finding::State;
use crate::net::http::{self, Answer, LogIn, Request, Server, Session, Talk, Unanswered};
use crate::probe::Look;
use crate::probe::web::Greeting;
use crate::probe::web::door::{asks_who, first_byte};
use crate::tries::{Account, Claim};

static BLANK: LogIn = LogIn { id: "blank", name: "", password: "", form: None };

/// Where a product takes a name and a password.
struct Way {
    product: &'static str,
    path: &'static str,
    blank: &'static LogIn,
    /// What it is delivered with, when that is public knowledge.
    delivered: Option<&'static LogIn>,
    /// Where a form's session is ended.
    log_out: Option<&'static str>,
}

static ORTHANC: LogIn = LogIn { id: "orthanc-delivered", name: "orthanc", password: "orthanc", form: None };
static DICOOGLE_FORM: Option<(&str, &str)> = Some(("username", "password"));
static DICOOGLE: LogIn =
    LogIn { id: "dicoogle-delivered", name: "dicoogle", password: "dicoogle", form: DICOOGLE_FORM };
static DICOOGLE_BLANK: LogIn = LogIn { id: "blank", name: "", password: "", form: DICOOGLE_FORM };

static WAYS: &[Way] = &[
    Way { product: "orthanc", path: "/system", blank: &BLANK, delivered: Some(&ORTHANC), log_out: None },
    Way {
        product: "dicoogle",
        path: "/login",
        blank: &DICOOGLE_BLANK,
        delivered: Some(&DICOOGLE),
        log_out: Some("/logout"),
    },
];
/// HTTP Basic of something that is not recognised: the blank try alone.
static ANY_BASIC: Way = Way { product: "", path: "/", blank: &BLANK, delivered: None, log_out: None };

/// How a try ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tried {
    LetIn,
    Refused,
    /// Something changed: too many, locked, or another answer than a refusal.
    Locked,
}

pub(super) async fn audit(look: &mut Look<'_, '_>, server: &Server, greeting: &Greeting) {
    let Some(opted) = look.line.run().scope.credentials else {
        skip(look, &[&A_05, &A_06]);
        return;
    };
    if A_05.depth > look.depth {
        skip(look, &[&A_05, &A_06]);
        return;
    }
    let Some(way) = way(look, greeting) else {
        let state = if greeting.asks_who() { State::RefusedBefore } else { State::NotApplicable };
        look.notes.note(&A_05, state);
        look.notes.note(&A_06, state);
        return;
    };
    let mut tries: Vec<(&'static Check, &'static LogIn)> = Vec::new();
    match opted.try_blank {
        true => tries.push((&A_05, way.blank)),
        false => skip(look, &[&A_05]),
    }
    match (opted.try_default, way.delivered) {
        (true, Some(delivered)) => tries.push((&A_06, delivered)),
        (true, None) => {
            look.notes.note(&A_06, State::NotApplicable);
        }
        (false, _) => skip(look, &[&A_06]),
    }
    let (run, asset) = (look.line.run(), look.asset);
    for (check, log_in) in tries {
        match run.tries.claim(run, asset, Account::Named(Name::fixed(log_in.id))).await {
            Claim::Granted => {}
            Claim::Spent => {
                skip(look, &[check]);
                continue;
            }
            Claim::Ending => {
                look.notes.note(check, State::Error);
                continue;
            }
        }
        look.announce(check, crate::AUDIT_AE_TITLE);
        if attempt(look, server, way, check, log_in).await != Some(Tried::Refused) {
            run.tries.close(&run.scope, asset);
        }
    }
}

fn skip(look: &mut Look<'_, '_>, checks: &[&'static Check]) {
    for check in checks {
        look.notes.note(check, State::SkippedByPolicy);
    }
}

fn way(look: &Look<'_, '_>, greeting: &Greeting) -> Option<&'static Way> {
    let product = look.known.product.map(Name::as_str);
    let known = WAYS.iter().find(|way| Some(way.product) == product);
    let known = known.filter(|way| way.blank.form.is_some() || greeting.asks_basic);
    known.or(Some(&ANY_BASIC).filter(|_| greeting.asks_basic))
}

async fn attempt(
    look: &mut Look<'_, '_>,
    server: &Server,
    way: &Way,
    check: &'static Check,
    log_in: &'static LogIn,
) -> Option<Tried> {
    let run = look.line.run();
    let answer = http::talk(look.line, server, 2, async |mut talk: Talk| {
        let answer = talk.ask(Request::log_in(way.path, log_in)).await?;
        let tried = judge(&answer, log_in, asks_who(&answer, server, run));
        if let (Tried::LetIn, Some(path), Some(session)) = (tried, way.log_out, session(&answer)) {
            talk.ask(Request::log_out(path, session)).await.ok();
        }
        Ok::<_, Unanswered>((tried, answer.status))
    });
    let Ok((tried, status)) = answer.await else {
        look.notes.note(check, State::Error);
        return None;
    };
    let state = match tried {
        Tried::LetIn => State::Finding,
        Tried::Refused => State::Pass,
        Tried::Locked => State::Error,
    };
    look.known.open |= tried == Tried::LetIn;
    let outcome = look.notes.note(check, state).with("status", Fact::Code(status.into()));
    outcome.with("let-in", Fact::Flag(tried == Tried::LetIn));
    outcome.with("stopped-by-lock", Fact::Flag(tried == Tried::Locked));
    if check.id == A_06.id {
        outcome.with("pair", Fact::Known(Name::fixed(log_in.id)));
    }
    Some(tried)
}

/// What a form's log-in gave, to end it with.
fn session(answer: &Answer) -> Option<Session> {
    if !answer.whole {
        return None;
    }
    let said: Said<'_> = serde_json::from_slice(&answer.body).ok()?;
    Session::new(&said.token)
}

/// The one field of a log-in's answer that is read.
#[derive(serde::Deserialize)]
struct Said<'answer> {
    #[serde(borrow)]
    token: std::borrow::Cow<'answer, str>,
}

fn judge(answer: &Answer, log_in: &LogIn, asks: bool) -> Tried {
    let told_to_wait = answer.header("retry-after").is_some();
    match answer.status {
        _ if told_to_wait => Tried::Locked,
        401 => Tried::Refused,
        302 | 303 if asks => Tried::Refused,
        200 if log_in.form.is_some() => {
            let session = answer.is_json() && first_byte(&answer.body) == Some(b'{');
            if session { Tried::LetIn } else { Tried::Refused }
        }
        // Let in, to a page that is elsewhere or nowhere: before, it asked who comes.
        200..=399 | 404 if log_in.form.is_none() => Tried::LetIn,
        _ => Tried::Locked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_go_by_names_that_can_be_read_back() {
        for way in WAYS {
            for log_in in [Some(way.blank), way.delivered].into_iter().flatten() {
                assert!(super::super::NAMES.contains(&log_in.id));
            }
        }
    }
}
