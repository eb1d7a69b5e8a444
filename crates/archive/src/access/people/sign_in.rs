//! Signing in: from what a person shows to a session, or not.
//!
//! Every refusal reads the same and costs the same. A refusal is counted per source as those
//! of [`authenticate`](crate::Archive::authenticate) are; a session is a change like any other:
//! decided, recorded, durable before its secret is handed out.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::pending::Begun;
use super::session::{Factor, SessionsFact};
use super::{UserFact, login_name, passkey, passphrase, recovery, throttle, totp};
use crate::access::caller::{Known, Proof};
use crate::access::people::passkey::{Assertion, RelyingParty};
use crate::access::secret::{secret_digest, sha256_hex};
use crate::access::{Caller, Door, Rejected, Source, requests};
use crate::administer::{Alarm, rfc3339};
use crate::change::Change;
use crate::trail::{Alert, Event, Outcome};
use crate::{Archive, Refused};

/// At which of the wrong second factors, one soon after the other, somebody is told.
const ALARMING_TRIES: u64 = 10;

/// How far somebody got.
#[derive(Debug)]
pub enum SignIn {
    /// Signed in.
    Session(NewSession),
    /// The first factor was right: the second is due.
    SecondFactor {
        /// What to show with it; good for five minutes and five tries.
        ticket: String,
        /// Whether a code of an app will do (a recovery code does as well).
        code: bool,
        /// Whether a passkey will do.
        passkey: bool,
    },
}

/// A session that has just begun.
#[derive(Debug)]
pub struct NewSession {
    /// What to show from now on. Not kept here.
    pub secret: zeroize::Zeroizing<String>,
    /// Whose.
    pub user: String,
    /// When it ends at the latest, RFC 3339.
    pub ends: String,
    /// Whether nothing is allowed but to enrol a second factor.
    pub second_factor_due: bool,
}

/// Why nobody was signed in.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SignInRefused {
    /// Whatever was wrong: always this.
    #[error("that is not right")]
    Wrong,
    /// Too many tries: wait so long.
    #[error("too many tries")]
    TooMany(Duration),
    /// Too many others sign in at this moment.
    #[error("too many sign in at once")]
    Busy,
    /// The archive refuses: see [`Refused`].
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// A try that was taken.
pub(super) struct Taken {
    /// Where the account's owner is at home.
    familiar: bool,
    /// Of the address's tries, not of a browser's own.
    by_address: bool,
}

/// A challenge for a passkey.
#[derive(Clone, Debug, serde::Serialize)]
pub struct PasskeyChallenge {
    /// What to show with the answer.
    pub ticket: String,
    /// To be signed, base64url.
    pub challenge: String,
}

impl Archive {
    /// The first step of a person with a passphrase.
    ///
    /// # Errors
    /// [`SignInRefused`]; the same, after the same work, whoever was named.
    pub async fn sign_in(&self, source: &Source, name: &str, passphrase: &str) -> Result<SignIn, SignInRefused> {
        self.sign_in_with(source, None, name, passphrase).await
    }

    /// The same with a browser that keeps a secret of 256 random bits for us: where its owner has
    /// signed in with it before, nobody else's guesses keep them out.
    ///
    /// # Errors
    /// As [`Archive::sign_in`].
    pub async fn sign_in_with(
        &self,
        source: &Source,
        browser: Option<&str>,
        name: &str,
        passphrase: &str,
    ) -> Result<SignIn, SignInRefused> {
        let login = login_name(name).unwrap_or_default();
        let browser = browser.map(|secret| sha256_hex(secret.as_bytes()));
        let taken = self.take_try(source, &login, browser.as_ref())?;
        let user = self.person(&login);
        let hash = user.as_ref().and_then(|user| user.passphrase.clone());
        let right = self.inner.people.hasher.verify(hash, passphrase, taken.familiar).await;
        match (right, user) {
            (Err(passphrase::Busy), _) => Err(SignInRefused::Busy),
            (Ok(true), Some(user)) => {
                self.give_back(source, &taken);
                self.after_first_factor(source, user, Factor::Passphrase, browser).await
            }
            _ => Err(self.turned_away(source, "wrong user name or passphrase")),
        }
    }

    /// Who names themselves with their passphrase at a peer (PS3.7 D.3.3.7, type 2). Nobody can
    /// be asked for a second factor there: who has one, or must have one, shows an API token.
    pub(crate) async fn passphrase_user(
        &self,
        source: &Source,
        name: &str,
        passphrase: &str,
    ) -> Result<(String, Proof), Rejected> {
        let login = login_name(name).unwrap_or_default();
        let too_many = |_| Rejected::because("too many tries");
        let taken = self.take_try(source, &login, None).map_err(too_many)?;
        let user = self.person(&login);
        let hash = user.as_ref().and_then(|user| user.passphrase.clone());
        let right = self.inner.people.hasher.verify(hash, passphrase, taken.familiar).await;
        match (right, user) {
            (Err(passphrase::Busy), _) => Err(Rejected::because("too many passphrases at once")),
            (Ok(true), Some(user)) => {
                if user.has_second_factor() || self.inner.registry.needs_second_factor(&user) {
                    return Err(Rejected::because("a passphrase alone, of a user with a second factor"));
                }
                self.inner.people.throttle.lock().forgive(&login, source.address, None);
                self.give_back(source, &taken);
                Ok((user.name.clone(), Proof::Owner { user: user.name }))
            }
            _ => Err(Rejected::because("wrong user name or passphrase")),
        }
    }

    /// The second step: a code of an app, or a recovery code.
    ///
    /// # Errors
    /// [`SignInRefused`].
    pub async fn sign_in_second(&self, source: &Source, ticket: &str, code: &str) -> Result<NewSession, SignInRefused> {
        let now = self.inner.clock.now();
        let begun = self.inner.people.pending.lock().take(ticket, now);
        let Some(Begun::SecondFactor { user, shown, browser, .. }) = &begun else {
            return Err(self.turned_away(source, "no sign-in to go on with"));
        };
        let (user, shown, browser) = (user.clone(), *shown, browser.clone());
        let put_back = |begun: Option<Begun>| {
            if let Some(begun) = begun {
                self.inner.people.pending.lock().put_back(ticket, begun, now);
            }
        };
        // Whoever has the ticket has shown the first factor: what is counted are guesses at the second.
        let familiar = self.is_familiar(source, &user, browser.as_ref());
        let taken = self.inner.people.throttle.lock().take_second(&user, familiar, self.now_ms());
        let tries = match taken {
            Ok(tries) => tries,
            Err(wait) => {
                put_back(begun);
                self.turned_away(source, "too many second factors");
                return Err(SignInRefused::TooMany(wait));
            }
        };
        let session = self.begin_session(source, &user, |fact, sessions| {
            sessions.remember(browser.as_ref());
            if let Some(secret) = &fact.totp
                && let Some(step) = totp::step_of(secret, code, sessions.last_step, now)
            {
                sessions.last_step = step;
                return Some((vec![shown, Factor::Totp], false));
            }
            let digest = recovery::digest(code)?;
            let at = fact.recovery.iter().position(|kept| *kept == digest)?;
            fact.recovery.remove(at);
            Some((vec![shown, Factor::Recovery], true))
        });
        let session = session.await;
        match &session {
            Ok(_) => self.inner.people.throttle.lock().forgive_second(&user, familiar),
            Err(SignInRefused::Wrong) => {
                put_back(begun);
                if tries == ALARMING_TRIES {
                    self.tell_of_guesses(source, &user).await;
                }
            }
            Err(_) => {}
        }
        session
    }

    /// Somebody has the first factor of a user and guesses at the second: told, and to be looked at.
    async fn tell_of_guesses(&self, source: &Source, user: &str) {
        let said = "many wrong second factors after a right first one: it is known to somebody else";
        let caller = self.signing_in(source, user);
        let alert = Alert::of(Event::RestrictedFunctionUsed).by(&caller).ended(Outcome::Refused).saying(said);
        self.raise(Alarm::SecondFactor, &caller, None, said, alert).await;
    }

    /// The one-time secret of an invitation, for a passphrase of one's own choice.
    ///
    /// # Errors
    /// [`SignInRefused`]; [`Refused::Invalid`] for a passphrase that is short or common.
    pub async fn accept_invitation(
        &self,
        source: &Source,
        name: &str,
        invitation: &str,
        passphrase: &str,
    ) -> Result<NewSession, SignInRefused> {
        let login = login_name(name).unwrap_or_default();
        let taken = self.take_try(source, &login, None)?;
        let now = self.inner.clock.now();
        let digest = secret_digest(invitation);
        let invited = |user: &UserFact| {
            let invitation = user.invitation.as_ref();
            invitation.is_some_and(|kept| Some(&kept.digest) == digest.as_ref() && now < kept.expires)
        };
        let Some(user) = self.person(&login).filter(invited) else {
            return Err(self.turned_away(source, "no such invitation"));
        };
        self.fit(passphrase, &user).await?;
        let hash = self.inner.people.hasher.hash(passphrase).await.map_err(|_| SignInRefused::Busy)?;
        self.give_back(source, &taken);
        self.begin_session(source, &login, move |fact, sessions| {
            if !invited(fact) {
                return None;
            }
            fact.invitation = None;
            fact.passphrase = Some(hash);
            sessions.sessions.clear();
            Some((vec![Factor::Invitation], true))
        })
        .await
    }

    /// Lets somebody begin a visit to an identity provider, or not yet: anybody can ask for that.
    ///
    /// # Errors
    /// [`SignInRefused::TooMany`].
    pub fn begin_visit(&self, source: &Source) -> Result<(), SignInRefused> {
        let taken = self.inner.people.throttle.lock().take_challenge(source.address, self.now_ms());
        taken.map_err(SignInRefused::TooMany)
    }

    /// A challenge for whoever has a passkey.
    ///
    /// # Errors
    /// [`SignInRefused::TooMany`].
    pub fn passkey_challenge(&self, source: &Source) -> Result<PasskeyChallenge, SignInRefused> {
        let taken = self.inner.people.throttle.lock().take_challenge(source.address, self.now_ms());
        taken.map_err(SignInRefused::TooMany)?;
        let challenge = passkey::challenge().ok_or_else(no_randomness)?;
        let begun = Begun::PasskeySignIn { challenge: challenge.clone() };
        let ticket = self.inner.people.pending.lock().begin(begun, self.inner.clock.now()).ok_or_else(no_randomness)?;
        Ok(PasskeyChallenge { ticket, challenge })
    }

    /// Signs in who has the passkey: it names its owner, and its authenticator asked them.
    ///
    /// # Errors
    /// [`SignInRefused`].
    pub async fn passkey_sign_in(
        &self,
        source: &Source,
        party: &RelyingParty,
        ticket: &str,
        shown: &Assertion,
    ) -> Result<NewSession, SignInRefused> {
        let begun = self.inner.people.pending.lock().take(ticket, self.inner.clock.now());
        let Some(Begun::PasskeySignIn { challenge }) = begun else {
            return Err(self.turned_away(source, "no sign-in to go on with"));
        };
        let Some(user) = self.inner.registry.user_of_passkey(&shown.id) else {
            return Err(self.turned_away(source, "unknown passkey"));
        };
        self.begin_session(source, &user, |fact, _| {
            if fact.vouched.is_some() {
                // Their provider was not asked: it may not know them any longer.
                return None;
            }
            let passkey = fact.passkeys.iter_mut().find(|passkey| passkey.id == shown.id)?;
            let counter = passkey::asserted(party, &challenge, passkey, shown)?;
            let counts = counter != passkey.counter;
            passkey.counter = counter;
            Some((vec![Factor::Passkey], counts))
        })
        .await
    }

    /// A second factor when there is one, a session when not.
    pub(super) async fn after_first_factor(
        &self,
        source: &Source,
        user: UserFact,
        shown: Factor,
        browser: Option<String>,
    ) -> Result<SignIn, SignInRefused> {
        if user.has_second_factor() && shown != Factor::IssuerTwice {
            let begun = Begun::SecondFactor { user: user.name.clone(), shown, tries: 0, browser };
            let ticket = self.inner.people.pending.lock().begin(begun, self.inner.clock.now());
            return Ok(SignIn::SecondFactor {
                ticket: ticket.ok_or_else(no_randomness)?,
                code: user.totp.is_some(),
                passkey: user.vouched.is_none() && !user.passkeys.is_empty(),
            });
        }
        let session = self.begin_session(source, &user.name, |fact, sessions| {
            sessions.remember(browser.as_ref());
            // What was looked at before is looked at again: a factor may have come in between.
            (!fact.has_second_factor() || shown == Factor::IssuerTwice).then(|| (vec![shown], false))
        });
        Ok(SignIn::Session(session.await?))
    }

    /// Begins a session, when `show` still finds the user's facts as they must be: what was
    /// shown, and whether the user's own fact was changed by it.
    pub(super) async fn begin_session(
        &self,
        source: &Source,
        user: &str,
        show: impl FnOnce(&mut UserFact, &mut SessionsFact) -> Option<(Vec<Factor>, bool)>,
    ) -> Result<NewSession, SignInRefused> {
        let caller = self.signing_in(source, user);
        let network = throttle::network(source.address);
        let request = requests::SignIn { user: user.to_owned() };
        let begun = self.perform_change(&caller, request, async |_| {
            let now = self.inner.clock.now();
            let mut fact = self.person(user).ok_or(Refused::NotAllowed)?;
            let mut sessions = self.inner.registry.sessions(user);
            let (factors, changed) = show(&mut fact, &mut sessions).ok_or(Refused::NotAllowed)?;
            let lifetime = self.inner.settings.people.session;
            let secret = sessions.begin(factors, &network, now, lifetime).ok_or_else(no_randomness)?;
            let last = sessions.sessions.last().ok_or_else(no_randomness)?;
            let session = NewSession {
                secret: secret.into(),
                user: user.to_owned(),
                ends: rfc3339(last.ends),
                second_factor_due: !last.is_strong() && self.inner.registry.needs_second_factor(&fact),
            };
            let is_strong = last.is_strong();
            let user = changed.then(|| Box::new(fact));
            Ok((Some(Change::PersonChanged { user, sessions: Some(Box::new(sessions)) }), (session, is_strong)))
        });
        match begun.await {
            Ok((session, is_strong)) => {
                if is_strong {
                    self.stepped_up(user);
                }
                let remembered = self.inner.registry.sessions(user).browsers;
                self.inner.people.throttle.lock().forgive(user, source.address, remembered.last());
                Ok(session)
            }
            Err(Refused::NotAllowed) => Err(self.turned_away(source, "wrong second factor")),
            Err(refused) => Err(refused.into()),
        }
    }

    /// The user of that name who may sign in.
    pub(super) fn person(&self, login: &str) -> Option<UserFact> {
        self.inner.registry.user(login).filter(|user| user.disabled.is_none() && !user.service)
    }

    /// Whether a passphrase is long and rare enough for that user. To find that out takes a while.
    pub(super) async fn fit(&self, passphrase: &str, user: &UserFact) -> Result<(), Refused> {
        let passphrase = zeroize::Zeroizing::new(passphrase.to_owned());
        let (name, display) = (user.name.clone(), user.display.clone());
        let breached = self.inner.settings.people.breached.clone();
        let words = self.inner.settings.people.words.clone();
        let look = move || {
            let words: Vec<&str> = words.iter().map(String::as_str).chain([&*name, &*display, "leadglass"]).collect();
            passphrase::is_fit(&passphrase, &words, breached.as_ref())
        };
        crate::blocking(look).await?.map_err(|unfit| Refused::Invalid(unfit.to_string()))
    }

    /// Takes a try of that account from there.
    pub(super) fn take_try(
        &self,
        source: &Source,
        account: &str,
        browser: Option<&String>,
    ) -> Result<Taken, SignInRefused> {
        let familiar = self.is_familiar(source, account, browser);
        let browser = browser.filter(|browser| self.inner.registry.sessions(account).browsers.contains(*browser));
        let tried = throttle::Try { account, address: source.address, familiar, browser: browser.map(String::as_str) };
        let taken = self.inner.people.throttle.lock().take(&tried, self.now_ms());
        // Without an account there is none to be locked out of, and nobody at home.
        let of = Taken { familiar: familiar && !account.is_empty(), by_address: browser.is_none() };
        taken.map(|()| of).map_err(|wait| {
            self.turned_away(source, "too many tries");
            SignInRefused::TooMany(wait)
        })
    }

    /// What was shown is right: the address has its try back.
    fn give_back(&self, source: &Source, taken: &Taken) {
        if taken.by_address {
            self.inner.people.throttle.lock().give_back(source.address, self.now_ms());
        }
    }

    /// Whether the account's owner has signed in from there before, or with that browser.
    fn is_familiar(&self, source: &Source, account: &str, browser: Option<&String>) -> bool {
        let before = self.inner.registry.sessions(account);
        let network = throttle::network(source.address);
        account.is_empty()
            || before.networks.contains(&network)
            || browser.is_some_and(|browser| before.browsers.contains(browser))
    }

    fn now_ms(&self) -> u64 {
        let now = self.inner.clock.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(now.as_millis()).unwrap_or(u64::MAX / 2)
    }

    /// Counts somebody who was turned away, and says what they are told.
    pub(super) fn turned_away(&self, source: &Source, reason: &'static str) -> SignInRefused {
        self.turn_away(source, reason);
        SignInRefused::Wrong
    }

    /// Somebody whose factors are being looked at: may begin a session, nothing else.
    pub(super) fn signing_in(&self, source: &Source, user: &str) -> Caller {
        let (proofs, now) = (vec![Proof::SigningIn { user: user.to_owned() }], self.inner.clock.now());
        let may = self.inner.registry.may(&proofs, source.door, now);
        Caller::new(Known { name: user.to_owned(), source: source.clone(), proofs, may, since: now })
    }
}

/// The proof of a session's secret; `None` when there is none such, or it has ended.
pub(crate) fn session(
    registry: &crate::access::registry::Registry,
    secret: &str,
    door: Door,
    now: SystemTime,
) -> Result<(String, Vec<Proof>), Rejected> {
    let digest = secret_digest(secret).ok_or_else(|| Rejected::because("no session of this archive"))?;
    let user = registry.session(&digest).ok_or_else(|| Rejected::because("unknown session"))?;
    let proof = Proof::Session { user: user.clone(), digest: digest.clone() };
    if registry.rights(&proof, now).is_none() {
        return Err(Rejected::because("a session that is over"));
    }
    if matches!(door, Door::Admin | Door::DicomWeb) {
        registry.touch(&digest, now);
    }
    Ok((user, vec![proof]))
}

pub(super) fn no_randomness() -> Refused {
    Refused::Broken("the operating system gives no random bytes".into())
}
