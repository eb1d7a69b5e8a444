//! One association with a legacy peer: who it says it is, C-ECHO, C-STORE.

use std::net::IpAddr;
use std::sync::Arc;

use leadglass_archive::{Caller, Credential, Door, Source};
use leadglass_dimse::association::{AbortSource, Message};
use leadglass_dimse::message::{self, Command, StatusDetail};
use leadglass_dimse::negotiation::{AssociateRequest, Rejection};
use leadglass_dimse::status::Status;
use leadglass_dimse::{Association, AssociationError, acceptor};

use super::Shared;
use crate::clear::Visitor;
use crate::listen::quick::Quick;
use crate::scp::{self, Service};

/// The one answer to whoever is not a declared legacy peer, whatever is wrong.
const UNKNOWN: Rejection = Rejection::CallingAeNotRecognized;

/// An association and what calls itself so at its other end.
struct Session {
    shared: Arc<Shared>,
    caller: Caller,
    association: Association<Quick>,
}

/// Serves one connection: admission, then messages until it ends.
pub(super) async fn serve(shared: Arc<Shared>, visitor: Visitor) {
    let Visitor { stream, address, place } = visitor;
    let limits = shared.host.config.dimse.limits();
    let requested = tokio::select! {
        () = shared.stop.cancelled() => return,
        requested = acceptor::receive(stream, &limits) => requested,
    };
    let requested = match requested {
        Ok(requested) => requested,
        Err(error) => {
            tracing::info!(door = "legacy", address = %address.ip(), %error, "no association");
            return;
        }
    };
    let request = requested.request();
    let admitted = match place.is_over() {
        true => Err(Rejection::LocalLimitExceeded),
        false => admit(&shared, address.ip(), request).await,
    };
    let most = shared.host.config.dimse.associations_per_peer;
    let admitted = admitted.and_then(|caller| {
        let counted = shared.open.enter(&request.calling_ae, most).ok_or(Rejection::LocalLimitExceeded)?;
        Ok((scp::acceptance(&shared.classes, &caller, request), caller, counted))
    });
    let (acceptance, caller, _counted) = match admitted {
        Ok(admitted) => admitted,
        Err(rejection) => {
            tracing::warn!(door = "legacy", address = %address.ip(), ?rejection, "association rejected");
            let _ = requested.reject(rejection).await;
            return;
        }
    };
    match requested.accept(acceptance).await {
        Ok(association) => Session { shared, caller, association }.run().await,
        Err(error) => tracing::info!(door = "legacy", address = %address.ip(), %error, "association not opened"),
    }
}

/// The legacy peer that asks. In clear text a passcode or an assertion is given away, never taken
/// (PS3.15 B.5, B.7): who shows one, or asks for another title, is turned away before anything is
/// recorded of who that might be.
async fn admit(shared: &Shared, address: IpAddr, request: &AssociateRequest) -> Result<Caller, Rejection> {
    let host = &shared.host;
    let source = Source { address: Some(address), door: Door::Legacy };
    let proves = request.user_identity.as_ref().is_some_and(|identity| identity.kind != 1);
    let wrong = (request.called_ae != host.ae_title).then_some("another archive's title was called");
    if let Some(wrong) = wrong.or(proves.then_some("a passcode or an assertion in clear text")) {
        host.archive.turn_away(&source, wrong);
        return Err(UNKNOWN);
    }
    let credential = Credential::Legacy { calling_ae: request.calling_ae.clone() };
    host.archive.authenticate(source, credential).await.map_err(|_| UNKNOWN)
}

impl Session {
    async fn run(mut self) {
        loop {
            match self.next().await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::info!(door = "legacy", %error, "association ended");
                    break;
                }
            }
        }
        self.association.abort(AbortSource::ServiceUser).await;
    }

    /// One message. False when it is over: released, stopped, revoked, or its time has come.
    async fn next(&mut self) -> Result<bool, AssociationError> {
        let (host, caller, stop) = (self.shared.host.clone(), self.caller.clone(), self.shared.stop.clone());
        let revoked = scp::revoked(&host, &caller);
        tokio::pin!(revoked);
        let message = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(false),
            () = &mut revoked => return Ok(false),
            received = self.association.receive() => received?,
        };
        let Some(message) = message.filter(|_| host.archive.is_current(&caller)) else { return Ok(false) };
        tokio::select! {
            () = &mut revoked => Ok(false),
            handled = self.handle(message) => handled.map(|()| true),
        }
    }

    async fn handle(&mut self, message: Message) -> Result<(), AssociationError> {
        let Some(context) = self.association.context(message.context_id).cloned() else {
            return Err(AssociationError::PeerMisbehaved("a message on a context that was not accepted"));
        };
        let service = self.shared.classes.service(&context.abstract_syntax);
        match (Command::try_from(&message.command), service) {
            (Ok(Command::CEchoRequest(request)), Some(Service::Verification)) => {
                self.association.send(context.id, &request.response(Status::SUCCESS).into(), None).await
            }
            (Ok(Command::CStoreRequest(request)), Some(Service::Storage)) => {
                let sender = scp::Sender { host: &self.shared.host, caller: &self.caller, door: "legacy" };
                sender.store(&mut self.association, &context, &request).await
            }
            // Nothing runs that could be cancelled.
            (Ok(Command::CCancelRequest(_)), _) => Ok(()),
            (Ok(_), _) => self.refuse(context.id, &message, Status::SOP_CLASS_NOT_SUPPORTED).await,
            (Err(error), _) => {
                tracing::info!(door = "legacy", %error, "a command is refused");
                self.refuse(context.id, &message, Status::MISTYPED_ARGUMENT).await
            }
        }
    }

    /// Refuses a request; its data set is skipped.
    async fn refuse(&mut self, context: u8, message: &Message, status: Status) -> Result<(), AssociationError> {
        while message.has_data_set && self.association.next_data_chunk().await?.is_some() {}
        match message::refusal(&message.command, status, &StatusDetail::none()) {
            Some(response) => self.association.send(context, &response, None).await,
            None => Err(AssociationError::PeerMisbehaved("a command that asks for nothing")),
        }
    }
}
