//! Legacy peers in the registry: known by title, with what their declaration allows.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use super::{Held, Registry, State};
use crate::access::{Right, Role};
use crate::administer::LegacyPeer;

impl Registry {
    /// The legacy peer of that title, whether it lives or not.
    pub(crate) fn legacy_peer(&self, ae: &str) -> Option<LegacyPeer> {
        self.state.read().legacy.get(ae).map(|peer| peer.fact.clone())
    }

    /// All legacy peers by title.
    pub(crate) fn legacy_peers(&self) -> Vec<LegacyPeer> {
        let state = self.state.read();
        let mut peers: Vec<LegacyPeer> = state.legacy.values().map(|peer| peer.fact.clone()).collect();
        peers.sort_by(|a, b| a.ae.cmp(&b.ae));
        peers
    }
}

impl State {
    /// A declaration is known from now on.
    pub(super) fn declare(&mut self, peer: LegacyPeer) {
        let rights = Arc::new([Right::of(Role::LegacyPeer.name(), Arc::new(peer.scope.clone()))]);
        self.legacy.insert(peer.ae.clone(), Held { fact: peer, rights });
    }

    /// What the declaration of that title allows to whatever calls from there.
    pub(super) fn legacy_rights(&self, ae: &str, address: IpAddr, now: SystemTime) -> Option<Arc<[Right]>> {
        let peer = self.legacy.get(ae)?;
        peer.fact.is_at(address, now).then(|| peer.rights.clone())
    }
}
