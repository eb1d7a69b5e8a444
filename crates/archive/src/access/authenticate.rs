//! From what a stranger shows to a [`Caller`], or not.

use std::time::SystemTime;

use leadglass_dicom::AeTitle;

use super::caller::{Known, Proof};
use super::people::sign_in::session;
use super::registry::Registry;
use super::secret::{enrolment_id, secret_digest, sha256_hex};
use super::{Caller, Credential, Door, Rejected, Source, UserIdentity};
use crate::Archive;
use crate::administer::legacy::NAMED;
use crate::change::HeldFact;
use crate::held::Decision;

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
        let tried = Tried::of(&credential);
        let claimed = claimed_name(&credential);
        match self.known(&source, credential, now).await {
            Ok((name, proofs)) => {
                let may = self.inner.registry.may(&proofs, source.door, now);
                let caller = Caller::new(Known { name, source, proofs, may, since: now });
                if let Some(entry) = self.inner.visits.entry(&caller, claimed.as_deref(), self.now_ns()) {
                    self.inner.trail.note(entry);
                }
                Ok(caller)
            }
            Err(rejected) => {
                self.turn_away(&source, rejected.reason);
                match tried {
                    Tried::SetupCode => self.count_setup_try(&source).await,
                    Tried::Invitation(id) => self.count_invitation_try(&source, &id).await,
                    Tried::Other => {}
                }
                Err(rejected)
            }
        }
    }

    /// Records that a door turned somebody away before asking who they are, and why: as a failed
    /// authentication, a flood of which is an entry a minute.
    pub fn turn_away(&self, source: &Source, reason: &'static str) {
        if let Some(entry) = self.inner.failures.count(source, reason, self.now_ns()) {
            self.inner.trail.note(entry);
        }
    }
}

impl Archive {
    /// Whoever shows that, and, for a peer that says who is at it, that person too: both must
    /// allow what is asked.
    async fn known(
        &self,
        source: &Source,
        mut credential: Credential,
        now: SystemTime,
    ) -> Result<Recognized, Rejected> {
        let identity = match &mut credential {
            Credential::Peer { user_identity, .. } => user_identity.take(),
            _ => None,
        };
        let stranger = self.stranger(source, &credential, identity.as_ref());
        let (name, mut proofs) = match recognize(&self.inner.registry, source, credential, now) {
            Ok(recognized) => recognized,
            Err(rejected) => return stranger.ok_or(rejected),
        };
        let Some((user, proven)) = self.person_at(&name, identity, source, now).await? else {
            return Ok((name, proofs));
        };
        proofs.extend(proven);
        Ok((format!("{name} ({user})"), proofs))
    }

    /// An unknown sender whose objects may wait: the title is nobody's, and the certificate,
    /// proven in the handshake and signed by an authority that is believed, is nobody's either.
    /// Nobody has a passphrase or an assertion looked at through it.
    fn stranger(
        &self,
        source: &Source,
        credential: &Credential,
        identity: Option<&UserIdentity>,
    ) -> Option<Recognized> {
        let Credential::Peer { certificate_der, calling_ae, .. } = credential else { return None };
        let proves_nothing = matches!(identity, None | Some(UserIdentity::Username(_)));
        let (ae, certificate_sha256) = (calling_ae.to_string(), sha256_hex(certificate_der));
        let may_wait = proves_nothing
            && source.door == Door::Dimse
            && self.inner.registry.is_unknown_sender(&ae, &certificate_sha256);
        may_wait.then(|| (format!("unknown sender {ae}"), vec![Proof::Stranger { ae, certificate_sha256 }]))
    }

    /// Whoever stands for an unknown sender while what waits of it is taken in: what somebody
    /// decided, on record, is what it shows. Its rights end with the decision.
    pub(crate) fn standing_in(&self, fact: &HeldFact, address: Option<std::net::IpAddr>) -> Caller {
        let now = self.inner.clock.now();
        let source = Source { address, door: Door::Dimse };
        let ae = fact.ae.clone();
        let (name, proof) = match fact.decision {
            Decision::Enrol => (ae.clone(), Proof::Peer { ae, certificate_sha256: fact.certificate_sha256.clone() }),
            _ => {
                let name = format!("unknown sender {ae}, accepted by {}", fact.by);
                (name, Proof::Accepted { sender: fact.sender.clone(), ae })
            }
        };
        let proofs = vec![proof];
        let may = self.inner.registry.may(&proofs, source.door, now);
        Caller::new(Known { name, source, proofs, may, since: now })
    }

    /// Who is at a peer that is known already; nobody else can have a passphrase tried.
    async fn person_at(
        &self,
        ae: &str,
        identity: Option<UserIdentity>,
        source: &Source,
        now: SystemTime,
    ) -> Result<Option<Recognized>, Rejected> {
        let federated = &self.inner.federated;
        Ok(Some(match identity {
            // PS3.15 B.4: a name alone is recorded and proves nothing.
            None | Some(UserIdentity::Username(_)) => return Ok(None),
            Some(UserIdentity::UsernamePasscode(user, passcode)) if secret_digest(&passcode).is_some() => {
                let (name, proofs) = token(&self.inner.registry, &passcode, now)?;
                if name != user {
                    return Err(Rejected::because("the passcode is not that user's"));
                }
                (name, proofs)
            }
            Some(UserIdentity::UsernamePasscode(user, passphrase)) => {
                let (name, proof) = self.passphrase_user(source, &user, &passphrase).await?;
                (name, vec![proof])
            }
            Some(UserIdentity::Saml(document)) => {
                let (name, proof) = federated.saml(&self.inner.registry, &document, ae, now)?;
                (name, vec![proof])
            }
            Some(UserIdentity::Jwt(token)) => {
                let (name, proof) = self.vouched_user(&token, ae)?;
                (name, vec![proof])
            }
            Some(UserIdentity::Kerberos) => {
                return Err(Rejected::because("a Kerberos ticket: no key distribution centre is trusted"));
            }
            Some(UserIdentity::Unsupported(_)) => return Err(Rejected::because("user identity of an unknown type")),
        }))
    }
}

/// What is void after too many wrong tries.
enum Tried {
    SetupCode,
    Invitation(String),
    Other,
}

impl Tried {
    fn of(credential: &Credential) -> Tried {
        match credential {
            Credential::SetupCode(_) => Tried::SetupCode,
            Credential::Invitation(token) => {
                enrolment_id(token).map_or(Tried::Other, |id| Tried::Invitation(id.to_owned()))
            }
            _ => Tried::Other,
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
        (Credential::Invitation(token), Door::Admin) => invitation(registry, &token, now),
        // At the door of the administration a peer renews its certificate, and nothing else.
        (Credential::Peer { certificate_der, calling_ae, .. }, Door::Dimse | Door::Admin) => {
            peer(registry, &certificate_der, &calling_ae, now)
        }
        (Credential::Legacy { calling_ae }, Door::Legacy) => legacy(registry, source, &calling_ae, now),
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
            return Err(Rejected::because("a token whose owner has no right now, or setup's after its time"));
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

fn invitation(registry: &Registry, token: &str, now: SystemTime) -> Result<Recognized, Rejected> {
    let wrong = || Rejected::because("no invitation with that token");
    let id = enrolment_id(token).ok_or_else(wrong)?.to_owned();
    let digest = secret_digest(token).ok_or_else(wrong)?;
    let invitation = registry.invitation(&id).filter(|invitation| invitation.digest == digest).ok_or_else(wrong)?;
    if !invitation.is_open(now) {
        return Err(Rejected::because("an invitation that is used up or over"));
    }
    Ok((format!("invitation of {}", invitation.peer.ae), vec![Proof::Invitation { id, digest }]))
}

/// The certificate and the title it is for; who is at the peer is another question.
fn peer(
    registry: &Registry,
    certificate_der: &[u8],
    calling_ae: &AeTitle,
    now: SystemTime,
) -> Result<Recognized, Rejected> {
    let unknown = |reason| Rejected { reason, calling_ae_unknown: true };
    let peer = registry.peer(calling_ae.as_str()).ok_or_else(|| unknown("unknown AE title"))?;
    let certificate_sha256 = sha256_hex(certificate_der);
    if !peer.is_shown_by(&certificate_sha256, now) {
        return Err(unknown(match (peer.names(&certificate_sha256), peer.revoked.is_some()) {
            (false, _) => "the certificate is not that AE title's",
            (true, true) => "revoked peer",
            (true, false) => "a certificate of that AE title that is expired or replaced",
        }));
    }
    Ok((peer.ae.clone(), vec![Proof::Peer { ae: peer.ae, certificate_sha256 }]))
}

/// Whatever calls in clear text from where a legacy peer is, under its title. That proves nothing
/// of who it is; whichever of the two is wrong is the same to whoever tries.
fn legacy(registry: &Registry, source: &Source, calling_ae: &AeTitle, now: SystemTime) -> Result<Recognized, Rejected> {
    let unknown = || Rejected { reason: "no legacy peer of that title at that address", calling_ae_unknown: true };
    let address = source.address.ok_or_else(unknown)?.to_canonical();
    let peer = registry.legacy_peer(calling_ae.as_str()).filter(|peer| peer.is_at(address, now)).ok_or_else(unknown)?;
    Ok((format!("{NAMED}{}", peer.ae), vec![Proof::Legacy { ae: peer.ae, address }]))
}
