//! A-ASSOCIATE-RQ and A-ASSOCIATE-AC, PS3.8 §9.3.2 and §9.3.3.

use leadglass_dicom::{AeTitle, Uid};

use super::Fault;
use super::items::{Items, put_item, uid};
use super::user_information::UserInformation;
use crate::association::AssociationError;
use crate::negotiation::{
    AssociateRequest, ContextResult, ExtendedNegotiation, ProposedContext, Rejection, RoleSelection,
};

/// DICOM Application Context Name, PS3.7 A.2.1.
const APPLICATION_CONTEXT_NAME: &str = "1.2.840.10008.3.1.1.1";
/// Bytes between the header and the items.
const FIXED_BYTES: usize = 68;
/// Most presentation contexts: odd ids from 1 to 255.
const MAX_CONTEXTS: usize = 128;

const APPLICATION_CONTEXT: u8 = 0x10;
const PROPOSED_CONTEXT: u8 = 0x20;
const CONTEXT_RESULT: u8 = 0x21;
const ABSTRACT_SYNTAX: u8 = 0x30;
const TRANSFER_SYNTAX: u8 = 0x40;
const USER_INFORMATION: u8 = 0x50;

/// Why an A-ASSOCIATE-RQ cannot be offered to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// Its bytes are wrong: abort.
    Fault(Fault),
    /// Its bytes are right, and what they ask for nobody here can give: reject.
    Rejected(Rejection),
}

impl From<Fault> for RequestError {
    fn from(fault: Fault) -> RequestError {
        RequestError::Fault(fault)
    }
}

/// Reads the body (without header) of an A-ASSOCIATE-RQ.
pub fn decode_request(body: &[u8]) -> Result<AssociateRequest, RequestError> {
    let short = Fault::invalid("an A-ASSOCIATE-RQ shorter than its fixed fields");
    let (fixed, items) = body.split_first_chunk::<FIXED_BYTES>().ok_or(short)?;
    let version = u16::from_be_bytes([fixed[0], fixed[1]]);
    if version & 1 == 0 {
        return Err(RequestError::Rejected(Rejection::ProtocolVersionNotSupported));
    }
    let parts = RequestItems::decode(items)?;
    let name = parts.application_context.ok_or(Fault::invalid("an A-ASSOCIATE-RQ without application context"))?;
    if name.as_str() != APPLICATION_CONTEXT_NAME {
        return Err(RequestError::Rejected(Rejection::ApplicationContextNotSupported));
    }
    if parts.contexts.is_empty() {
        return Err(Fault::invalid("an A-ASSOCIATE-RQ without presentation contexts").into());
    }
    let user = parts.user.ok_or(Fault::invalid("an A-ASSOCIATE-RQ without user information"))?;
    let called_ae = ae_title(&fixed[4..20]).ok_or(RequestError::Rejected(Rejection::CalledAeNotRecognized))?;
    let calling_ae = ae_title(&fixed[20..36]).ok_or(RequestError::Rejected(Rejection::CallingAeNotRecognized))?;
    Ok(AssociateRequest {
        called_ae,
        calling_ae,
        contexts: parts.contexts,
        max_pdu_bytes: user.max_pdu_bytes,
        implementation_class: user.implementation_class,
        implementation_version: user.implementation_version,
        roles: user.roles,
        extended: user.extended,
        async_operations: user.async_operations,
        user_identity: user.user_identity,
    })
}

#[derive(Default)]
struct RequestItems {
    application_context: Option<Uid>,
    contexts: Vec<ProposedContext>,
    user: Option<UserInformation>,
}

impl RequestItems {
    fn decode(bytes: &[u8]) -> Result<RequestItems, Fault> {
        let mut parts = RequestItems::default();
        let mut items = Items::new(bytes);
        while let Some((kind, value)) = items.next()? {
            match kind {
                APPLICATION_CONTEXT if parts.application_context.is_none() => {
                    parts.application_context = Some(uid(value)?);
                }
                USER_INFORMATION if parts.user.is_none() => parts.user = Some(UserInformation::decode(value)?),
                APPLICATION_CONTEXT | USER_INFORMATION => {
                    return Err(Fault::unexpected_parameter("an item of an A-ASSOCIATE-RQ that comes twice"));
                }
                PROPOSED_CONTEXT => parts.add_context(proposed_context(value)?)?,
                _ => {}
            }
        }
        Ok(parts)
    }

    fn add_context(&mut self, context: ProposedContext) -> Result<(), Fault> {
        if self.contexts.len() == MAX_CONTEXTS {
            return Err(Fault::invalid("more than 128 presentation contexts"));
        }
        if self.contexts.iter().any(|other| other.id == context.id) {
            return Err(Fault::invalid("a presentation context id that comes twice"));
        }
        self.contexts.push(context);
        Ok(())
    }
}

fn proposed_context(value: &[u8]) -> Result<ProposedContext, Fault> {
    let (id, rest) = context_id(value)?;
    let mut abstract_syntax = None;
    let mut transfer_syntaxes = Vec::new();
    let mut items = Items::new(rest);
    while let Some((kind, value)) = items.next()? {
        match kind {
            ABSTRACT_SYNTAX if abstract_syntax.is_none() => abstract_syntax = Some(uid(value)?),
            ABSTRACT_SYNTAX => {
                return Err(Fault::unexpected_parameter("a presentation context with two abstract syntaxes"));
            }
            TRANSFER_SYNTAX => transfer_syntaxes.push(uid(value)?),
            _ => {}
        }
    }
    let abstract_syntax = abstract_syntax.ok_or(Fault::invalid("a presentation context without abstract syntax"))?;
    if transfer_syntaxes.is_empty() {
        return Err(Fault::invalid("a presentation context without transfer syntax"));
    }
    Ok(ProposedContext { id, abstract_syntax, transfer_syntaxes })
}

/// The id of a presentation context item, and what follows its four fixed bytes.
fn context_id(value: &[u8]) -> Result<(u8, &[u8]), Fault> {
    let short = Fault::invalid("a presentation context item shorter than its fixed fields");
    let ([id, _, _, _], rest) = value.split_first_chunk::<4>().ok_or(short)?;
    if id % 2 == 0 {
        return Err(Fault::invalid("a presentation context id that is not odd"));
    }
    Ok((*id, rest))
}

fn ae_title(field: &[u8]) -> Option<AeTitle> {
    let text = std::str::from_utf8(field).ok()?;
    AeTitle::parse(text.trim_end_matches('\0')).ok()
}

/// Writes a whole A-ASSOCIATE-RQ.
pub fn encode_request(request: &AssociateRequest) -> Result<Vec<u8>, AssociationError> {
    check_proposal(request)?;
    let mut out = fixed_fields(1, request);
    for context in &request.contexts {
        put_item(&mut out, PROPOSED_CONTEXT, |out| {
            out.extend([context.id, 0, 0, 0]);
            put_uid(out, ABSTRACT_SYNTAX, context.abstract_syntax.as_str())?;
            context.transfer_syntaxes.iter().try_for_each(|uid| put_uid(out, TRANSFER_SYNTAX, uid.as_str()))
        })?;
    }
    let user = UserInformation {
        max_pdu_bytes: request.max_pdu_bytes,
        implementation_class: request.implementation_class.clone(),
        implementation_version: request.implementation_version.clone(),
        async_operations: request.async_operations,
        roles: request.roles.clone(),
        extended: request.extended.clone(),
        user_identity: request.user_identity.clone(),
        user_identity_response: None,
    };
    put_item(&mut out, USER_INFORMATION, |out| user.encode_into(out))?;
    finish(out)
}

/// Refuses a proposal that the standard does not allow.
fn check_proposal(request: &AssociateRequest) -> Result<(), AssociationError> {
    let mut seen = [false; 256];
    for context in &request.contexts {
        let taken = seen.get_mut(usize::from(context.id)).is_none_or(|seen| std::mem::replace(seen, true));
        if taken || context.id % 2 == 0 || context.transfer_syntaxes.is_empty() {
            return Err(AssociationError::Misuse("presentation contexts have unique odd ids and transfer syntaxes"));
        }
    }
    if request.contexts.is_empty() {
        return Err(AssociationError::Misuse("an association needs a presentation context"));
    }
    Ok(())
}

/// What an A-ASSOCIATE-AC says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssociateAccept {
    /// Results by context id.
    pub contexts: Vec<(u8, ContextResult)>,
    /// Maximum length of P-DATA PDUs the acceptor receives; 0 is no limit.
    pub max_pdu_bytes: u32,
    /// Implementation Class UID.
    pub implementation_class: Option<Uid>,
    /// Implementation Version Name.
    pub implementation_version: Option<String>,
    /// Asynchronous Operations Window; absent means one at a time.
    pub async_operations: Option<(u16, u16)>,
    /// Accepted roles.
    pub roles: Vec<RoleSelection>,
    /// Accepted extended negotiation.
    pub extended: Vec<ExtendedNegotiation>,
    /// User identity server response.
    pub user_identity_response: Option<Vec<u8>>,
}

/// Reads the body (without header) of an A-ASSOCIATE-AC.
pub fn decode_accept(body: &[u8]) -> Result<AssociateAccept, Fault> {
    let short = Fault::invalid("an A-ASSOCIATE-AC shorter than its fixed fields");
    let (_, items) = body.split_first_chunk::<FIXED_BYTES>().ok_or(short)?;
    let mut contexts: Vec<(u8, ContextResult)> = Vec::new();
    let mut user = None;
    let mut items = Items::new(items);
    while let Some((kind, value)) = items.next()? {
        match kind {
            CONTEXT_RESULT => {
                let (id, result) = context_result(value)?;
                if contexts.iter().any(|(other, _)| *other == id) {
                    return Err(Fault::invalid("a presentation context id that comes twice"));
                }
                contexts.push((id, result));
            }
            USER_INFORMATION if user.is_none() => user = Some(UserInformation::decode(value)?),
            USER_INFORMATION => {
                return Err(Fault::unexpected_parameter("an item of an A-ASSOCIATE-AC that comes twice"));
            }
            _ => {}
        }
    }
    let user = user.ok_or(Fault::invalid("an A-ASSOCIATE-AC without user information"))?;
    Ok(AssociateAccept {
        contexts,
        max_pdu_bytes: user.max_pdu_bytes,
        implementation_class: user.implementation_class,
        implementation_version: user.implementation_version,
        async_operations: user.async_operations,
        roles: user.roles,
        extended: user.extended,
        user_identity_response: user.user_identity_response,
    })
}

fn context_result(value: &[u8]) -> Result<(u8, ContextResult), Fault> {
    let (id, rest) = context_id(value)?;
    let result = match value.get(2) {
        Some(0) => match Items::new(rest).next()? {
            Some((TRANSFER_SYNTAX, value)) => ContextResult::Accepted(uid(value)?),
            _ => return Err(Fault::invalid("an accepted presentation context without transfer syntax")),
        },
        Some(1) => ContextResult::UserRejection,
        Some(2) => ContextResult::ProviderRejection,
        Some(3) => ContextResult::AbstractSyntaxNotSupported,
        Some(4) => ContextResult::TransferSyntaxesNotSupported,
        _ => return Err(Fault::invalid("a presentation context with an unknown result")),
    };
    Ok((id, result))
}

/// Writes a whole A-ASSOCIATE-AC in answer to a request.
pub fn encode_accept(request: &AssociateRequest, accept: &AssociateAccept) -> Result<Vec<u8>, AssociationError> {
    let mut out = fixed_fields(2, request);
    for (id, result) in &accept.contexts {
        let proposed = request.contexts.iter().find(|context| context.id == *id);
        let first = proposed.and_then(|context| context.transfer_syntaxes.first());
        put_item(&mut out, CONTEXT_RESULT, |out| {
            out.extend([*id, 0, result.code(), 0]);
            match result {
                ContextResult::Accepted(uid) => put_uid(out, TRANSFER_SYNTAX, uid.as_str()),
                // Not significant (PS3.8 Table 9-18), yet some requestors want an item here.
                _ => put_uid(out, TRANSFER_SYNTAX, first.map_or("", Uid::as_str)),
            }
        })?;
    }
    let user = UserInformation {
        max_pdu_bytes: accept.max_pdu_bytes,
        implementation_class: accept.implementation_class.clone(),
        implementation_version: accept.implementation_version.clone(),
        async_operations: accept.async_operations,
        roles: accept.roles.clone(),
        extended: accept.extended.clone(),
        user_identity: None,
        user_identity_response: accept.user_identity_response.clone(),
    };
    put_item(&mut out, USER_INFORMATION, |out| user.encode_into(out))?;
    finish(out)
}

/// Header, fixed fields and application context.
fn fixed_fields(kind: u8, request: &AssociateRequest) -> Vec<u8> {
    let mut out = vec![kind, 0, 0, 0, 0, 0, 0, 1, 0, 0];
    for title in [&request.called_ae, &request.calling_ae] {
        out.extend(format!("{:<16}", title.as_str()).bytes().take(16));
    }
    out.extend([0; 32]);
    out.extend([APPLICATION_CONTEXT, 0, 0, 21]);
    out.extend_from_slice(APPLICATION_CONTEXT_NAME.as_bytes());
    out
}

fn put_uid(out: &mut Vec<u8>, kind: u8, uid: &str) -> Result<(), AssociationError> {
    put_item(out, kind, |out| {
        out.extend_from_slice(uid.as_bytes());
        Ok(())
    })
}

/// Fills in the PDU's length.
fn finish(mut out: Vec<u8>) -> Result<Vec<u8>, AssociationError> {
    let length = u32::try_from(out.len() - super::HEADER_BYTES)
        .map_err(|_| AssociationError::Misuse("what is to be negotiated does not fit into a PDU"))?;
    if let Some(field) = out.get_mut(2..6) {
        field.copy_from_slice(&length.to_be_bytes());
    }
    Ok(out)
}
