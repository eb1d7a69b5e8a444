//! Changes that are not images: who may come in.
//!
//! A change is one record of the log, sealed with the change key. Applied, it is one *fact*
//! (a named JSON document) that replaces the fact of the same kind and name; the facts
//! together are the present state, and live in the encrypted index as a view of the log.

use std::collections::BTreeSet;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::Operation;
use crate::access::people::UserFact;
use crate::access::people::session::SessionsFact;
use crate::access::{Marked, Marks, Right, Role, Scope};
use crate::administer::{Alarm, Closed, Ground, LegacyPeer, Peer};
use crate::brake::Envelope;
use crate::deidentify::Project;
use crate::held::Decision;

/// One change.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
#[expect(clippy::large_enum_variant, reason = "made one at a time, and written at once")]
pub(crate) enum Change {
    /// A peer added, or one replaced under its title.
    PeerAdded {
        /// As it is from now on.
        peer: Peer,
        /// The legacy peer of that title, ended by this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        legacy: Option<LegacyPeer>,
    },
    /// A peer shut out.
    PeerRevoked {
        /// As it was, with `revoked` set.
        peer: Peer,
    },
    /// A legacy peer declared, or its declaration ended.
    LegacyPeerSet {
        /// As it is from now on.
        peer: LegacyPeer,
    },
    /// A device invited to become a peer.
    PeerInvited {
        /// The invitation.
        invitation: InvitationFact,
    },
    /// A wrong secret was shown for an invitation.
    InvitationTried {
        /// The invitation, with the try counted.
        invitation: InvitationFact,
    },
    /// An invitation ended unused.
    InvitationEnded {
        /// As it was, with `ended` set.
        invitation: InvitationFact,
    },
    /// A device became a peer by its invitation, which is used up.
    PeerEnrolled {
        /// The peer.
        peer: Peer,
        /// As it was, with `ended` set.
        invitation: InvitationFact,
        /// The legacy peer of that title, ended by this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        legacy: Option<LegacyPeer>,
    },
    /// Peers that share a certificate, under a new one.
    PeersRenewed {
        /// As they are from now on.
        peers: Vec<Peer>,
    },
    /// A token made.
    TokenCreated {
        /// The token.
        token: TokenFact,
    },
    /// A token shut out.
    TokenRevoked {
        /// As it was, with `revoked` set.
        token: TokenFact,
    },
    /// Whom trail entries are about was erased: the key of that is no more.
    TrailErased {
        /// The id of the key, hexadecimal.
        key: String,
        /// Whose it was: for the index, never for the log.
        #[serde(skip)]
        patient_id: String,
    },
    /// A setup code made, replacing any before.
    SetupCodeIssued {
        /// The code.
        setup: SetupFact,
    },
    /// A wrong setup code was shown.
    SetupCodeTried {
        /// The code that lives, with the try counted.
        setup: SetupFact,
    },
    /// The setup code died unused: too many wrong tries.
    SetupCodeVoided,
    /// The first administrator exists.
    SetupCompleted {
        /// Their token.
        token: TokenFact,
        /// Who they are.
        #[serde(default)]
        user: Option<Box<UserFact>>,
    },
    /// A user added or changed, or their sessions.
    PersonChanged {
        /// As they are from now on, when that changes.
        user: Option<Box<UserFact>>,
        /// Their sessions from now on, when those change.
        sessions: Option<Box<SessionsFact>>,
    },
    /// A role defined, or one redefined.
    RoleDefined {
        /// As it is from now on.
        role: RoleFact,
    },
    /// The labels and restrictions of a study or a patient set.
    MarksSet {
        /// Whose.
        subject: Marked,
        /// All of them from now on.
        marks: Marks,
    },
    /// A right given to a user for a time, or ended.
    GrantSet {
        /// As it is from now on.
        grant: GrantFact,
    },
    /// A patient taken in an emergency: the right, and the review that waits.
    GlassBroken {
        /// The right.
        grant: GrantFact,
        /// The review.
        review: ReviewFact,
    },
    /// A review opened, or closed.
    ReviewSet {
        /// As it is from now on.
        review: ReviewFact,
    },
    /// What a caller may take within a while; none is what kind and habit leave.
    EnvelopeSet {
        /// By the name the trail knows it under.
        caller: String,
        /// Its envelope.
        envelope: Option<Envelope>,
    },
    /// A project made. Its key is in the keyring.
    ProjectMade {
        /// The project.
        project: Project,
    },
    /// What is to become of what waits of an unknown sender, or that it has.
    HeldDecided {
        /// The decision.
        held: HeldFact,
    },
    /// An unknown sender made a peer, and what waits of it to be taken in.
    HeldEnrolled {
        /// The peer.
        peer: Peer,
        /// The decision.
        held: HeldFact,
    },
    /// A secret of the host made or replaced. The secret itself is in the keyring.
    HostSecretPut {
        /// What it is called.
        name: String,
    },
}

/// A token as kept: everything but the secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TokenFact {
    /// A name for people, unique among tokens that live.
    pub(crate) name: String,
    /// SHA-256 of the secret, lower-case hex.
    pub(crate) digest: String,
    /// Whose it is: it never allows what they may not do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<String>,
    /// What it may do.
    pub(crate) role: Role,
    /// With which instances.
    #[serde(default = "Scope::everything", skip_serializing_if = "Scope::is_implied")]
    pub(crate) scope: Scope,
    /// When it ends.
    pub(crate) expires: SystemTime,
    /// When it was revoked.
    pub(crate) revoked: Option<SystemTime>,
    /// Setup's: it is worth nothing from the moment an administrator has a second factor.
    #[serde(default)]
    pub(crate) until_second_factor: bool,
}

/// A right of a user for a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GrantFact {
    /// Its number, hexadecimal.
    pub(crate) id: String,
    /// Whose.
    pub(crate) user: String,
    /// What it allows, over what, until when.
    pub(crate) right: Right,
    /// Why.
    pub(crate) ground: Ground,
    /// Whether it was ended before its time.
    pub(crate) ended: bool,
}

impl GrantFact {
    /// Whether it has not ended.
    pub(crate) fn lives(&self, now: SystemTime) -> bool {
        !self.ended && self.right.lives(now)
    }
}

/// Something that somebody has to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReviewFact {
    /// Its number, hexadecimal.
    pub(crate) id: String,
    /// Why it was opened.
    pub(crate) alarm: Alarm,
    /// When, RFC 3339.
    pub(crate) opened: String,
    /// Who brought it about.
    pub(crate) caller: String,
    /// About which patient.
    pub(crate) patient_id: Option<String>,
    /// In words.
    pub(crate) detail: String,
    /// How it ended.
    pub(crate) closed: Option<Closed>,
}

/// An invitation as kept: everything but the secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InvitationFact {
    /// What it is called.
    pub(crate) id: String,
    /// SHA-256 of the token, lower-case hex.
    pub(crate) digest: String,
    /// The peer it makes, without a certificate.
    pub(crate) peer: Peer,
    /// When it ends.
    pub(crate) expires: SystemTime,
    /// Wrong secrets shown under its name.
    pub(crate) tries: u32,
    /// How it ended before that, once it has.
    pub(crate) ended: Option<String>,
}

/// What was decided last of an unknown sender.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HeldFact {
    /// Which: see [`crate::spool::sender_id`].
    pub(crate) sender: String,
    /// Its AE title.
    pub(crate) ae: String,
    /// SHA-256 of its certificate (DER), lower-case hex.
    pub(crate) certificate_sha256: String,
    /// What becomes of its objects.
    pub(crate) decision: Decision,
    /// Of those up to that number; what came after waits on.
    pub(crate) through: u64,
    /// Who decided.
    pub(crate) by: String,
}

/// A role that the administrators defined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoleFact {
    /// Its name.
    pub(crate) name: String,
    /// What its holders may do; none of it when it was withdrawn.
    pub(crate) operations: BTreeSet<Operation>,
}

/// How far setup is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SetupFact {
    /// SHA-256 of the code, lower-case hex; none when there is no code.
    pub(crate) digest: Option<String>,
    /// When the code ends.
    pub(crate) expires: Option<SystemTime>,
    /// Whether an administrator was made.
    pub(crate) done: bool,
    /// Wrong codes shown since the code was made.
    #[serde(default)]
    pub(crate) tries: u32,
}

/// A named document of the present state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fact {
    /// One of [`kind`].
    pub(crate) kind: &'static str,
    /// Which one of that kind.
    pub(crate) name: String,
    /// JSON.
    pub(crate) document: String,
}

/// The kinds of facts.
pub(crate) mod kind {
    /// A [`Peer`](crate::administer::Peer) under its AE title.
    pub(crate) const PEER: &str = "peer";
    /// A [`LegacyPeer`](crate::administer::LegacyPeer) under its AE title.
    pub(crate) const LEGACY: &str = "legacy-peer";
    /// A [`TokenFact`](super::TokenFact) under its digest.
    pub(crate) const TOKEN: &str = "token";
    /// An [`InvitationFact`](super::InvitationFact) under its name.
    pub(crate) const INVITATION: &str = "invitation";
    /// The [`SetupFact`](super::SetupFact).
    pub(crate) const SETUP: &str = "setup";
    /// A [`RoleFact`](super::RoleFact) under its name.
    pub(crate) const ROLE: &str = "role";
    /// The [`Marks`](crate::access::Marks) of a subject.
    pub(crate) const MARKS: &str = "marks";
    /// A [`ReviewFact`](super::ReviewFact) under its number.
    pub(crate) const REVIEW: &str = "review";
    /// A [`GrantFact`](super::GrantFact) under its number.
    pub(crate) const GRANT: &str = "grant";
    /// An [`Envelope`](crate::brake::Envelope), or none, under its caller's name.
    pub(crate) const ENVELOPE: &str = "envelope";
    /// A key of the trail that was destroyed; no state of its own, see `trail::erase`.
    pub(crate) const ERASED: &str = "erased-from-trail";
    /// A [`UserFact`](super::UserFact) under the login name.
    pub(crate) const USER: &str = "user";
    /// A [`SessionsFact`](super::SessionsFact) under the login name.
    pub(crate) const SESSIONS: &str = "sessions";
    /// A [`Project`](crate::deidentify::Project) under its name.
    pub(crate) const PROJECT: &str = "project";
    /// A [`HeldFact`](super::HeldFact) under the sender's id.
    pub(crate) const HELD: &str = "held";
    /// All that have a state.
    pub(crate) const ALL: &[&str] =
        &[PEER, LEGACY, INVITATION, TOKEN, SETUP, ROLE, MARKS, REVIEW, GRANT, ENVELOPE, USER, SESSIONS, PROJECT, HELD];
}

impl Change {
    /// The record's payload.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// The change of a record's payload.
    pub(crate) fn decode(payload: &[u8]) -> Result<Change, serde_json::Error> {
        serde_json::from_slice(payload)
    }

    /// What is true from now on.
    pub(crate) fn facts(&self) -> Result<Vec<Fact>, serde_json::Error> {
        let fact = |kind, name: &str, document: String| Fact { kind, name: name.to_owned(), document };
        Ok(match self {
            Change::PeerAdded { peer, legacy } => {
                let mut facts = vec![fact(kind::PEER, &peer.ae, serde_json::to_string(peer)?)];
                if let Some(legacy) = legacy {
                    facts.push(fact(kind::LEGACY, &legacy.ae, serde_json::to_string(legacy)?));
                }
                facts
            }
            Change::PeerRevoked { peer } => vec![fact(kind::PEER, &peer.ae, serde_json::to_string(peer)?)],
            Change::LegacyPeerSet { peer } => vec![fact(kind::LEGACY, &peer.ae, serde_json::to_string(peer)?)],
            Change::TrailErased { key, patient_id } => vec![fact(kind::ERASED, key, patient_id.clone())],
            Change::PeersRenewed { peers } => {
                let one = |peer: &Peer| Ok(fact(kind::PEER, &peer.ae, serde_json::to_string(peer)?));
                peers.iter().map(one).collect::<Result<_, serde_json::Error>>()?
            }
            Change::PeerInvited { invitation }
            | Change::InvitationTried { invitation }
            | Change::InvitationEnded { invitation } => {
                vec![fact(kind::INVITATION, &invitation.id, serde_json::to_string(invitation)?)]
            }
            Change::PeerEnrolled { peer, invitation, legacy } => {
                let mut facts = vec![
                    fact(kind::PEER, &peer.ae, serde_json::to_string(peer)?),
                    fact(kind::INVITATION, &invitation.id, serde_json::to_string(invitation)?),
                ];
                if let Some(legacy) = legacy {
                    facts.push(fact(kind::LEGACY, &legacy.ae, serde_json::to_string(legacy)?));
                }
                facts
            }
            Change::TokenCreated { token } | Change::TokenRevoked { token } => {
                vec![fact(kind::TOKEN, &token.digest, serde_json::to_string(token)?)]
            }
            Change::SetupCodeIssued { setup } | Change::SetupCodeTried { setup } => {
                vec![fact(kind::SETUP, "", serde_json::to_string(setup)?)]
            }
            Change::SetupCodeVoided => vec![fact(kind::SETUP, "", serde_json::to_string(&SetupFact::default())?)],
            Change::SetupCompleted { token, user } => {
                let done = SetupFact { done: true, ..SetupFact::default() };
                let mut facts = vec![
                    fact(kind::SETUP, "", serde_json::to_string(&done)?),
                    fact(kind::TOKEN, &token.digest, serde_json::to_string(token)?),
                ];
                if let Some(user) = user {
                    facts.push(fact(kind::USER, &user.name, serde_json::to_string(user)?));
                }
                facts
            }
            Change::PersonChanged { user, sessions } => {
                let mut facts = Vec::new();
                if let Some(user) = user {
                    facts.push(fact(kind::USER, &user.name, serde_json::to_string(user)?));
                }
                if let Some(sessions) = sessions {
                    facts.push(fact(kind::SESSIONS, &sessions.user, serde_json::to_string(sessions)?));
                }
                facts
            }
            Change::RoleDefined { role } => vec![fact(kind::ROLE, &role.name, serde_json::to_string(role)?)],
            Change::MarksSet { subject, marks } => {
                vec![fact(kind::MARKS, &subject.key(), serde_json::to_string(marks)?)]
            }
            Change::GrantSet { grant } => vec![fact(kind::GRANT, &grant.id, serde_json::to_string(grant)?)],
            Change::GlassBroken { grant, review } => vec![
                fact(kind::GRANT, &grant.id, serde_json::to_string(grant)?),
                fact(kind::REVIEW, &review.id, serde_json::to_string(review)?),
            ],
            Change::ReviewSet { review } => vec![fact(kind::REVIEW, &review.id, serde_json::to_string(review)?)],
            Change::EnvelopeSet { caller, envelope } => {
                vec![fact(kind::ENVELOPE, caller, serde_json::to_string(envelope)?)]
            }
            Change::ProjectMade { project } => {
                vec![fact(kind::PROJECT, &project.name, serde_json::to_string(project)?)]
            }
            Change::HeldDecided { held } => vec![fact(kind::HELD, &held.sender, serde_json::to_string(held)?)],
            Change::HeldEnrolled { peer, held } => vec![
                fact(kind::PEER, &peer.ae, serde_json::to_string(peer)?),
                fact(kind::HELD, &held.sender, serde_json::to_string(held)?),
            ],
            Change::HostSecretPut { .. } => Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completing_setup_ends_the_code_and_makes_the_token_in_one_change() {
        let token = TokenFact {
            name: "admin".into(),
            digest: "d".into(),
            owner: None,
            role: Role::Administrator,
            scope: Scope::everything(),
            expires: SystemTime::UNIX_EPOCH,
            revoked: None,
            until_second_factor: true,
        };
        let change = Change::decode(&Change::SetupCompleted { token, user: None }.encode().unwrap()).unwrap();
        let facts = change.facts().unwrap();
        assert_eq!(facts.iter().map(|fact| fact.kind).collect::<Vec<_>>(), [kind::SETUP, kind::TOKEN]);
        assert!(serde_json::from_str::<SetupFact>(&facts[0].document).unwrap().done);
    }

    #[test]
    fn a_token_kept_before_there_were_scopes_reaches_everything() {
        let old = r#"{"name":"a","digest":"d","role":"viewer",
            "expires":{"secs_since_epoch":1,"nanos_since_epoch":0},"revoked":null}"#;
        assert!(serde_json::from_str::<TokenFact>(old).unwrap().scope.is_everything());
        let old = r#"{"ae":"CT1","certificate_sha256":"","verbs":["store"],"address":null,"revoked":null}"#;
        assert!(serde_json::from_str::<Peer>(old).unwrap().scope.is_everything());
    }
}
