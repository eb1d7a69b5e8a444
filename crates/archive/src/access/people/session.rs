//! Sessions: what signing in makes. 256 random bits, shown once, kept as a digest.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::access::secret::{fresh_session, secret_digest};

/// Most sessions of one person; the oldest goes first.
const MOST: usize = 16;
/// Most networks remembered that somebody signed in from.
const MOST_NETWORKS: usize = 8;
/// Most browsers remembered that somebody signed in with.
const MOST_BROWSERS: usize = 16;

/// What somebody showed to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Factor {
    /// A passphrase.
    Passphrase,
    /// The one-time secret of an invitation.
    Invitation,
    /// A code of an app (RFC 6238).
    Totp,
    /// A recovery code.
    Recovery,
    /// A passkey that verified its user: two factors in one.
    Passkey,
    /// An identity provider's word.
    Issuer,
    /// An identity provider's word that it asked for two factors.
    IssuerTwice,
}

impl Factor {
    /// The name in the trail.
    pub fn name(self) -> &'static str {
        match self {
            Factor::Passphrase => "passphrase",
            Factor::Invitation => "invitation",
            Factor::Totp => "one-time code",
            Factor::Recovery => "recovery code",
            Factor::Passkey => "passkey",
            Factor::Issuer => "identity provider",
            Factor::IssuerTwice => "identity provider with two factors",
        }
    }
}

/// A session as kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    /// SHA-256 of the secret, lower-case hex.
    pub(crate) digest: String,
    /// What was shown.
    pub(crate) factors: Vec<Factor>,
    /// When it began.
    pub(crate) began: SystemTime,
    /// When it ends at the latest.
    pub(crate) ends: SystemTime,
    /// Where it began: address, or network of IPv6.
    pub(crate) network: String,
}

/// The sessions of one person, and what signing in left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SessionsFact {
    /// Whose.
    pub(crate) user: String,
    /// Those that were not ended.
    pub(crate) sessions: Vec<Session>,
    /// The last step of a one-time code that was accepted.
    pub(crate) last_step: u64,
    /// Where they signed in before, latest last.
    pub(crate) networks: Vec<String>,
    /// With which browsers, by digest, latest last.
    #[serde(default)]
    pub(crate) browsers: Vec<String>,
}

/// A session as its owner sees it.
#[derive(Clone, Debug, Serialize)]
pub struct SessionView {
    /// When it began, RFC 3339.
    pub began: String,
    /// When it ends at the latest, RFC 3339.
    pub ends: String,
    /// Where it began.
    pub network: String,
    /// What was shown.
    pub factors: Vec<Factor>,
    /// Whether it is the one that asks.
    pub current: bool,
}

impl Session {
    /// Whether two factors were shown, or one that is two.
    pub(crate) fn is_strong(&self) -> bool {
        let two_in_one = |factor: &Factor| matches!(factor, Factor::Passkey | Factor::IssuerTwice);
        let second = |factor: &Factor| matches!(factor, Factor::Totp | Factor::Recovery);
        self.factors.iter().any(two_in_one)
            || (self.factors.iter().any(second) && self.factors.iter().any(|factor| !second(factor)))
    }
}

impl SessionsFact {
    /// The sessions of somebody who had none.
    pub(crate) fn of(user: &str) -> SessionsFact {
        SessionsFact { user: user.to_owned(), ..SessionsFact::default() }
    }

    /// Begins one; its secret.
    pub(crate) fn begin(
        &mut self,
        factors: Vec<Factor>,
        network: &str,
        now: SystemTime,
        lifetime: Duration,
    ) -> Option<String> {
        let secret = fresh_session()?;
        let digest = secret_digest(&secret)?;
        self.sessions.retain(|session| now < session.ends);
        if self.sessions.len() >= MOST {
            self.sessions.remove(0);
        }
        let network = network.to_owned();
        self.sessions.push(Session { digest, factors, began: now, ends: now + lifetime, network: network.clone() });
        self.networks.retain(|known| *known != network);
        if self.networks.len() >= MOST_NETWORKS {
            self.networks.remove(0);
        }
        self.networks.push(network);
        Some(secret)
    }

    /// Remembers a browser that they signed in with.
    pub(crate) fn remember(&mut self, browser: Option<&String>) {
        let Some(browser) = browser else { return };
        self.browsers.retain(|known| known != browser);
        if self.browsers.len() >= MOST_BROWSERS {
            self.browsers.remove(0);
        }
        self.browsers.push(browser.clone());
    }

    /// Ends one.
    pub(crate) fn end(&mut self, digest: &str) {
        self.sessions.retain(|session| session.digest != digest);
    }

    /// Ends all of them and begins one like that in place of it, with `more` shown: what was
    /// known of the old ones is worth nothing.
    pub(crate) fn renew(&mut self, current: &Session, more: Option<Factor>, now: SystemTime) -> Option<String> {
        let secret = fresh_session()?;
        let mut session = Session { digest: secret_digest(&secret)?, began: now, ..current.clone() };
        session.factors.extend(more.filter(|factor| !current.factors.contains(factor)));
        self.sessions = vec![session];
        Some(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_factors_are_strong_and_two_of_a_kind_are_not() {
        let session = |factors: &[Factor]| Session {
            digest: String::new(),
            factors: factors.to_vec(),
            began: SystemTime::UNIX_EPOCH,
            ends: SystemTime::UNIX_EPOCH,
            network: String::new(),
        };
        use Factor::{Invitation, Issuer, IssuerTwice, Passkey, Passphrase, Recovery, Totp};
        for factors in [&[Passkey][..], &[IssuerTwice], &[Passphrase, Totp], &[Issuer, Totp], &[Passphrase, Recovery]] {
            assert!(session(factors).is_strong(), "{factors:?}");
        }
        for factors in
            [&[][..], &[Passphrase], &[Invitation], &[Issuer], &[Totp], &[Totp, Recovery], &[Passphrase, Issuer]]
        {
            assert!(!session(factors).is_strong(), "{factors:?}");
        }
    }

    #[test]
    fn a_person_has_few_sessions_and_few_networks() {
        let mut fact = SessionsFact::of("ada");
        let now = SystemTime::UNIX_EPOCH;
        for n in 0..100 {
            fact.begin(vec![Factor::Passphrase], &n.to_string(), now, Duration::from_secs(60)).unwrap();
        }
        assert_eq!((fact.sessions.len(), fact.networks.len()), (MOST, MOST_NETWORKS));
        let current = fact.sessions[3].clone();
        let secret = fact.renew(&current, Some(Factor::Totp), now).unwrap();
        assert_eq!(fact.sessions.len(), 1);
        assert_eq!(Some(&fact.sessions[0].digest), secret_digest(&secret).as_ref());
        assert!(fact.sessions[0].digest != current.digest && fact.sessions[0].is_strong());
    }
}
