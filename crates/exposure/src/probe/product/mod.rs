//! Products' own interfaces and consoles, and the two opt-in credential tries (A).
//!
//! A product's own counters are asked for at once: they are integers, no field of a patient
//! travels. Deliberately absent: a list of passwords, more than two tries, any use of a session that a
//! try was let in to, any route of a product that answers with patients' data.

pub mod console;
pub mod dcm4chee;
pub mod log_in;
pub mod orthanc;

use serde_json::Value;

use crate::catalogue::Name;
use crate::catalogue::product::{A_01, A_02, A_03, A_04, A_07};
use crate::evidence::{Fact, coarse};
use crate::finding::{Notes, State};
use crate::net::http::{self, Answer, Server, Talk};
use crate::probe::Look;
use crate::probe::web::Greeting;
use crate::run::Run;
use crate::scope::Vantage;

/// Fixed names of this family: the pairs of the credential tries.
pub const NAMES: &[&str] = &["blank", "orthanc-delivered", "dicoogle-delivered"];
/// Bytes of an answer of a product's interface that are looked at.
const LOOK_AT: usize = 16 * 1024;
/// Largest number that is taken for a count.
const MAX_COUNT: u64 = 10_000_000_000;

/// What the checks of products look at.
struct Place<'look> {
    server: &'look Server,
    run: &'look Run,
    greeting: &'look Greeting,
    product: Option<Name>,
    /// Whether whoever asks for any path is asked who he is.
    asks_everywhere: bool,
    vantage: Vantage,
}

/// What the products' interfaces told.
#[derive(Default)]
struct Told {
    open: bool,
    studies: Option<u64>,
    product: Option<Name>,
    version: Option<crate::evidence::Version>,
}

/// Looks at the products behind a port that speaks HTTP. After the web family,
/// which found out what speaks there; does nothing where nothing does.
pub async fn audit(look: &mut Look<'_, '_>) {
    let Some(facts) = look.known.web.clone() else { return };
    let Some((over, greeting)) = facts.way() else { return };
    let server = crate::probe::web::server(look, over);
    note_lock_out(look.notes, greeting);
    let checks = [&A_01, &A_02, &A_03, &A_04];
    if checks.iter().filter(|check| !look.may(check)).count() == 0 {
        let run = look.line.run();
        let place = Place {
            server: &server,
            run,
            greeting,
            product: look.known.product,
            asks_everywhere: facts.asks_everywhere,
            vantage: run.scope.vantage,
        };
        let notes = &mut *look.notes;
        let (told, asked) = http::talk(look.line, &server, facts.left(), async |mut talk: Talk| {
            let mut told = Told::default();
            orthanc::audit(&mut talk, &place, notes, &mut told).await;
            dcm4chee::audit(&mut talk, &place, notes, &mut told).await;
            console::audit(&mut talk, &place, notes).await;
            (told, talk.asked())
        })
        .await;
        let known = &mut *look.known;
        known.open |= told.open;
        known.studies = known.studies.or(told.studies);
        if told.product.is_some() {
            (known.product, known.product_version) = (told.product, told.version.or(known.product_version));
        }
        known.web.get_or_insert_default().asked += asked;
    }
    log_in::audit(look, &server, greeting).await;
}

/// no header tells whether failures lock; the owner is asked.
fn note_lock_out(notes: &mut Notes, greeting: &Greeting) {
    let asks = greeting.asks_who();
    let outcome = notes.note(&A_07, if asks { State::RefusedBefore } else { State::NotApplicable });
    outcome.with("log-in-seen", Fact::Flag(asks)).with("ask-the-owner", Fact::Flag(asks));
}

/// The JSON that an answer is, when it came whole and as such.
fn json(answer: &Answer) -> Option<Value> {
    let plain = answer.is_json() || answer.is_of_type("text/plain");
    if answer.status != 200 || !answer.whole || !plain { None } else { serde_json::from_slice(&answer.body).ok() }
}

/// A count, as a number or as text of one.
fn count(value: Option<&Value>) -> Option<u64> {
    let count = match value? {
        Value::Number(number) => number.as_u64()?,
        Value::String(text) => text.parse().ok()?,
        _ => return None,
    };
    (count <= MAX_COUNT).then(|| coarse(count))
}
