//! C-ECHO, PS3.4 A: whoever is let in is answered.

use leadglass_dimse::AssociationError;
use leadglass_dimse::message::CEchoRequest;
use leadglass_dimse::status::Status;

use super::session::Session;

/// Answers.
pub async fn echo(session: &mut Session, context_id: u8, request: &CEchoRequest) -> Result<(), AssociationError> {
    session.association.send(context_id, &request.response(Status::SUCCESS).into(), None).await
}
