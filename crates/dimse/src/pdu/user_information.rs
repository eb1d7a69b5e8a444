//! The user information item and its sub-items, PS3.8 §9.3.2.3 and PS3.7 Annex D.3.3.

use leadglass_dicom::Uid;

use super::Fault;
use super::items::{Items, counted, put_counted, put_item, uid};
use crate::association::AssociationError;
use crate::negotiation::{ExtendedNegotiation, RoleSelection, UserIdentityItem};

const MAXIMUM_LENGTH: u8 = 0x51;
const IMPLEMENTATION_CLASS_UID: u8 = 0x52;
const ASYNCHRONOUS_OPERATIONS: u8 = 0x53;
const ROLE_SELECTION: u8 = 0x54;
const IMPLEMENTATION_VERSION_NAME: u8 = 0x55;
const EXTENDED_NEGOTIATION: u8 = 0x56;
const USER_IDENTITY: u8 = 0x58;
const USER_IDENTITY_RESPONSE: u8 = 0x59;

/// What the sub-items say, of a request or an acceptance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct UserInformation {
    pub(super) max_pdu_bytes: u32,
    pub(super) implementation_class: Option<Uid>,
    pub(super) implementation_version: Option<String>,
    pub(super) async_operations: Option<(u16, u16)>,
    pub(super) roles: Vec<RoleSelection>,
    pub(super) extended: Vec<ExtendedNegotiation>,
    pub(super) user_identity: Option<UserIdentityItem>,
    pub(super) user_identity_response: Option<Vec<u8>>,
}

impl UserInformation {
    /// Reads the sub-items. Those that PS3.7 does not name, and common extended
    /// negotiation (57H), which asks for no answer, are passed over.
    pub(super) fn decode(bytes: &[u8]) -> Result<UserInformation, Fault> {
        let mut user = UserInformation::default();
        let mut max_pdu_bytes = None;
        let mut items = Items::new(bytes);
        while let Some((kind, value)) = items.next()? {
            match kind {
                MAXIMUM_LENGTH => once(&mut max_pdu_bytes, u32::from_be_bytes(exactly(value)?))?,
                // These two inform people only: what is malformed in them is left out.
                IMPLEMENTATION_CLASS_UID => user.implementation_class = uid(value).ok(),
                IMPLEMENTATION_VERSION_NAME => user.implementation_version = version_name(value),
                ASYNCHRONOUS_OPERATIONS => {
                    let [a, b, c, d] = exactly(value)?;
                    once(&mut user.async_operations, (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))?;
                }
                ROLE_SELECTION => user.roles.push(role(value)?),
                EXTENDED_NEGOTIATION => {
                    let (sop_class, information) = counted(value)?;
                    let extended =
                        ExtendedNegotiation { sop_class: uid(sop_class)?, information: information.to_vec() };
                    user.extended.push(extended);
                }
                USER_IDENTITY => once(&mut user.user_identity, identity(value)?)?,
                USER_IDENTITY_RESPONSE => once(&mut user.user_identity_response, counted(value)?.0.to_vec())?,
                _ => {}
            }
        }
        user.max_pdu_bytes = max_pdu_bytes.unwrap_or(0);
        Ok(user)
    }

    /// Appends the sub-items.
    pub(super) fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), AssociationError> {
        put_bytes(out, MAXIMUM_LENGTH, &self.max_pdu_bytes.to_be_bytes())?;
        if let Some(uid) = &self.implementation_class {
            put_bytes(out, IMPLEMENTATION_CLASS_UID, uid.as_str().as_bytes())?;
        }
        if let Some((invoked, performed)) = self.async_operations {
            let [a, b] = invoked.to_be_bytes();
            let [c, d] = performed.to_be_bytes();
            put_bytes(out, ASYNCHRONOUS_OPERATIONS, &[a, b, c, d])?;
        }
        for role in &self.roles {
            put_item(out, ROLE_SELECTION, |out| {
                put_counted(out, role.sop_class.as_str().as_bytes())?;
                out.extend([u8::from(role.scu), u8::from(role.scp)]);
                Ok(())
            })?;
        }
        if let Some(name) = &self.implementation_version {
            put_bytes(out, IMPLEMENTATION_VERSION_NAME, name.as_bytes())?;
        }
        for extended in &self.extended {
            put_item(out, EXTENDED_NEGOTIATION, |out| {
                put_counted(out, extended.sop_class.as_str().as_bytes())?;
                out.extend_from_slice(&extended.information);
                Ok(())
            })?;
        }
        if let Some(identity) = &self.user_identity {
            put_item(out, USER_IDENTITY, |out| {
                out.extend([identity.kind, u8::from(identity.response_requested)]);
                put_counted(out, &identity.primary)?;
                put_counted(out, &identity.secondary)
            })?;
        }
        if let Some(response) = &self.user_identity_response {
            put_item(out, USER_IDENTITY_RESPONSE, |out| put_counted(out, response))?;
        }
        Ok(())
    }
}

fn put_bytes(out: &mut Vec<u8>, kind: u8, value: &[u8]) -> Result<(), AssociationError> {
    put_item(out, kind, |out| {
        out.extend_from_slice(value);
        Ok(())
    })
}

/// Takes a value that may come once.
fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), Fault> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Fault::unexpected_parameter("a user information sub-item that comes twice")),
    }
}

fn exactly<const N: usize>(value: &[u8]) -> Result<[u8; N], Fault> {
    value.try_into().map_err(|_| Fault::invalid("a user information sub-item of the wrong length"))
}

fn role(value: &[u8]) -> Result<RoleSelection, Fault> {
    let (sop_class, roles) = counted(value)?;
    let [scu, scp] = exactly(roles)?;
    Ok(RoleSelection { sop_class: uid(sop_class)?, scu: scu == 1, scp: scp == 1 })
}

fn identity(value: &[u8]) -> Result<UserIdentityItem, Fault> {
    let short = Fault::invalid("a user identity sub-item that is too short");
    let ([kind, response_requested], rest) = value.split_first_chunk::<2>().ok_or(short)?;
    let (primary, rest) = counted(rest)?;
    let (secondary, _) = counted(rest)?;
    Ok(UserIdentityItem {
        kind: *kind,
        response_requested: *response_requested != 0,
        primary: primary.to_vec(),
        secondary: secondary.to_vec(),
    })
}

/// At most 16 printable ASCII characters, PS3.7 D.3.3.2.
fn version_name(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?.trim_matches([' ', '\0']);
    let printable = text.len() <= 16 && !text.is_empty() && text.bytes().all(|b| (b' '..=b'~').contains(&b));
    printable.then(|| text.to_owned())
}
