//! What two AEs agree on, PS3.8 §7.1 and PS3.7 Annex D.

use leadglass_dicom::{AeTitle, Uid};

/// An A-ASSOCIATE-RQ, parsed within limits.
#[derive(Clone, Debug)]
pub struct AssociateRequest {
    /// Called AE Title.
    pub called_ae: AeTitle,
    /// Calling AE Title.
    pub calling_ae: AeTitle,
    /// Proposed presentation contexts.
    pub contexts: Vec<ProposedContext>,
    /// Maximum length of P-DATA PDUs the requestor receives; 0 is no limit.
    pub max_pdu_bytes: u32,
    /// Implementation Class UID.
    pub implementation_class: Option<Uid>,
    /// Implementation Version Name.
    pub implementation_version: Option<String>,
    /// SCP/SCU Role Selection, PS3.7 D.3.3.4.
    pub roles: Vec<RoleSelection>,
    /// SOP Class Extended Negotiation, PS3.7 D.3.3.5.
    pub extended: Vec<ExtendedNegotiation>,
    /// Asynchronous Operations Window as invoked, performed; 0 is unlimited.
    pub async_operations: Option<(u16, u16)>,
    /// User Identity, PS3.7 D.3.3.7.
    pub user_identity: Option<UserIdentityItem>,
}

/// A proposed presentation context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposedContext {
    /// Odd, 1 to 255.
    pub id: u8,
    /// Abstract syntax: a SOP class.
    pub abstract_syntax: Uid,
    /// Transfer syntaxes in the requestor's order.
    pub transfer_syntaxes: Vec<Uid>,
}

/// Role selection for one SOP class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleSelection {
    /// The SOP class.
    pub sop_class: Uid,
    /// Whether the requestor is (RQ) or may be (AC) SCU.
    pub scu: bool,
    /// Whether the requestor is (RQ) or may be (AC) SCP.
    pub scp: bool,
}

/// Extended negotiation for one SOP class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtendedNegotiation {
    /// The SOP class.
    pub sop_class: Uid,
    /// Service class application information, as PS3.4 defines for that class.
    pub information: Vec<u8>,
}

/// The user identity item of a request.
#[derive(Clone, PartialEq, Eq)]
pub struct UserIdentityItem {
    /// 1 username, 2 username and passcode, 3 Kerberos, 4 SAML, 5 JWT.
    pub kind: u8,
    /// Whether a response is asked for.
    pub response_requested: bool,
    /// Primary field.
    pub primary: Vec<u8>,
    /// Secondary field: the passcode.
    pub secondary: Vec<u8>,
}

impl std::fmt::Debug for UserIdentityItem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserIdentityItem").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// The acceptor's answer to a request it accepts.
#[derive(Clone, Debug, Default)]
pub struct Acceptance {
    /// One result for each proposed context, in order.
    pub contexts: Vec<ContextResult>,
    /// Accepted roles.
    pub roles: Vec<RoleSelection>,
    /// Accepted extended negotiation.
    pub extended: Vec<ExtendedNegotiation>,
    /// Server response for a user identity with `response_requested`, empty for types 1 and 2.
    pub user_identity_response: Option<Vec<u8>>,
}

/// Result for a proposed context, PS3.8 Table 9-18.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContextResult {
    /// 0: accepted with this transfer syntax.
    Accepted(Uid),
    /// 1.
    UserRejection,
    /// 3.
    AbstractSyntaxNotSupported,
    /// 4.
    TransferSyntaxesNotSupported,
}

/// An accepted presentation context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentationContext {
    /// Its id.
    pub id: u8,
    /// The SOP class.
    pub abstract_syntax: Uid,
    /// The transfer syntax.
    pub transfer_syntax: Uid,
}

/// Why an association is rejected: result, source and reason of PS3.8 Table 9-21.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// 1/1/1.
    NoReasonGiven,
    /// 1/1/2.
    ApplicationContextNotSupported,
    /// 1/1/3.
    CallingAeNotRecognized,
    /// 1/1/7.
    CalledAeNotRecognized,
    /// 2/3/1: temporary congestion.
    TemporaryCongestion,
    /// 2/3/2: local limit exceeded.
    LocalLimitExceeded,
    /// 1/2/2.
    ProtocolVersionNotSupported,
}
