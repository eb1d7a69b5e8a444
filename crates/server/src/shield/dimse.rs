//! DICOM through a shield: a client's association in front, one with the old archive behind.
//!
//! C-ECHO is answered here. C-FIND, C-GET and C-STORE are decided and recorded, then carried
//! message by message. What lasts ends when the client may not any longer.

use std::time::Duration;

use futures::future::BoxFuture;
use leadglass_archive::relay::Ended;
use leadglass_archive::{Caller, Refused};
use leadglass_dicom::Uid;
use leadglass_dicom::charset::SpecificCharacterSet;
use leadglass_dimse::acceptor::Requested;
use leadglass_dimse::association::{AbortSource, Message};
use leadglass_dimse::message::{self, Command, CommandSet, StatusDetail};
use leadglass_dimse::negotiation::{
    Acceptance, AssociateRequest, ContextResult, PresentationContext, ProposedContext, Rejection,
};
use leadglass_dimse::status::Status;
use leadglass_dimse::{Association, AssociationError};

use super::{Shield, find, get, request, store, whose};
use crate::listen::Stream;
use crate::listen::quick::Quick;
use crate::scp::{Entity, Service, identifier, revoked};

/// Two associations and who is in front.
pub(super) struct Session {
    pub(super) entity: Entity,
    pub(super) caller: Caller,
    pub(super) front: Association<Stream>,
    /// `None` once the old archive has ended it.
    pub(super) behind: Option<Association<Quick>>,
}

/// Serves an association of a client that was admitted: `ours` is what its rights allow.
pub(crate) async fn serve(
    entity: Entity,
    shield: &Shield,
    caller: Caller,
    requested: Requested<Stream>,
    ours: Acceptance,
) {
    let passed = passed(&entity, requested.request(), &ours);
    let behind = match passed.contexts.is_empty() {
        true => None,
        false => match shield.associate(passed, &entity.limits()).await {
            Ok(behind) => Some(behind),
            Err(error) => {
                tracing::warn!(door = "shield", %error, "the old archive does not associate");
                let _ = requested.reject(Rejection::TemporaryCongestion).await;
                return;
            }
        },
    };
    let acceptance = acceptance(&entity, requested.request(), ours, behind.as_ref());
    match requested.accept(acceptance).await {
        Ok(front) => Session { entity, caller, front, behind }.run().await,
        Err(error) => tracing::info!(door = "shield", %error, "association not opened"),
    }
}

/// What is asked of the old archive: what the client's rights allow, under the same ids.
fn passed(entity: &Entity, request: &AssociateRequest, ours: &Acceptance) -> AssociateRequest {
    let allowed = request.contexts.iter().zip(&ours.contexts).filter(|(context, result)| {
        matches!(result, ContextResult::Accepted(_))
            && matches!(
                entity.service(&context.abstract_syntax),
                Some(Service::Storage | Service::Find(_) | Service::Get(_))
            )
    });
    let contexts: Vec<ProposedContext> = allowed
        .map(|(context, _)| ProposedContext {
            transfer_syntaxes: entity.taken(&context.abstract_syntax, &context.transfer_syntaxes),
            ..context.clone()
        })
        .collect();
    let of_ours = |uid: &Uid| contexts.iter().any(|context| context.abstract_syntax == *uid);
    AssociateRequest {
        roles: ours.roles.iter().filter(|role| of_ours(&role.sop_class)).cloned().collect(),
        extended: request.extended.iter().filter(|item| of_ours(&item.sop_class)).cloned().collect(),
        contexts,
        ..AssociateRequest::new(request.calling_ae.clone(), request.called_ae.clone())
    }
}

/// What both allow.
fn acceptance(
    entity: &Entity,
    request: &AssociateRequest,
    ours: Acceptance,
    behind: Option<&Association<Quick>>,
) -> Acceptance {
    let both = |(context, own): (&ProposedContext, ContextResult)| {
        if !matches!(own, ContextResult::Accepted(_)) {
            return own;
        }
        match entity.service(&context.abstract_syntax) {
            Some(Service::Verification | Service::Move(_)) => own,
            Some(Service::Commitment) | None => ContextResult::AbstractSyntaxNotSupported,
            Some(_) => match behind.and_then(|behind| behind.context(context.id)) {
                Some(accepted) => ContextResult::Accepted(accepted.transfer_syntax.clone()),
                None => ContextResult::TransferSyntaxesNotSupported,
            },
        }
    };
    Acceptance {
        contexts: request.contexts.iter().zip(ours.contexts).map(both).collect(),
        roles: behind.map(|behind| behind.roles().to_vec()).unwrap_or_default(),
        extended: behind.map(|behind| behind.extended().to_vec()).unwrap_or_default(),
        user_identity_response: ours.user_identity_response,
    }
}

/// Why a session ended.
enum End {
    Released,
    Stopped,
    Failed(AssociationError),
}

impl From<AssociationError> for End {
    fn from(error: AssociationError) -> End {
        End::Failed(error)
    }
}

impl Session {
    async fn run(mut self) {
        let end = loop {
            if let Err(end) = self.next().await {
                break end;
            }
        };
        let Session { front, behind, .. } = self;
        match end {
            End::Released => {
                if let Some(behind) = behind {
                    let _ = tokio::time::timeout(Duration::from_secs(5), behind.release()).await;
                }
                return;
            }
            End::Stopped => {}
            End::Failed(error) => tracing::info!(door = "shield", %error, "association ended"),
        }
        // Whoever is in front first: the old archive may be in the middle of something.
        front.abort(AbortSource::ServiceUser).await;
        if let Some(behind) = behind {
            behind.abort(AbortSource::ServiceUser).await;
        }
    }

    async fn next(&mut self) -> Result<(), End> {
        let (stop, caller, host) = (self.entity.stop().clone(), self.caller.clone(), self.entity.host().clone());
        let revoked = revoked(&host, &caller);
        tokio::pin!(revoked);
        let message = tokio::select! {
            biased;
            () = stop.cancelled() => return Err(End::Stopped),
            () = &mut revoked => return Err(End::Stopped),
            received = self.front.receive() => received?.ok_or(End::Released)?,
        };
        if !host.archive.is_current(&caller) {
            return Err(End::Stopped);
        }
        tokio::select! {
            () = &mut revoked => Err(End::Stopped),
            handled = self.handle(message) => Ok(handled?),
        }
    }

    async fn handle(&mut self, message: Message) -> Result<(), AssociationError> {
        let Some(context) = self.front.context(message.context_id).cloned() else {
            return Err(AssociationError::PeerMisbehaved("a message on a context that was not accepted"));
        };
        let service = self.entity.service(&context.abstract_syntax);
        match (Command::try_from(&message.command), service) {
            (Ok(Command::CEchoRequest(request)), Some(Service::Verification)) => {
                self.front.send(context.id, &request.response(Status::SUCCESS).into(), None).await
            }
            (Ok(Command::CStoreRequest(request)), Some(Service::Storage)) => {
                store::store(self, &context, &message, &request).await
            }
            (Ok(Command::CFindRequest(_)), Some(Service::Find(_)))
            | (Ok(Command::CGetRequest(_)), Some(Service::Get(_))) => self.ask(&context, &message).await,
            (Ok(Command::CMoveRequest(_)), Some(Service::Move(_))) => {
                let why = "behind a shield objects are retrieved by C-GET or DICOMweb, not by C-MOVE";
                self.refuse(&message, Status::MOVE_DESTINATION_UNKNOWN, why).await
            }
            (Ok(Command::CCancelRequest(_)), _) => Ok(()),
            (Ok(_), _) => self.refuse(&message, Status::SOP_CLASS_NOT_SUPPORTED, "").await,
            (Err(_), _) => self.refuse(&message, Status::MISTYPED_ARGUMENT, "").await,
        }
    }

    /// A query or a retrieval.
    async fn ask(&mut self, context: &PresentationContext, message: &Message) -> Result<(), AssociationError> {
        let limit = self.entity.host().config.limits.identifier_bytes;
        let bytes = self.front.receive_data_set(limit).await?;
        let Ok(identifier) = identifier::read(&bytes, &context.transfer_syntax, limit) else {
            return self.refuse(message, Status::CANNOT_UNDERSTAND, "no identifier").await;
        };
        let is_retrieval = matches!(self.entity.service(&context.abstract_syntax), Some(Service::Get(_)));
        let read = if is_retrieval { request::retrieval(&identifier) } else { request::search(identifier) };
        let (asked, identifier) = match read {
            Ok(read) => read,
            Err(why) => return self.refuse(message, Status::DATA_SET_DOES_NOT_MATCH, why).await,
        };
        let archive = self.entity.host().archive.clone();
        let granted = match is_retrieval {
            true => {
                let (entity, calling) = (self.entity.clone(), self.front.request().calling_ae.clone());
                let whose = |studies| -> BoxFuture<'_, _> { Box::pin(whose::by_dicom(entity, calling, studies)) };
                archive.relay_retrieval(&self.caller, asked, whose).await
            }
            false => archive.relay_search(&self.caller, asked).await,
        };
        let relaying = match granted {
            Ok(relaying) => relaying,
            Err(refused) => return self.refuse(message, status_of(&refused), "").await,
        };
        if self.behind.is_none() {
            relaying.close(Ended::Failed);
            return self.refuse(message, Status::OUT_OF_RESOURCES, "the old archive ended the association").await;
        }
        match is_retrieval {
            true => {
                let written = identifier::write(&identifier, &context.transfer_syntax, &SpecificCharacterSet::utf8());
                let Ok(bytes) = written else {
                    relaying.close(Ended::Failed);
                    return self.refuse(message, Status::CANNOT_UNDERSTAND, "it cannot be passed on").await;
                };
                get::get(self, message, &bytes, relaying).await
            }
            false => find::find(self, context, message, identifier, relaying).await,
        }
    }

    /// The association behind is of no more use.
    pub(super) async fn lost(&mut self, error: &AssociationError) {
        tracing::warn!(door = "shield", %error, "the old archive ended the association");
        if let Some(behind) = self.behind.take() {
            behind.abort(AbortSource::ServiceUser).await;
        }
    }

    /// Refuses a request; what was not read of its data set is skipped.
    pub(super) async fn refuse(
        &mut self,
        message: &Message,
        status: Status,
        why: &str,
    ) -> Result<(), AssociationError> {
        while self.front.next_data_chunk().await?.is_some() {}
        let detail = if why.is_empty() { StatusDetail::none() } else { StatusDetail::comment(why) };
        let response: Option<CommandSet> = message::refusal(&message.command, status, &detail);
        match response {
            Some(response) => self.front.send(message.context_id, &response, None).await,
            None => Err(AssociationError::PeerMisbehaved("a command that asks for nothing")),
        }
    }
}

/// With which status a refusal ends.
pub(super) fn status_of(refused: &Refused) -> Status {
    match refused {
        Refused::NotAllowed | Refused::NotFound => Status::NOT_AUTHORIZED,
        Refused::Invalid(_) => Status::DATA_SET_DOES_NOT_MATCH,
        Refused::Braked { .. } | Refused::OutOfResources(_) | Refused::ReadOnly(_) => Status::OUT_OF_RESOURCES,
        Refused::Damaged(_) | Refused::Broken(_) => Status::PROCESSING_FAILURE,
    }
}
