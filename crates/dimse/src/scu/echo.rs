//! C-ECHO as SCU, PS3.4 A.

use tokio::io::{AsyncRead, AsyncWrite};

use super::{OTHER_RESPONSE, sop_class};
use crate::association::{Association, AssociationError};
use crate::message::{CEchoRequest, Command};
use crate::status::Status;

/// Asks whether the peer is there.
pub async fn echo<S: AsyncRead + AsyncWrite + Unpin + Send>(
    association: &mut Association<S>,
    context_id: u8,
) -> Result<Status, AssociationError> {
    let affected_sop_class = sop_class(association, context_id)?;
    let request = CEchoRequest { message_id: association.next_message_id(), affected_sop_class };
    association.send(context_id, &(&request).into(), None).await?;
    match association.receive_command().await?.1 {
        Command::CEchoResponse(response) if response.responded_to == request.message_id => Ok(response.status),
        _ => association.misbehaved(OTHER_RESPONSE).await,
    }
}
