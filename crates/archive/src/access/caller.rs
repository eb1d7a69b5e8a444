//! A caller: proof that somebody was recognized.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use super::{Door, Right, Source};
use crate::Operation;
use crate::brake::Kind;

/// Someone known: proof that `authenticate` succeeded. Clones are the same caller.
#[derive(Clone, Debug)]
pub struct Caller {
    known: Arc<Known>,
}

/// What `authenticate` found out.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) name: String,
    pub(super) source: Source,
    /// All that was proven. A caller who proved two things (a peer, and a user on it) may do
    /// only what both may, with what both may touch.
    pub(super) proofs: Vec<Proof>,
    /// What the rights allowed at that time.
    pub(super) may: BTreeSet<Operation>,
    pub(super) since: SystemTime,
}

/// What was shown, by the handle its rights can be looked up with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// A peer's certificate under its title.
    Peer { ae: String, certificate_sha256: String },
    /// A certificate that is believed, under a title, which together are nobody's.
    Stranger { ae: String, certificate_sha256: String },
    /// That somebody accepted what waits of that unknown sender.
    Accepted { sender: String, ae: String },
    /// Nothing but a title and an address, which a declaration names: see `administer::legacy`.
    Legacy { ae: String, address: IpAddr },
    /// A token, by the digest of its secret.
    Token { digest: String },
    /// A person's session, by the digest of its secret.
    Session { user: String, digest: String },
    /// That a person's factors were right, for as long as it takes to begin a session.
    SigningIn { user: String },
    /// Whose token it is, or whom an identity provider vouches for: what they may do now.
    Owner { user: String },
    /// A user whom an issuer vouches for, until then.
    Vouched { user: String, until: SystemTime },
    /// Somebody unknown here whom an issuer vouches for: what its word gives, until then.
    Federated { rights: Arc<[Right]>, until: SystemTime },
    /// An invitation, by its name and the digest of its token.
    Invitation { id: String, digest: String },
    /// The setup code, by its digest.
    SetupCode { digest: String },
    /// The key file.
    Host,
}

impl Caller {
    /// Only `access::authenticate` calls this.
    pub(super) fn new(known: Known) -> Caller {
        Caller { known: Arc::new(known) }
    }

    /// A name for the trail: AE title, token name, "host operator".
    pub fn name(&self) -> &str {
        &self.known.name
    }

    /// The AE title, of a caller that is a DICOM peer, or that nobody knows and wants to be one.
    pub fn ae_title(&self) -> Option<&str> {
        self.known.proofs.iter().find_map(|proof| match proof {
            Proof::Peer { ae, .. } | Proof::Stranger { ae, .. } | Proof::Accepted { ae, .. } => Some(ae.as_str()),
            _ => None,
        })
    }

    /// The AE title that a caller gave in clear text and did not prove.
    pub(crate) fn unproven_ae_title(&self) -> Option<&str> {
        self.known.proofs.iter().find_map(|proof| match proof {
            Proof::Legacy { ae, .. } => Some(ae.as_str()),
            _ => None,
        })
    }

    /// SHA-256 of the certificate shown, of a caller that is a DICOM peer or wants to be one.
    pub(crate) fn certificate_sha256(&self) -> Option<&str> {
        self.known.proofs.iter().find_map(|proof| match proof {
            Proof::Peer { certificate_sha256, .. } | Proof::Stranger { certificate_sha256, .. } => {
                Some(certificate_sha256.as_str())
            }
            _ => None,
        })
    }

    /// Whether nobody knows it: an unknown sender.
    pub(crate) fn is_stranger(&self) -> bool {
        self.known.proofs.iter().any(|proof| matches!(proof, Proof::Stranger { .. }))
    }

    /// The name of the invitation, of a caller who holds one.
    pub(crate) fn invitation(&self) -> Option<&str> {
        self.known.proofs.iter().find_map(|proof| match proof {
            Proof::Invitation { id, .. } => Some(id.as_str()),
            _ => None,
        })
    }

    /// The login name, of a caller that is a person with a session or acts for one.
    pub fn user(&self) -> Option<&str> {
        self.known.proofs.iter().find_map(|proof| match proof {
            Proof::Session { user, .. } | Proof::Owner { user } | Proof::Vouched { user, .. } => Some(user.as_str()),
            _ => None,
        })
    }

    /// Whether a request for that operation would have been decided for the caller when it was
    /// recognized, as far as roles go: what to offer it. The decision itself is made anew by
    /// each operation.
    pub fn may(&self, operation: Operation) -> bool {
        self.known.may.contains(&operation)
    }

    /// Whether it is the host itself.
    pub(crate) fn is_host(&self) -> bool {
        self.known.proofs.contains(&Proof::Host)
    }

    /// Whether it is a person who signed in, not something that acts for one.
    pub(crate) fn has_session(&self) -> bool {
        self.known.proofs.iter().any(|proof| matches!(proof, Proof::Session { .. }))
    }

    /// Who it is in the end: the person whose session or token it is, or else its own name. All
    /// that somebody holds counts as theirs.
    pub(crate) fn identity(&self) -> &str {
        self.user().unwrap_or_else(|| self.name())
    }

    /// Whether that is one of its names.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        name == self.name() || name == self.identity()
    }

    /// How the brake counts it; not at all when it is the host.
    pub(crate) fn kind(&self) -> Option<Kind> {
        let proofs = &self.known.proofs;
        if self.has_session() {
            return Some(Kind::Person);
        }
        let is_token = |proof: &Proof| matches!(proof, Proof::Token { .. });
        let is_somebody = |proof: &Proof| {
            matches!(
                proof,
                Proof::SigningIn { .. } | Proof::Owner { .. } | Proof::Vouched { .. } | Proof::Federated { .. }
            )
        };
        // Whoever says at a peer who they are is a person there, too; a token's owner is not at it.
        if !proofs.iter().any(is_token) && proofs.iter().any(is_somebody) {
            return Some(Kind::Person);
        }
        let is_machine = |proof: &Proof| {
            matches!(proof, Proof::Peer { .. } | Proof::Stranger { .. } | Proof::Accepted { .. } | Proof::Legacy { .. })
        };
        if proofs.iter().any(is_machine) {
            return Some(Kind::Machine);
        }
        proofs.iter().any(is_token).then_some(Kind::Program)
    }

    /// The door the caller stands at.
    pub fn door(&self) -> Door {
        self.known.source.door
    }

    /// The other end's address, `None` for the host's own commands.
    pub fn address(&self) -> Option<IpAddr> {
        self.known.source.address
    }

    /// When the caller was recognized.
    pub fn since(&self) -> SystemTime {
        self.known.since
    }

    /// All that was proven.
    pub(crate) fn proofs(&self) -> &[Proof] {
        &self.known.proofs
    }
}

/// Why authentication failed. The reason is for our log and trail, never for the caller.
#[derive(Clone, Debug, thiserror::Error)]
#[error("rejected: {reason}")]
pub struct Rejected {
    /// For the log: no secret, no text from the caller.
    pub reason: &'static str,
    /// Whether the calling AE title is what was not recognized (A-ASSOCIATE-RJ 1/1/3).
    pub calling_ae_unknown: bool,
}

impl Rejected {
    pub(crate) fn because(reason: &'static str) -> Rejected {
        Rejected { reason, calling_ae_unknown: false }
    }
}
