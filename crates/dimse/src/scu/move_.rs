//! C-MOVE as SCU, PS3.4 C.4.2.

use leadglass_dicom::AeTitle;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{MAX_IDENTIFIER_BYTES, OTHER_RESPONSE, cancel, sop_class};
use crate::association::{Association, AssociationError};
use crate::message::{CMoveRequest, CMoveResponse, Command, Priority};

/// A move under way. Read it to its final response, or the association is of no more use.
pub struct Move<'a, S> {
    association: &'a mut Association<S>,
    context_id: u8,
    message_id: u16,
    ended: bool,
    failed: Vec<u8>,
}

/// Asks the peer to send what the identifier names to another AE.
pub async fn move_<'a, S: AsyncRead + AsyncWrite + Unpin + Send>(
    association: &'a mut Association<S>,
    context_id: u8,
    move_destination: AeTitle,
    identifier: &[u8],
) -> Result<Move<'a, S>, AssociationError> {
    let affected_sop_class = sop_class(association, context_id)?;
    let message_id = association.next_message_id();
    let request = CMoveRequest { message_id, affected_sop_class, priority: Priority::Medium, move_destination };
    association.send(context_id, &request.into(), Some(identifier)).await?;
    Ok(Move { association, context_id, message_id, ended: false, failed: Vec::new() })
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Move<'_, S> {
    /// The next response: how the sub-operations stand, and the final one at last; `None` after it.
    pub async fn next(&mut self) -> Result<Option<CMoveResponse>, AssociationError> {
        if self.ended {
            return Ok(None);
        }
        let (_, command) = self.association.receive_command().await?;
        let Command::CMoveResponse(response) = command else {
            return self.association.misbehaved(OTHER_RESPONSE).await;
        };
        if response.responded_to != self.message_id {
            return self.association.misbehaved(OTHER_RESPONSE).await;
        }
        let data_set = self.association.receive_data_set(MAX_IDENTIFIER_BYTES).await?;
        if !response.status.is_pending() {
            self.ended = true;
            self.failed = data_set;
        }
        Ok(Some(response))
    }

    /// The final response's data set, with the Failed SOP Instance UID List; empty without one.
    pub fn failed(&self) -> &[u8] {
        &self.failed
    }

    /// Asks the peer to stop.
    pub async fn cancel(&mut self) -> Result<(), AssociationError> {
        cancel(self.association, self.context_id, self.message_id).await
    }
}
