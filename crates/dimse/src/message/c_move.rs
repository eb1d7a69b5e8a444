//! C-MOVE, PS3.7 §9.1.4 and §9.3.4.

use leadglass_dicom::{AeTitle, Uid};

use super::element::{AFFECTED_SOP_CLASS_UID, MESSAGE_ID, MOVE_DESTINATION, PRIORITY};
use super::retrieve_response::RetrieveResponse;
use super::{CommandError, CommandSet, Priority, SubOperations, expect, request};
use crate::status::Status;

pub(super) const RQ: u16 = 0x0021;
pub(super) const RSP: u16 = 0x8021;

/// C-MOVE-RQ. The identifier follows as data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CMoveRequest {
    /// Message ID.
    pub message_id: u16,
    /// Affected SOP Class UID: the information model.
    pub affected_sop_class: Uid,
    /// Priority.
    pub priority: Priority,
    /// Move Destination: where the C-STORE sub-operations go.
    pub move_destination: AeTitle,
}

impl From<&CMoveRequest> for CommandSet {
    fn from(message: &CMoveRequest) -> CommandSet {
        let mut set = request(RQ, message.message_id, true);
        set.put_uid(AFFECTED_SOP_CLASS_UID, &message.affected_sop_class);
        set.put_u16(PRIORITY, message.priority.code());
        set.put_text(MOVE_DESTINATION, message.move_destination.as_str());
        set
    }
}

impl TryFrom<&CommandSet> for CMoveRequest {
    type Error = CommandError;
    fn try_from(set: &CommandSet) -> Result<CMoveRequest, CommandError> {
        expect(set, RQ)?;
        Ok(CMoveRequest {
            message_id: set.required_u16(MESSAGE_ID)?,
            affected_sop_class: set.required_uid(AFFECTED_SOP_CLASS_UID)?,
            priority: Priority::from_code(set.u16(PRIORITY).unwrap_or(0)),
            move_destination: set.ae_title(MOVE_DESTINATION)?.ok_or(CommandError::Missing(MOVE_DESTINATION))?,
        })
    }
}

/// C-MOVE-RSP. A final one may be followed by a data set with the Failed SOP Instance UID List.
pub type CMoveResponse = RetrieveResponse<RSP>;

impl CMoveRequest {
    /// A response to it.
    pub fn response(&self, status: Status, sub_operations: Option<SubOperations>) -> CMoveResponse {
        RetrieveResponse::to(self.message_id, &self.affected_sop_class, status, sub_operations)
    }
}
