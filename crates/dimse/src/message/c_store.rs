//! C-STORE, PS3.7 §9.1.1 and §9.3.1.

use leadglass_dicom::{AeTitle, Uid};

use super::element::{
    AFFECTED_SOP_CLASS_UID, AFFECTED_SOP_INSTANCE_UID, MESSAGE_ID, MOVE_ORIGINATOR_AE_TITLE,
    MOVE_ORIGINATOR_MESSAGE_ID, PRIORITY,
};
use super::{CommandError, CommandSet, Priority, StatusDetail, expect, request, response, response_parts};
use crate::status::Status;

pub(super) const RQ: u16 = 0x0001;
pub(super) const RSP: u16 = 0x8001;

/// C-STORE-RQ. A data set follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CStoreRequest {
    /// Message ID.
    pub message_id: u16,
    /// Affected SOP Class UID.
    pub affected_sop_class: Uid,
    /// Affected SOP Instance UID.
    pub affected_sop_instance: Uid,
    /// Priority.
    pub priority: Priority,
    /// AE title and Message ID of the C-MOVE this is a sub-operation of.
    pub move_originator: Option<(AeTitle, u16)>,
}

impl From<&CStoreRequest> for CommandSet {
    fn from(message: &CStoreRequest) -> CommandSet {
        let mut set = request(RQ, message.message_id, true);
        set.put_uid(AFFECTED_SOP_CLASS_UID, &message.affected_sop_class);
        set.put_uid(AFFECTED_SOP_INSTANCE_UID, &message.affected_sop_instance);
        set.put_u16(PRIORITY, message.priority.code());
        if let Some((ae_title, message_id)) = &message.move_originator {
            set.put_text(MOVE_ORIGINATOR_AE_TITLE, ae_title.as_str());
            set.put_u16(MOVE_ORIGINATOR_MESSAGE_ID, *message_id);
        }
        set
    }
}

impl TryFrom<&CommandSet> for CStoreRequest {
    type Error = CommandError;
    fn try_from(set: &CommandSet) -> Result<CStoreRequest, CommandError> {
        expect(set, RQ)?;
        // A move originator that cannot be read says nothing of the object: it is left out.
        let originator = set.ae_title(MOVE_ORIGINATOR_AE_TITLE).ok().flatten();
        Ok(CStoreRequest {
            message_id: set.required_u16(MESSAGE_ID)?,
            affected_sop_class: set.required_uid(AFFECTED_SOP_CLASS_UID)?,
            affected_sop_instance: set.required_uid(AFFECTED_SOP_INSTANCE_UID)?,
            priority: Priority::from_code(set.u16(PRIORITY).unwrap_or(0)),
            move_originator: originator.zip(set.u16(MOVE_ORIGINATOR_MESSAGE_ID)),
        })
    }
}

/// C-STORE-RSP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CStoreResponse {
    /// Message ID Being Responded To.
    pub responded_to: u16,
    /// Affected SOP Class UID.
    pub affected_sop_class: Option<Uid>,
    /// Affected SOP Instance UID.
    pub affected_sop_instance: Option<Uid>,
    /// Status.
    pub status: Status,
    /// What it says beside the status.
    pub detail: StatusDetail,
}

impl CStoreRequest {
    /// The response to it.
    pub fn response(&self, status: Status, detail: StatusDetail) -> CStoreResponse {
        CStoreResponse {
            responded_to: self.message_id,
            affected_sop_class: Some(self.affected_sop_class.clone()),
            affected_sop_instance: Some(self.affected_sop_instance.clone()),
            status,
            detail,
        }
    }
}

impl From<&CStoreResponse> for CommandSet {
    fn from(message: &CStoreResponse) -> CommandSet {
        let mut set = response(RSP, message.responded_to, message.status, &message.detail);
        if let Some(uid) = &message.affected_sop_class {
            set.put_uid(AFFECTED_SOP_CLASS_UID, uid);
        }
        if let Some(uid) = &message.affected_sop_instance {
            set.put_uid(AFFECTED_SOP_INSTANCE_UID, uid);
        }
        set
    }
}

impl TryFrom<&CommandSet> for CStoreResponse {
    type Error = CommandError;
    fn try_from(set: &CommandSet) -> Result<CStoreResponse, CommandError> {
        let (responded_to, status, detail) = response_parts(set, RSP)?;
        Ok(CStoreResponse {
            responded_to,
            affected_sop_class: set.uid(AFFECTED_SOP_CLASS_UID)?,
            affected_sop_instance: set.uid(AFFECTED_SOP_INSTANCE_UID)?,
            status,
            detail,
        })
    }
}
