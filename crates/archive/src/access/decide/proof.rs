//! The proof itself. Its makers are private to `decide`: nothing else can make one.

use std::ops::Deref;
use std::sync::Arc;

use crate::access::Reach;

/// Proof that `decide` allowed `R`, and how far. Nothing else can make one.
#[derive(Debug)]
pub struct Granted<R> {
    request: R,
    scope: GrantedScope,
}

/// How far something was granted. Only a [`Granted`] yields one, and every function that
/// finds or opens stored instances asks for it: it goes into every `WHERE`, and is matched
/// against every header.
#[derive(Clone, Debug)]
pub struct GrantedScope(Arc<Reach>);

impl<R> Granted<R> {
    /// Only `decide` calls this.
    pub(super) fn new(request: R, reach: Reach) -> Granted<R> {
        Granted { request, scope: GrantedScope(Arc::new(reach)) }
    }

    /// What was asked.
    pub fn request(&self) -> &R {
        &self.request
    }

    /// How far it was allowed.
    pub fn scope(&self) -> &GrantedScope {
        &self.scope
    }
}

impl Deref for GrantedScope {
    type Target = Reach;

    fn deref(&self) -> &Reach {
        &self.0
    }
}

#[cfg(any(test, feature = "testing"))]
impl GrantedScope {
    /// A grant that nobody decided, for tests of the index alone; in no release.
    pub fn for_test(reach: impl Into<Reach>) -> GrantedScope {
        GrantedScope(Arc::new(reach.into()))
    }
}
