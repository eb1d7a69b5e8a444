//! What a stranger shows at a door.

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Door {
    /// DICOM over TLS.
    Dimse,
    /// DICOM in clear text, of declared legacy peers.
    Legacy,
    /// HTTPS: DICOMweb.
    DicomWeb,
    /// HTTPS: administration.
    Admin,
    /// A command of the host's operator, who can read the key file.
    Host,
}

impl Door {
    /// All of them.
    pub const ALL: &[Door] = &[Door::Dimse, Door::Legacy, Door::DicomWeb, Door::Admin, Door::Host];

    /// The name in the trail and the policy matrix.
    pub fn name(self) -> &'static str {
        match self {
            Door::Dimse => "dimse",
            Door::Legacy => "legacy",
            Door::DicomWeb => "dicomweb",
            Door::Admin => "admin",
            Door::Host => "host",
        }
    }
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
    /// A calling AE title in clear text: nothing that could be verified.
    Legacy {
        /// Calling AE Title.
        calling_ae: AeTitle,
    },
    /// The text after `Bearer`.
    ApiToken(String),
    /// The secret of a person's session.
    Session(String),
    /// The one-use token of an invitation.
    Invitation(String),
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
    /// Type 3: a Kerberos service ticket. Refused: no key distribution centre is trusted.
    Kerberos,
    /// Type 4: a SAML assertion, verified (PS3.15 B.7).
    Saml(Vec<u8>),
    /// Type 5: a JSON Web Token, verified.
    Jwt(Vec<u8>),
    /// An unknown type: refused.
    Unsupported(u8),
}
