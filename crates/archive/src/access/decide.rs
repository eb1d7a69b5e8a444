//! The one decision.
//!
//! [`decide`] is called by [`perform`](crate::perform) alone (clippy's `disallowed-methods`
//! guards that), and what it returns is the only key to data: every function of index and
//! log that touches data asks for a [`Granted`], which nothing else can make.

mod proof;

use std::time::SystemTime;

pub use self::proof::{Granted, GrantedScope};
use super::registry::Registry;
use super::{Caller, Reach};
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

    /// What else is done by it, which has to be allowed as well and is, as far as both reach.
    fn beside(&self) -> Option<Operation> {
        None
    }

    /// The title of the peer that gets what is found: nothing that it may not have itself.
    fn destination(&self) -> Option<&str> {
        None
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
/// those of now, not those of when the caller was recognized. What goes to a peer is also
/// within that peer's own scope.
pub(crate) fn decide<R: Request>(
    registry: &Registry,
    caller: &Caller,
    request: R,
    now: SystemTime,
) -> Result<Granted<R>, Refused> {
    let terms = Terms {
        operation: R::OPERATION,
        beside: request.beside(),
        destination: request.destination().map(str::to_owned),
    };
    let reach = terms.reach(registry, caller, now)?;
    Ok(Granted::new(request, reach, terms))
}

/// How far what was granted would reach if it were granted now; nothing when that is no longer as
/// far: what takes long asks it now and then. A right that ended ends what it was granted by,
/// though another may be left: whoever asks anew is judged by that one.
pub(crate) fn still_granted(
    registry: &Registry,
    caller: &Caller,
    scope: &GrantedScope,
    now: SystemTime,
) -> Option<Reach> {
    let reach = scope.terms()?.reach(registry, caller, now).ok()?;
    reach.covers(scope).then_some(reach)
}

/// What a request is judged by, without what it is about.
#[derive(Debug)]
pub(super) struct Terms {
    operation: Operation,
    beside: Option<Operation>,
    destination: Option<String>,
}

impl Terms {
    fn reach(&self, registry: &Registry, caller: &Caller, now: SystemTime) -> Result<Reach, Refused> {
        let allowed =
            |operation| registry.reach(caller.proofs(), operation, caller.door(), now).ok_or(Refused::NotAllowed);
        let mut reach = allowed(self.operation)?;
        if let Some(beside) = self.beside {
            reach = reach.and(&allowed(beside)?);
        }
        if let Some(ae) = &self.destination {
            reach = reach.to(registry.scope_of_peer(ae).ok_or(Refused::NotFound)?);
        }
        Ok(reach)
    }
}
