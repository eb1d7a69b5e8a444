//! The proof itself. Its makers are private to `decide`: nothing else can make one.

use std::ops::Deref;
use std::sync::Arc;

use super::Terms;
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
pub struct GrantedScope {
    reach: Arc<Reach>,
    /// What it was granted by, to be asked once more; nothing when nobody decided.
    terms: Option<Arc<Terms>>,
}

impl<R> Granted<R> {
    /// Only `decide` calls this.
    pub(super) fn new(request: R, reach: Reach, terms: Terms) -> Granted<R> {
        Granted { request, scope: GrantedScope { reach: Arc::new(reach), terms: Some(Arc::new(terms)) } }
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

impl GrantedScope {
    /// What it was granted by.
    pub(super) fn terms(&self) -> Option<&Terms> {
        self.terms.as_deref()
    }
}

impl Deref for GrantedScope {
    type Target = Reach;

    fn deref(&self) -> &Reach {
        &self.reach
    }
}

#[cfg(any(test, feature = "testing"))]
impl GrantedScope {
    /// A grant that nobody decided, for tests of the index alone; in no release.
    pub fn for_test(reach: impl Into<Reach>) -> GrantedScope {
        GrantedScope { reach: Arc::new(reach.into()), terms: None }
    }
}
