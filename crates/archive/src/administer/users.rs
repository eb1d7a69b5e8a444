//! Users: people and service accounts. Who adds them never learns their passphrase: an
//! invitation, good once and for a day, lets them choose it.

use std::time::{Duration, SystemTime};

use super::{checked_name, checked_scope, no_randomness, rfc3339};
use crate::access::people::{Invitation, UserFact, login_name, session::SessionsFact};
use crate::access::secret::{fresh_invitation, secret_digest};
use crate::access::{Right, Role, requests};
use crate::change::Change;
use crate::{Archive, Caller, Refused};

/// How long an invitation lasts.
const INVITATION_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// Most rights of one user.
const MOST_RIGHTS: usize = 64;
/// Most patients of one user's own.
const MOST_PATIENTS: usize = 1000;

/// A user to be.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// The login name.
    pub name: String,
    /// The name for people; the login name when there is none.
    pub display: Option<String>,
    /// A program, not a person: it holds tokens and never signs in.
    #[serde(default)]
    pub service: bool,
    /// What they may do.
    #[serde(default)]
    pub rights: Vec<Right>,
    /// Patient IDs whose images they may look at besides.
    #[serde(default)]
    pub patients: Vec<String>,
}

/// What changes of a user; what is not there stays.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UserChange {
    /// The name for people.
    pub display: Option<String>,
    /// All rights from now on.
    pub rights: Option<Vec<Right>>,
    /// All patients of their own from now on.
    pub patients: Option<Vec<String>>,
    /// Whether they may do nothing.
    pub disabled: Option<bool>,
}

/// A user as administrators see them: no secret, not even hashed.
#[derive(Clone, Debug, serde::Serialize)]
pub struct User {
    /// The login name.
    pub name: String,
    /// The name for people.
    pub display: String,
    /// Whether it is a program.
    pub service: bool,
    /// The identity provider that vouches for them.
    pub issuer: Option<String>,
    /// What they may do.
    pub rights: Vec<Right>,
    /// Patients of their own.
    pub patients: Vec<String>,
    /// What they sign in with: `passphrase`, `one-time code`, `passkey`.
    pub factors: Vec<&'static str>,
    /// Whether an invitation waits for them.
    pub invited: bool,
    /// Sessions that live.
    pub sessions: usize,
    /// Since when they may do nothing, RFC 3339.
    pub disabled: Option<String>,
    /// When they were added, RFC 3339.
    pub created: String,
}

impl Archive {
    /// Adds a user. A person's invitation comes back: shown once.
    ///
    /// # Errors
    /// [`Refused::Invalid`] for a name that cannot be one or is taken, or a right that nobody
    /// can hold.
    pub async fn add_user(&self, caller: &Caller, new: NewUser) -> Result<Option<String>, Refused> {
        self.perform_change(caller, requests::AddUser { new }, async |granted| {
            let new = granted.request().new.clone();
            let mut user = self.new_user(&new.name, new.display.as_deref(), new.rights)?;
            user.service = new.service;
            user.patients = checked_patients(new.patients)?;
            let invitation = (!new.service).then(|| self.invite(&mut user)).transpose()?;
            Ok((Some(changed(user, None)), invitation))
        })
        .await
    }

    /// Changes a user. Whoever's rights change, or who is disabled, is signed out everywhere.
    ///
    /// # Errors
    /// [`Refused::NotFound`], or [`Refused::Invalid`] as for [`Archive::add_user`].
    pub async fn change_user(&self, caller: &Caller, name: &str, change: UserChange) -> Result<(), Refused> {
        let request = requests::ChangeUser { name: name.to_owned(), change };
        self.perform_change(caller, request, async |granted| {
            let requests::ChangeUser { name, change } = granted.request().clone();
            let mut user = self.known_user(&name)?;
            let before = user.clone();
            if let Some(display) = change.display {
                user.display = checked_name(&display)?;
            }
            if let Some(rights) = change.rights {
                user.rights = self.checked_rights(rights)?;
            }
            if let Some(patients) = change.patients {
                user.patients = checked_patients(patients)?;
            }
            if let Some(disabled) = change.disabled {
                user.disabled = disabled.then(|| user.disabled.unwrap_or_else(|| self.inner.clock.now()));
            }
            let held = |user: &UserFact| (user.rights.clone(), user.patients.clone(), user.disabled);
            let same = held(&user) == held(&before);
            let sessions = (!same).then(|| self.ended(&user.name));
            Ok((Some(changed(user, sessions)), ()))
        })
        .await
    }

    /// Takes everything away that a person signs in with, ends their sessions and invites them
    /// anew: for who lost a factor, or a fresh user whose invitation is over.
    ///
    /// # Errors
    /// [`Refused::NotFound`], or [`Refused::Invalid`] for a service account.
    pub async fn reset_user(&self, caller: &Caller, name: &str) -> Result<String, Refused> {
        self.perform_change(caller, requests::ResetUser { name: name.to_owned() }, async |granted| {
            let mut user = self.known_user(&granted.request().name)?;
            if user.service || user.vouched.is_some() {
                return Err(Refused::Invalid("that user does not sign in with a passphrase here".into()));
            }
            user.passphrase = None;
            user.totp = None;
            user.recovery.clear();
            user.passkeys.clear();
            let invitation = self.invite(&mut user)?;
            let sessions = SessionsFact { browsers: Vec::new(), ..self.ended(&user.name) };
            Ok((Some(changed(user, Some(sessions))), invitation))
        })
        .await
    }

    /// Signs a user out everywhere: holds for the next decision.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub async fn end_sessions(&self, caller: &Caller, name: &str) -> Result<(), Refused> {
        self.perform_change(caller, requests::EndSessions { name: name.to_owned() }, async |granted| {
            let user = self.known_user(&granted.request().name)?;
            let sessions = Some(Box::new(self.ended(&user.name)));
            Ok((Some(Change::PersonChanged { user: None, sessions }), ()))
        })
        .await
    }

    /// All users by name.
    ///
    /// # Errors
    /// Only those of every operation: not allowed, or no trail.
    pub async fn users(&self, caller: &Caller) -> Result<Vec<User>, Refused> {
        self.perform(caller, requests::ListUsers, async |_| {
            let now = self.inner.clock.now();
            let view = |user: UserFact| view(&user, &self.inner.registry.sessions(&user.name), now);
            Ok(self.inner.registry.users().into_iter().map(view).collect())
        })
        .await
    }

    /// A user of that name who is not there yet.
    pub(super) fn new_user(&self, name: &str, display: Option<&str>, rights: Vec<Right>) -> Result<UserFact, Refused> {
        let login = login_name(name).ok_or_else(|| {
            Refused::Invalid("a login name has 1 to 64 letters, digits and any of . _ - @ + ' and blanks".into())
        })?;
        if self.inner.registry.user(&login).is_some() {
            return Err(Refused::Invalid("there is a user of that name".into()));
        }
        let display = checked_name(display.unwrap_or(name))?;
        Ok(UserFact::new(login, display, self.checked_rights(rights)?, self.inner.clock.now()))
    }

    /// A right that somebody can hold: a role for people, over a scope that is one.
    pub(crate) fn checked_right(&self, right: Right) -> Result<Right, Refused> {
        let ours = right.role.parse::<Role>().ok();
        let defined = || self.inner.registry.roles().iter().any(|role| role.name == right.role);
        if ours.is_none() && !defined() {
            return Err(Refused::Invalid("there is no such role for people".into()));
        }
        let scope = checked_scope((*right.scope).clone())?;
        if !scope.is_everything() && ours.is_some_and(|role| !role.is_limited_by_scope()) {
            return Err(Refused::Invalid("a scope limits readers, viewers and senders alone".into()));
        }
        Ok(Right { scope: scope.into(), ..right })
    }

    fn checked_rights(&self, rights: Vec<Right>) -> Result<Vec<Right>, Refused> {
        if rights.len() > MOST_RIGHTS {
            return Err(Refused::Invalid(format!("a user has at most {MOST_RIGHTS} rights")));
        }
        rights.into_iter().map(|right| self.checked_right(right)).collect()
    }

    fn invite(&self, user: &mut UserFact) -> Result<String, Refused> {
        let secret = fresh_invitation().ok_or_else(no_randomness)?;
        let digest = secret_digest(&secret).ok_or_else(no_randomness)?;
        user.invitation = Some(Invitation { digest, expires: self.inner.clock.now() + INVITATION_LIFETIME });
        Ok(secret)
    }

    fn known_user(&self, name: &str) -> Result<UserFact, Refused> {
        login_name(name).and_then(|login| self.inner.registry.user(&login)).ok_or(Refused::NotFound)
    }

    /// Their sessions from now on: none.
    fn ended(&self, user: &str) -> SessionsFact {
        SessionsFact { sessions: Vec::new(), ..self.inner.registry.sessions(user) }
    }
}

fn changed(user: UserFact, sessions: Option<SessionsFact>) -> Change {
    Change::PersonChanged { user: Some(Box::new(user)), sessions: sessions.map(Box::new) }
}

fn view(user: &UserFact, sessions: &SessionsFact, now: SystemTime) -> User {
    let factors = [
        (user.passphrase.is_some(), "passphrase"),
        (user.totp.is_some(), "one-time code"),
        (!user.passkeys.is_empty(), "passkey"),
    ];
    User {
        name: user.name.clone(),
        display: user.display.clone(),
        service: user.service,
        issuer: user.vouched.as_ref().map(|vouched| vouched.issuer.clone()),
        rights: user.rights.clone(),
        patients: user.patients.clone(),
        factors: factors.into_iter().filter(|(there, _)| *there).map(|(_, name)| name).collect(),
        invited: user.invitation.as_ref().is_some_and(|invitation| now < invitation.expires),
        sessions: sessions.sessions.iter().filter(|session| now < session.ends).count(),
        disabled: user.disabled.map(rfc3339),
        created: rfc3339(user.created),
    }
}

fn checked_patients(mut patients: Vec<String>) -> Result<Vec<String>, Refused> {
    let plain = |id: &String| {
        let printable = id.chars().all(|c| !c.is_control() && c != '\\');
        !id.is_empty() && id.trim() == id && printable && id.chars().count() <= super::LONGEST_NAME
    };
    if patients.len() > MOST_PATIENTS || !patients.iter().all(plain) {
        return Err(Refused::Invalid("patients are at most 1000 Patient IDs of 1 to 64 printable characters".into()));
    }
    patients.sort_unstable();
    patients.dedup();
    Ok(patients)
}
