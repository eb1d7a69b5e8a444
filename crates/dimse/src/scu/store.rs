//! C-STORE as SCU, PS3.4 B.

use std::future::Future;
use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::OTHER_RESPONSE;
use crate::association::{Association, AssociationError};
use crate::message::{CStoreRequest, CStoreResponse, Command};

/// Where the bytes of a data set come from, chunk by chunk.
pub trait ChunkSource: Send {
    /// The next bytes; `None` at the end.
    fn next_chunk(&mut self) -> impl Future<Output = io::Result<Option<Bytes>>> + Send;
}

/// A data set in memory.
impl ChunkSource for Bytes {
    async fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        Ok(Some(std::mem::take(self)).filter(|bytes| !bytes.is_empty()))
    }
}

/// A data set that is read, 64 KiB at a time.
pub struct Reader<R>(pub R);

impl<R: AsyncRead + Unpin + Send> ChunkSource for Reader<R> {
    async fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        let mut chunk = BytesMut::with_capacity(64 * 1024);
        let count = self.0.read_buf(&mut chunk).await?;
        Ok((count > 0).then(|| chunk.freeze()))
    }
}

/// Sends an object and takes the response. The request's Message ID is the caller's, by
/// [`Association::next_message_id`]. After [`AssociationError::Source`] the association
/// can only be aborted.
pub async fn store<S: AsyncRead + AsyncWrite + Unpin + Send>(
    association: &mut Association<S>,
    context_id: u8,
    request: &CStoreRequest,
    mut source: impl ChunkSource,
) -> Result<CStoreResponse, AssociationError> {
    association.begin_data(context_id, &request.into()).await?;
    while let Some(chunk) = source.next_chunk().await.map_err(AssociationError::Source)? {
        association.send_data(&chunk).await?;
    }
    association.end_data().await?;
    match association.receive_command().await?.1 {
        Command::CStoreResponse(response) if response.responded_to == request.message_id => Ok(response),
        _ => association.misbehaved(OTHER_RESPONSE).await,
    }
}
