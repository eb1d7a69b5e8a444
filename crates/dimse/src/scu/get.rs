//! C-GET as SCU, PS3.4 C.4.3: the objects come back on the same association, as C-STORE
//! requests that we answer. Their classes need the SCP role, negotiated before.

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{MAX_IDENTIFIER_BYTES, OTHER_RESPONSE, cancel, sop_class};
use crate::association::{Association, AssociationError};
use crate::message::{CGetRequest, CGetResponse, CStoreRequest, Command, Priority, StatusDetail};
use crate::status::Status;

/// A get under way. Read it to its end, or the association is of no more use.
pub struct Get<'a, S> {
    association: &'a mut Association<S>,
    context_id: u8,
    message_id: u16,
    /// The C-STORE request that waits for its answer.
    unanswered: Option<(u8, CStoreRequest)>,
    ended: bool,
    failed: Vec<u8>,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GetEvent {
    /// An object on that context. Read its data set by [`Get::next_data_chunk`], then [`Get::answer`].
    Instance {
        /// The context it came on, which tells its transfer syntax.
        context_id: u8,
        /// What it is.
        request: CStoreRequest,
    },
    /// How the sub-operations stand; the last one has a status that is not pending.
    Progress(CGetResponse),
}

/// Asks the peer to send what the identifier names here.
pub async fn get<'a, S: AsyncRead + AsyncWrite + Unpin + Send>(
    association: &'a mut Association<S>,
    context_id: u8,
    identifier: &[u8],
) -> Result<Get<'a, S>, AssociationError> {
    let affected_sop_class = sop_class(association, context_id)?;
    let message_id = association.next_message_id();
    let request = CGetRequest { message_id, affected_sop_class, priority: Priority::Medium };
    association.send(context_id, &request.into(), Some(identifier)).await?;
    Ok(Get { association, context_id, message_id, unanswered: None, ended: false, failed: Vec::new() })
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Get<'_, S> {
    /// What comes next; `None` after the final response. An object that was not answered
    /// is answered as one that could not be processed.
    pub async fn next(&mut self) -> Result<Option<GetEvent>, AssociationError> {
        if self.ended {
            return Ok(None);
        }
        if self.unanswered.is_some() {
            self.answer(Status::PROCESSING_FAILURE, StatusDetail::none()).await?;
        }
        let (message, command) = self.association.receive_command().await?;
        match command {
            Command::CStoreRequest(request) if message.has_data_set => {
                self.unanswered = Some((message.context_id, request.clone()));
                Ok(Some(GetEvent::Instance { context_id: message.context_id, request }))
            }
            Command::CGetResponse(response) if response.responded_to == self.message_id => {
                let data_set = self.association.receive_data_set(MAX_IDENTIFIER_BYTES).await?;
                if !response.status.is_pending() {
                    self.ended = true;
                    self.failed = data_set;
                }
                Ok(Some(GetEvent::Progress(response)))
            }
            _ => self.association.misbehaved(OTHER_RESPONSE).await,
        }
    }

    /// The next bytes of the object that came, `None` at its end.
    pub async fn next_data_chunk(&mut self) -> Result<Option<Bytes>, AssociationError> {
        self.association.next_data_chunk().await
    }

    /// Answers the object that came. What was not read of it is thrown away.
    pub async fn answer(&mut self, status: Status, detail: StatusDetail) -> Result<(), AssociationError> {
        let (context_id, request) =
            self.unanswered.take().ok_or(AssociationError::Misuse("there is no object to answer"))?;
        while self.association.next_data_chunk().await?.is_some() {}
        self.association.send(context_id, &request.response(status, detail).into(), None).await
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
