//! What a path says to a stranger, next to what a path says that nobody has.

use crate::catalogue::Name;
use crate::evidence::Fact;
use crate::finding::Outcome;
use crate::net::http::{Answer, Request, Server, Talk, Unanswered};
use crate::run::Run;

/// What a path says to a stranger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Served, as its protocol has it.
    Served,
    /// Who are you?
    Asks,
    /// There is nothing, or nothing but what every path says.
    Absent,
    /// The server is at its limit, or broken.
    Strained,
    /// Something else.
    Strange,
}

/// What a path that nobody has says.
#[derive(Clone, Copy, Debug)]
pub struct Baseline {
    /// The status; none when there was no answer.
    pub status: Option<u16>,
    /// Whether it came as JSON.
    json: bool,
    /// Whether whoever comes is asked who he is, wherever he goes.
    pub asks: bool,
}

/// Asks for a path that nobody has.
pub async fn baseline(talk: &mut Talk, server: &Server, run: &Run) -> Result<Baseline, Unanswered> {
    let unknown = hex::encode(&run.key.derive("web", b"a path that nobody has")[..12]);
    let answer = talk.ask(Request::get(format!("/{unknown}"), 2)).await?;
    Ok(Baseline { status: Some(answer.status), json: answer.is_json(), asks: asks_who(&answer, server, run) })
}

impl Baseline {
    /// Whether every path is served.
    pub fn serves_all(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// Whether an answer is like that to a path that nobody has.
    pub fn is_like(&self, answer: &Answer) -> bool {
        self.status == Some(answer.status) && self.json == answer.is_json()
    }

    /// What the answer to a search (PS3.18 8.3, 10.6) means: JSON that is a list, or no content.
    pub fn search(&self, answer: &Answer, server: &Server, run: &Run) -> Door {
        let listed = answer.status == 200 && answer.is_json() && first_byte(&answer.body) == Some(b'[');
        if listed || answer.status == 204 {
            return if self.is_like(answer) { Door::Strange } else { Door::Served };
        }
        self.closed(answer, server, run)
    }

    /// What an answer that serves nothing means.
    pub fn closed(&self, answer: &Answer, server: &Server, run: &Run) -> Door {
        match answer.status {
            _ if asks_who(answer, server, run) => Door::Asks,
            200..=399 | 404 | 405 | 410 | 501 => Door::Absent,
            429 | 500..=999 => Door::Strained,
            _ if self.is_like(answer) => Door::Absent,
            _ => Door::Strange,
        }
    }
}

/// Whether it asks who comes: by status, by sending him to a log-in, or to HTTPS where he can be asked.
pub fn asks_who(answer: &Answer, server: &Server, run: &Run) -> bool {
    matches!(answer.status, 401 | 403 | 407 | 511)
        || answer.redirect(server, &run.scope, run.now()).is_some_and(|redirect| redirect.log_in)
}

/// Keeps the status of an answer.
pub fn with_status<'outcome>(outcome: &'outcome mut Outcome, answer: &Answer) -> &'outcome mut Outcome {
    outcome.with("status", Fact::Code(answer.status.into()))
}

/// The first byte that is not space.
pub fn first_byte(body: &[u8]) -> Option<u8> {
    body.iter().copied().find(|byte| !byte.is_ascii_whitespace())
}

/// Fixed name, shorter.
pub fn name(name: &'static str) -> Fact {
    Fact::Known(Name::fixed(name))
}
