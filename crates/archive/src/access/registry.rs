//! Who is known at present: peers, tokens, setup, in memory.
//!
//! Filled from the index's facts at start and by each change right after it is durable, so
//! that a revocation holds for the next call. Deliberately absent: SQL and files.

use std::collections::HashMap;
use std::time::SystemTime;

use parking_lot::RwLock;

use super::caller::{Principal, Proof};
use super::{Caller, Role};
use crate::administer::{Peer, Verb};
use crate::change::{Fact, SetupFact, TokenFact, kind};

/// The present state of access.
#[derive(Default)]
pub(crate) struct Registry {
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    peers: HashMap<String, Peer>,
    tokens: HashMap<String, TokenFact>,
    setup: SetupFact,
}

impl Registry {
    /// Takes one fact in, replacing the one of its kind and name.
    pub(crate) fn learn(&self, fact: &Fact) -> Result<(), serde_json::Error> {
        let mut state = self.state.write();
        match fact.kind {
            kind::PEER => {
                state.peers.insert(fact.name.clone(), serde_json::from_str(&fact.document)?);
            }
            kind::TOKEN => {
                state.tokens.insert(fact.name.clone(), serde_json::from_str(&fact.document)?);
            }
            _ => state.setup = serde_json::from_str(&fact.document)?,
        }
        Ok(())
    }

    /// The peer of that title, revoked or not.
    pub(crate) fn peer(&self, ae: &str) -> Option<Peer> {
        self.state.read().peers.get(ae).cloned()
    }

    /// Whether a peer that is not revoked has that certificate.
    pub(crate) fn is_enrolled(&self, certificate_sha256: &str) -> bool {
        let state = self.state.read();
        state.peers.values().any(|peer| peer.revoked.is_none() && peer.certificate_sha256 == certificate_sha256)
    }

    /// The token of that digest.
    pub(crate) fn token(&self, digest: &str) -> Option<TokenFact> {
        self.state.read().tokens.get(digest).cloned()
    }

    /// The living token of that name.
    pub(crate) fn token_named(&self, name: &str) -> Option<TokenFact> {
        self.state.read().tokens.values().find(|token| token.name == name && token.revoked.is_none()).cloned()
    }

    /// All peers by title.
    pub(crate) fn peers(&self) -> Vec<Peer> {
        let mut peers: Vec<Peer> = self.state.read().peers.values().cloned().collect();
        peers.sort_by(|a, b| a.ae.cmp(&b.ae));
        peers
    }

    /// All tokens by name.
    pub(crate) fn tokens(&self) -> Vec<TokenFact> {
        let mut tokens: Vec<TokenFact> = self.state.read().tokens.values().cloned().collect();
        tokens.sort_by(|a, b| (&a.name, a.expires).cmp(&(&b.name, b.expires)));
        tokens
    }

    /// How far setup is.
    pub(crate) fn setup(&self) -> SetupFact {
        self.state.read().setup.clone()
    }

    /// Whether everything that caller proved still holds.
    pub(crate) fn is_current(&self, caller: &Caller, now: SystemTime) -> bool {
        caller.principals().iter().all(|principal| self.holds(principal, now))
    }

    fn holds(&self, principal: &Principal, now: SystemTime) -> bool {
        let state = self.state.read();
        match &principal.proof {
            Proof::Peer { ae, certificate_sha256 } => state.peers.get(ae).is_some_and(|peer| {
                peer.revoked.is_none()
                    && peer.certificate_sha256 == *certificate_sha256
                    && peer_roles(peer) == principal.roles
                    && peer.scope == principal.scope
            }),
            Proof::Token { digest } => {
                state.tokens.get(digest).is_some_and(|token| token.revoked.is_none() && now < token.expires)
            }
            Proof::SetupCode { digest } => {
                state.setup.digest.as_ref() == Some(digest) && state.setup.expires.is_some_and(|end| now < end)
            }
            Proof::Host => true,
        }
    }
}

/// The roles a peer's verbs bring.
pub(crate) fn peer_roles(peer: &Peer) -> Vec<Role> {
    peer.verbs
        .iter()
        .map(|verb| match verb {
            Verb::Store => Role::PeerStore,
            Verb::Find => Role::PeerFind,
            Verb::Retrieve => Role::PeerRetrieve,
            Verb::Commit => Role::PeerCommit,
        })
        .collect()
}
