//! C-ECHO, PS3.7 §9.1.5 and §9.3.5.

use leadglass_dicom::Uid;

use super::element::{AFFECTED_SOP_CLASS_UID, MESSAGE_ID};
use super::{CommandError, CommandSet, StatusDetail, expect, request, response, response_parts};
use crate::status::Status;

pub(super) const RQ: u16 = 0x0030;
pub(super) const RSP: u16 = 0x8030;

/// C-ECHO-RQ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CEchoRequest {
    /// Message ID.
    pub message_id: u16,
    /// Affected SOP Class UID: Verification.
    pub affected_sop_class: Uid,
}

impl From<&CEchoRequest> for CommandSet {
    fn from(message: &CEchoRequest) -> CommandSet {
        let mut set = request(RQ, message.message_id, false);
        set.put_uid(AFFECTED_SOP_CLASS_UID, &message.affected_sop_class);
        set
    }
}

impl TryFrom<&CommandSet> for CEchoRequest {
    type Error = CommandError;
    fn try_from(set: &CommandSet) -> Result<CEchoRequest, CommandError> {
        expect(set, RQ)?;
        Ok(CEchoRequest {
            message_id: set.required_u16(MESSAGE_ID)?,
            affected_sop_class: set.required_uid(AFFECTED_SOP_CLASS_UID)?,
        })
    }
}

/// C-ECHO-RSP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CEchoResponse {
    /// Message ID Being Responded To.
    pub responded_to: u16,
    /// Affected SOP Class UID.
    pub affected_sop_class: Option<Uid>,
    /// Status.
    pub status: Status,
    /// What it says beside the status.
    pub detail: StatusDetail,
}

impl CEchoRequest {
    /// The response to it.
    pub fn response(&self, status: Status) -> CEchoResponse {
        CEchoResponse {
            responded_to: self.message_id,
            affected_sop_class: Some(self.affected_sop_class.clone()),
            status,
            detail: StatusDetail::none(),
        }
    }
}

impl From<&CEchoResponse> for CommandSet {
    fn from(message: &CEchoResponse) -> CommandSet {
        let mut set = response(RSP, message.responded_to, message.status, &message.detail);
        if let Some(uid) = &message.affected_sop_class {
            set.put_uid(AFFECTED_SOP_CLASS_UID, uid);
        }
        set
    }
}

impl TryFrom<&CommandSet> for CEchoResponse {
    type Error = CommandError;
    fn try_from(set: &CommandSet) -> Result<CEchoResponse, CommandError> {
        let (responded_to, status, detail) = response_parts(set, RSP)?;
        Ok(CEchoResponse { responded_to, affected_sop_class: set.uid(AFFECTED_SOP_CLASS_UID)?, status, detail })
    }
}
