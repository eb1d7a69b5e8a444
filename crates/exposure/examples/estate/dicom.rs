//! DICOM as the estate speaks it: serves anyone, or rejects.

use leadglass_dimse::acceptor::receive;
use leadglass_dimse::message::{CFindRequest, CommandSet, StatusDetail};
use leadglass_dimse::negotiation::{Acceptance, ContextResult, Rejection};
use leadglass_dimse::{Association, AssociationError, Command, Limits, Status};
use tokio::net::TcpStream;

/// Accepts everybody and everything, answers C-ECHO, finds nothing for whoever asks.
pub async fn serve_anyone(stream: TcpStream) {
    let Ok(requested) = receive(stream, &Limits::default()).await else { return };
    let first = |syntaxes: &[leadglass_dicom::Uid]| match syntaxes.first() {
        Some(syntax) => ContextResult::Accepted(syntax.clone()),
        None => ContextResult::TransferSyntaxesNotSupported,
    };
    let contexts = requested.request().contexts.iter().map(|context| first(&context.transfer_syntaxes)).collect();
    let Ok(mut association) = requested.accept(Acceptance { contexts, ..Acceptance::default() }).await else { return };
    while let Ok(true) = answer(&mut association).await {}
}

async fn answer(association: &mut Association<TcpStream>) -> Result<bool, AssociationError> {
    let Some(message) = association.receive().await? else { return Ok(false) };
    if message.has_data_set {
        association.receive_data_set(64 * 1024).await?;
    }
    let response: CommandSet = match Command::try_from(&message.command) {
        Ok(Command::CEchoRequest(echo)) => (&echo.response(Status::SUCCESS)).into(),
        Ok(Command::CFindRequest(find)) => found_nothing(&find),
        _ => return Ok(false),
    };
    association.send(message.context_id, &response, None).await?;
    Ok(true)
}

fn found_nothing(find: &CFindRequest) -> CommandSet {
    (&find.response(Status::SUCCESS, StatusDetail::default())).into()
}

/// Says A-ASSOCIATE-RJ.
pub async fn reject(stream: TcpStream, rejection: Rejection) {
    if let Ok(requested) = receive(stream, &Limits::default()).await {
        let _ = requested.reject(rejection).await;
    }
}
