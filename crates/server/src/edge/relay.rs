//! One DIMSE operation carried from an association in front to one behind, and its answers
//! back, message by message, under the same context ids.
//!
//! Nothing is kept: data sets pass chunk by chunk. Deliberately absent: whether the operation
//! may take place, which is decided before.

use std::time::Duration;

use leadglass_dimse::association::Message;
use leadglass_dimse::message::CCancelRequest;
use leadglass_dimse::message::element::{COMMAND_FIELD, MESSAGE_ID, MESSAGE_ID_BEING_RESPONDED_TO, STATUS};
use leadglass_dimse::status::Status;
use leadglass_dimse::{Association, AssociationError};
use tokio::io::{AsyncRead, AsyncWrite};

/// How often it is looked whether the requestor in front cancels, while the other side works.
const CANCEL_CHECK: Duration = Duration::from_millis(200);
const RESPONSE: u16 = 0x8000;
const C_STORE_RQ: u16 = 0x0001;
const C_STORE_RSP: u16 = 0x8001;
const C_CANCEL_RQ: u16 = 0x0FFF;

/// Which side ended it.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The one that asked.
    #[error("in front: {0}")]
    Front(#[source] AssociationError),
    /// The one that was asked.
    #[error("behind: {0}")]
    Behind(#[source] AssociationError),
}

/// How an operation went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Pending responses with a data set: matches.
    pub matches: u64,
    /// Objects that came back by C-GET.
    pub instances: u64,
    /// The final status.
    pub status: u16,
}

/// Carries out what `message`, just received in front, asks.
///
/// # Errors
/// Which side broke; the association of that side is over.
pub async fn operation<F, B>(
    front: &mut Association<F>,
    behind: &mut Association<B>,
    message: &Message,
) -> Result<Carried, RelayError>
where
    F: AsyncRead + AsyncWrite + Unpin + Send,
    B: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut carried = Carried::default();
    forward(front, behind, message).await?;
    loop {
        let received = awaited(front, behind, message).await?;
        let field = received.command.u16(COMMAND_FIELD).unwrap_or_default();
        if field == C_STORE_RQ && received.has_data_set {
            carried.instances += 1;
            sub_operation(front, behind, &received, message).await?;
            continue;
        }
        let status = status_of_answer(message, &received)?;
        backward(front, behind, &received).await?;
        if !status.is_pending() {
            return Ok(Carried { status: status.0, ..carried });
        }
        carried.matches += u64::from(received.has_data_set);
    }
}

/// The status of a response to what `message` asks.
///
/// # Errors
/// It is no such response.
pub fn status_of_answer(message: &Message, received: &Message) -> Result<Status, RelayError> {
    let id = message.command.u16(MESSAGE_ID).unwrap_or_default();
    let asked = message.command.u16(COMMAND_FIELD).unwrap_or_default() | RESPONSE;
    let answers = received.command.u16(MESSAGE_ID_BEING_RESPONDED_TO) == Some(id);
    if received.command.u16(COMMAND_FIELD) != Some(asked) || !answers {
        let why = "it answered something else than was asked";
        return Err(RelayError::Behind(AssociationError::PeerMisbehaved(why)));
    }
    Ok(Status(received.command.u16(STATUS).unwrap_or(Status::PROCESSING_FAILURE.0)))
}

/// The next message from behind; a cancel from in front is handed on meanwhile.
///
/// # Errors
/// Which side broke.
pub async fn awaited<F, B>(
    front: &mut Association<F>,
    behind: &mut Association<B>,
    message: &Message,
) -> Result<Message, RelayError>
where
    F: AsyncRead + AsyncWrite + Unpin + Send,
    B: AsyncRead + AsyncWrite + Unpin + Send,
{
    let id = message.command.u16(MESSAGE_ID).unwrap_or_default();
    let mut tick = tokio::time::interval(CANCEL_CHECK);
    tick.tick().await;
    loop {
        tokio::select! {
            biased;
            received = behind.receive() => {
                let closed = || RelayError::Behind(AssociationError::PeerMisbehaved("it released instead of responding"));
                return received.map_err(RelayError::Behind)?.ok_or_else(closed);
            }
            _ = tick.tick() => {}
        }
        if front.cancel_requested(id).await.map_err(RelayError::Front)? {
            cancel(behind, message.context_id, id).await?;
        }
    }
}

async fn cancel<B: AsyncRead + AsyncWrite + Unpin + Send>(
    behind: &mut Association<B>,
    context_id: u8,
    id: u16,
) -> Result<(), RelayError> {
    let cancel = CCancelRequest { responded_to: id };
    behind.send(context_id, &cancel.into(), None).await.map_err(RelayError::Behind)
}

/// An object on its way back by C-GET, and the answer to it.
async fn sub_operation<F, B>(
    front: &mut Association<F>,
    behind: &mut Association<B>,
    object: &Message,
    operation: &Message,
) -> Result<(), RelayError>
where
    F: AsyncRead + AsyncWrite + Unpin + Send,
    B: AsyncRead + AsyncWrite + Unpin + Send,
{
    if front.context(object.context_id).is_none() {
        return Err(RelayError::Behind(AssociationError::PeerMisbehaved(
            "an object on a context that was not accepted",
        )));
    }
    backward(front, behind, object).await?;
    answered(front, behind, operation).await
}

/// Hands on how an object of that operation was taken; a cancel that comes before goes too.
///
/// # Errors
/// Which side broke.
pub async fn answered<F, B>(
    front: &mut Association<F>,
    behind: &mut Association<B>,
    operation: &Message,
) -> Result<(), RelayError>
where
    F: AsyncRead + AsyncWrite + Unpin + Send,
    B: AsyncRead + AsyncWrite + Unpin + Send,
{
    let id = operation.command.u16(MESSAGE_ID).unwrap_or_default();
    loop {
        let left = || RelayError::Front(AssociationError::PeerMisbehaved("it released instead of responding"));
        let answer = front.receive().await.map_err(RelayError::Front)?.ok_or_else(left)?;
        match answer.command.u16(COMMAND_FIELD) {
            Some(C_STORE_RSP) => return forward(front, behind, &answer).await,
            Some(C_CANCEL_RQ) => cancel(behind, operation.context_id, id).await?,
            _ => {
                return Err(RelayError::Front(AssociationError::PeerMisbehaved(
                    "it answered an object with something else",
                )));
            }
        }
    }
}

/// From in front to behind.
async fn forward<F, B>(
    front: &mut Association<F>,
    behind: &mut Association<B>,
    message: &Message,
) -> Result<(), RelayError>
where
    F: AsyncRead + AsyncWrite + Unpin + Send,
    B: AsyncRead + AsyncWrite + Unpin + Send,
{
    carry(front, RelayError::Front, behind, RelayError::Behind, message).await
}

/// From behind to in front.
async fn backward<F, B>(
    front: &mut Association<F>,
    behind: &mut Association<B>,
    message: &Message,
) -> Result<(), RelayError>
where
    F: AsyncRead + AsyncWrite + Unpin + Send,
    B: AsyncRead + AsyncWrite + Unpin + Send,
{
    carry(behind, RelayError::Behind, front, RelayError::Front, message).await
}

async fn carry<A, B>(
    from: &mut Association<A>,
    from_failed: fn(AssociationError) -> RelayError,
    to: &mut Association<B>,
    to_failed: fn(AssociationError) -> RelayError,
    message: &Message,
) -> Result<(), RelayError>
where
    A: AsyncRead + AsyncWrite + Unpin + Send,
    B: AsyncRead + AsyncWrite + Unpin + Send,
{
    if !message.has_data_set {
        return to.send(message.context_id, &message.command, None).await.map_err(to_failed);
    }
    to.begin_data(message.context_id, &message.command).await.map_err(to_failed)?;
    while let Some(chunk) = from.next_data_chunk().await.map_err(from_failed)? {
        to.send_data(&chunk).await.map_err(to_failed)?;
    }
    to.end_data().await.map_err(to_failed)
}
