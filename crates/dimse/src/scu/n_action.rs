//! N-ACTION as SCU, PS3.7 §10.1.4: Storage Commitment asks by it (PS3.4 J.3.2).

use tokio::io::{AsyncRead, AsyncWrite};

use super::{MAX_IDENTIFIER_BYTES, OTHER_RESPONSE};
use crate::association::{Association, AssociationError};
use crate::message::{Command, NActionRequest, NActionResponse};

/// Sends a request with its Action Information and takes the response; a reply it may
/// carry is not read. The Message ID is the caller's, by [`Association::next_message_id`].
pub async fn n_action<S: AsyncRead + AsyncWrite + Unpin + Send>(
    association: &mut Association<S>,
    context_id: u8,
    request: &NActionRequest,
    information: Option<&[u8]>,
) -> Result<NActionResponse, AssociationError> {
    association.send(context_id, &request.into(), information).await?;
    match association.receive_command().await?.1 {
        Command::NActionResponse(response) if response.responded_to == request.message_id => {
            association.receive_data_set(MAX_IDENTIFIER_BYTES).await?;
            Ok(response)
        }
        _ => association.misbehaved(OTHER_RESPONSE).await,
    }
}
