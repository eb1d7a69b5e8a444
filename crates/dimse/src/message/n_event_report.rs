//! N-EVENT-REPORT, PS3.7 §10.1.1 and §10.3.1.

use leadglass_dicom::Uid;

use super::element::{AFFECTED_SOP_CLASS_UID, AFFECTED_SOP_INSTANCE_UID, EVENT_TYPE_ID, MESSAGE_ID};
use super::{CommandError, CommandSet, StatusDetail, expect, request, response, response_parts};
use crate::status::Status;

pub(super) const RQ: u16 = 0x0100;
pub(super) const RSP: u16 = 0x8100;

/// N-EVENT-REPORT-RQ. Event Information may follow as data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NEventReportRequest {
    /// Message ID.
    pub message_id: u16,
    /// Affected SOP Class UID.
    pub affected_sop_class: Uid,
    /// Affected SOP Instance UID.
    pub affected_sop_instance: Uid,
    /// Event Type ID.
    pub event_type: u16,
}

impl From<&NEventReportRequest> for CommandSet {
    fn from(message: &NEventReportRequest) -> CommandSet {
        let mut set = request(RQ, message.message_id, true);
        set.put_uid(AFFECTED_SOP_CLASS_UID, &message.affected_sop_class);
        set.put_uid(AFFECTED_SOP_INSTANCE_UID, &message.affected_sop_instance);
        set.put_u16(EVENT_TYPE_ID, message.event_type);
        set
    }
}

impl TryFrom<&CommandSet> for NEventReportRequest {
    type Error = CommandError;
    fn try_from(set: &CommandSet) -> Result<NEventReportRequest, CommandError> {
        expect(set, RQ)?;
        Ok(NEventReportRequest {
            message_id: set.required_u16(MESSAGE_ID)?,
            affected_sop_class: set.required_uid(AFFECTED_SOP_CLASS_UID)?,
            affected_sop_instance: set.required_uid(AFFECTED_SOP_INSTANCE_UID)?,
            event_type: set.required_u16(EVENT_TYPE_ID)?,
        })
    }
}

/// N-EVENT-REPORT-RSP. A reply may follow as data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NEventReportResponse {
    /// Message ID Being Responded To.
    pub responded_to: u16,
    /// Affected SOP Class UID.
    pub affected_sop_class: Option<Uid>,
    /// Affected SOP Instance UID.
    pub affected_sop_instance: Option<Uid>,
    /// Event Type ID.
    pub event_type: Option<u16>,
    /// Status.
    pub status: Status,
    /// What it says beside the status.
    pub detail: StatusDetail,
}

impl NEventReportRequest {
    /// The response to it.
    pub fn response(&self, status: Status, detail: StatusDetail) -> NEventReportResponse {
        NEventReportResponse {
            responded_to: self.message_id,
            affected_sop_class: Some(self.affected_sop_class.clone()),
            affected_sop_instance: Some(self.affected_sop_instance.clone()),
            event_type: Some(self.event_type),
            status,
            detail,
        }
    }
}

impl From<&NEventReportResponse> for CommandSet {
    fn from(message: &NEventReportResponse) -> CommandSet {
        let mut set = response(RSP, message.responded_to, message.status, &message.detail);
        if let Some(uid) = &message.affected_sop_class {
            set.put_uid(AFFECTED_SOP_CLASS_UID, uid);
        }
        if let Some(uid) = &message.affected_sop_instance {
            set.put_uid(AFFECTED_SOP_INSTANCE_UID, uid);
        }
        if let Some(id) = message.event_type {
            set.put_u16(EVENT_TYPE_ID, id);
        }
        set
    }
}

impl TryFrom<&CommandSet> for NEventReportResponse {
    type Error = CommandError;
    fn try_from(set: &CommandSet) -> Result<NEventReportResponse, CommandError> {
        let (responded_to, status, detail) = response_parts(set, RSP)?;
        Ok(NEventReportResponse {
            responded_to,
            affected_sop_class: set.uid(AFFECTED_SOP_CLASS_UID)?,
            affected_sop_instance: set.uid(AFFECTED_SOP_INSTANCE_UID)?,
            event_type: set.u16(EVENT_TYPE_ID),
            status,
            detail,
        })
    }
}
