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

    /// What it is about, for the trail.
    fn subject(&self) -> Subject {
        Subject::default()
    }
}

/// Decides whether that caller may do that, now.
///
/// Allowed is what every principal of the caller (a peer; a user on it) may do by one of
/// its roles through the door it stands at, as long as all that was shown still holds.
pub(crate) fn decide<R: Request>(
    registry: &Registry,
    caller: &Caller,
    request: R,
    now: SystemTime,
) -> Result<Granted<R>, Refused> {
    if !registry.is_current(caller, now) {
        return Err(Refused::NotAllowed);
    }
    let allowed = caller
        .principals()
        .iter()
        .all(|principal| principal.roles.iter().any(|role| role.may(R::OPERATION, caller.door())));
    if !allowed || caller.principals().is_empty() {
        return Err(Refused::NotAllowed);
    }
    Ok(Granted::new(request, caller.scope()))
}
