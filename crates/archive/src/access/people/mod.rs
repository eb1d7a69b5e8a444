//! People: who they are, what they prove it with, and their sessions.
//!
//! A user is a fact like a peer or a token: rights, passphrase (hashed), second factors. Signing
//! in makes a session, which is what the web face shows from then on. Deliberately absent:
//! HTTP, cookies, and any way to read a passphrase, a code or a session's secret back.

pub(crate) mod account;
pub(crate) mod issuer;
pub mod passkey;
pub(crate) mod passphrase;
pub(crate) mod pending;
pub(crate) mod recovery;
pub(crate) mod session;
pub(crate) mod sign_in;
pub(crate) mod throttle;
pub(crate) mod totp;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

pub use account::{Account, Changed, OwnFactor, TotpEnrolment};
pub use issuer::{GroupRule, TrustedIssuer};
pub use passkey::RelyingParty;
pub use session::{Factor, SessionView};
pub use sign_in::{NewSession, PasskeyChallenge, SignIn, SignInRefused};

use super::Right;

/// How long an identity provider's word about somebody is believed: who was dismissed there has
/// no right here a day later, by whatever they hold.
const WORD: Duration = Duration::from_secs(24 * 3600);
/// Longest login name, characters.
const LONGEST_LOGIN: usize = 64;

/// What holds for all people, handed in when the archive is opened.
#[derive(Clone)]
pub struct PeopleSettings {
    /// Whether everybody needs a second factor, not only those who administer.
    pub second_factor_for_all: bool,
    /// How long a session lasts at most.
    pub session: Duration,
    /// How long a session lasts without being used.
    pub idle: Duration,
    /// Whether a passphrase of that SHA-1 is known to be breached: the administrator's own
    /// list, beside the one that is built in.
    pub breached: Option<Breached>,
    /// Words of the site that guessers would try first: names of the hospital, its systems, its
    /// town.
    pub words: Vec<String>,
}

/// Whether something of that SHA-1 is in a list; nothing when nobody can tell.
pub type Breached = Arc<dyn Fn(&[u8; 20]) -> Option<bool> + Send + Sync>;

impl Default for PeopleSettings {
    fn default() -> PeopleSettings {
        PeopleSettings {
            second_factor_for_all: false,
            session: Duration::from_secs(12 * 3600),
            idle: Duration::from_secs(15 * 60),
            breached: None,
            words: Vec::new(),
        }
    }
}

/// What the archive holds of people that is in no fact.
#[derive(Default)]
pub(crate) struct People {
    pub(crate) hasher: passphrase::Hasher,
    pub(crate) throttle: Mutex<throttle::Throttle>,
    pub(crate) pending: Mutex<pending::Pending>,
    pub(crate) issuers: RwLock<issuer::Issuers>,
}

/// A user as kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UserFact {
    /// The login name, normalised: see [`login_name`].
    pub(crate) name: String,
    /// The name for people.
    pub(crate) display: String,
    /// A program, not a person: holds tokens and never signs in.
    pub(crate) service: bool,
    /// Whom an identity provider vouches for.
    pub(crate) vouched: Option<Vouched>,
    /// Argon2id, PHC string.
    pub(crate) passphrase: Option<String>,
    /// A one-time secret to choose a passphrase with.
    pub(crate) invitation: Option<Invitation>,
    /// The secret of the one-time codes, hex.
    pub(crate) totp: Option<String>,
    /// Digests of the recovery codes that are left.
    pub(crate) recovery: Vec<String>,
    /// Passkeys.
    pub(crate) passkeys: Vec<passkey::Passkey>,
    /// What they may do.
    pub(crate) rights: Vec<Right>,
    /// Patients of their own: their images may be looked at, whatever the rights.
    pub(crate) patients: Vec<String>,
    /// Since when they may do nothing.
    pub(crate) disabled: Option<SystemTime>,
    /// When they were added.
    pub(crate) created: SystemTime,
}

/// Who somebody is at an identity provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Vouched {
    /// `iss`.
    pub(crate) issuer: String,
    /// `sub`.
    pub(crate) subject: String,
    /// When it said so last.
    #[serde(default)]
    pub(crate) said: Option<SystemTime>,
}

/// A one-time secret to choose a passphrase with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Invitation {
    /// SHA-256 of it, lower-case hex.
    pub(crate) digest: String,
    /// When it ends.
    pub(crate) expires: SystemTime,
}

impl UserFact {
    /// A user of that name without anything to sign in with.
    pub(crate) fn new(name: String, display: String, rights: Vec<Right>, created: SystemTime) -> UserFact {
        UserFact {
            name,
            display,
            service: false,
            vouched: None,
            passphrase: None,
            invitation: None,
            totp: None,
            recovery: Vec::new(),
            passkeys: Vec::new(),
            rights,
            patients: Vec::new(),
            disabled: None,
            created,
        }
    }

    /// Whether there is a second factor of theirs with us. A passkey signs in by itself, so who
    /// signs in elsewhere has none that counts.
    pub(crate) fn has_second_factor(&self) -> bool {
        self.totp.is_some() || (self.vouched.is_none() && !self.passkeys.is_empty())
    }

    /// Whether they have any right now: not disabled, and vouched for lately if somebody has to.
    pub(crate) fn is_active(&self, now: SystemTime) -> bool {
        let lately = |said: SystemTime| now.duration_since(said).map_or(true, |age| age < WORD);
        self.disabled.is_none() && self.vouched.as_ref().is_none_or(|vouched| vouched.said.is_some_and(lately))
    }
}

/// The login name as it is kept and compared: NFKC, lower case, without padding; `None` for
/// what cannot be one.
pub(crate) fn login_name(text: &str) -> Option<String> {
    if text.len() > 8 * LONGEST_LOGIN {
        return None;
    }
    let name: String = text.trim().nfkc().flat_map(char::to_lowercase).collect();
    let plain = |c: char| c.is_alphanumeric() || " ._-@+'".contains(c);
    ((1..=LONGEST_LOGIN).contains(&name.chars().count()) && name.chars().all(plain)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn login_names_are_compared_without_regard_to_case_width_and_padding() {
        assert_eq!(login_name("  Ada.Lovelace "), Some("ada.lovelace".into()));
        assert_eq!(login_name("ＡＤＡ"), Some("ada".into()));
        for hostile in
            ["", " ", "a\nb", "a\u{202e}b", "a/b", "a\\b", "<a>", "\u{1b}[31m", &"a".repeat(65), &"ß".repeat(5000)]
        {
            assert_eq!(login_name(hostile), None, "{hostile:?}");
        }
    }
}
