//! Administration: peers and tokens, each change one record.

use std::time::{Duration, SystemTime};

use leadglass_dicom::AeTitle;

use crate::{Archive, Caller, Refused};

/// What a peer may do, each off unless named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// C-STORE.
    Store,
    /// C-FIND.
    Find,
    /// C-MOVE, C-GET.
    Retrieve,
    /// Storage commitment.
    Commit,
}

/// A DICOM peer: certificate, title, verbs, and where it listens when it does.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Peer {
    /// Its AE title.
    pub ae: String,
    /// SHA-256 of its certificate (DER), lower-case hex.
    pub certificate_sha256: String,
    /// What it may do.
    pub verbs: Vec<Verb>,
    /// `host:port` for C-MOVE and commitment reports, when it has one.
    pub address: Option<String>,
    /// When it was revoked, RFC 3339.
    pub revoked: Option<String>,
}

/// An API token without its secret.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Token {
    /// A name for people.
    pub name: String,
    /// The role: see `access::role`.
    pub role: String,
    /// When it ends, RFC 3339.
    pub expires: String,
    /// When it was revoked, RFC 3339.
    pub revoked: Option<String>,
}

impl Archive {
    /// The administrator's first token, for a caller who holds the setup code; works once.
    pub async fn complete_setup(&self, _caller: &Caller, _administrator: &str) -> Result<String, Refused> {
        todo!()
    }

    /// Whether setup is done.
    pub fn is_set_up(&self) -> bool {
        todo!()
    }

    /// A fresh one-time setup code, 30 minutes, replacing any before it; for the host.
    pub async fn new_setup_code(&self, _caller: &Caller) -> Result<String, Refused> {
        todo!()
    }

    /// Adds a peer, or replaces the certificate, verbs and address of one by that title.
    pub async fn add_peer(&self, _caller: &Caller, _peer: Peer) -> Result<(), Refused> {
        todo!()
    }

    /// Revokes a peer: live associations end within 5 s (see `peer_is_current`).
    pub async fn revoke_peer(&self, _caller: &Caller, _ae: &AeTitle) -> Result<(), Refused> {
        todo!()
    }

    /// All peers.
    pub async fn peers(&self, _caller: &Caller) -> Result<Vec<Peer>, Refused> {
        todo!()
    }

    /// Where that peer listens, for C-MOVE and reports. Only for a caller that may retrieve.
    pub async fn destination(&self, _caller: &Caller, _ae: &AeTitle) -> Result<Peer, Refused> {
        todo!()
    }

    /// Whether that caller would still be authenticated: not revoked, not expired.
    pub fn is_current(&self, _caller: &Caller) -> bool {
        todo!()
    }

    /// Whether a peer, not revoked, is enrolled with the certificate of that SHA-256
    /// (lower-case hex). For TLS to believe pinned certificates; grants nothing.
    pub fn is_enrolled(&self, _certificate_sha256: &str) -> bool {
        todo!()
    }

    /// Makes a token; the secret is returned once and kept only hashed.
    pub async fn create_token(&self, _caller: &Caller, _name: &str, _role: &str, _lifetime: Duration) -> Result<String, Refused> {
        todo!()
    }

    /// Revokes a token.
    pub async fn revoke_token(&self, _caller: &Caller, _name: &str) -> Result<(), Refused> {
        todo!()
    }

    /// All tokens.
    pub async fn tokens(&self, _caller: &Caller) -> Result<Vec<Token>, Refused> {
        todo!()
    }

    /// A secret of the host's own (CA key, server key), sealed by the master key; made by
    /// `make` when absent. For the host alone.
    pub async fn host_secret(&self, _caller: &Caller, _name: &str, _make: &(dyn Fn() -> Vec<u8> + Send + Sync)) -> Result<Vec<u8>, Refused> {
        let _: Option<SystemTime> = None;
        todo!()
    }

    /// Replaces a host secret (renewed certificate).
    pub async fn put_host_secret(&self, _caller: &Caller, _name: &str, _secret: &[u8]) -> Result<(), Refused> {
        todo!()
    }
}
