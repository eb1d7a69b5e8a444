//! One association with a modality.

use std::sync::Arc;

use leadglass_dicom::Uid;
use leadglass_dimse::association::{AbortSource, Message};
use leadglass_dimse::message::{self, Command, StatusDetail};
use leadglass_dimse::negotiation::{Acceptance, ContextResult, PresentationContext, Rejection, RoleSelection};
use leadglass_dimse::status::Status;
use leadglass_dimse::{Association, AssociationError, acceptor};

use super::admission::{Known, MODALITY_WORKLIST_FIND};
use super::config::EdgeVerb;
use super::pass::Behind;
use super::{Shared, store};
use crate::clear::Visitor;
use crate::listen::quick::Quick;
use crate::scp::Service;

/// An association and the modality at its other end.
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    pub(super) modality: Known,
    pub(super) association: Association<Quick>,
    /// The association with the archive that queries pass through to.
    pub(super) behind: Option<Behind>,
}

/// Serves one connection: admission, then messages until it ends.
pub(super) async fn serve(shared: Arc<Shared>, visitor: Visitor) {
    let Visitor { stream, address, place } = visitor;
    let limits = shared.config.limits.association();
    let requested = tokio::select! {
        () = shared.stop.cancelled() => return,
        requested = acceptor::receive(stream, &limits) => requested,
    };
    let requested = match requested {
        Ok(requested) => requested,
        Err(error) => {
            tracing::info!(door = "edge", address = %address.ip(), %error, "no association");
            return;
        }
    };
    let admitted = match place.is_over() {
        true => Err(Rejection::LocalLimitExceeded),
        false => shared.modalities.admit(address.ip(), requested.request()).cloned(),
    };
    let modality = match admitted {
        Ok(modality) => modality,
        Err(rejection) => {
            tracing::warn!(door = "edge", address = %address.ip(), ?rejection, "association rejected");
            let _ = requested.reject(rejection).await;
            return;
        }
    };
    let passed = modality.passed(&shared.classes, requested.request());
    let behind = Behind::open(&shared, &modality, passed).await;
    let acceptance = acceptance(&shared, &modality, requested.request(), behind.as_ref());
    match requested.accept(acceptance).await {
        Ok(association) => Session { shared, modality, association, behind }.run().await,
        Err(error) => tracing::info!(door = "edge", address = %address.ip(), %error, "association not opened"),
    }
}

/// What the edge serves itself it answers for; for the rest it repeats what the archive said.
fn acceptance(
    shared: &Shared,
    modality: &Known,
    request: &leadglass_dimse::AssociateRequest,
    behind: Option<&Behind>,
) -> Acceptance {
    let context = |proposed: &leadglass_dimse::negotiation::ProposedContext| {
        if let Some(accepted) = behind.and_then(|behind| behind.accepted(proposed.id)) {
            return ContextResult::Accepted(accepted);
        }
        if let Some(own) = modality.own(&shared.classes, proposed) {
            return own;
        }
        match shared.classes.service(&proposed.abstract_syntax) {
            Some(_) => ContextResult::UserRejection,
            None if proposed.abstract_syntax.as_str() == MODALITY_WORKLIST_FIND => ContextResult::UserRejection,
            None => ContextResult::AbstractSyntaxNotSupported,
        }
    };
    let receives = |sop_class: &Uid| behind.is_some_and(|behind| behind.sends(sop_class));
    let role = |role: &RoleSelection| {
        let stores = modality.may(EdgeVerb::Store) || shared.classes.service(&role.sop_class) != Some(Service::Storage);
        let (scu, scp) = (role.scu && stores, role.scp && receives(&role.sop_class));
        RoleSelection { sop_class: role.sop_class.clone(), scu, scp }
    };
    Acceptance {
        contexts: request.contexts.iter().map(context).collect(),
        roles: request.roles.iter().map(role).collect(),
        extended: behind.map(Behind::extended).unwrap_or_default(),
        user_identity_response: None,
    }
}

impl Session {
    async fn run(mut self) {
        let stop = self.shared.stop.clone();
        let ended = loop {
            let received = tokio::select! {
                biased;
                () = stop.cancelled() => break Ok(false),
                received = self.association.receive() => received,
            };
            let message = match received {
                Ok(Some(message)) => message,
                Ok(None) => break Ok(true),
                Err(error) => break Err(error),
            };
            if let Err(error) = self.handle(message).await {
                break Err(error);
            }
        };
        if let Some(behind) = self.behind.take() {
            behind.close().await;
        }
        match ended {
            Ok(true) => {}
            Ok(false) => self.association.abort(AbortSource::ServiceUser).await,
            Err(error) => {
                tracing::info!(door = "edge", modality = %self.modality.ae, %error, "association ended");
                self.association.abort(AbortSource::ServiceUser).await;
            }
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
                store::store(self, &context, &request).await
            }
            (Ok(Command::CFindRequest(_) | Command::CGetRequest(_)), _) => self.pass(&context, message).await,
            // Nothing runs that could be cancelled: what it meant has been answered already.
            (Ok(Command::CCancelRequest(_)), _) => Ok(()),
            (Ok(_), _) => self.refuse(&context, &message, Status::SOP_CLASS_NOT_SUPPORTED, "").await,
            (Err(error), _) => {
                tracing::info!(door = "edge", modality = %self.modality.ae, %error, "a command is refused");
                self.refuse(&context, &message, Status::MISTYPED_ARGUMENT, "").await
            }
        }
    }

    /// Refuses a request; its data set is skipped.
    pub(super) async fn refuse(
        &mut self,
        context: &PresentationContext,
        message: &Message,
        status: Status,
        why: &str,
    ) -> Result<(), AssociationError> {
        while self.association.next_data_chunk().await?.is_some() {}
        let detail = if why.is_empty() { StatusDetail::none() } else { StatusDetail::comment(why) };
        match message::refusal(&message.command, status, &detail) {
            Some(response) => self.association.send(context.id, &response, None).await,
            None => Err(AssociationError::PeerMisbehaved("a command that asks for nothing")),
        }
    }
}
