//! One request to a service of this family that speaks HTTP, by the client that the web family
//! has, too, and in the words of this family's other conversations.

use super::talk::{Unanswered, holds};
use crate::net::Over;
use crate::net::http::{self, Answer, Request, Talk};
use crate::probe::Look;
use crate::probe::web;

/// Bytes looked at of a body: signatures stand at its beginning.
pub(super) const LOOK_AT: usize = 16 * 1024;

/// An answer. Bytes of the target: match, do not keep.
pub(super) struct Page(pub(super) Answer);

impl Page {
    /// Whether a header holds the signature.
    pub(super) fn field_holds(&self, field: &str, signature: &str) -> bool {
        self.0.headers(field).any(|value| holds(value.as_bytes(), signature.as_bytes()))
    }

    /// Whether the body's beginning holds a signature.
    pub(super) fn body_holds(&self, signature: &str) -> bool {
        holds(&self.0.body, signature.as_bytes())
    }

    /// Whether it asks who we are, or says that we may not.
    pub(super) fn refuses(&self) -> bool {
        matches!(self.0.status, 401 | 403)
    }
}

/// Asks. `None` when what comes back is not HTTP.
pub(super) async fn ask(look: &mut Look<'_, '_>, over: Over, request: Request) -> Result<Option<Page>, Unanswered> {
    let server = web::server(look, over);
    let answer = http::talk(look.line, &server, 1, async |mut talk: Talk| talk.ask(request).await).await;
    match answer {
        Ok(answer) => Ok(Some(Page(answer))),
        Err(http::Unanswered::NotHttp | http::Unanswered::NotAPath) => Ok(None),
        Err(http::Unanswered::NotReached(why)) => Err(Unanswered::NotReached(why)),
        Err(http::Unanswered::NoTls(error)) => Err(Unanswered::NoTls(error)),
        Err(http::Unanswered::Late) => Err(Unanswered::Late),
        Err(http::Unanswered::HungUp | http::Unanswered::Enough) => Err(Unanswered::HungUp),
    }
}
