//! F-08 of what an object store serves: whether it says that it encrypts what it keeps.
//!
//! S3 tells it with each object (`x-amz-server-side-encryption`). A store that tells nothing may
//! lie on an encrypted disk all the same: that is refused-before, no finding.

use crate::catalogue::Name;
use crate::catalogue::files::F_08;
use crate::evidence::Fact;
use crate::finding::{Facet, Notes, State};
use crate::net::http::Answer;

/// Headers that say so: with the store's keys, or with the caller's.
const SAYS_SO: [&str; 2] = ["x-amz-server-side-encryption", "x-amz-server-side-encryption-customer-algorithm"];
/// The header that every answer of such a store has.
const OF_STORE: &str = "x-amz-request-id";

/// Notes it for an answer that serves something; nothing when no such store answered.
pub fn note(notes: &mut Notes, answer: &Answer, facet: Facet) {
    let (state, mechanism) = match answer {
        _ if SAYS_SO.iter().any(|name| answer.header(name).is_some()) => (State::Pass, "s3-server-side"),
        _ if answer.header(OF_STORE).is_some() => (State::RefusedBefore, "unknown"),
        _ => return,
    };
    notes.note(&F_08, state).facet(facet).with("mechanism", Fact::Known(Name::fixed(mechanism)));
}
