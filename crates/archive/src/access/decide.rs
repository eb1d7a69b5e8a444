//! The one decision.
//!
//! [`decide`] is called by [`perform`](crate::perform) alone (clippy's `disallowed-methods`
//! guards that), and what it returns is the only key to data: every function of index and
//! log that touches data asks for a [`Granted`], which nothing else can make.

mod proof;

use std::time::SystemTime;

pub use self::proof::{Granted, GrantedScope};
use super::Caller;
use super::registry::Registry;
use crate::trail::Subject;
use crate::{Operation, Refused};

/// A request for an operation, with what it needs to be carried out.
pub(crate) trait Request {
    /// Which operation it is.
    const OPERATION: Operation;

    /// Whether what it opens is looked at piece by piece, so that bytes count as they leave.
    fn is_look(&self) -> bool {
        false
    }

    /// What it is about, for the trail.
    fn subject(&self) -> Subject {
        Subject::default()
    }
}

/// Decides whether that caller may do that, now.
///
/// Allowed is what everything that the caller proved (a peer; a user on it) brings a right to,
/// through the door it stands at, as long as all that was shown still holds. The rights are
/// those of now, not those of when the caller was recognized.
pub(crate) fn decide<R: Request>(
    registry: &Registry,
    caller: &Caller,
    request: R,
    now: SystemTime,
) -> Result<Granted<R>, Refused> {
    let reach = registry.reach(caller.proofs(), R::OPERATION, caller.door(), now);
    Ok(Granted::new(request, reach.ok_or(Refused::NotAllowed)?))
}
