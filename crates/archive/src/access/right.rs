//! A right: a role over a scope, for a time.

use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::Scope;

/// A role over a scope. Which operations the role holds is looked up when something is
/// decided, so that a changed role changes what its holders may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Right {
    /// The role's name: one of ours, or one that the administrators defined.
    pub role: String,
    /// Over which instances.
    #[serde(default = "everything", with = "shared")]
    pub scope: Arc<Scope>,
    /// When it ends; never unless said.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub until: Option<time::OffsetDateTime>,
}

impl Right {
    /// That role over that scope, without an end.
    pub(crate) fn of(role: &str, scope: Arc<Scope>) -> Right {
        Right { role: role.to_owned(), scope, until: None }
    }

    /// Whether it has not ended.
    pub(crate) fn lives(&self, now: SystemTime) -> bool {
        self.until.is_none_or(|until| now < SystemTime::from(until))
    }
}

/// In words, for the trail.
impl std::fmt::Display for Right {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} over {}", self.role, self.scope)?;
        match self.until {
            Some(until) => write!(f, " until {until}"),
            None => Ok(()),
        }
    }
}

fn everything() -> Arc<Scope> {
    Arc::new(Scope::everything())
}

mod shared {
    use super::{Arc, Deserialize, Scope, Serialize};

    pub(super) fn serialize<S: serde::Serializer>(scope: &Arc<Scope>, to: S) -> Result<S::Ok, S::Error> {
        Scope::serialize(scope, to)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Arc<Scope>, D::Error> {
        Scope::deserialize(from).map(Arc::new)
    }
}
