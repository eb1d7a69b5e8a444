//! What people do with their own account: see it, change passphrase and factors, end sessions.
//!
//! A change of what one signs in with asks for a session that began a short while ago, ends all
//! others, and gives the session that asked a new secret: whatever was known of the old ones
//! is worth nothing.

use std::time::{Duration, SystemTime};

use super::passkey::{NewPasskey, RelyingParty};
use super::pending::Begun;
use super::session::{Factor, Session, SessionView, SessionsFact};
use super::sign_in::{PasskeyChallenge, SignInRefused, no_randomness};
use super::{UserFact, passkey, passphrase, recovery, totp};
use crate::access::caller::Proof;
use crate::access::{Caller, Source, requests};
use crate::administer::{checked_name, rfc3339};
use crate::change::Change;
use crate::{Archive, Refused};

/// How long after signing in one's factors can be changed.
const FRESH: Duration = Duration::from_secs(30 * 60);
/// Most passkeys of one person.
const MOST_PASSKEYS: usize = 16;

/// An account as its owner sees it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Account {
    /// The login name.
    pub name: String,
    /// The name for people.
    pub display: String,
    /// What they may do: role and scope in words.
    pub rights: Vec<String>,
    /// Whether there is a passphrase.
    pub passphrase: bool,
    /// Whether there is an app for one-time codes.
    pub totp: bool,
    /// How many recovery codes are left.
    pub recovery_codes: usize,
    /// Passkeys: id and name.
    pub passkeys: Vec<(String, String)>,
    /// Whether nothing is allowed but to enrol a second factor.
    pub second_factor_due: bool,
    /// Sessions.
    pub sessions: Vec<SessionView>,
    /// Seconds without use after which a session ends.
    pub idle_seconds: u64,
}

/// A factor of one's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnFactor {
    /// The app for one-time codes, and the recovery codes with it.
    Totp,
    /// A passkey, by its id.
    Passkey(String),
}

/// The secret of one-time codes, shown once.
#[derive(Clone, Debug, serde::Serialize)]
pub struct TotpEnrolment {
    /// What to confirm with.
    pub ticket: String,
    /// The secret as people type it (base32).
    pub secret: String,
    /// The same as a URI for apps (`otpauth:`).
    pub uri: String,
}

/// What came of a change of factors.
#[derive(Debug)]
pub struct Changed {
    /// The session's new secret.
    pub secret: zeroize::Zeroizing<String>,
    /// Recovery codes, shown once, when fresh ones were made.
    pub recovery_codes: Vec<String>,
}

impl Archive {
    /// The caller's own account.
    ///
    /// # Errors
    /// [`Refused::NotAllowed`] for whoever is no person with a session.
    pub async fn account(&self, caller: &Caller) -> Result<Account, Refused> {
        self.perform(caller, requests::ReadAccount, async |_| {
            let (user, sessions, current) = self.own(caller)?;
            let view = |session: &Session| SessionView {
                began: rfc3339(session.began),
                ends: rfc3339(session.ends),
                network: session.network.clone(),
                factors: session.factors.clone(),
                current: session.digest == current.digest,
            };
            let now = self.inner.clock.now();
            Ok(Account {
                rights: user.rights.iter().map(ToString::to_string).collect(),
                passphrase: user.passphrase.is_some(),
                totp: user.totp.is_some(),
                recovery_codes: user.recovery.len(),
                passkeys: user.passkeys.iter().map(|key| (key.id.clone(), key.name.clone())).collect(),
                second_factor_due: self.owes_second_factor(caller)?,
                sessions: sessions.sessions.iter().filter(|session| now < session.ends).map(view).collect(),
                idle_seconds: self.inner.settings.people.idle.as_secs(),
                name: user.name,
                display: user.display,
            })
        })
        .await
    }

    /// Another passphrase in place of the one that is shown; a wrong one counts as a try to
    /// sign in.
    ///
    /// # Errors
    /// [`SignInRefused`]; [`Refused::Invalid`] for a new one that is short or common.
    pub async fn change_passphrase(&self, caller: &Caller, old: &str, new: &str) -> Result<Changed, SignInRefused> {
        let source = Source { address: caller.address(), door: caller.door() };
        let (user, ..) = self.own(caller)?;
        self.take_try(&source, &user.name, None)?;
        let hasher = &self.inner.people.hasher;
        match hasher.verify(user.passphrase.clone(), old, true).await {
            Ok(true) => {}
            Ok(false) => return Err(self.turned_away(&source, "wrong passphrase at a change of it")),
            Err(passphrase::Busy) => return Err(SignInRefused::Busy),
        }
        self.fit(new, &user).await?;
        let hash = hasher.hash(new).await.map_err(|_| SignInRefused::Busy)?;
        let before = user.passphrase;
        let changed = self.change_factors(caller, "passphrase changed", None, move |user, _| {
            if user.passphrase != before {
                return Err(Refused::NotAllowed);
            }
            user.passphrase = Some(hash);
            Ok(Vec::new())
        });
        Ok(changed.await?)
    }

    /// A fresh secret for one-time codes, to be confirmed by a code of it.
    ///
    /// # Errors
    /// [`Refused::Invalid`] when the session is not fresh.
    pub async fn begin_totp(&self, caller: &Caller) -> Result<TotpEnrolment, Refused> {
        let request = requests::ChangeAccount { what: "one-time codes asked for".into() };
        self.perform(caller, request, async |_| {
            let (user, _, session) = self.own_fresh(caller)?;
            let secret = totp::fresh_secret().ok_or_else(no_randomness)?;
            let base32 = totp::base32(&secret);
            let uri = format!("otpauth://totp/Leadglass:{}?secret={base32}&issuer=Leadglass", percent(&user.name));
            let ticket = self.ticket(Begun::TotpEnrolment { session: session.digest, secret })?;
            Ok(TotpEnrolment { ticket, secret: base32, uri })
        })
        .await
    }

    /// Enrols the app whose code that is.
    ///
    /// # Errors
    /// [`Refused::Invalid`] for a wrong code; begin anew.
    pub async fn confirm_totp(&self, caller: &Caller, ticket: &str, code: &str) -> Result<Changed, Refused> {
        let begun = self.inner.people.pending.lock().take(ticket, self.inner.clock.now());
        let wrong = || Refused::Invalid("that is not the code of now: begin anew".into());
        let Some(Begun::TotpEnrolment { session, secret }) = begun else { return Err(wrong()) };
        self.change_factors(caller, "one-time codes enrolled", Some(Factor::Totp), |user, sessions| {
            if sessions.sessions.iter().all(|own| own.digest != session) {
                return Err(wrong());
            }
            // A new secret has no step of before.
            sessions.last_step = totp::step_of(&secret, code, 0, self.inner.clock.now()).ok_or_else(wrong)?;
            user.totp = Some(secret);
            with_recovery_codes(user)
        })
        .await
    }

    /// A challenge for a new passkey.
    ///
    /// # Errors
    /// [`Refused::Invalid`] when the session is not fresh, and for whoever signs in elsewhere: a
    /// passkey would let them in without that.
    pub async fn begin_passkey(&self, caller: &Caller) -> Result<PasskeyChallenge, Refused> {
        let request = requests::ChangeAccount { what: "passkey asked for".into() };
        self.perform(caller, request, async |_| {
            let (user, _, session) = self.own_fresh(caller)?;
            if user.vouched.is_some() {
                let text = "you sign in by your identity provider: a passkey belongs there, an app for codes can be added here";
                return Err(Refused::Invalid(text.into()));
            }
            let challenge = passkey::challenge().ok_or_else(no_randomness)?;
            let begun = Begun::PasskeyEnrolment { session: session.digest, challenge: challenge.clone() };
            Ok(PasskeyChallenge { ticket: self.ticket(begun)?, challenge })
        })
        .await
    }

    /// Enrols the passkey that was made for the challenge.
    ///
    /// # Errors
    /// [`Refused::Invalid`] for one that was not, or that is there already.
    pub async fn confirm_passkey(
        &self,
        caller: &Caller,
        party: &RelyingParty,
        ticket: &str,
        name: &str,
        new: &NewPasskey,
    ) -> Result<Changed, Refused> {
        let begun = self.inner.people.pending.lock().take(ticket, self.inner.clock.now());
        let wrong = || Refused::Invalid("that is not a passkey for this page: begin anew".into());
        let Some(Begun::PasskeyEnrolment { session, challenge }) = begun else { return Err(wrong()) };
        let name = checked_name(name)?;
        self.change_factors(caller, "passkey enrolled", Some(Factor::Passkey), |user, sessions| {
            let passkey = passkey::registered(party, &challenge, &name, new).ok_or_else(wrong)?;
            let known = self.inner.registry.user_of_passkey(&passkey.id).is_some();
            let ours = sessions.sessions.iter().any(|own| own.digest == session);
            if known || !ours || user.passkeys.len() >= MOST_PASSKEYS {
                return Err(wrong());
            }
            user.passkeys.push(passkey);
            if user.recovery.is_empty() { with_recovery_codes(user) } else { Ok(Vec::new()) }
        })
        .await
    }

    /// Fresh recovery codes in place of all others.
    ///
    /// # Errors
    /// [`Refused::Invalid`] without a second factor to recover from.
    pub async fn renew_recovery_codes(&self, caller: &Caller) -> Result<Changed, Refused> {
        self.change_factors(caller, "recovery codes made", None, |user, _| {
            if !user.has_second_factor() {
                return Err(Refused::Invalid("enrol a second factor first".into()));
            }
            with_recovery_codes(user)
        })
        .await
    }

    /// Takes a factor away.
    ///
    /// # Errors
    /// [`Refused::Invalid`] for the last one of somebody who needs one,
    /// [`Refused::NotFound`] for one that is not there.
    pub async fn remove_factor(&self, caller: &Caller, factor: &OwnFactor) -> Result<Changed, Refused> {
        let what = match factor {
            OwnFactor::Totp => "one-time codes removed",
            OwnFactor::Passkey(_) => "passkey removed",
        };
        self.change_factors(caller, what, None, |user, _| {
            match factor {
                OwnFactor::Totp => user.totp.take().map(drop).ok_or(Refused::NotFound)?,
                OwnFactor::Passkey(id) => {
                    let at = user.passkeys.iter().position(|key| key.id == *id).ok_or(Refused::NotFound)?;
                    user.passkeys.remove(at);
                }
            }
            let nothing_left = user.passphrase.is_none() && user.passkeys.is_empty() && user.vouched.is_none();
            if nothing_left || (!user.has_second_factor() && self.inner.registry.needs_second_factor(user)) {
                return Err(Refused::Invalid("that is the last one: enrol another first".into()));
            }
            if !user.has_second_factor() {
                user.recovery.clear();
            }
            Ok(Vec::new())
        })
        .await
    }

    /// Ends all of the caller's own sessions but the one that asks.
    ///
    /// # Errors
    /// [`Refused::NotAllowed`] for whoever is no person with a session.
    pub async fn end_other_sessions(&self, caller: &Caller) -> Result<(), Refused> {
        let request = requests::ChangeAccount { what: "other sessions ended".into() };
        self.perform_change(caller, request, async |_| {
            let (_, mut sessions, current) = self.own(caller)?;
            sessions.sessions.retain(|session| session.digest == current.digest);
            Ok((Some(Change::PersonChanged { user: None, sessions: Some(Box::new(sessions)) }), ()))
        })
        .await
    }

    /// Ends the session that asks.
    ///
    /// # Errors
    /// [`Refused::NotAllowed`] for whoever is no person with a session.
    pub async fn sign_out(&self, caller: &Caller) -> Result<(), Refused> {
        self.perform_change(caller, requests::SignOut, async |_| {
            let (_, mut sessions, current) = self.own(caller)?;
            sessions.end(&current.digest);
            Ok((Some(Change::PersonChanged { user: None, sessions: Some(Box::new(sessions)) }), ()))
        })
        .await
    }

    /// Changes what the caller signs in with: all other sessions end, this one gets a new secret
    /// and counts with the factor that was just shown.
    async fn change_factors(
        &self,
        caller: &Caller,
        what: &str,
        shown: Option<Factor>,
        change: impl FnOnce(&mut UserFact, &mut SessionsFact) -> Result<Vec<String>, Refused>,
    ) -> Result<Changed, Refused> {
        let request = requests::ChangeAccount { what: what.to_owned() };
        self.perform_change(caller, request, async |_| {
            let (mut user, mut sessions, current) = self.own_fresh(caller)?;
            let recovery_codes = change(&mut user, &mut sessions)?;
            let secret = sessions.renew(&current, shown, self.inner.clock.now()).ok_or_else(no_randomness)?;
            let change = Change::PersonChanged { user: Some(Box::new(user)), sessions: Some(Box::new(sessions)) };
            Ok((Some(change), Changed { secret: secret.into(), recovery_codes }))
        })
        .await
    }

    /// The caller's own facts, and the session that asks.
    fn own(&self, caller: &Caller) -> Result<(UserFact, SessionsFact, Session), Refused> {
        let proof = caller.proofs().iter().find_map(|proof| match proof {
            Proof::Session { user, digest } => Some((user, digest)),
            _ => None,
        });
        let (name, digest) = proof.ok_or(Refused::NotAllowed)?;
        let user = self.person(name).ok_or(Refused::NotAllowed)?;
        let sessions = self.inner.registry.sessions(name);
        let current = sessions.sessions.iter().find(|session| session.digest == *digest).cloned();
        Ok((user, sessions, current.ok_or(Refused::NotAllowed)?))
    }

    /// The same, when the session began a short while ago, and with a second factor if there is
    /// one to show.
    fn own_fresh(&self, caller: &Caller) -> Result<(UserFact, SessionsFact, Session), Refused> {
        let (user, sessions, current) = self.own(caller)?;
        let age = self.inner.clock.now().duration_since(current.began);
        let is_fresh = age.is_ok_and(|age| age <= FRESH) && (current.is_strong() || !user.has_second_factor());
        if !is_fresh {
            return Err(Refused::Invalid("sign in again to change what you sign in with".into()));
        }
        Ok((user, sessions, current))
    }

    /// Whether nothing is allowed to the session but to enrol or show a second factor.
    pub(crate) fn owes_second_factor(&self, caller: &Caller) -> Result<bool, Refused> {
        let (user, _, current) = self.own(caller)?;
        Ok(!current.is_strong() && self.inner.registry.needs_second_factor(&user))
    }

    /// Whether the caller has signed in a short while ago, with a second factor.
    pub(crate) fn has_stepped_up(&self, caller: &Caller) -> bool {
        self.own_fresh(caller).is_ok_and(|(_, _, session)| session.is_strong())
    }

    fn ticket(&self, what: Begun) -> Result<String, Refused> {
        let now: SystemTime = self.inner.clock.now();
        self.inner.people.pending.lock().begin(what, now).ok_or_else(no_randomness)
    }
}

fn with_recovery_codes(user: &mut UserFact) -> Result<Vec<String>, Refused> {
    let (codes, digests) = recovery::fresh().ok_or_else(no_randomness)?;
    user.recovery = digests;
    Ok(codes)
}

/// A login name in a URI (RFC 3986).
fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
