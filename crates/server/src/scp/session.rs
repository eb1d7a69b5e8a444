//! One association at work: the next message, its handler, until release, stop or revocation.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use leadglass_archive::Caller;
use leadglass_archive::spool::Shown;
use leadglass_dicom::query::QueryOptions;
use leadglass_dicom::{AeTitle, Uid};
use leadglass_dimse::association::{AbortSource, Message};
use leadglass_dimse::message::{self, Command, StatusDetail};
use leadglass_dimse::negotiation::PresentationContext;
use leadglass_dimse::status::Status;
use leadglass_dimse::{Association, AssociationError};

use super::commitment::Reports;
use super::sop_class::Service;
use super::{Entity, commitment, held, query, retrieve, storage, verification};
use crate::listen::Stream;

/// How often it is looked whether the caller is still who it was. A revocation ends the
/// association within this and the time to abort, well under five seconds.
pub(super) const CURRENT_CHECK: Duration = Duration::from_secs(2);

/// An association and who is at its other end.
pub struct Session {
    /// Ourselves.
    pub entity: Entity,
    /// Who calls.
    pub caller: Arc<Caller>,
    /// Under which title.
    pub calling_ae: AeTitle,
    /// The association.
    pub association: Association<Stream>,
    /// Storage commitment reports on their way to this caller.
    pub reports: Reports,
    /// What the caller showed, when it is nobody we know.
    pub shown: Option<Shown>,
    options: HashMap<Uid, QueryOptions>,
}

/// Why a session ended.
enum End {
    Released,
    Stopped,
    Revoked,
    Failed(AssociationError),
}

impl From<AssociationError> for End {
    fn from(error: AssociationError) -> End {
        End::Failed(error)
    }
}

impl Session {
    /// A session of an association just opened.
    pub fn new(
        entity: Entity,
        caller: Caller,
        calling_ae: AeTitle,
        association: Association<Stream>,
        options: HashMap<Uid, QueryOptions>,
    ) -> Session {
        let caller = Arc::new(caller);
        Session { entity, caller, calling_ae, association, reports: Reports::new(), shown: None, options }
    }

    /// The same with a caller that nobody knows: its objects wait.
    pub fn of_stranger(self, shown: Option<Shown>) -> Session {
        Session { shown, ..self }
    }

    /// What was agreed for queries of that SOP class.
    pub fn query_options(&self, sop_class: &Uid) -> QueryOptions {
        self.options.get(sop_class).copied().unwrap_or_default()
    }

    /// Serves messages until it ends.
    pub async fn run(mut self) {
        let end = loop {
            if let Err(end) = self.next().await {
                break end;
            }
        };
        let Session { entity, caller, calling_ae, association, reports, .. } = self;
        match end {
            End::Released => tracing::debug!("association released"),
            End::Stopped | End::Revoked => association.abort(AbortSource::ServiceUser).await,
            End::Failed(error) => {
                tracing::info!(%error, "association ended");
                association.abort(AbortSource::ServiceUser).await;
            }
        }
        reports.hand_over(&entity, &caller, &calling_ae);
    }

    /// One message, or one report that is due.
    async fn next(&mut self) -> Result<(), End> {
        let host = self.entity.host.clone();
        let (stop, caller) = (self.entity.stop.clone(), self.caller.clone());
        let revoked = revoked(&host, &caller);
        tokio::pin!(revoked);
        let message = tokio::select! {
            biased;
            () = stop.cancelled() => return Err(End::Stopped),
            () = &mut revoked => return Err(End::Revoked),
            received = self.association.receive() => received?.ok_or(End::Released)?,
            report = self.reports.next() => {
                commitment::report_here(self, report).await?;
                return Ok(());
            }
        };
        if !host.archive.is_current(&caller) {
            return Err(End::Revoked);
        }
        tokio::select! {
            () = &mut revoked => Err(End::Revoked),
            handled = self.handle(message) => Ok(handled?),
        }
    }

    async fn handle(&mut self, message: Message) -> Result<(), AssociationError> {
        let Some(context) = self.association.context(message.context_id).cloned() else {
            return Err(AssociationError::PeerMisbehaved("a message on a context that was not accepted"));
        };
        let service = self.entity.classes.service(&context.abstract_syntax);
        match (Command::try_from(&message.command), service) {
            (Ok(Command::CEchoRequest(request)), Some(Service::Verification)) => {
                verification::echo(self, context.id, &request).await
            }
            (Ok(Command::CStoreRequest(request)), Some(Service::Storage)) if self.shown.is_some() => {
                held::hold(self, &context, &request).await
            }
            (Ok(Command::CStoreRequest(request)), Some(Service::Storage)) => {
                storage::store(self, &context, &request).await
            }
            (Ok(Command::CFindRequest(request)), Some(Service::Find(root))) => {
                query::find(self, root, &context, &request).await
            }
            (Ok(Command::CMoveRequest(request)), Some(Service::Move(root))) => {
                retrieve::move_to(self, root, &context, &request).await
            }
            (Ok(Command::CGetRequest(request)), Some(Service::Get(root))) => {
                retrieve::get(self, root, &context, &request).await
            }
            (Ok(Command::NActionRequest(request)), Some(Service::Commitment)) => {
                commitment::request(self, &context, &request).await
            }
            (Ok(Command::NEventReportResponse(response)), Some(Service::Commitment)) => {
                self.reports.answered(response.responded_to, response.status);
                Ok(())
            }
            // Nothing runs that could be cancelled: what it meant has been answered already.
            (Ok(Command::CCancelRequest(_)), _) => Ok(()),
            (Ok(Command::Unrecognized { .. }), _) => {
                self.refuse(&context, &message, Status::UNRECOGNIZED_OPERATION).await
            }
            (Ok(_), _) => self.refuse(&context, &message, Status::SOP_CLASS_NOT_SUPPORTED).await,
            (Err(error), _) => {
                tracing::info!(%error, "a command is refused");
                self.refuse(&context, &message, Status::MISTYPED_ARGUMENT).await
            }
        }
    }

    /// Refuses a request we do not serve; its data set is skipped. A message that is no
    /// request, and a request one cannot respond to, end the association.
    async fn refuse(
        &mut self,
        context: &PresentationContext,
        message: &Message,
        status: Status,
    ) -> Result<(), AssociationError> {
        while message.has_data_set && self.association.next_data_chunk().await?.is_some() {}
        match message::refusal(&message.command, status, &StatusDetail::none()) {
            Some(response) => self.association.send(context.id, &response, None).await,
            None => Err(AssociationError::PeerMisbehaved("a command that asks for nothing")),
        }
    }
}

/// Returns when the caller is no longer who it was: revoked, expired, changed.
pub(crate) async fn revoked(host: &crate::host::Host, caller: &Caller) {
    loop {
        tokio::time::sleep(CURRENT_CHECK).await;
        if !host.archive.is_current(caller) {
            return;
        }
    }
}
