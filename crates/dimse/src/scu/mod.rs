//! The requestor's side of the services, one file each: send a request, take its responses.
//!
//! Deliberately absent: policy, retries, and what identifiers mean; they are bytes here.

mod echo;
mod find;
mod get;
mod move_;
mod n_action;
mod store;

pub use echo::echo;
pub use find::{Find, find};
pub use get::{Get, GetEvent, get};
pub use move_::{Move, move_};
pub use n_action::n_action;
pub use store::{ChunkSource, Reader, store};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::association::{Association, AssociationError};
use crate::message::CCancelRequest;

/// Most bytes of an identifier, or of another data set that is not an object, in a response.
const MAX_IDENTIFIER_BYTES: usize = 1024 * 1024;

/// The SOP class of a context.
fn sop_class<S>(association: &Association<S>, context_id: u8) -> Result<leadglass_dicom::Uid, AssociationError> {
    let context = association.context(context_id);
    let context = context.ok_or(AssociationError::Misuse("the presentation context was not accepted"))?;
    Ok(context.abstract_syntax.clone())
}

/// Sends C-CANCEL for a request of ours.
async fn cancel<S: AsyncRead + AsyncWrite + Unpin + Send>(
    association: &mut Association<S>,
    context_id: u8,
    message_id: u16,
) -> Result<(), AssociationError> {
    association.send(context_id, &CCancelRequest { responded_to: message_id }.into(), None).await
}

const OTHER_RESPONSE: &str = "a response to something else than was asked";
