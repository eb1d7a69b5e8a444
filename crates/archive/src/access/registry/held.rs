//! Who is nobody, and what was decided of it.

use super::{Registry, State};
use crate::change::HeldFact;

impl Registry {
    /// From now on what unknown senders send may wait.
    pub(crate) fn hold(&self) {
        self.state.write().holds = true;
    }

    /// What was decided last of that unknown sender.
    pub(crate) fn held(&self, sender: &str) -> Option<HeldFact> {
        self.state.read().held.get(sender).cloned()
    }

    /// What was decided last, of all unknown senders of whom something was.
    pub(crate) fn all_held(&self) -> Vec<HeldFact> {
        self.state.read().held.values().cloned().collect()
    }

    /// Whether certificate and title are nobody's, and never were, and such may send.
    pub(crate) fn is_unknown_sender(&self, ae: &str, certificate_sha256: &str) -> bool {
        self.state.read().is_unknown_sender(ae, certificate_sha256)
    }

    /// Whether certificate and title are nobody's, and never were.
    pub(crate) fn is_nobodys(&self, ae: &str, certificate_sha256: &str) -> bool {
        self.state.read().is_nobodys(ae, certificate_sha256)
    }
}

impl State {
    /// Neither the certificate nor the title may be or have been a peer's: whose certificate was
    /// revoked is no stranger, nor is who takes the title of a peer, legacy or not.
    pub(super) fn is_unknown_sender(&self, ae: &str, certificate_sha256: &str) -> bool {
        self.holds && self.is_nobodys(ae, certificate_sha256)
    }

    fn is_nobodys(&self, ae: &str, certificate_sha256: &str) -> bool {
        !self.peers.contains_key(ae)
            && !self.legacy.contains_key(ae)
            && !self.certificates.contains_key(certificate_sha256)
    }
}
