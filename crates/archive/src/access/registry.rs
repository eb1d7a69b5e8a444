//! Who is known at present, and what they may: in memory.
//!
//! Filled from the index's facts at start and by each change right after it is durable, so
//! that a revocation holds for the next call. Rights are looked up here each time something
//! is decided. Deliberately absent: SQL and files.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use leadglass_dicom::StudyInstanceUid;
use parking_lot::RwLock;

use super::caller::Proof;
use super::{Caller, Door, Marked, Marks, Reach, Right, Role, Scope};
use crate::Operation;
use crate::administer::{Entitled, Peer, SetEnvelope, Verb, rfc3339};
use crate::brake::Envelope;
use crate::change::{Fact, ReviewFact, RoleFact, SetupFact, TokenFact, kind};

/// The present state of access.
#[derive(Default)]
pub(crate) struct Registry {
    state: RwLock<State>,
    /// Counts changes.
    version: AtomicU64,
}

#[derive(Default)]
struct State {
    peers: HashMap<String, Held<Peer>>,
    tokens: HashMap<String, Held<TokenFact>>,
    roles: HashMap<String, RoleFact>,
    marks: HashMap<String, Marks>,
    /// Subjects that are restricted.
    restricted: usize,
    /// Subjects that are canaries.
    canaries: usize,
    reviews: HashMap<String, ReviewFact>,
    envelopes: HashMap<String, Envelope>,
    setup: SetupFact,
}

/// Somebody with the rights of theirs that do not change with the hour.
struct Held<T> {
    fact: T,
    rights: Arc<[Right]>,
}

impl Registry {
    /// Takes one fact in, replacing the one of its kind and name.
    pub(crate) fn learn(&self, fact: &Fact) -> Result<(), serde_json::Error> {
        let mut state = self.state.write();
        self.version.fetch_add(1, Ordering::Relaxed);
        let name = fact.name.clone();
        match fact.kind {
            kind::PEER => {
                let peer: Peer = serde_json::from_str(&fact.document)?;
                let rights = rights_of_peer(&peer);
                state.peers.insert(name, Held { fact: peer, rights });
            }
            kind::TOKEN => {
                let token: TokenFact = serde_json::from_str(&fact.document)?;
                let rights = Arc::new([Right::of(token.role.name(), Arc::new(token.scope.clone()))]);
                state.tokens.insert(name, Held { fact: token, rights });
            }
            kind::ROLE => drop(state.roles.insert(name, serde_json::from_str(&fact.document)?)),
            kind::REVIEW => drop(state.reviews.insert(name, serde_json::from_str(&fact.document)?)),
            kind::ENVELOPE => match serde_json::from_str(&fact.document)? {
                Some(envelope) => drop(state.envelopes.insert(name, envelope)),
                None => drop(state.envelopes.remove(&name)),
            },
            kind::MARKS => state.mark(name, serde_json::from_str(&fact.document)?),
            kind::ERASED => {}
            _ => state.setup = serde_json::from_str(&fact.document)?,
        }
        Ok(())
    }

    /// The peer of that title, revoked or not.
    pub(crate) fn peer(&self, ae: &str) -> Option<Peer> {
        self.state.read().peers.get(ae).map(|peer| peer.fact.clone())
    }

    /// Whether a peer that is not revoked has that certificate.
    pub(crate) fn is_enrolled(&self, certificate_sha256: &str) -> bool {
        let state = self.state.read();
        let mut peers = state.peers.values().map(|peer| &peer.fact);
        peers.any(|peer| peer.revoked.is_none() && peer.certificate_sha256 == certificate_sha256)
    }

    /// The token of that digest.
    pub(crate) fn token(&self, digest: &str) -> Option<TokenFact> {
        self.state.read().tokens.get(digest).map(|token| token.fact.clone())
    }

    /// The living token of that name.
    pub(crate) fn token_named(&self, name: &str) -> Option<TokenFact> {
        let state = self.state.read();
        let mut tokens = state.tokens.values().map(|token| &token.fact);
        tokens.find(|token| token.name == name && token.revoked.is_none()).cloned()
    }

    /// All peers by title.
    pub(crate) fn peers(&self) -> Vec<Peer> {
        let mut peers: Vec<Peer> = self.state.read().peers.values().map(|peer| peer.fact.clone()).collect();
        peers.sort_by(|a, b| a.ae.cmp(&b.ae));
        peers
    }

    /// All tokens by name.
    pub(crate) fn tokens(&self) -> Vec<TokenFact> {
        let mut tokens: Vec<TokenFact> = self.state.read().tokens.values().map(|token| token.fact.clone()).collect();
        tokens.sort_by(|a, b| (&a.name, a.expires).cmp(&(&b.name, b.expires)));
        tokens
    }

    /// The roles that the administrators defined, by name.
    pub(crate) fn roles(&self) -> Vec<RoleFact> {
        let mut roles: Vec<RoleFact> = self.state.read().roles.values().cloned().collect();
        roles.sort_by(|a, b| a.name.cmp(&b.name));
        roles
    }

    /// How far setup is.
    pub(crate) fn setup(&self) -> SetupFact {
        self.state.read().setup.clone()
    }

    /// The marks of a subject.
    pub(crate) fn marks(&self, subject: &Marked) -> Marks {
        self.state.read().marks.get(&subject.key()).cloned().unwrap_or_default()
    }

    /// The marks of a study and of the patient it is of.
    pub(crate) fn marks_of(&self, study: &StudyInstanceUid, patient_id: Option<&str>) -> Marks {
        let state = self.state.read();
        if state.marks.is_empty() {
            return Marks::default();
        }
        let of = |subject: Marked| state.marks.get(&subject.key()).cloned().unwrap_or_default();
        of(Marked::study(study)).and(&of(Marked::Patient(patient_id.unwrap_or_default().to_owned())))
    }

    /// Whether there are patients whom nobody has a reason to look at.
    pub(crate) fn has_canaries(&self) -> bool {
        self.state.read().canaries > 0
    }

    /// The review of that number.
    pub(crate) fn review(&self, id: &str) -> Option<ReviewFact> {
        self.state.read().reviews.get(id).cloned()
    }

    /// All reviews, in no order.
    pub(crate) fn reviews(&self) -> Vec<ReviewFact> {
        self.state.read().reviews.values().cloned().collect()
    }

    /// The envelope that was set for a caller.
    pub(crate) fn envelope(&self, caller: &str) -> Option<Envelope> {
        self.state.read().envelopes.get(caller).copied()
    }

    /// The envelopes that were set, by caller.
    pub(crate) fn envelopes(&self) -> Vec<SetEnvelope> {
        let state = self.state.read();
        let set = state.envelopes.iter();
        let mut set: Vec<SetEnvelope> =
            set.map(|(caller, envelope)| SetEnvelope { caller: caller.clone(), envelope: *envelope }).collect();
        set.sort_by(|a, b| a.caller.cmp(&b.caller));
        set
    }

    /// Whether an administrator lives who does not get in without a second factor.
    pub(crate) fn has_administrator_with_second_factor(&self) -> bool {
        false
    }

    /// Everybody who may come in now, with what they may do.
    pub(crate) fn entitled(&self, now: SystemTime) -> Vec<Entitled> {
        let state = self.state.read();
        let peers = state.peers.values().map(|Held { fact: peer, .. }| {
            let proof = Proof::Peer { ae: peer.ae.clone(), certificate_sha256: peer.certificate_sha256.clone() };
            (peer.ae.clone(), "peer", proof, None)
        });
        let tokens = state.tokens.iter().map(|(digest, Held { fact: token, .. })| {
            let proof = Proof::Token { digest: digest.clone() };
            (token.name.clone(), "token", proof, Some(rfc3339(token.expires)))
        });
        let entitled = peers.chain(tokens).filter_map(|(name, kind, proof, until)| {
            let rights = state.rights(&proof, now)?;
            let scopes = rights.iter().filter(|right| right.lives(now)).map(ToString::to_string).collect();
            Some(Entitled { name, kind, may: state.may_by_door(&rights, now), scopes, until })
        });
        let mut entitled: Vec<Entitled> = entitled.collect();
        entitled.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        entitled
    }

    /// A number that rises with each change of who may come in.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }

    /// Whether everything that caller proved still holds.
    pub(crate) fn is_current(&self, caller: &Caller, now: SystemTime) -> bool {
        let state = self.state.read();
        caller.proofs().iter().all(|proof| state.rights(proof, now).is_some())
    }

    /// How far whoever proved that reaches for that operation, now; `None` when not at all.
    pub(crate) fn reach(&self, proofs: &[Proof], operation: Operation, door: Door, now: SystemTime) -> Option<Reach> {
        let state = self.state.read();
        let side = |proof| -> Option<Vec<Arc<Scope>>> {
            let rights = state.rights(proof, now)?;
            let rights = rights.iter().filter(|right| right.lives(now) && state.allows(&right.role, operation, door));
            let scopes: Vec<Arc<Scope>> = rights.map(|right| right.scope.clone()).collect();
            (!scopes.is_empty()).then_some(scopes)
        };
        let sides: Vec<Vec<Arc<Scope>>> = proofs.iter().map(side).collect::<Option<_>>()?;
        (!sides.is_empty()).then(|| Reach::of(sides, operation.is_guarded() && state.restricted > 0))
    }

    /// What whoever proved that may do through that door, now.
    pub(crate) fn may(&self, proofs: &[Proof], door: Door, now: SystemTime) -> BTreeSet<Operation> {
        let may = |operation: &Operation| self.reach(proofs, *operation, door, now).is_some();
        Operation::ALL.iter().copied().filter(may).collect()
    }
}

impl State {
    /// The rights that a proof brings; `None` when it does not hold any longer.
    fn rights(&self, proof: &Proof, now: SystemTime) -> Option<Arc<[Right]>> {
        match proof {
            Proof::Peer { ae, certificate_sha256 } => {
                let peer = self.peers.get(ae)?;
                let holds = peer.fact.revoked.is_none() && peer.fact.certificate_sha256 == *certificate_sha256;
                holds.then(|| peer.rights.clone())
            }
            Proof::Token { digest } => {
                let token = self.tokens.get(digest)?;
                (token.fact.revoked.is_none() && now < token.fact.expires).then(|| token.rights.clone())
            }
            Proof::SetupCode { digest } => {
                let holds =
                    self.setup.digest.as_ref() == Some(digest) && self.setup.expires.is_some_and(|end| now < end);
                holds.then(|| unlimited(Role::Setup))
            }
            Proof::Host => Some(unlimited(Role::Host)),
        }
    }

    /// What those rights allow, door by door; doors through which nothing is are left out.
    fn may_by_door(&self, rights: &[Right], now: SystemTime) -> Vec<(Door, BTreeSet<Operation>)> {
        let allowed = |operation: Operation, door: Door| {
            rights.iter().any(|right| right.lives(now) && self.allows(&right.role, operation, door))
        };
        let through = Door::ALL.iter().map(|&door| {
            let operations = Operation::ALL.iter().copied().filter(|operation| allowed(*operation, door)).collect();
            (door, operations)
        });
        through.filter(|(_, operations): &(Door, BTreeSet<Operation>)| !operations.is_empty()).collect()
    }

    /// Whether a role of that name may do that through that door.
    fn allows(&self, role: &str, operation: Operation, door: Door) -> bool {
        match Role::named(role) {
            Some(role) => role.may(operation, door),
            None => {
                let defined = self.roles.get(role);
                operation.doors().contains(&door) && defined.is_some_and(|role| role.operations.contains(&operation))
            }
        }
    }

    fn mark(&mut self, subject: String, marks: Marks) {
        let is_restricted = |marks: &Marks| usize::from(!marks.restrictions.is_empty());
        let is_canary = |marks: &Marks| usize::from(marks.canary);
        self.restricted += is_restricted(&marks);
        self.canaries += is_canary(&marks);
        let before = if marks.is_empty() { self.marks.remove(&subject) } else { self.marks.insert(subject, marks) };
        self.restricted -= before.as_ref().map_or(0, is_restricted);
        self.canaries -= before.as_ref().map_or(0, is_canary);
    }
}

fn unlimited(role: Role) -> Arc<[Right]> {
    Arc::new([Right::of(role.name(), Arc::new(Scope::unlimited()))])
}

/// A role per verb.
fn rights_of_peer(peer: &Peer) -> Arc<[Right]> {
    let scope = Arc::new(peer.scope.clone());
    let role = |verb: &Verb| match verb {
        Verb::Store => Role::PeerStore,
        Verb::Find => Role::PeerFind,
        Verb::Retrieve => Role::PeerRetrieve,
        Verb::Commit => Role::PeerCommit,
    };
    peer.verbs.iter().map(|verb| Right::of(role(verb).name(), scope.clone())).collect()
}
