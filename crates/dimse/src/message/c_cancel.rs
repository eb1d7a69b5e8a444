//! C-CANCEL, PS3.7 §9.3.2.3, §9.3.3.3 and §9.3.4.3.

use super::element::{COMMAND_FIELD, MESSAGE_ID_BEING_RESPONDED_TO};
use super::{CommandError, CommandSet, expect};

pub(super) const RQ: u16 = 0x0FFF;

/// C-CANCEL-RQ. It has no response of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CCancelRequest {
    /// Message ID Being Responded To: that of the request to cancel.
    pub responded_to: u16,
}

impl From<&CCancelRequest> for CommandSet {
    fn from(message: &CCancelRequest) -> CommandSet {
        let mut set = CommandSet::default();
        set.put_u16(COMMAND_FIELD, RQ);
        set.put_u16(MESSAGE_ID_BEING_RESPONDED_TO, message.responded_to);
        set.put_has_data_set(false);
        set
    }
}

impl TryFrom<&CommandSet> for CCancelRequest {
    type Error = CommandError;
    fn try_from(set: &CommandSet) -> Result<CCancelRequest, CommandError> {
        expect(set, RQ)?;
        Ok(CCancelRequest { responded_to: set.required_u16(MESSAGE_ID_BEING_RESPONDED_TO)? })
    }
}
