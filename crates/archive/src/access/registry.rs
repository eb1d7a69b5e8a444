//! Who is known at present, and what they may: in memory.
//!
//! Filled from the index's facts at start and by each change right after it is durable, so
//! that a revocation holds for the next call. Rights are looked up here each time something
//! is decided. Deliberately absent: SQL and files.

mod held;
mod legacy;
mod rights;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use leadglass_dicom::StudyInstanceUid;
use parking_lot::{Mutex, RwLock};

use self::rights::{rights_of_peer, rights_of_user, unlimited, with_own_account};
use super::caller::Proof;
use super::people::session::SessionsFact;
use super::people::{PeopleSettings, UserFact};
use super::{Caller, Door, Marked, Marks, Reach, Right, Role, Scope, role};
use crate::Operation;
use crate::administer::{Entitled, Ground, LegacyPeer, Peer, SetEnvelope, Standing, rfc3339};
use crate::brake::Envelope;
use crate::change::{Fact, GrantFact, HeldFact, InvitationFact, ReviewFact, RoleFact, SetupFact, TokenFact, kind};
use crate::deidentify::Project;
use crate::held::Decision;

/// The present state of access.
pub(crate) struct Registry {
    state: RwLock<State>,
    /// Counts changes.
    version: AtomicU64,
    /// When sessions were used last. A restart forgets it: then it is when they began, so that
    /// nobody who was away is let in again by it.
    used: Mutex<HashMap<String, SystemTime>>,
    idle: Duration,
}

#[derive(Default)]
struct State {
    users: HashMap<String, Held<UserFact>>,
    sessions: HashMap<String, SessionsFact>,
    /// Whose session that is, by its digest.
    session_of: HashMap<String, String>,
    /// Whether everybody needs a second factor.
    second_factor_for_all: bool,
    peers: HashMap<String, Held<Peer>>,
    legacy: HashMap<String, Held<LegacyPeer>>,
    /// Titles by the SHA-256 of the certificates they have or had.
    certificates: HashMap<String, BTreeSet<String>>,
    invitations: HashMap<String, InvitationFact>,
    tokens: HashMap<String, Held<TokenFact>>,
    roles: HashMap<String, RoleFact>,
    marks: HashMap<String, Marks>,
    projects: BTreeMap<String, Project>,
    /// Subjects that are restricted.
    restricted: usize,
    /// Subjects that are canaries.
    canaries: usize,
    /// By user.
    grants: HashMap<String, Vec<GrantFact>>,
    reviews: HashMap<String, ReviewFact>,
    envelopes: HashMap<String, Envelope>,
    /// What was decided last of unknown senders.
    held: HashMap<String, HeldFact>,
    /// Whether what unknown senders send may wait.
    holds: bool,
    setup: SetupFact,
}

/// Somebody with the rights of theirs that do not change with the hour.
struct Held<T> {
    fact: T,
    rights: Arc<[Right]>,
}

impl Registry {
    /// Nobody, yet.
    pub(crate) fn new(people: &PeopleSettings) -> Registry {
        let state = State { second_factor_for_all: people.second_factor_for_all, ..State::default() };
        Registry { state: RwLock::new(state), version: AtomicU64::new(0), used: Mutex::default(), idle: people.idle }
    }

    /// Takes one fact in, replacing the one of its kind and name.
    pub(crate) fn learn(&self, fact: &Fact) -> Result<(), serde_json::Error> {
        let mut state = self.state.write();
        // Who signs in and out, and what becomes of what waits, changes nothing of what is open
        // to strangers.
        if fact.kind != kind::SESSIONS && fact.kind != kind::HELD {
            self.version.fetch_add(1, Ordering::Relaxed);
        }
        let name = fact.name.clone();
        match fact.kind {
            kind::PEER => {
                let peer: Peer = serde_json::from_str(&fact.document)?;
                let rights = rights_of_peer(&peer);
                let all = peer.earlier.iter().map(|earlier| &earlier.sha256).chain([&peer.certificate_sha256]);
                for certificate in all {
                    state.certificates.entry(certificate.clone()).or_default().insert(peer.ae.clone());
                }
                state.peers.insert(name, Held { fact: peer, rights });
            }
            kind::LEGACY => state.declare(serde_json::from_str(&fact.document)?),
            kind::TOKEN => {
                let token: TokenFact = serde_json::from_str(&fact.document)?;
                let rights = Arc::new([Right::of(token.role.name(), Arc::new(token.scope.clone()))]);
                state.tokens.insert(name, Held { fact: token, rights });
            }
            kind::USER => {
                let user: UserFact = serde_json::from_str(&fact.document)?;
                let rights = rights_of_user(&user);
                state.users.insert(name, Held { fact: user, rights });
            }
            kind::SESSIONS => {
                let sessions: SessionsFact = serde_json::from_str(&fact.document)?;
                self.hold_sessions(&mut state, sessions);
            }
            kind::INVITATION => drop(state.invitations.insert(name, serde_json::from_str(&fact.document)?)),
            kind::ROLE => drop(state.roles.insert(name, serde_json::from_str(&fact.document)?)),
            kind::GRANT => {
                let grant: GrantFact = serde_json::from_str(&fact.document)?;
                let of_user = state.grants.entry(grant.user.clone()).or_default();
                of_user.retain(|other| other.id != grant.id);
                of_user.push(grant);
            }
            kind::REVIEW => drop(state.reviews.insert(name, serde_json::from_str(&fact.document)?)),
            kind::ENVELOPE => match serde_json::from_str(&fact.document)? {
                Some(envelope) => drop(state.envelopes.insert(name, envelope)),
                None => drop(state.envelopes.remove(&name)),
            },
            kind::HELD => drop(state.held.insert(name, serde_json::from_str(&fact.document)?)),
            kind::PROJECT => drop(state.projects.insert(name, serde_json::from_str(&fact.document)?)),
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

    /// What is known of that certificate.
    pub(crate) fn standing(&self, certificate_sha256: &str, now: SystemTime) -> Standing {
        let state = self.state.read();
        let Some(titles) = state.certificates.get(certificate_sha256) else { return Standing::Unknown };
        let mut peers = titles.iter().filter_map(|ae| state.peers.get(ae));
        match peers.any(|peer| peer.fact.is_shown_by(certificate_sha256, now)) {
            true => Standing::Enrolled,
            false => Standing::Retired,
        }
    }

    /// The invitation of that name.
    pub(crate) fn invitation(&self, id: &str) -> Option<InvitationFact> {
        self.state.read().invitations.get(id).cloned()
    }

    /// All invitations, the newest end first.
    pub(crate) fn invitations(&self) -> Vec<InvitationFact> {
        let mut all: Vec<InvitationFact> = self.state.read().invitations.values().cloned().collect();
        all.sort_by(|a, b| (b.expires, &b.id).cmp(&(a.expires, &a.id)));
        all
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

    /// The user of that login name.
    pub(crate) fn user(&self, name: &str) -> Option<UserFact> {
        self.state.read().users.get(name).map(|user| user.fact.clone())
    }

    /// All users by name.
    pub(crate) fn users(&self) -> Vec<UserFact> {
        let mut users: Vec<UserFact> = self.state.read().users.values().map(|user| user.fact.clone()).collect();
        users.sort_by(|a, b| a.name.cmp(&b.name));
        users
    }

    /// The user whom that identity provider calls so.
    pub(crate) fn user_vouched(&self, issuer: &str, subject: &str) -> Option<UserFact> {
        let state = self.state.read();
        let mut users = state.users.values().map(|user| &user.fact);
        let is = |user: &&UserFact| {
            user.vouched.as_ref().is_some_and(|vouched| vouched.issuer == issuer && vouched.subject == subject)
        };
        users.find(is).cloned()
    }

    /// Who has the passkey of that id.
    pub(crate) fn user_of_passkey(&self, id: &str) -> Option<String> {
        let state = self.state.read();
        let mut users = state.users.values().map(|user| &user.fact);
        users.find(|user| user.passkeys.iter().any(|passkey| passkey.id == id)).map(|user| user.name.clone())
    }

    /// The sessions of the user of that name.
    pub(crate) fn sessions(&self, user: &str) -> SessionsFact {
        self.state.read().sessions.get(user).cloned().unwrap_or_else(|| SessionsFact::of(user))
    }

    /// Whose session that is, as long as it was not ended.
    pub(crate) fn session(&self, digest: &str) -> Option<String> {
        self.state.read().session_of.get(digest).cloned()
    }

    /// A session is used: it is idle from now on.
    pub(crate) fn touch(&self, digest: &str, now: SystemTime) {
        self.used.lock().insert(digest.to_owned(), now);
    }

    /// Whether that user may do nothing with one factor.
    pub(crate) fn needs_second_factor(&self, user: &UserFact) -> bool {
        self.state.read().needs_second_factor(user)
    }

    /// The rights that a proof brings now; `None` when it does not hold any longer.
    pub(crate) fn rights(&self, proof: &Proof, now: SystemTime) -> Option<Arc<[Right]>> {
        self.rights_in(&self.state.read(), proof, now)
    }

    fn rights_in(&self, state: &State, proof: &Proof, now: SystemTime) -> Option<Arc<[Right]>> {
        if let Proof::Session { digest, .. } = proof {
            let used = self.used.lock().get(digest).copied()?;
            if now.duration_since(used).is_ok_and(|idle| idle >= self.idle) {
                return None;
            }
        }
        state.rights(proof, now)
    }

    fn hold_sessions(&self, state: &mut State, sessions: SessionsFact) {
        let before = state.sessions.insert(sessions.user.clone(), sessions.clone()).unwrap_or_default();
        let mut used = self.used.lock();
        for session in &before.sessions {
            state.session_of.remove(&session.digest);
            if sessions.sessions.iter().all(|kept| kept.digest != session.digest) {
                used.remove(&session.digest);
            }
        }
        for session in &sessions.sessions {
            state.session_of.insert(session.digest.clone(), sessions.user.clone());
            used.entry(session.digest.clone()).or_insert(session.began);
        }
    }

    /// The project of that name.
    pub(crate) fn project(&self, name: &str) -> Option<Project> {
        self.state.read().projects.get(name).cloned()
    }

    /// All projects by name.
    pub(crate) fn projects(&self) -> Vec<Project> {
        self.state.read().projects.values().cloned().collect()
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

    /// The grant of that number.
    pub(crate) fn grant(&self, id: &str) -> Option<GrantFact> {
        self.state.read().grants.values().flatten().find(|grant| grant.id == id).cloned()
    }

    /// The grants that live at that moment, in no order.
    pub(crate) fn grants(&self, at: SystemTime) -> Vec<GrantFact> {
        self.state.read().grants.values().flatten().filter(|grant| grant.lives(at)).cloned().collect()
    }

    /// The emergencies that nobody ended and that no longer give anything.
    pub(crate) fn emergencies_over(&self, now: SystemTime) -> Vec<GrantFact> {
        let state = self.state.read();
        let holds = |grant: &GrantFact| {
            let user = state.users.get(&grant.user).filter(|user| user.fact.disabled.is_none());
            grant.lives(now) && user.is_some_and(|user| state.grounds_hold(&user.rights, &grant.ground, now))
        };
        let emergencies =
            state.grants.values().flatten().filter(|grant| matches!(grant.ground, Ground::BreakGlass { .. }));
        emergencies.filter(|grant| !grant.ended && !holds(grant)).cloned().collect()
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
        self.state.read().has_administrator_with_second_factor()
    }

    /// How many tokens live that administer.
    pub(crate) fn administrator_tokens(&self, now: SystemTime) -> usize {
        let state = self.state.read();
        let administers = |token: &&Held<TokenFact>| token.fact.role.administers() && state.holds(&token.fact, now);
        state.tokens.values().filter(administers).count()
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
        let users = state
            .users
            .values()
            .map(|Held { fact: user, .. }| (user.name.clone(), "user", Proof::Owner { user: user.name.clone() }, None));
        let legacy = state.legacy.values().map(|Held { fact: peer, .. }| {
            let proof = Proof::Legacy { ae: peer.ae.clone(), address: peer.address };
            (peer.ae.clone(), "legacy", proof, Some(rfc3339(peer.expires.into())))
        });
        let entitled = peers.chain(legacy).chain(tokens).chain(users).filter_map(|(name, kind, proof, until)| {
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
        caller.proofs().iter().all(|proof| self.rights_in(&state, proof, now).is_some())
    }

    /// How far whoever proved that reaches for that operation, now; `None` when not at all.
    pub(crate) fn reach(&self, proofs: &[Proof], operation: Operation, door: Door, now: SystemTime) -> Option<Reach> {
        let state = self.state.read();
        let side = |proof| -> Option<Vec<Arc<Scope>>> {
            let rights = self.rights_in(&state, proof, now)?;
            let rights = rights.iter().filter(|right| right.lives(now) && state.allows(&right.role, operation, door));
            let scopes: Vec<Arc<Scope>> = rights.map(|right| right.scope.clone()).collect();
            (!scopes.is_empty()).then_some(scopes)
        };
        let sides: Vec<Vec<Arc<Scope>>> = proofs.iter().map(side).collect::<Option<_>>()?;
        (!sides.is_empty()).then(|| Reach::of(sides, operation.is_guarded() && state.restricted > 0))
    }

    /// What that peer may have, as long as it is one.
    pub(crate) fn scope_of_peer(&self, ae: &str) -> Option<Arc<Scope>> {
        let peer = self.peer(ae).filter(|peer| peer.revoked.is_none())?;
        Some(Arc::new(peer.scope))
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
                peer.fact.is_shown_by(certificate_sha256, now).then(|| peer.rights.clone())
            }
            Proof::Legacy { ae, address } => self.legacy_rights(ae, *address, now),
            Proof::Token { digest } => {
                let token = self.tokens.get(digest)?;
                self.holds(&token.fact, now).then(|| token.rights.clone())
            }
            Proof::Session { user, digest } => {
                let user = self.users.get(user).filter(|user| user.fact.is_active(now))?;
                let sessions = self.sessions.get(&user.fact.name)?;
                let session = sessions.sessions.iter().find(|session| session.digest == *digest)?;
                let whole = session.is_strong() || !self.needs_second_factor(&user.fact);
                let rights = || match whole {
                    true => with_own_account(&self.with_grants(user, now)),
                    false => unlimited(Role::Person),
                };
                (now < session.ends).then(rights)
            }
            Proof::SigningIn { user } => {
                let user = self.users.get(user);
                user.is_none_or(|user| user.fact.disabled.is_none()).then(|| unlimited(Role::SigningIn))
            }
            Proof::Vouched { user, until } => {
                let user = self.users.get(user).filter(|user| user.fact.disabled.is_none())?;
                (now < *until).then(|| self.with_grants(user, now))
            }
            Proof::Owner { user } => {
                let user = self.users.get(user).filter(|user| user.fact.is_active(now))?;
                Some(self.with_grants(user, now))
            }
            Proof::Federated { rights, until } => (now < *until).then(|| rights.clone()),
            Proof::Invitation { id, digest } => {
                let invitation = self.invitations.get(id)?;
                let holds = invitation.is_open(now) && invitation.digest == *digest;
                holds.then(|| unlimited(Role::Invited))
            }
            Proof::SetupCode { digest } => {
                let holds =
                    self.setup.digest.as_ref() == Some(digest) && self.setup.expires.is_some_and(|end| now < end);
                holds.then(|| unlimited(Role::Setup))
            }
            Proof::Stranger { ae, certificate_sha256 } => {
                self.is_unknown_sender(ae, certificate_sha256).then(|| unlimited(Role::UnknownSender))
            }
            Proof::Accepted { sender, .. } => {
                let held = self.held.get(sender);
                held.is_some_and(|held| held.decision == Decision::Accept).then(|| unlimited(Role::PeerStore))
            }
            Proof::Host => Some(unlimited(Role::Host)),
        }
    }

    /// Whether a token is worth anything now.
    fn holds(&self, token: &TokenFact, now: SystemTime) -> bool {
        let given_way = token.until_second_factor && self.has_administrator_with_second_factor();
        token.revoked.is_none() && now < token.expires && !given_way
    }

    fn has_administrator_with_second_factor(&self) -> bool {
        self.users.values().map(|user| &user.fact).any(|user| {
            let administers = user.rights.iter().any(|right| right.role == Role::Administrator.name());
            let by_passkey = user.vouched.is_none() && !user.passkeys.is_empty();
            let signs_in = by_passkey || (user.passphrase.is_some() && user.totp.is_some());
            administers && signs_in && user.disabled.is_none()
        })
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

    fn needs_second_factor(&self, user: &UserFact) -> bool {
        self.second_factor_for_all || user.rights.iter().any(|right| self.administers(&right.role))
    }

    /// Whether whoever holds a role of that name does more than look at, send and fetch images.
    fn administers(&self, role: &str) -> bool {
        match Role::named(role) {
            Some(role) => !role.is_limited_by_scope(),
            None => self.roles.get(role).is_some_and(|role| {
                let plain = Role::Reader.operations().chain(Role::Sender.operations());
                !role.operations.iter().all(|operation| plain.clone().any(|plain| plain == *operation))
            }),
        }
    }

    /// Whether what a grant was given for still holds: whoever shares is still there, whoever
    /// takes a patient in an emergency still may.
    fn grounds_hold(&self, rights: &[Right], ground: &Ground, now: SystemTime) -> bool {
        match ground {
            Ground::Share { by } => self.users.get(by).is_some_and(|user| user.fact.disabled.is_none()),
            Ground::BreakGlass { .. } => {
                let may =
                    |right: &Right| right.lives(now) && self.allows(&right.role, Operation::BreakGlass, Door::Admin);
                rights.iter().any(may)
            }
        }
    }

    /// A user's rights, with those that were given for a time.
    fn with_grants(&self, user: &Held<UserFact>, now: SystemTime) -> Arc<[Right]> {
        let grants = self.grants.get(&user.fact.name).map(Vec::as_slice).unwrap_or_default();
        let held = |grant: &&GrantFact| grant.lives(now) && self.grounds_hold(&user.rights, &grant.ground, now);
        let mut living = grants.iter().filter(held).map(|grant| grant.right.clone()).peekable();
        match living.peek() {
            None => user.rights.clone(),
            Some(_) => user.rights.iter().cloned().chain(living).collect(),
        }
    }

    /// Whether a role of that name may do that through that door.
    fn allows(&self, role: &str, operation: Operation, door: Door) -> bool {
        match Role::named(role) {
            Some(role) => role.may(operation, door),
            None => {
                let defined = self.roles.get(role);
                role::opens_to_all_roles(door)
                    && operation.doors().contains(&door)
                    && defined.is_some_and(|role| role.operations.contains(&operation))
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
