//! DIMSE messages, PS3.7 §9, §10 and Annex E: a command set and, for each message, a type.
//!
//! Deliberately absent: data sets, which are bytes here, and N-CREATE, N-SET, N-GET and
//! N-DELETE, which no service of ours uses; they come out as [`Command::Unrecognized`].

mod c_cancel;
mod c_echo;
mod c_find;
mod c_get;
mod c_move;
mod c_store;
mod command_set;
pub mod element;
mod n_action;
mod n_event_report;
mod parts;
mod retrieve_response;

use leadglass_dicom::Tag;

pub use c_cancel::CCancelRequest;
pub use c_echo::{CEchoRequest, CEchoResponse};
pub use c_find::{CFindRequest, CFindResponse};
pub use c_get::{CGetRequest, CGetResponse};
pub use c_move::{CMoveRequest, CMoveResponse};
pub use c_store::{CStoreRequest, CStoreResponse};
pub use command_set::CommandSet;
pub use n_action::{NActionRequest, NActionResponse};
pub use n_event_report::{NEventReportRequest, NEventReportResponse};
pub use parts::{ErrorComment, Priority, StatusDetail, SubOperations};
pub use retrieve_response::RetrieveResponse;

use crate::status::Status;
use element::{
    AFFECTED_SOP_CLASS_UID, AFFECTED_SOP_INSTANCE_UID, COMMAND_FIELD, MESSAGE_ID, MESSAGE_ID_BEING_RESPONDED_TO,
    REQUESTED_SOP_CLASS_UID, REQUESTED_SOP_INSTANCE_UID, STATUS,
};

/// The bit of Command Field that a response has and a request has not, PS3.7 E.1.
const RESPONSE: u16 = 0x8000;

/// Why bytes are no command set, or a command set no message. The sender is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// A value is longer than the bytes there are.
    #[error("the peer's command set ends inside an element")]
    Truncated,
    /// Elements are not in ascending order, or one comes twice.
    #[error("the elements of the peer's command set are not in ascending order")]
    OutOfOrder,
    /// More elements than any message has.
    #[error("the peer's command set has too many elements")]
    TooManyElements,
    /// An element outside group 0000.
    #[error("the peer's command set has an element outside group 0000")]
    ForeignGroup,
    /// A required element is absent or empty.
    #[error("the peer's command set lacks {0}")]
    Missing(Tag),
    /// An element's value is not of its type.
    #[error("the peer's command set has a malformed value in {0}")]
    Malformed(Tag),
    /// The command set is of another message than was asked for.
    #[error("the peer's command set is of another message than expected")]
    OtherMessage,
}

/// A message by its Command Field (0000,0100).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// 0x0001.
    CStoreRequest(CStoreRequest),
    /// 0x8001.
    CStoreResponse(CStoreResponse),
    /// 0x0010.
    CGetRequest(CGetRequest),
    /// 0x8010.
    CGetResponse(CGetResponse),
    /// 0x0020.
    CFindRequest(CFindRequest),
    /// 0x8020.
    CFindResponse(CFindResponse),
    /// 0x0021.
    CMoveRequest(CMoveRequest),
    /// 0x8021.
    CMoveResponse(CMoveResponse),
    /// 0x0030.
    CEchoRequest(CEchoRequest),
    /// 0x8030.
    CEchoResponse(CEchoResponse),
    /// 0x0FFF.
    CCancelRequest(CCancelRequest),
    /// 0x0100.
    NEventReportRequest(NEventReportRequest),
    /// 0x8100.
    NEventReportResponse(NEventReportResponse),
    /// 0x0130.
    NActionRequest(NActionRequest),
    /// 0x8130.
    NActionResponse(NActionResponse),
    /// Any other; a request of it is answered by [`refusal`].
    Unrecognized {
        /// Command Field.
        command_field: u16,
    },
}

impl TryFrom<&CommandSet> for Command {
    type Error = CommandError;

    fn try_from(set: &CommandSet) -> Result<Command, CommandError> {
        Ok(match set.required_u16(COMMAND_FIELD)? {
            c_store::RQ => Command::CStoreRequest(set.try_into()?),
            c_store::RSP => Command::CStoreResponse(set.try_into()?),
            c_get::RQ => Command::CGetRequest(set.try_into()?),
            c_get::RSP => Command::CGetResponse(set.try_into()?),
            c_find::RQ => Command::CFindRequest(set.try_into()?),
            c_find::RSP => Command::CFindResponse(set.try_into()?),
            c_move::RQ => Command::CMoveRequest(set.try_into()?),
            c_move::RSP => Command::CMoveResponse(set.try_into()?),
            c_echo::RQ => Command::CEchoRequest(set.try_into()?),
            c_echo::RSP => Command::CEchoResponse(set.try_into()?),
            c_cancel::RQ => Command::CCancelRequest(set.try_into()?),
            n_event_report::RQ => Command::NEventReportRequest(set.try_into()?),
            n_event_report::RSP => Command::NEventReportResponse(set.try_into()?),
            n_action::RQ => Command::NActionRequest(set.try_into()?),
            n_action::RSP => Command::NActionResponse(set.try_into()?),
            command_field => Command::Unrecognized { command_field },
        })
    }
}

/// The response that refuses a request of any kind, well-formed or not: its Command Field
/// with the response bit, its Message ID and what it names. `None` when it is no request
/// that has a response, or has no Message ID to respond to.
pub fn refusal(request: &CommandSet, status: Status, detail: &StatusDetail) -> Option<CommandSet> {
    let field = request.command_field().filter(|field| field & RESPONSE == 0 && *field != c_cancel::RQ)?;
    let mut response = response(field | RESPONSE, request.u16(MESSAGE_ID)?, status, detail);
    for (from, to) in [
        (AFFECTED_SOP_CLASS_UID, AFFECTED_SOP_CLASS_UID),
        (REQUESTED_SOP_CLASS_UID, AFFECTED_SOP_CLASS_UID),
        (AFFECTED_SOP_INSTANCE_UID, AFFECTED_SOP_INSTANCE_UID),
        (REQUESTED_SOP_INSTANCE_UID, AFFECTED_SOP_INSTANCE_UID),
    ] {
        if let Ok(Some(uid)) = request.uid(from) {
            response.put_uid(to, &uid);
        }
    }
    Some(response)
}

/// A request's command set so far.
fn request(command_field: u16, message_id: u16, has_data_set: bool) -> CommandSet {
    let mut set = CommandSet::default();
    set.put_u16(COMMAND_FIELD, command_field);
    set.put_u16(MESSAGE_ID, message_id);
    set.put_has_data_set(has_data_set);
    set
}

/// A response's command set so far, without data set.
fn response(command_field: u16, responded_to: u16, status: Status, detail: &StatusDetail) -> CommandSet {
    let mut set = CommandSet::default();
    set.put_u16(COMMAND_FIELD, command_field);
    set.put_u16(MESSAGE_ID_BEING_RESPONDED_TO, responded_to);
    set.put_has_data_set(false);
    set.put_u16(STATUS, status.0);
    detail.put_into(&mut set);
    set
}

/// Refuses a command set of another message.
fn expect(set: &CommandSet, command_field: u16) -> Result<(), CommandError> {
    if set.required_u16(COMMAND_FIELD)? == command_field { Ok(()) } else { Err(CommandError::OtherMessage) }
}

/// What every response has: the message it answers, its status and the status' details.
fn response_parts(set: &CommandSet, command_field: u16) -> Result<(u16, Status, StatusDetail), CommandError> {
    expect(set, command_field)?;
    Ok((set.required_u16(MESSAGE_ID_BEING_RESPONDED_TO)?, Status(set.required_u16(STATUS)?), StatusDetail::of(set)))
}

/// Lets a message be given where a command set is wanted.
macro_rules! into_command_set {
    ($($message:ty),*) => {$(
        impl From<$message> for CommandSet {
            fn from(message: $message) -> CommandSet {
                CommandSet::from(&message)
            }
        }
    )*};
}

into_command_set!(
    CStoreRequest,
    CStoreResponse,
    CGetRequest,
    CGetResponse,
    CFindRequest,
    CFindResponse,
    CMoveRequest,
    CMoveResponse,
    CEchoRequest,
    CEchoResponse,
    CCancelRequest,
    NEventReportRequest,
    NEventReportResponse,
    NActionRequest,
    NActionResponse
);

#[cfg(test)]
mod tests;
