//! The side that calls.

use tokio::io::{AsyncRead, AsyncWrite};

use crate::association::{Association, AssociationError, Limits};
use crate::negotiation::AssociateRequest;

/// Asks for an association over a connected stream.
pub async fn request<S: AsyncRead + AsyncWrite + Unpin + Send>(
    _stream: S,
    _request: AssociateRequest,
    _limits: &Limits,
) -> Result<Association<S>, AssociationError> {
    todo!()
}
