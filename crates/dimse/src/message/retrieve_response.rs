//! The response of C-GET and C-MOVE, PS3.7 §9.3.3.2 and §9.3.4.2: the same but for its Command Field.

use leadglass_dicom::Uid;

use super::element::AFFECTED_SOP_CLASS_UID;
use super::{CommandError, CommandSet, StatusDetail, SubOperations, response, response_parts};
use crate::status::Status;

/// A response with that Command Field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetrieveResponse<const COMMAND_FIELD: u16> {
    /// Message ID Being Responded To.
    pub responded_to: u16,
    /// Affected SOP Class UID.
    pub affected_sop_class: Option<Uid>,
    /// Status.
    pub status: Status,
    /// What it says beside the status.
    pub detail: StatusDetail,
    /// How the sub-operations stand.
    pub sub_operations: Option<SubOperations>,
}

impl<const COMMAND_FIELD: u16> RetrieveResponse<COMMAND_FIELD> {
    /// To the request of that Message ID.
    pub(super) fn to(message_id: u16, sop_class: &Uid, status: Status, sub_operations: Option<SubOperations>) -> Self {
        RetrieveResponse {
            responded_to: message_id,
            affected_sop_class: Some(sop_class.clone()),
            status,
            detail: StatusDetail::none(),
            sub_operations,
        }
    }
}

impl<const COMMAND_FIELD: u16> From<&RetrieveResponse<COMMAND_FIELD>> for CommandSet {
    fn from(message: &RetrieveResponse<COMMAND_FIELD>) -> CommandSet {
        let mut set = response(COMMAND_FIELD, message.responded_to, message.status, &message.detail);
        if let Some(uid) = &message.affected_sop_class {
            set.put_uid(AFFECTED_SOP_CLASS_UID, uid);
        }
        if let Some(counts) = message.sub_operations {
            counts.put_into(&mut set);
        }
        set
    }
}

impl<const COMMAND_FIELD: u16> TryFrom<&CommandSet> for RetrieveResponse<COMMAND_FIELD> {
    type Error = CommandError;
    fn try_from(set: &CommandSet) -> Result<Self, CommandError> {
        let (responded_to, status, detail) = response_parts(set, COMMAND_FIELD)?;
        Ok(RetrieveResponse {
            responded_to,
            affected_sop_class: set.uid(AFFECTED_SOP_CLASS_UID)?,
            status,
            detail,
            sub_operations: SubOperations::of(set),
        })
    }
}
