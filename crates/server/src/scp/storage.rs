//! C-STORE as SCP, PS3.4 B: the data set streams into the archive as it arrives.

use leadglass_archive::store::{Incoming, StoreOutcome, StoreRefused, Stored};
use leadglass_archive::{Caller, Refused};
use leadglass_dicom::TransferSyntax;
use leadglass_dimse::message::{CStoreRequest, StatusDetail};
use leadglass_dimse::negotiation::PresentationContext;
use leadglass_dimse::status::Status;
use leadglass_dimse::{Association, AssociationError};
use tokio::io::{AsyncRead, AsyncWrite};

use super::session::Session;
use crate::host::Host;
use crate::metrics::{self, DICOM, STORE_SECONDS, Stopwatch};

/// Takes one object and answers when it would survive a power cut.
pub async fn store(
    session: &mut Session,
    context: &PresentationContext,
    request: &CStoreRequest,
) -> Result<(), AssociationError> {
    let sender = Sender { host: &session.entity.host, caller: &session.caller, door: DICOM };
    sender.store(&mut session.association, context, request).await
}

/// Who sends, over whichever listener.
pub(crate) struct Sender<'a> {
    pub(crate) host: &'a Host,
    pub(crate) caller: &'a Caller,
    /// For the log and the metrics.
    pub(crate) door: &'static str,
}

impl Sender<'_> {
    /// Takes one object and answers when it would survive a power cut.
    pub(crate) async fn store<S: AsyncRead + AsyncWrite + Unpin + Send>(
        &self,
        association: &mut Association<S>,
        context: &PresentationContext,
        request: &CStoreRequest,
    ) -> Result<(), AssociationError> {
        let watch = Stopwatch::start(STORE_SECONDS, self.door);
        let outcome = self.receive(association, context, request).await?;
        let (status, detail) = status_of(&outcome);
        drop(watch);
        self.note_stored(&outcome, status);
        association.send(context.id, &request.response(status, detail).into(), None).await
    }

    /// The log line of one object.
    fn note_stored(&self, outcome: &Result<Stored, StoreRefused>, status: Status) {
        if tracing::enabled!(tracing::Level::DEBUG) {
            let study = outcome.as_ref().map_or_else(|_| "-".to_owned(), |stored| self.host.study_key(&stored.study));
            tracing::debug!(door = self.door, caller = self.caller.name(), study, status = status.0, "object");
        }
    }

    /// The outer error ends the association, the inner one is answered.
    async fn receive<S: AsyncRead + AsyncWrite + Unpin + Send>(
        &self,
        association: &mut Association<S>,
        context: &PresentationContext,
        request: &CStoreRequest,
    ) -> Result<Result<Stored, StoreRefused>, AssociationError> {
        if request.affected_sop_class != context.abstract_syntax {
            drain(association).await?;
            let reason = "Affected SOP Class UID is not that of the presentation context";
            return Ok(Err(StoreRefused::DoesNotMatch(reason.into())));
        }
        let announced = (request.affected_sop_class.clone().into(), request.affected_sop_instance.clone().into());
        let incoming = Incoming {
            transfer_syntax: TransferSyntax::from_uid(context.transfer_syntax.clone()),
            announced: Some(announced),
            expected_study: None,
        };
        let mut ingest = match self.host.archive.store(self.caller, incoming).await {
            Ok(ingest) => ingest,
            Err(refused) => {
                drain(association).await?;
                return Ok(Err(refused.into()));
            }
        };
        while let Some(chunk) = association.next_data_chunk().await? {
            metrics::received(self.door, chunk.len());
            if let Err(refused) = ingest.push(&chunk).await {
                drop(ingest);
                drain(association).await?;
                return Ok(Err(refused));
            }
        }
        Ok(ingest.finish().await)
    }
}

/// Reads the rest of a refused object: a peer that still sends does not read our answer.
pub(super) async fn drain<S: AsyncRead + AsyncWrite + Unpin + Send>(
    association: &mut Association<S>,
) -> Result<(), AssociationError> {
    while association.next_data_chunk().await?.is_some() {}
    Ok(())
}

/// The one place that says with which status a store ends, PS3.4 B.2.3, PS3.7 9.1.1.1.9.
///
/// Other bytes under a UID that is already here are a failure (0111H): the copy waits in
/// quarantine for a person, and its sender must not take it for archived.
fn status_of(outcome: &Result<Stored, StoreRefused>) -> (Status, StatusDetail) {
    match outcome {
        Ok(stored) => match stored.outcome {
            StoreOutcome::Kept | StoreOutcome::AlreadyThere => (Status::SUCCESS, StatusDetail::none()),
            StoreOutcome::Quarantined => (
                Status::DUPLICATE_SOP_INSTANCE,
                StatusDetail::comment("other content under this SOP Instance UID: quarantined"),
            ),
        },
        Err(refused) => status_of_refusal(refused),
    }
}

/// The same for what is not taken, into archive or approval queue.
pub(super) fn status_of_refusal(refused: &StoreRefused) -> (Status, StatusDetail) {
    match refused {
        StoreRefused::CannotUnderstand(why) => (Status::CANNOT_UNDERSTAND, StatusDetail::comment(why)),
        StoreRefused::DoesNotMatch(why) => (Status::DATA_SET_DOES_NOT_MATCH, StatusDetail::comment(why)),
        StoreRefused::Refused(refused) => match refused {
            Refused::NotAllowed | Refused::NotFound => (Status::NOT_AUTHORIZED, StatusDetail::none()),
            Refused::Invalid(why) => (Status::CANNOT_UNDERSTAND, StatusDetail::comment(why)),
            Refused::Braked { .. } | Refused::OutOfResources(_) => {
                (Status::OUT_OF_RESOURCES, StatusDetail::comment("out of space or over a limit"))
            }
            Refused::ReadOnly(_) => (Status::OUT_OF_RESOURCES, StatusDetail::comment("the archive is read-only")),
            Refused::Damaged(_) | Refused::Broken(_) => (Status::PROCESSING_FAILURE, StatusDetail::none()),
        },
    }
}
