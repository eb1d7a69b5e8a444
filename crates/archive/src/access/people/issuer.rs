//! Identity providers that we trust (OpenID Connect): whose word makes whom.
//!
//! Who signs in by a provider's word for the first time becomes a user under its `iss` and
//! `sub`; their rights are those of their groups, anew at each sign-in. Deliberately absent:
//! HTTP. The server fetches keys and tokens and hands them in.

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use serde_json::{Map, Value};

use super::session::Factor;
use super::sign_in::{SignIn, SignInRefused};
use super::{UserFact, Vouched, login_name};
use crate::access::caller::Proof;
use crate::access::federation::Shown;
use crate::access::jwt::{self, Claims, Expected, KeySet};
use crate::access::secret::sha256_hex;
use crate::access::{Rejected, Right, Source, requests};
use crate::change::Change;
use crate::{Archive, Refused};

/// Most groups of one person that are looked at.
const MOST_GROUPS: usize = 1000;

/// A provider, and what its word is worth.
#[derive(Clone, Debug, PartialEq)]
pub struct TrustedIssuer {
    /// What we call it.
    pub name: String,
    /// Its `iss`, exactly.
    pub issuer: String,
    /// What it calls us: our client id, `aud` of its tokens.
    pub audience: String,
    /// The claim that lists a person's groups.
    pub groups_claim: String,
    /// The claim with a person's name.
    pub name_claim: String,
    /// Values of `acr` or `amr` that say it asked for two factors.
    pub two_factors: Vec<String>,
    /// What its groups may do.
    pub rules: Vec<GroupRule>,
}

/// What members of a group may do.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupRule {
    /// The group, exactly.
    pub group: String,
    /// The right that it brings.
    pub right: Right,
}

/// The providers, by name, each with the keys that it signs with.
#[derive(Default)]
pub(crate) struct Issuers {
    trusted: HashMap<String, (TrustedIssuer, KeySet)>,
}

impl Archive {
    /// Trusts a provider from now on; keys of it follow by [`Archive::put_issuer_keys`].
    ///
    /// # Errors
    /// [`Refused::Invalid`] for a rule whose right nobody can hold.
    pub fn trust_issuer(&self, issuer: TrustedIssuer) -> Result<(), Refused> {
        for rule in &issuer.rules {
            self.checked_right(rule.right.clone())?;
        }
        self.inner.people.issuers.write().trusted.insert(issuer.name.clone(), (issuer, KeySet::default()));
        Ok(())
    }

    /// The keys a trusted provider signs with now, as the server fetched them.
    pub fn put_issuer_keys(&self, name: &str, keys: KeySet) {
        if let Some((_, kept)) = self.inner.people.issuers.write().trusted.get_mut(name) {
            *kept = keys;
        }
    }

    /// Whether the keys that are here may have signed that token: if not, fetch them anew.
    pub fn has_issuer_key(&self, name: &str, token: &str) -> bool {
        self.inner.people.issuers.read().trusted.get(name).is_some_and(|(_, keys)| keys.has(token))
    }

    /// Signs in by an ID token of that provider, for the nonce that was sent along.
    ///
    /// # Errors
    /// [`SignInRefused`].
    pub async fn issuer_sign_in(
        &self,
        source: &Source,
        name: &str,
        token: &str,
        nonce: &str,
    ) -> Result<SignIn, SignInRefused> {
        let verified = self.inner.people.issuers.read().verified(|known| known == name, token, Some(nonce), self.now());
        let Ok((issuer, claims)) = verified else {
            return Err(self.turned_away(source, "an ID token that is not believed"));
        };
        let user = self.vouched_for(source, &issuer, &claims).await?;
        let shown = if issuer.asked_twice(&claims.all) { Factor::IssuerTwice } else { Factor::Issuer };
        self.after_first_factor(source, user, shown, None).await
    }

    /// Who shows a token of a trusted provider as a user identity (PS3.7 D.3.3.7, type 5): a
    /// user who has signed in by that provider before.
    /// Shown by one peer it is shown in vain by another, as long as it lives.
    pub(crate) fn vouched_user(&self, token: &[u8], ae: &str) -> Result<(String, Proof), Rejected> {
        let token = std::str::from_utf8(token).map_err(|_| Rejected::because("a token that is none"))?;
        let verified = self.inner.people.issuers.read().verified(|_| true, token, None, self.now());
        let (issuer, claims) = verified.map_err(|_| Rejected::because("a token that is not believed"))?;
        let user = self.inner.registry.user_vouched(&issuer.issuer, &claims.subject);
        let user = user.filter(|user| user.disabled.is_none());
        let user = user.ok_or_else(|| Rejected::because("a token of somebody unknown"))?;
        let id = claims.all.get("jti").and_then(serde_json::Value::as_str).filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| Rejected::because("a token without a name of its own (jti)"))?;
        let shown = Shown { issuer: &claims.issuer, id, until: claims.expires, once: false };
        self.inner.federated.show(shown, ae, self.now())?;
        Ok((user.name.clone(), Proof::Vouched { user: user.name, until: claims.expires }))
    }

    /// The user under that `iss` and `sub`, made or brought up to date.
    async fn vouched_for(
        &self,
        source: &Source,
        issuer: &TrustedIssuer,
        claims: &Claims,
    ) -> Result<UserFact, SignInRefused> {
        let rights = issuer.rights_of(&claims.all);
        let known = self.inner.registry.user_vouched(&claims.issuer, &claims.subject);
        let nothing = rights.is_empty();
        // Who had rights and has none any longer loses them, and what they are signed in by.
        if nothing && known.as_ref().is_none_or(|known| known.rights.is_empty()) {
            return Err(self.turned_away(source, "no group of theirs has a right here"));
        }
        let name = known.map_or_else(|| self.free_name(issuer, claims), |known| known.name);
        let caller = self.signing_in(source, &name);
        let request = requests::SignIn { user: name.clone() };
        let made = self.perform_change(&caller, request, async |_| {
            let mut user = self.inner.registry.user(&name).unwrap_or_else(|| {
                let display = issuer.display(claims).unwrap_or_else(|| name.clone());
                let vouched = Vouched { issuer: claims.issuer.clone(), subject: claims.subject.clone(), said: None };
                UserFact { vouched: Some(vouched), ..UserFact::new(name.clone(), display, Vec::new(), self.now()) }
            });
            let theirs = user.vouched.as_mut();
            let theirs = theirs.filter(|of| of.issuer == claims.issuer && of.subject == claims.subject);
            let vouched = theirs.filter(|_| user.disabled.is_none()).ok_or(Refused::NotAllowed)?;
            vouched.said = Some(self.now());
            let mut sessions = self.inner.registry.sessions(&name);
            if user.rights != rights {
                // Rights of before are worth nothing in sessions of before.
                sessions.sessions.clear();
                user.rights = rights;
            }
            let change =
                Change::PersonChanged { user: Some(Box::new(user.clone())), sessions: Some(Box::new(sessions)) };
            Ok((Some(change), user))
        });
        match made.await {
            Err(Refused::NotAllowed) => Err(self.turned_away(source, "disabled user")),
            made => {
                let user = made?;
                if nothing {
                    Err(self.turned_away(source, "no group of theirs has a right here any longer"))
                } else {
                    Ok(user)
                }
            }
        }
    }

    /// A login name for somebody new: the name that the provider gives them, at the provider;
    /// with a digest when another has it.
    fn free_name(&self, issuer: &TrustedIssuer, claims: &Claims) -> String {
        let plain = |text: &str| login_name(&format!("{}@{}", text.replace('@', "."), issuer.name));
        let digest = sha256_hex(format!("{}\0{}", claims.issuer, claims.subject).as_bytes());
        let named = issuer.display(claims).and_then(|name| plain(&name)).or_else(|| plain(&claims.subject));
        let free = named.filter(|name| self.inner.registry.user(name).is_none());
        free.or_else(|| plain(&digest[..16])).unwrap_or_else(|| digest[..32].to_owned())
    }

    fn now(&self) -> SystemTime {
        self.inner.clock.now()
    }
}

impl Issuers {
    fn verified(
        &self,
        is_meant: impl Fn(&str) -> bool,
        token: &str,
        nonce: Option<&str>,
        now: SystemTime,
    ) -> Result<(TrustedIssuer, Claims), jwt::JwtError> {
        let meant = self.trusted.values().filter(|(issuer, _)| is_meant(&issuer.name));
        let mut last = jwt::JwtError::Issuer;
        for (issuer, keys) in meant {
            let expected = Expected { issuer: &issuer.issuer, audience: &issuer.audience, nonce, now };
            match jwt::verify(token, keys, &expected) {
                Ok(claims) => return Ok((issuer.clone(), claims)),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl TrustedIssuer {
    fn asked_twice(&self, claims: &Map<String, Value>) -> bool {
        let says = |name: &str| texts(claims, name).iter().any(|value| self.two_factors.iter().any(|two| two == value));
        says("acr") || says("amr")
    }

    fn rights_of(&self, claims: &Map<String, Value>) -> Vec<Right> {
        let groups: HashSet<&str> = texts(claims, &self.groups_claim).into_iter().take(MOST_GROUPS).collect();
        let rules = self.rules.iter().filter(|rule| groups.contains(rule.group.as_str()));
        rules.map(|rule| rule.right.clone()).collect()
    }

    fn display(&self, claims: &Claims) -> Option<String> {
        let name = claims.all.get(&self.name_claim).and_then(Value::as_str)?;
        let plain: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
        login_name(&plain).map(|_| plain.trim().to_owned())
    }
}

/// A claim that is a text or a list of texts.
fn texts<'a>(claims: &'a Map<String, Value>, name: &str) -> Vec<&'a str> {
    match claims.get(name) {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
