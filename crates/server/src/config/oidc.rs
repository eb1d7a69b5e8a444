//! `[[oidc]]`: identity providers (OpenID Connect) that people may sign in by.

use std::path::PathBuf;

use leadglass_archive::access::people::{GroupRule, TrustedIssuer};
use leadglass_archive::access::{Right, Scope};
use serde::{Deserialize, Serialize};

use super::people::host_of;

/// A provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// What it is called in addresses and on the sign-in page: letters, digits, `-`.
    pub name: String,
    /// Its issuer identifier, exactly as it gives it: `https://…`.
    pub issuer: String,
    /// Our client id there.
    pub client_id: String,
    /// A file (mode 0600) with our client secret there; a public client has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret_file: Option<PathBuf>,
    /// The certificate of the authority its certificate is of, PEM; the system's when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Scopes asked for beside `openid`.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// The claim that lists a person's groups.
    #[serde(default = "groups_claim")]
    pub groups_claim: String,
    /// The claim with a person's name.
    #[serde(default = "name_claim")]
    pub name_claim: String,
    /// Values of `acr` or `amr` by which it says that it asked for two factors. Without one of
    /// them our own second factor is asked for, wherever one is needed.
    #[serde(default)]
    pub two_factors: Vec<String>,
    /// Other hosts (`name` or `name:port`) that its endpoints may be at.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// What its groups may do.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

/// What members of a group may do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The group, exactly.
    pub group: String,
    /// The role.
    pub role: String,
    /// Over which instances; all when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
}

impl Oidc {
    /// What is wrong with it.
    pub(super) fn flaw(&self) -> Option<(&'static str, String)> {
        let plain = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if self.name.is_empty() || self.name.len() > 32 || !plain(&self.name) {
            return Some(("oidc.name", "has 1 to 32 letters, digits and hyphens".into()));
        }
        let authority = self.issuer.strip_prefix("https://").and_then(|rest| rest.split('/').next());
        if authority.and_then(|authority| host_of(&format!("https://{authority}")).map(drop)).is_none() {
            return Some(("oidc.issuer", "begins with https:// and a host".into()));
        }
        if self.client_id.is_empty() {
            return Some(("oidc.client_id", "is missing".into()));
        }
        self.rules.is_empty().then(|| ("oidc.rules", "say what whose group may do: without one nobody gets in".into()))
    }

    /// As the archive knows it.
    pub(crate) fn trusted(&self) -> TrustedIssuer {
        let rule = |rule: &Rule| GroupRule {
            group: rule.group.clone(),
            right: Right {
                role: rule.role.clone(),
                scope: rule.scope.clone().unwrap_or_else(Scope::everything).into(),
                until: None,
            },
        };
        TrustedIssuer {
            name: self.name.clone(),
            issuer: self.issuer.clone(),
            audience: self.client_id.clone(),
            groups_claim: self.groups_claim.clone(),
            name_claim: self.name_claim.clone(),
            two_factors: self.two_factors.clone(),
            rules: self.rules.iter().map(rule).collect(),
        }
    }
}

fn scopes() -> Vec<String> {
    vec!["profile".into(), "groups".into()]
}

fn groups_claim() -> String {
    "groups".into()
}

fn name_claim() -> String {
    "preferred_username".into()
}
