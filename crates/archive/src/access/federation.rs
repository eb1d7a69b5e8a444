//! Identities that a peer brings along, proven by an issuer that is trusted: SAML assertions
//! (PS3.7 D.3.3.7.1 type 4). JSON Web Tokens (type 5) are of the providers that people sign in
//! by: see `people::issuer`; that each is one peer's is seen to here.
//!
//! An issuer's word gives the rights of roles it is mapped to, and only together with those of
//! the peer's certificate. What was shown by one peer is shown in vain by another as long as it
//! lives. Deliberately absent: administrators by somebody else's word, Kerberos.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::{Mutex, RwLock};

use super::caller::Proof;
use super::public_key::PublicKey;
use super::registry::Registry;
use super::{Rejected, Right, Role, Scope, saml};
use crate::Archive;

/// Most identities remembered until they are over; beyond, further ones are refused.
const MOST_SEEN: usize = 16_384;

/// Whose word is trusted.
#[derive(Clone, Debug, Default)]
pub struct Federation {
    /// Issuers of SAML assertions.
    pub saml: Vec<SamlIssuer>,
}

/// An issuer of SAML assertions.
#[derive(Clone, Debug)]
pub struct SamlIssuer {
    /// Its entity ID.
    pub issuer: String,
    /// The keys it signs with.
    pub keys: Vec<PublicKey>,
    /// What it calls us.
    pub audience: String,
    /// The recipient it addresses assertions for us to.
    pub recipient: String,
    /// What its word gives.
    pub roles: RolesOf,
}

/// Which roles follow from what an issuer says of somebody.
#[derive(Clone, Debug, Default)]
pub struct RolesOf {
    /// The attribute or claim with their groups.
    pub attribute: String,
    /// The role of a group: reader, viewer, sender, or one that the administrators defined.
    pub roles: HashMap<String, String>,
}

impl RolesOf {
    fn rights<'a>(&self, groups: impl Iterator<Item = &'a str>) -> Arc<[Right]> {
        let held = |group: &str| self.roles.get(group).filter(|role| is_given_by_word(role));
        let everything = Arc::new(Scope::everything());
        groups.filter_map(held).map(|role| Right::of(role, everything.clone())).collect()
    }
}

/// Ours that a scope limits, and those that the administrators defined.
fn is_given_by_word(role: &str) -> bool {
    Role::named(role).is_none_or(Role::is_limited_by_scope)
}

/// What is trusted at present, and what was shown.
#[derive(Default)]
pub(crate) struct Federated {
    trusted: RwLock<Arc<Federation>>,
    /// Peer and end of each identity that lives, by issuer and its own name.
    seen: Mutex<HashMap<(String, String), (String, SystemTime)>>,
}

/// An identity that was shown.
pub(crate) struct Shown<'a> {
    /// Whose word it is.
    pub(crate) issuer: &'a str,
    /// Its own name, unique at its issuer.
    pub(crate) id: &'a str,
    /// When it ends.
    pub(crate) until: SystemTime,
    /// Whether it is good for one time alone.
    pub(crate) once: bool,
}

impl Archive {
    /// Trusts these issuers from now on, instead of any before.
    pub fn trust(&self, federation: Federation) {
        *self.inner.federated.trusted.write() = Arc::new(federation);
    }
}

impl Federated {
    /// Whose a SAML assertion is that this peer brings.
    pub(super) fn saml(
        &self,
        registry: &Registry,
        document: &[u8],
        ae: &str,
        now: SystemTime,
    ) -> Result<(String, Proof), Rejected> {
        let failed = |error: saml::SamlError| Rejected::because(error.reason());
        let trusted = self.trusted.read().clone();
        let named = saml::issuer_of(document).map_err(failed)?;
        let known = trusted.saml.iter().find(|issuer| issuer.issuer == named);
        let SamlIssuer { issuer, keys, audience, recipient, roles } =
            known.ok_or_else(|| Rejected::because("SAML: an issuer that is not trusted"))?;
        let expected = saml::Expected { issuer, keys, audience, recipient, now };
        let assertion = saml::verify(document, &expected).map_err(failed)?;
        let groups = assertion.attributes.iter().filter(|(name, _)| *name == roles.attribute);
        let rights = roles.rights(groups.flat_map(|(_, values)| values).map(String::as_str));
        let saml::Assertion { id, subject, expires: until, once, .. } = assertion;
        let known = registry.user_vouched(&named, &subject);
        if known.is_none() && rights.is_empty() {
            return Err(Rejected::because("SAML: an identity without a role here"));
        }
        self.show(Shown { issuer: &named, id: &id, until, once }, ae, now)?;
        Ok(match known {
            Some(user) => (user.name.clone(), Proof::Vouched { user: user.name, until }),
            None => (subject, Proof::Federated { rights, until }),
        })
    }

    /// Takes an identity in, unless another peer has shown it, or it was to be shown once.
    pub(crate) fn show(&self, shown: Shown<'_>, ae: &str, now: SystemTime) -> Result<(), Rejected> {
        let Shown { issuer, id, until, once } = shown;
        let mut seen = self.seen.lock();
        if seen.len() >= MOST_SEEN {
            seen.retain(|_, (_, until)| now < *until);
        }
        let name = (issuer.to_owned(), id.to_owned());
        match seen.get(&name).filter(|(_, until)| now < *until) {
            Some((by, _)) if once || by != ae => Err(Rejected::because("an identity that was shown before")),
            Some(_) => Ok(()),
            None if seen.len() >= MOST_SEEN => Err(Rejected::because("too many identities at once")),
            None => {
                seen.insert(name, (ae.to_owned(), until));
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_identity_is_the_first_peer_s_that_shows_it() {
        let federated = Federated::default();
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let taken =
            |id, once, ae, now| federated.show(Shown { issuer: "i", id, until: at(100), once }, ae, at(now)).is_ok();
        assert!(taken("1", false, "CT1", 1) && taken("1", false, "CT1", 2));
        assert!(!taken("1", false, "CT2", 3), "another peer's");
        assert!(taken("2", true, "CT1", 1) && !taken("2", true, "CT1", 2), "once");
        assert!(taken("1", false, "CT2", 100), "it had ended: whoever verified it saw to that");
    }

    #[test]
    fn nobody_is_administrator_by_another_s_word() {
        let rights = |role: &str| {
            let roles = RolesOf { attribute: "g".into(), roles: [("doctors".to_owned(), role.to_owned())].into() };
            roles.rights(["doctors", "others"].into_iter()).len()
        };
        for role in ["administrator", "host", "auditor", "peer-store"] {
            assert_eq!(rights(role), 0, "{role}");
        }
        assert_eq!((rights("reader"), rights("night shift")), (1, 1), "ours, and defined by our administrators");
    }
}
