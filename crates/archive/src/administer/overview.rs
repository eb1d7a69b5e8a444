//! Who may do what, on one screen: for `leadglass explain` and the web face.

use std::collections::BTreeSet;

use crate::access::{Door, requests};
use crate::{Archive, Caller, Operation, Refused};

/// Somebody who may come in, with what they may do.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Entitled {
    /// AE title, token's name, user's name.
    pub name: String,
    /// `peer`, `token` or `user`.
    pub kind: &'static str,
    /// Through which door what, by the operations' names.
    pub may: Vec<(Door, BTreeSet<Operation>)>,
    /// Over which instances, in words, a right each.
    pub scopes: Vec<String>,
    /// When it ends, RFC 3339.
    pub until: Option<String>,
}

impl Archive {
    /// Everybody who may come in at present, and what they may do.
    ///
    /// # Errors
    /// Only those of every operation: not allowed, or no trail.
    pub async fn explain(&self, caller: &Caller) -> Result<Vec<Entitled>, Refused> {
        self.perform(caller, requests::Explain, async |_| Ok(self.inner.registry.entitled(self.inner.clock.now())))
            .await
    }
}
