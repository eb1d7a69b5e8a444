//! Consoles of archives and of what stands beside them: A-04.

use super::{LOOK_AT, Place};
use crate::catalogue::Name;
use crate::catalogue::product::A_04;
use crate::evidence::Fact;
use crate::finding::Severity;
use crate::finding::{Notes, State};
use crate::net::http::{Answer, Request, Talk};
use crate::probe::web::door::asks_who;
use crate::probe::web::signature::{self, Kind};
use crate::scope::Vantage;

/// A console.
struct Console {
    name: &'static str,
    /// Where it shows whether it asks who comes.
    path: &'static str,
    /// What is there when it does not ask.
    shows: Shows,
    /// Whether it is looked for when nothing is known of the product.
    guessed: bool,
}

/// What a console shows to whoever comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shows {
    /// A page with its signature and no log-in: it is open.
    Page,
    /// JSON: it is open.
    Json,
    /// Its log-in, always: a script draws it.
    LogIn,
}

static CONSOLES: &[Console] = &[
    Console { name: "conquest", path: "/cgi-bin/dgate?mode=top", shows: Shows::Page, guessed: true },
    Console { name: "clearcanvas", path: "/ImageServer/", shows: Shows::Page, guessed: true },
    Console { name: "pacsone", path: "/pacsone/login.php", shows: Shows::LogIn, guessed: false },
    Console { name: "keycloak", path: "/admin/", shows: Shows::LogIn, guessed: true },
    Console { name: "dicoogle", path: "/management/settings/index", shows: Shows::Json, guessed: false },
    Console { name: "meddream", path: "/", shows: Shows::Page, guessed: false },
    Console { name: "kheops", path: "/", shows: Shows::LogIn, guessed: false },
    Console { name: "wildfly", path: "/console/index.html", shows: Shows::LogIn, guessed: false },
    Console { name: "portainer", path: "/", shows: Shows::LogIn, guessed: false },
    Console { name: "minio", path: "/", shows: Shows::LogIn, guessed: false },
];

pub(super) async fn audit(talk: &mut Talk, place: &Place<'_>, notes: &mut Notes) {
    let seen = |console: &&Console| place.greeting.seen.iter().any(|seen| seen.name.as_str() == console.name);
    let own: Vec<&Console> = CONSOLES.iter().filter(seen).collect();
    let stranger = place.product.is_none() && own.is_empty() && !place.asks_everywhere;
    let consoles = if stranger { CONSOLES.iter().filter(|console| console.guessed).collect() } else { own };
    let (mut asked, mut refused, mut failed) = (0, None, false);
    for console in consoles {
        if talk.left() == 0 {
            break;
        }
        let Ok(answer) = talk.ask(Request::get(console.path, LOOK_AT)).await else {
            failed = true;
            continue;
        };
        asked += 1;
        match judge(console, &answer, place, stranger) {
            Some(State::Finding) => {
                let outcome = notes.finding(&A_04).with("status", Fact::Code(answer.status.into()));
                outcome.with("console", Fact::Known(Name::fixed(console.name)));
                outcome.with("log-in", Fact::Flag(false)).with("paths-asked", Fact::Count(asked));
                return;
            }
            Some(_) => refused = refused.or(Some((console.name, answer.status))),
            None => {}
        }
    }
    let near_users = matches!(place.vantage, Vantage::UserVlan | Vantage::Internet);
    let state = match refused {
        Some(_) if near_users => State::Finding,
        Some(_) => State::Pass,
        None if failed => State::Error,
        None => State::NotApplicable,
    };
    let outcome = notes.note(&A_04, state).with("paths-asked", Fact::Count(asked));
    if let Some((name, status)) = refused {
        outcome.with("status", Fact::Code(status.into())).with("log-in", Fact::Flag(true));
        outcome.with("console", Fact::Known(Name::fixed(name)));
        if state == State::Finding {
            outcome.severity(Severity::Low);
        }
    }
}

/// Whether a console is there and open ([`State::Finding`]), there and asks ([`State::Pass`]), or not there.
fn judge(console: &Console, answer: &Answer, place: &Place<'_>, stranger: bool) -> Option<State> {
    let seen = signature::matches(answer);
    let marked = seen.iter().any(|seen| seen.name.as_str() == console.name && seen.kind != Kind::Server);
    if asks_who(answer, place.server, place.run) || signature::has_log_in_form(answer) {
        // Guessing, a refusal alone does not say whose it is.
        return (marked || !stranger).then_some(State::Pass);
    }
    if !answer.is_success() {
        return (!stranger).then_some(State::Pass);
    }
    match console.shows {
        Shows::Page if marked => Some(State::Finding),
        Shows::LogIn if marked => Some(State::Pass),
        Shows::Json if answer.is_json() => Some(State::Finding),
        Shows::Json => Some(State::Pass),
        _ => None,
    }
}
