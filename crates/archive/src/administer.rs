//! Administration: peers, tokens and setup, each change one record.

mod envelopes;
mod grants;
pub mod invitations;
pub mod legacy;
mod marks;
mod overview;
mod peers;
pub(crate) mod reviews;
mod roles;
mod users;

use std::time::{Duration, SystemTime};

use leadglass_dicom::StudyInstanceUid;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::access::people::login_name;
use crate::access::scope::forms_of;
use crate::access::secret::{fresh_setup_code, fresh_token, secret_digest};
use crate::access::{Right, Role, Scope, requests};
use crate::change::{Change, SetupFact, TokenFact};
use crate::{Archive, Caller, Refused};

pub use envelopes::SetEnvelope;
pub use grants::{Grant, Ground, OwnGrants};
pub use invitations::{Invitation, NewInvitation};
pub use legacy::{LegacyCounts, LegacyPeer, NewLegacyPeer};
pub use overview::Entitled;
pub(crate) use peers::checked_terms;
pub use peers::{CertificateEnds, Certified, EarlierCertificate, Peer, Standing, Verb};
pub use reviews::{Alarm, Closed, Review};
pub use roles::DefinedRole;
pub use users::{NewUser, User, UserChange};

/// How long a setup code lives.
const SETUP_CODE_LIFETIME: Duration = Duration::from_secs(30 * 60);
/// How long a token lives at most that administers and was not made by the host.
const ADMINISTRATOR_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// The longest a token may live.
const LONGEST_LIFETIME: Duration = Duration::from_secs(5 * 365 * 24 * 3600);
/// Longest name of a token, in characters.
pub(crate) const LONGEST_NAME: usize = 64;
/// Most values in a scope.
const LONGEST_SCOPE: usize = 1000;

/// An API token without its secret.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Token {
    /// A name for people.
    pub name: String,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The role: see [`Role`].
    pub role: String,
    /// Which instances it reaches.
    #[serde(default = "Scope::everything", skip_serializing_if = "Scope::is_implied")]
    pub scope: Scope,
    /// When it ends, RFC 3339.
    pub expires: String,
    /// When it was revoked, RFC 3339.
    pub revoked: Option<String>,
}

impl Archive {
    /// Makes the first administrator, for a caller who holds the setup code; works once. What
    /// comes back is a token of theirs, for a day and only as long as no administrator has a
    /// second factor; to sign in they need an invitation: [`Archive::reset_user`].
    ///
    /// # Errors
    /// [`Refused::Invalid`] for a name that is empty, long or not printable,
    /// [`Refused::NotAllowed`] without the setup code or when setup is done.
    pub async fn complete_setup(&self, caller: &Caller, administrator: &str) -> Result<String, Refused> {
        let request = requests::CompleteSetup { administrator: administrator.to_owned() };
        self.perform_change(caller, request, async |granted| {
            let name = checked_name(&granted.request().administrator)?;
            if self.is_set_up() {
                return Err(Refused::NotAllowed);
            }
            let role = Role::Administrator;
            let right = Right::of(role.name(), Scope::everything().into());
            let user = self.new_user(&name, Some(&name), vec![right])?;
            let (secret, mut token) = self.fresh_token(name, role, Scope::everything(), ADMINISTRATOR_LIFETIME)?;
            token.owner = Some(user.name.clone());
            token.until_second_factor = true;
            Ok((Some(Change::SetupCompleted { token, user: Some(Box::new(user)) }), secret))
        })
        .await
    }

    /// A number that rises with each change of who may come in and what they may do.
    pub fn access_version(&self) -> u64 {
        self.inner.registry.version()
    }

    /// Whether there is an administrator who does not get in without a second factor.
    pub fn has_administrator_with_second_factor(&self) -> bool {
        self.inner.registry.has_administrator_with_second_factor()
    }

    /// How many tokens live that administer by themselves, without anybody's second factor.
    pub fn administrator_tokens(&self) -> usize {
        self.inner.registry.administrator_tokens(self.inner.clock.now())
    }

    /// Whether setup is done.
    pub fn is_set_up(&self) -> bool {
        self.inner.registry.setup().done
    }

    /// A fresh one-time setup code, 30 minutes, replacing any before it; for the host.
    ///
    /// # Errors
    /// [`Refused::Invalid`] when setup is done.
    pub async fn new_setup_code(&self, caller: &Caller) -> Result<String, Refused> {
        self.perform_change(caller, requests::IssueSetupCode, async |_| {
            if self.is_set_up() {
                return Err(Refused::Invalid("setup is done: an administrator makes tokens".into()));
            }
            let code = fresh_setup_code().ok_or_else(no_randomness)?;
            let expires = self.inner.clock.now() + SETUP_CODE_LIFETIME;
            let setup = SetupFact { digest: secret_digest(&code), expires: Some(expires), done: false, tries: 0 };
            Ok((Some(Change::SetupCodeIssued { setup }), code))
        })
        .await
    }

    /// Makes a token that reaches the instances in `scope`; the secret is returned once and
    /// kept only hashed.
    ///
    /// # Errors
    /// [`Refused::Invalid`] for an unknown role, a name in use, a lifetime of more than five
    /// years, a scope that holds nothing, or one for a role that is not about instances.
    pub async fn create_token(
        &self,
        caller: &Caller,
        name: &str,
        role: &str,
        lifetime: Duration,
        scope: Scope,
    ) -> Result<String, Refused> {
        self.create_token_of(caller, caller.user(), name, role, lifetime, scope).await
    }

    /// The same for an owner: the token never allows what its owner may not do at the time, and
    /// dies with them. Without one it is the caller's own; nobody's but its holder's when the
    /// caller is no user. The host alone makes tokens in another person's name.
    ///
    /// # Errors
    /// As [`Archive::create_token`]; [`Refused::Invalid`] when there is no such user, when it is
    /// another person, and for a role that administers, unless who asks has just signed in with a
    /// second factor and asks for a day at most, or is the host.
    pub async fn create_token_of(
        &self,
        caller: &Caller,
        owner: Option<&str>,
        name: &str,
        role: &str,
        lifetime: Duration,
        scope: Scope,
    ) -> Result<String, Refused> {
        let (name, role, owner) = (name.to_owned(), role.to_owned(), owner.map(str::to_owned));
        let request = requests::CreateToken { name, role, lifetime, scope, owner };
        self.perform_change(caller, request, async |granted| {
            let request = granted.request();
            let name = checked_name(&request.name)?;
            let role: Role = request.role.parse().map_err(|error| Refused::Invalid(format!("{error}")))?;
            if role == Role::Emergency {
                return Err(Refused::Invalid("an emergency is a person's who is there: no token has that role".into()));
            }
            if request.lifetime.is_zero() || request.lifetime > LONGEST_LIFETIME {
                return Err(Refused::Invalid("a token lives at least a moment and at most five years".into()));
            }
            if self.inner.registry.token_named(&name).is_some() {
                return Err(Refused::Invalid("there is a token of that name: revoke it first".into()));
            }
            if self.is_somebodys(&name, request.owner.as_deref()) {
                return Err(Refused::Invalid("that is the name of a user, a peer or the host: choose another".into()));
            }
            let scope = checked_scope(request.scope.clone())?;
            if !scope.is_everything() && !role.is_limited_by_scope() {
                return Err(Refused::Invalid("a scope limits readers, viewers, researchers and senders alone".into()));
            }
            let owner = request.owner.as_deref().or(caller.user());
            let owner = owner.map(|owner| self.checked_owner(caller, owner)).transpose()?;
            if role.administers() {
                self.check_step_up(caller, request.lifetime)?;
            }
            let (secret, mut token) = self.fresh_token(name, role, scope, request.lifetime)?;
            token.owner = owner;
            Ok((Some(Change::TokenCreated { token }), secret))
        })
        .await
    }

    /// Whether a name is one that the trail knows somebody else by.
    fn is_somebodys(&self, name: &str, owner: Option<&str>) -> bool {
        let registry = &self.inner.registry;
        let is_users = registry.user(name).is_some() && owner != Some(name);
        is_users
            || registry.peer(name).is_some()
            || name.starts_with(legacy::NAMED)
            || ["host operator", "setup"].contains(&name)
    }

    /// Revokes the token of that name.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when none of that name lives.
    pub async fn revoke_token(&self, caller: &Caller, name: &str) -> Result<(), Refused> {
        self.perform_change(caller, requests::RevokeToken { name: name.to_owned() }, async |granted| {
            let mut token = self.inner.registry.token_named(&granted.request().name).ok_or(Refused::NotFound)?;
            token.revoked = Some(self.inner.clock.now());
            Ok((Some(Change::TokenRevoked { token }), ()))
        })
        .await
    }

    /// All tokens by name, revoked ones too.
    ///
    /// # Errors
    /// Only those of every operation: not allowed, or no trail.
    pub async fn tokens(&self, caller: &Caller) -> Result<Vec<Token>, Refused> {
        self.perform(caller, requests::ListTokens, async |_| {
            Ok(self.inner.registry.tokens().into_iter().map(Token::from).collect())
        })
        .await
    }

    /// A secret of the host's own (CA key, server key), sealed by the master key; made by
    /// `make` when absent. For the host alone.
    ///
    /// # Errors
    /// [`Refused::Broken`] when the keyring cannot be read or written.
    pub async fn host_secret(
        &self,
        caller: &Caller,
        name: &str,
        make: &(dyn Fn() -> Vec<u8> + Send + Sync),
    ) -> Result<Vec<u8>, Refused> {
        let read = |name: &str| self.inner.keyring.secret(name).map_err(|error| Refused::Broken(error.to_string()));
        let there = self
            .perform(caller, requests::ReadHostSecret { name: name.to_owned() }, async |granted| {
                read(&granted.request().name)
            })
            .await?;
        match there {
            Some(secret) => Ok(secret.to_vec()),
            None => {
                let secret = zeroize::Zeroizing::new(make());
                self.put_host_secret(caller, name, &secret).await?;
                Ok(secret.to_vec())
            }
        }
    }

    /// The master key as text to print: see [`crate::seal::RecoveryKit`]. For the host alone.
    ///
    /// # Errors
    /// Only those of every operation.
    pub async fn recovery_kit(&self, caller: &Caller) -> Result<zeroize::Zeroizing<String>, Refused> {
        self.perform(caller, requests::ReadHostSecret { name: "recovery kit".into() }, async |_| {
            Ok(zeroize::Zeroizing::new(self.inner.keyring.recovery_kit().text().to_owned()))
        })
        .await
    }

    /// Replaces a host secret (renewed certificate).
    ///
    /// # Errors
    /// [`Refused::Broken`] when the keyring cannot be written.
    pub async fn put_host_secret(&self, caller: &Caller, name: &str, secret: &[u8]) -> Result<(), Refused> {
        self.perform_change(caller, requests::WriteHostSecret { name: name.to_owned() }, async |granted| {
            let (keyring, name) = (self.inner.keyring.clone(), granted.request().name.clone());
            let secret = zeroize::Zeroizing::new(secret.to_vec());
            let kept = name.clone();
            crate::blocking(move || keyring.put_secret(&name, &secret))
                .await?
                .map_err(|error| Refused::Broken(error.to_string()))?;
            Ok((Some(Change::HostSecretPut { name: kept }), ()))
        })
        .await
    }

    fn checked_owner(&self, caller: &Caller, owner: &str) -> Result<String, Refused> {
        let user = login_name(owner).and_then(|login| self.inner.registry.user(&login));
        let user = user.filter(|user| user.disabled.is_none());
        let user = user.ok_or_else(|| Refused::Invalid("there is no such user".into()))?;
        if !user.service && caller.user() != Some(user.name.as_str()) && !caller.is_host() {
            let text = "a token is one's own or a service account's: in another person's name the host makes it";
            return Err(Refused::Invalid(text.into()));
        }
        Ok(user.name)
    }

    /// A token that administers needs no second factor any more: who makes it shows theirs, and
    /// it ends with the day. The host could do anything anyway.
    fn check_step_up(&self, caller: &Caller, lifetime: Duration) -> Result<(), Refused> {
        if caller.is_host() {
            return Ok(());
        }
        if lifetime > ADMINISTRATOR_LIFETIME {
            return Err(Refused::Invalid("a token that administers lives a day at most".into()));
        }
        match self.has_stepped_up(caller) {
            true => Ok(()),
            false => Err(Refused::Invalid("sign in with a second factor for a token that administers".into())),
        }
    }

    fn fresh_token(
        &self,
        name: String,
        role: Role,
        scope: Scope,
        lifetime: Duration,
    ) -> Result<(String, TokenFact), Refused> {
        let secret = fresh_token().ok_or_else(no_randomness)?;
        let digest = secret_digest(&secret).ok_or_else(no_randomness)?;
        let expires = self.inner.clock.now() + lifetime;
        Ok((
            secret,
            TokenFact { name, digest, owner: None, role, scope, expires, revoked: None, until_second_factor: false },
        ))
    }
}

impl From<TokenFact> for Token {
    fn from(token: TokenFact) -> Token {
        Token {
            name: token.name,
            owner: token.owner,
            role: token.role.name().to_owned(),
            scope: token.scope,
            expires: rfc3339(token.expires),
            revoked: token.revoked.map(rfc3339),
        }
    }
}

pub(crate) fn checked_name(name: &str) -> Result<String, Refused> {
    let name = name.trim();
    let printable = name.chars().all(|c| !c.is_control());
    if name.is_empty() || name.chars().count() > LONGEST_NAME || !printable {
        return Err(Refused::Invalid(format!("a name has 1 to {LONGEST_NAME} printable characters")));
    }
    Ok(name.to_owned())
}

/// A scope as kept: something is in it, and each value is one that an instance can have.
pub(crate) fn checked_scope(mut scope: Scope) -> Result<Scope, Refused> {
    let invalid = |text: String| Err(Refused::Invalid(text));
    if scope.everything {
        let limits = Scope { cleared: Vec::new(), ..scope.clone() };
        return if limits == Scope::everything() {
            Ok(scope)
        } else {
            invalid("a scope is everything or lists".into())
        };
    }
    if scope.is_nothing() {
        return invalid("nothing is in that scope: leave it out for everything".into());
    }
    if scope.values() > LONGEST_SCOPE {
        return invalid(format!("a scope has at most {LONGEST_SCOPE} values"));
    }
    let physicians = scope.referring_physicians.iter().chain(&scope.reading_physicians);
    if physicians.clone().any(|name| forms_of(std::slice::from_ref(name)).is_empty()) {
        return invalid("a physician has a name".into());
    }
    let texts = [&scope.modalities, &scope.institutions, &scope.departments, &scope.patient_ids, &scope.labels];
    for value in texts.into_iter().flatten().chain(physicians) {
        let plain = value.chars().all(|c| !c.is_control() && c != '\\');
        if value.is_empty() || value.trim() != value || value.chars().count() > LONGEST_NAME || !plain {
            return invalid(format!("a value of a scope has 1 to {LONGEST_NAME} characters, no padding, no backslash"));
        }
    }
    if scope.studies.iter().any(|study| StudyInstanceUid::parse(study).is_err()) {
        return invalid("the studies of a scope are Study Instance UIDs".into());
    }
    let Scope { modalities, institutions, departments, patient_ids, studies, labels, .. } = &mut scope;
    for list in [modalities, institutions, departments, patient_ids, studies, labels] {
        list.sort_unstable();
        list.dedup();
    }
    scope.cleared.sort_unstable();
    scope.cleared.dedup();
    Ok(scope)
}

pub(crate) fn rfc3339(time: SystemTime) -> String {
    OffsetDateTime::from(time).format(&Rfc3339).unwrap_or_default()
}

pub(crate) fn no_randomness() -> Refused {
    Refused::Broken("the operating system gives no random bytes".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_refused() {
        assert!(checked_name("\u{7}").is_err());
        assert!(checked_name(&"n".repeat(65)).is_err());
    }

    #[test]
    fn a_scope_that_can_hold_nothing_is_refused() {
        let of = |modalities: &[&str]| Scope {
            modalities: modalities.iter().map(|&value| value.to_owned()).collect(),
            ..Scope::default()
        };
        for scope in [
            Scope::default(),
            of(&[""]),
            of(&["CT "]),
            of(&["CT\\MR"]),
            of(&["C\u{1b}T"]),
            of(&["CT"; 1001]),
            Scope { everything: true, ..of(&["CT"]) },
            Scope { studies: vec!["1..2".into()], ..Scope::default() },
        ] {
            assert!(checked_scope(scope.clone()).is_err(), "{scope:?}");
        }
        assert_eq!(checked_scope(of(&["MR", "CT", "MR"])).unwrap(), of(&["CT", "MR"]));
        assert_eq!(checked_scope(Scope::everything()).unwrap(), Scope::everything());
    }
}
