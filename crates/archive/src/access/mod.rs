//! Who calls, and what they may do.

pub mod scope;

use std::net::IpAddr;

use leadglass_dicom::AeTitle;

/// Where a call comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The address of the other end; `None` for the host's own commands.
    pub address: Option<IpAddr>,
    /// The door it came through.
    pub door: Door,
}

/// The doors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Door {
    /// DICOM over TLS.
    Dimse,
    /// HTTPS: DICOMweb.
    DicomWeb,
    /// HTTPS: administration.
    Admin,
    /// A command of the host's operator, who can read the key file.
    Host,
}

/// What a caller shows.
pub enum Credential {
    /// A DICOM peer: the verified TLS client certificate and the association's titles.
    Peer {
        /// The end-entity certificate, DER.
        certificate_der: Vec<u8>,
        /// Calling AE Title.
        calling_ae: AeTitle,
        /// User identity negotiation, PS3.7 D.3.3.7, when the requestor sent it.
        user_identity: Option<UserIdentity>,
    },
    /// The text after `Bearer`.
    ApiToken(String),
    /// The one-time setup code.
    SetupCode(String),
    /// The host's operator: whoever could open the data directory with the master key.
    Host,
}

/// A user identity as negotiated.
pub enum UserIdentity {
    /// Type 1: a name alone. Recorded; grants nothing (PS3.15 B.4).
    Username(String),
    /// Type 2: name and passcode, verified (PS3.15 B.5). The passcode is an API token of
    /// the user's until people have passphrases.
    UsernamePasscode(String, String),
    /// Types 3 to 5 (or unknown): refused.
    Unsupported(u8),
}

/// Someone known: proof that `authenticate` succeeded.
#[derive(Clone, Debug)]
pub struct Caller {
    name: String,
}

impl Caller {
    /// A name for the trail: AE title, token name, "host operator".
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Why authentication failed. The reason is for our log and trail, never for the caller.
#[derive(Debug, thiserror::Error)]
#[error("rejected: {reason}")]
pub struct Rejected {
    /// For the log: no secret, no text from the caller.
    pub reason: &'static str,
    /// Whether the calling AE title is what was not recognized (A-ASSOCIATE-RJ 1/1/3).
    pub calling_ae_unknown: bool,
}
