//! C-FIND, PS3.7 §9.1.2 and §9.3.2.

use leadglass_dicom::Uid;

use super::element::{AFFECTED_SOP_CLASS_UID, MESSAGE_ID, PRIORITY};
use super::{CommandError, CommandSet, Priority, StatusDetail, expect, request, response, response_parts};
use crate::status::Status;

pub(super) const RQ: u16 = 0x0020;
pub(super) const RSP: u16 = 0x8020;

/// C-FIND-RQ. The identifier follows as data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CFindRequest {
    /// Message ID.
    pub message_id: u16,
    /// Affected SOP Class UID: the information model.
    pub affected_sop_class: Uid,
    /// Priority.
    pub priority: Priority,
}

impl From<&CFindRequest> for CommandSet {
    fn from(message: &CFindRequest) -> CommandSet {
        let mut set = request(RQ, message.message_id, true);
        set.put_uid(AFFECTED_SOP_CLASS_UID, &message.affected_sop_class);
        set.put_u16(PRIORITY, message.priority.code());
        set
    }
}

impl TryFrom<&CommandSet> for CFindRequest {
    type Error = CommandError;
    fn try_from(set: &CommandSet) -> Result<CFindRequest, CommandError> {
        expect(set, RQ)?;
        Ok(CFindRequest {
            message_id: set.required_u16(MESSAGE_ID)?,
            affected_sop_class: set.required_uid(AFFECTED_SOP_CLASS_UID)?,
            priority: Priority::from_code(set.u16(PRIORITY).unwrap_or(0)),
        })
    }
}

/// C-FIND-RSP. A match follows as data set when the status is pending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CFindResponse {
    /// Message ID Being Responded To.
    pub responded_to: u16,
    /// Affected SOP Class UID.
    pub affected_sop_class: Option<Uid>,
    /// Status.
    pub status: Status,
    /// What it says beside the status.
    pub detail: StatusDetail,
}

impl CFindRequest {
    /// A response to it.
    pub fn response(&self, status: Status, detail: StatusDetail) -> CFindResponse {
        CFindResponse {
            responded_to: self.message_id,
            affected_sop_class: Some(self.affected_sop_class.clone()),
            status,
            detail,
        }
    }
}

impl From<&CFindResponse> for CommandSet {
    fn from(message: &CFindResponse) -> CommandSet {
        let mut set = response(RSP, message.responded_to, message.status, &message.detail);
        if let Some(uid) = &message.affected_sop_class {
            set.put_uid(AFFECTED_SOP_CLASS_UID, uid);
        }
        set.put_has_data_set(message.status.is_pending());
        set
    }
}

impl TryFrom<&CommandSet> for CFindResponse {
    type Error = CommandError;
    fn try_from(set: &CommandSet) -> Result<CFindResponse, CommandError> {
        let (responded_to, status, detail) = response_parts(set, RSP)?;
        Ok(CFindResponse { responded_to, affected_sop_class: set.uid(AFFECTED_SOP_CLASS_UID)?, status, detail })
    }
}
