//! C-FIND as SCU, PS3.4 C.4.1.

use tokio::io::{AsyncRead, AsyncWrite};

use super::{MAX_IDENTIFIER_BYTES, OTHER_RESPONSE, cancel, sop_class};
use crate::association::{Association, AssociationError};
use crate::message::{CFindRequest, CFindResponse, Command, Priority};

/// A query under way. Read it to its end, or the association is of no more use.
pub struct Find<'a, S> {
    association: &'a mut Association<S>,
    context_id: u8,
    message_id: u16,
    outcome: Option<CFindResponse>,
}

/// Sends a query; its identifier is in the transfer syntax of the context.
pub async fn find<'a, S: AsyncRead + AsyncWrite + Unpin + Send>(
    association: &'a mut Association<S>,
    context_id: u8,
    identifier: &[u8],
) -> Result<Find<'a, S>, AssociationError> {
    let affected_sop_class = sop_class(association, context_id)?;
    let message_id = association.next_message_id();
    let request = CFindRequest { message_id, affected_sop_class, priority: Priority::Medium };
    association.send(context_id, &request.into(), Some(identifier)).await?;
    Ok(Find { association, context_id, message_id, outcome: None })
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Find<'_, S> {
    /// The identifier of the next match, `None` when there is no more.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, AssociationError> {
        if self.outcome.is_some() {
            return Ok(None);
        }
        let (_, command) = self.association.receive_command().await?;
        let Command::CFindResponse(response) = command else {
            return self.association.misbehaved(OTHER_RESPONSE).await;
        };
        if response.responded_to != self.message_id {
            return self.association.misbehaved(OTHER_RESPONSE).await;
        }
        if response.status.is_pending() {
            return self.association.receive_data_set(MAX_IDENTIFIER_BYTES).await.map(Some);
        }
        self.outcome = Some(response);
        Ok(None)
    }

    /// The final response, when it has come.
    pub fn outcome(&self) -> Option<&CFindResponse> {
        self.outcome.as_ref()
    }

    /// Asks the peer to stop; matches may still come before the final response does.
    pub async fn cancel(&mut self) -> Result<(), AssociationError> {
        cancel(self.association, self.context_id, self.message_id).await
    }
}
