//! N-ACTION, PS3.7 §10.1.4 and §10.3.4.

use leadglass_dicom::Uid;

use super::element::{
    ACTION_TYPE_ID, AFFECTED_SOP_CLASS_UID, AFFECTED_SOP_INSTANCE_UID, MESSAGE_ID, REQUESTED_SOP_CLASS_UID,
    REQUESTED_SOP_INSTANCE_UID,
};
use super::{CommandError, CommandSet, StatusDetail, expect, request, response, response_parts};
use crate::status::Status;

pub(super) const RQ: u16 = 0x0130;
pub(super) const RSP: u16 = 0x8130;

/// N-ACTION-RQ. Action Information may follow as data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NActionRequest {
    /// Message ID.
    pub message_id: u16,
    /// Requested SOP Class UID.
    pub requested_sop_class: Uid,
    /// Requested SOP Instance UID.
    pub requested_sop_instance: Uid,
    /// Action Type ID.
    pub action_type: u16,
}

impl From<&NActionRequest> for CommandSet {
    fn from(message: &NActionRequest) -> CommandSet {
        let mut set = request(RQ, message.message_id, true);
        set.put_uid(REQUESTED_SOP_CLASS_UID, &message.requested_sop_class);
        set.put_uid(REQUESTED_SOP_INSTANCE_UID, &message.requested_sop_instance);
        set.put_u16(ACTION_TYPE_ID, message.action_type);
        set
    }
}

impl TryFrom<&CommandSet> for NActionRequest {
    type Error = CommandError;
    fn try_from(set: &CommandSet) -> Result<NActionRequest, CommandError> {
        expect(set, RQ)?;
        Ok(NActionRequest {
            message_id: set.required_u16(MESSAGE_ID)?,
            requested_sop_class: set.required_uid(REQUESTED_SOP_CLASS_UID)?,
            requested_sop_instance: set.required_uid(REQUESTED_SOP_INSTANCE_UID)?,
            action_type: set.required_u16(ACTION_TYPE_ID)?,
        })
    }
}

/// N-ACTION-RSP. A reply may follow as data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NActionResponse {
    /// Message ID Being Responded To.
    pub responded_to: u16,
    /// Affected SOP Class UID.
    pub affected_sop_class: Option<Uid>,
    /// Affected SOP Instance UID.
    pub affected_sop_instance: Option<Uid>,
    /// Action Type ID.
    pub action_type: Option<u16>,
    /// Status.
    pub status: Status,
    /// What it says beside the status.
    pub detail: StatusDetail,
}

impl NActionRequest {
    /// The response to it.
    pub fn response(&self, status: Status, detail: StatusDetail) -> NActionResponse {
        NActionResponse {
            responded_to: self.message_id,
            affected_sop_class: Some(self.requested_sop_class.clone()),
            affected_sop_instance: Some(self.requested_sop_instance.clone()),
            action_type: Some(self.action_type),
            status,
            detail,
        }
    }
}

impl From<&NActionResponse> for CommandSet {
    fn from(message: &NActionResponse) -> CommandSet {
        let mut set = response(RSP, message.responded_to, message.status, &message.detail);
        if let Some(uid) = &message.affected_sop_class {
            set.put_uid(AFFECTED_SOP_CLASS_UID, uid);
        }
        if let Some(uid) = &message.affected_sop_instance {
            set.put_uid(AFFECTED_SOP_INSTANCE_UID, uid);
        }
        if let Some(id) = message.action_type {
            set.put_u16(ACTION_TYPE_ID, id);
        }
        set
    }
}

impl TryFrom<&CommandSet> for NActionResponse {
    type Error = CommandError;
    fn try_from(set: &CommandSet) -> Result<NActionResponse, CommandError> {
        let (responded_to, status, detail) = response_parts(set, RSP)?;
        Ok(NActionResponse {
            responded_to,
            affected_sop_class: set.uid(AFFECTED_SOP_CLASS_UID)?,
            affected_sop_instance: set.uid(AFFECTED_SOP_INSTANCE_UID)?,
            action_type: set.u16(ACTION_TYPE_ID),
            status,
            detail,
        })
    }
}
