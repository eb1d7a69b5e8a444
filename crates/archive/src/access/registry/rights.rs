//! What a user, a peer and a proof of no scope bring, as rights.

use std::sync::Arc;

use crate::access::people::UserFact;
use crate::access::{Right, Role, Scope};
use crate::administer::{Peer, Verb};

/// A role with no limit to its scope.
pub(super) fn unlimited(role: Role) -> Arc<[Right]> {
    Arc::new([Right::of(role.name(), Arc::new(Scope::unlimited()))])
}

/// Their rights, and the images of their own patients.
pub(super) fn rights_of_user(user: &UserFact) -> Arc<[Right]> {
    let patients = (!user.patients.is_empty()).then(|| {
        let scope = Scope { patient_ids: user.patients.clone(), ..Scope::default() };
        Right::of(Role::Viewer.name(), Arc::new(scope))
    });
    user.rights.iter().cloned().chain(patients).collect()
}

/// Those rights, and what everybody may do with their own account.
pub(super) fn with_own_account(rights: &[Right]) -> Arc<[Right]> {
    rights.iter().cloned().chain([Right::of(Role::Person.name(), Arc::new(Scope::unlimited()))]).collect()
}

/// That of every peer, and a role per verb.
pub(super) fn rights_of_peer(peer: &Peer) -> Arc<[Right]> {
    let scope = Arc::new(peer.scope.clone());
    let role = |verb: &Verb| match verb {
        Verb::Store => Role::PeerStore,
        Verb::Find => Role::PeerFind,
        Verb::Retrieve => Role::PeerRetrieve,
        Verb::Commit => Role::PeerCommit,
    };
    let roles = std::iter::once(Role::Peer).chain(peer.verbs.iter().map(role));
    roles.map(|role| Right::of(role.name(), scope.clone())).collect()
}
