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
    /// 2: by the service provider, no reason given.
    ProviderRejection,
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

impl Rejection {
    /// Result, source and reason as they go over the wire.
    pub fn codes(self) -> (u8, u8, u8) {
        match self {
            Rejection::NoReasonGiven => (1, 1, 1),
            Rejection::ApplicationContextNotSupported => (1, 1, 2),
            Rejection::CallingAeNotRecognized => (1, 1, 3),
            Rejection::CalledAeNotRecognized => (1, 1, 7),
            Rejection::TemporaryCongestion => (2, 3, 1),
            Rejection::LocalLimitExceeded => (2, 3, 2),
            Rejection::ProtocolVersionNotSupported => (1, 2, 2),
        }
    }
}

impl ContextResult {
    /// The value on the wire.
    pub fn code(&self) -> u8 {
        match self {
            ContextResult::Accepted(_) => 0,
            ContextResult::UserRejection => 1,
            ContextResult::ProviderRejection => 2,
            ContextResult::AbstractSyntaxNotSupported => 3,
            ContextResult::TransferSyntaxesNotSupported => 4,
        }
    }
}

impl AssociateRequest {
    /// A request without contexts yet, in the name of this implementation.
    pub fn new(calling_ae: AeTitle, called_ae: AeTitle) -> AssociateRequest {
        AssociateRequest {
            called_ae,
            calling_ae,
            contexts: Vec::new(),
            max_pdu_bytes: 0,
            implementation_class: Uid::parse(crate::IMPLEMENTATION_CLASS_UID).ok(),
            implementation_version: Some(crate::IMPLEMENTATION_VERSION_NAME.to_owned()),
            roles: Vec::new(),
            extended: Vec::new(),
            async_operations: None,
            user_identity: None,
        }
    }

    /// Proposes a SOP class in one context with all these transfer syntaxes, of which the
    /// acceptor picks one. Returns the context's id; `None` when all 128 are taken or
    /// there is no transfer syntax, and then nothing is proposed.
    pub fn propose(&mut self, abstract_syntax: &Uid, transfer_syntaxes: &[Uid]) -> Option<u8> {
        let id = u8::try_from(self.contexts.len() * 2 + 1).ok().filter(|_| !transfer_syntaxes.is_empty())?;
        let (abstract_syntax, transfer_syntaxes) = (abstract_syntax.clone(), transfer_syntaxes.to_vec());
        self.contexts.push(ProposedContext { id, abstract_syntax, transfer_syntaxes });
        Some(id)
    }

    /// Proposes a SOP class once for each transfer syntax, so that the acceptor can take
    /// several. Returns the ids of those for which there was room.
    pub fn propose_each(&mut self, abstract_syntax: &Uid, transfer_syntaxes: &[Uid]) -> Vec<u8> {
        transfer_syntaxes.iter().map_while(|uid| self.propose(abstract_syntax, std::slice::from_ref(uid))).collect()
    }

    /// Asks for roles for a SOP class, as C-GET needs them (SCP of the storage classes).
    pub fn propose_role(&mut self, sop_class: &Uid, scu: bool, scp: bool) {
        self.roles.push(RoleSelection { sop_class: sop_class.clone(), scu, scp });
    }
}

/// Answers each proposed context. `supported` gives the transfer syntaxes of a SOP class
/// in the acceptor's order of preference, or `None` for a class it does not serve; the
/// first one that is proposed too is taken.
pub fn select(proposed: &[ProposedContext], mut supported: impl FnMut(&Uid) -> Option<Vec<Uid>>) -> Vec<ContextResult> {
    let mut answer = |context: &ProposedContext| {
        let Some(preferred) = supported(&context.abstract_syntax) else {
            return ContextResult::AbstractSyntaxNotSupported;
        };
        match preferred.into_iter().find(|uid| context.transfer_syntaxes.contains(uid)) {
            Some(uid) => ContextResult::Accepted(uid),
            None => ContextResult::TransferSyntaxesNotSupported,
        }
    };
    proposed.iter().map(&mut answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uid(text: &str) -> Uid {
        Uid::parse(text).unwrap()
    }

    #[test]
    fn the_acceptors_preference_wins() {
        let context = |id, class, syntaxes: &[&str]| ProposedContext {
            id,
            abstract_syntax: uid(class),
            transfer_syntaxes: syntaxes.iter().map(|text| uid(text)).collect(),
        };
        let proposed = [context(1, "1.1", &["2.1", "2.2"]), context(3, "1.1", &["2.9"]), context(5, "1.2", &["2.1"])];
        let results = select(&proposed, |class| (class.as_str() == "1.1").then(|| vec![uid("2.2"), uid("2.1")]));
        let expected = [
            ContextResult::Accepted(uid("2.2")),
            ContextResult::TransferSyntaxesNotSupported,
            ContextResult::AbstractSyntaxNotSupported,
        ];
        assert_eq!(results, expected);
    }

    #[test]
    fn there_is_room_for_128_contexts() {
        let title = AeTitle::parse("A").unwrap();
        let mut request = AssociateRequest::new(title.clone(), title);
        for id in (1..=255).step_by(2) {
            assert_eq!(request.propose(&uid("1.2"), &[uid("1.3")]), Some(id));
        }
        assert_eq!(request.propose(&uid("1.2"), &[uid("1.3")]), None);
        assert_eq!(request.contexts.len(), 128);
    }
}
