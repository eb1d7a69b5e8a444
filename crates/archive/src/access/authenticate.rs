//! From what a stranger shows to a [`Caller`], or not.

use std::time::SystemTime;

use leadglass_dicom::AeTitle;

use super::caller::{Known, Proof};
use super::people::sign_in::session;
use super::registry::Registry;
use super::secret::{secret_digest, sha256_hex};
use super::{Caller, Credential, Door, Rejected, Source, UserIdentity};
use crate::Archive;

/// Most characters recorded of a name that somebody claims.
const LONGEST_CLAIM: usize = 64;

impl Archive {
    /// Finds out who is calling. The only maker of a [`Caller`]. Recorded, either way.
    ///
    /// # Errors
    /// [`Rejected`]; what is told to the stranger is the door's matter, and should be the
    /// same whatever the reason.
    pub async fn authenticate(&self, source: Source, credential: Credential) -> Result<Caller, Rejected> {
        let now = self.inner.clock.now();
        let is_setup_code = matches!(credential, Credential::SetupCode(_));
        let claimed = claimed_name(&credential);
        match recognize(&self.inner.registry, &source, credential, now) {
            Ok((name, proofs)) => {
                let may = self.inner.registry.may(&proofs, source.door, now);
                let caller = Caller::new(Known { name, source, proofs, may, since: now });
                if let Some(entry) = self.inner.visits.entry(&caller, claimed.as_deref(), self.now_ns()) {
                    self.inner.trail.note(entry);
                }
                Ok(caller)
            }
            Err(rejected) => {
                if let Some(entry) = self.inner.failures.count(&source, rejected.reason, self.now_ns()) {
                    self.inner.trail.note(entry);
                }
                if is_setup_code {
                    self.count_setup_try(&source).await;
                }
                Err(rejected)
            }
        }
    }
}

/// The name of a user identity of type 1: recorded, grants nothing (PS3.15 B.4).
fn claimed_name(credential: &Credential) -> Option<String> {
    match credential {
        Credential::Peer { user_identity: Some(UserIdentity::Username(name)), .. } => {
            Some(name.chars().take(LONGEST_CLAIM).collect())
        }
        _ => None,
    }
}

type Recognized = (String, Vec<Proof>);

fn recognize(
    registry: &Registry,
    source: &Source,
    credential: Credential,
    now: SystemTime,
) -> Result<Recognized, Rejected> {
    match (credential, source.door) {
        (Credential::Host, Door::Host) if source.address.is_none() => Ok(("host operator".into(), vec![Proof::Host])),
        (Credential::Host, _) => Err(Rejected::because("the host's operator does not come over the network")),
        (Credential::ApiToken(secret), Door::DicomWeb | Door::Admin) => token(registry, &secret, now),
        (Credential::Session(secret), Door::DicomWeb | Door::Admin) => session(registry, &secret, source.door, now),
        (Credential::SetupCode(code), Door::Admin | Door::Host) => setup_code(registry, &code, now),
        (Credential::Peer { certificate_der, calling_ae, user_identity }, Door::Dimse) => {
            peer(registry, &certificate_der, &calling_ae, user_identity, now)
        }
        _ => Err(Rejected::because("that credential does not open that door")),
    }
}

/// A token, and whose it is: both must allow what is asked.
fn token(registry: &Registry, secret: &str, now: SystemTime) -> Result<Recognized, Rejected> {
    let digest = secret_digest(secret).ok_or_else(|| Rejected::because("no token of this archive"))?;
    let token = registry.token(&digest).ok_or_else(|| Rejected::because("unknown token"))?;
    if token.revoked.is_some() {
        return Err(Rejected::because("revoked token"));
    }
    if now >= token.expires {
        return Err(Rejected::because("expired token"));
    }
    let mut proofs = vec![Proof::Token { digest }];
    if let Some(user) = token.owner {
        proofs.push(Proof::Owner { user });
        if proofs.iter().any(|proof| registry.rights(proof, now).is_none()) {
            return Err(Rejected::because("a token whose owner is disabled"));
        }
    }
    Ok((token.name, proofs))
}

fn setup_code(registry: &Registry, code: &str, now: SystemTime) -> Result<Recognized, Rejected> {
    let digest = secret_digest(code).ok_or_else(|| Rejected::because("no setup code of this archive"))?;
    let setup = registry.setup();
    if setup.done || setup.digest.as_ref() != Some(&digest) {
        return Err(Rejected::because("wrong setup code"));
    }
    if setup.expires.is_none_or(|end| now >= end) {
        return Err(Rejected::because("expired setup code"));
    }
    Ok(("setup".into(), vec![Proof::SetupCode { digest }]))
}

fn peer(
    registry: &Registry,
    certificate_der: &[u8],
    calling_ae: &AeTitle,
    user_identity: Option<UserIdentity>,
    now: SystemTime,
) -> Result<Recognized, Rejected> {
    let unknown = |reason| Rejected { reason, calling_ae_unknown: true };
    let peer = registry.peer(calling_ae.as_str()).ok_or_else(|| unknown("unknown AE title"))?;
    let certificate_sha256 = sha256_hex(certificate_der);
    if peer.certificate_sha256 != certificate_sha256 {
        return Err(unknown("the certificate is not that AE title's"));
    }
    if peer.revoked.is_some() {
        return Err(unknown("revoked peer"));
    }
    let mut name = peer.ae.clone();
    let mut proofs = vec![Proof::Peer { ae: peer.ae, certificate_sha256 }];
    match user_identity {
        None | Some(UserIdentity::Username(_)) => {}
        Some(UserIdentity::UsernamePasscode(user, passcode)) => {
            let (token_name, of_token) = token(registry, &passcode, now)?;
            if token_name != user {
                return Err(Rejected::because("the passcode is not that user's"));
            }
            name = format!("{name} ({token_name})");
            proofs.extend(of_token);
        }
        Some(UserIdentity::Unsupported(_)) => return Err(Rejected::because("user identity of an unsupported type")),
    }
    Ok((name, proofs))
}
