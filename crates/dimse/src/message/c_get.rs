//! C-GET, PS3.7 §9.1.3 and §9.3.3.

use leadglass_dicom::Uid;

use super::element::{AFFECTED_SOP_CLASS_UID, MESSAGE_ID, PRIORITY};
use super::retrieve_response::RetrieveResponse;
use super::{CommandError, CommandSet, Priority, SubOperations, expect, request};
use crate::status::Status;

pub(super) const RQ: u16 = 0x0010;
pub(super) const RSP: u16 = 0x8010;

/// C-GET-RQ. The identifier follows as data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CGetRequest {
    /// Message ID.
    pub message_id: u16,
    /// Affected SOP Class UID: the information model.
    pub affected_sop_class: Uid,
    /// Priority.
    pub priority: Priority,
}

impl From<&CGetRequest> for CommandSet {
    fn from(message: &CGetRequest) -> CommandSet {
        let mut set = request(RQ, message.message_id, true);
        set.put_uid(AFFECTED_SOP_CLASS_UID, &message.affected_sop_class);
        set.put_u16(PRIORITY, message.priority.code());
        set
    }
}

impl TryFrom<&CommandSet> for CGetRequest {
    type Error = CommandError;
    fn try_from(set: &CommandSet) -> Result<CGetRequest, CommandError> {
        expect(set, RQ)?;
        Ok(CGetRequest {
            message_id: set.required_u16(MESSAGE_ID)?,
            affected_sop_class: set.required_uid(AFFECTED_SOP_CLASS_UID)?,
            priority: Priority::from_code(set.u16(PRIORITY).unwrap_or(0)),
        })
    }
}

/// C-GET-RSP. A final one may be followed by a data set with the Failed SOP Instance UID List.
pub type CGetResponse = RetrieveResponse<RSP>;

impl CGetRequest {
    /// A response to it.
    pub fn response(&self, status: Status, sub_operations: Option<SubOperations>) -> CGetResponse {
        RetrieveResponse::to(self.message_id, &self.affected_sop_class, status, sub_operations)
    }
}
