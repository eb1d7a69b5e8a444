//! C-MOVE and C-GET as SCP, PS3.4 C.4.2 and C.4.3: what is asked for, then one C-STORE
//! sub-operation an instance, over another association or this one.

mod courier;
mod progress;
mod selection;
mod sub_operation;

use leadglass_archive::Refused;
use leadglass_archive::operation::Selection;
use leadglass_archive::retrieve::{Purpose, Retrieval};
use leadglass_dicom::query::Root;
use leadglass_dimse::AssociationError;
use leadglass_dimse::message::{CGetRequest, CMoveRequest, CommandSet, StatusDetail, SubOperations};
use leadglass_dimse::negotiation::PresentationContext;
use leadglass_dimse::status::Status;

use super::identifier;
use super::session::{CURRENT_CHECK, Session};
use crate::metrics::{DICOM, RETRIEVE_SECONDS, Stopwatch};
use courier::Courier;
use progress::Progress;

/// What both requests have in common.
struct Asked<'a> {
    context: &'a PresentationContext,
    /// The log's name of the one study that is asked for; `-` while it is not known.
    study: String,
    /// Makes a response of this request.
    response: &'a (dyn Fn(Status, StatusDetail, Option<SubOperations>) -> CommandSet + Sync),
}

/// C-MOVE: to an enrolled peer, at its enrolled address.
pub async fn move_to(
    session: &mut Session,
    root: Root,
    context: &PresentationContext,
    request: &CMoveRequest,
) -> Result<(), AssociationError> {
    let watch = Stopwatch::start(RETRIEVE_SECONDS, DICOM);
    let response = |status, detail, counts| {
        let mut response = request.response(status, counts);
        response.detail = detail;
        response.into()
    };
    let mut asked = Asked { context, study: "-".into(), response: &response };
    let selection = match read_selection(session, root, &asked).await? {
        Ok(selection) => selection,
        Err((status, detail)) => return refuse(session, &asked, status, detail).await,
    };
    if let [study] = selection.studies.as_slice() {
        asked.study = session.entity.host.study_key(study);
    }
    let host = session.entity.host.clone();
    let destination = host.archive.destination(&session.caller, &request.move_destination).await;
    let Ok(peer) = destination else {
        return refuse(session, &asked, Status::MOVE_DESTINATION_UNKNOWN, StatusDetail::none()).await;
    };
    let retrieval = match open(session, selection, Purpose::ToPeer(peer.ae.clone())).await {
        Ok(retrieval) => retrieval,
        Err(refused) => return refuse_retrieval(session, &asked, &refused).await,
    };
    let originator = (session.calling_ae.clone(), request.message_id);
    let mut courier = Courier::new(&host, peer, originator, retrieval.instances());
    let mut progress = Progress::of(retrieval.instances().len());
    let delivered = async {
        for instance in retrieval.instances() {
            if session.association.cancel_requested(request.message_id).await? {
                progress.cancel();
                break;
            }
            let outcome = courier.deliver(&retrieval, instance).await;
            progress.note(outcome, instance);
            report(session, &asked, &progress).await?;
        }
        courier.leave().await;
        Ok::<_, AssociationError>(())
    };
    while_granted(&retrieval, delivered).await?;
    finish(session, &asked, progress, retrieval, watch).await
}

/// C-GET: over this association, on the contexts for which the caller is SCP of Storage.
pub async fn get(
    session: &mut Session,
    root: Root,
    context: &PresentationContext,
    request: &CGetRequest,
) -> Result<(), AssociationError> {
    let watch = Stopwatch::start(RETRIEVE_SECONDS, DICOM);
    let response = |status, detail, counts| {
        let mut response = request.response(status, counts);
        response.detail = detail;
        response.into()
    };
    let mut asked = Asked { context, study: "-".into(), response: &response };
    let selection = match read_selection(session, root, &asked).await? {
        Ok(selection) => selection,
        Err((status, detail)) => return refuse(session, &asked, status, detail).await,
    };
    if let [study] = selection.studies.as_slice() {
        asked.study = session.entity.host.study_key(study);
    }
    let retrieval = match open(session, selection, Purpose::ToCaller).await {
        Ok(retrieval) => retrieval,
        Err(refused) => return refuse_retrieval(session, &asked, &refused).await,
    };
    let receives = session.association.roles().iter().filter(|role| role.scp);
    let receives: Vec<_> = receives.map(|role| role.sop_class.clone()).collect();
    let contexts = session.association.contexts().iter().filter(|c| receives.contains(&c.abstract_syntax));
    let contexts: Vec<_> = contexts.cloned().collect();
    let mut progress = Progress::of(retrieval.instances().len());
    let mut cancels = Vec::new();
    let sent = async {
        for instance in retrieval.instances() {
            let cancelled = cancels.contains(&request.message_id);
            if cancelled || session.association.cancel_requested(request.message_id).await? {
                progress.cancel();
                break;
            }
            let outcome = match sub_operation::context_for(instance, &contexts) {
                Some(context) => {
                    let sub_operation = sub_operation::SubOperation { context, originator: None };
                    sub_operation.store(&mut session.association, &retrieval, instance, &mut cancels).await?
                }
                None => sub_operation::Outcome::Failed,
            };
            progress.note(outcome, instance);
            report(session, &asked, &progress).await?;
        }
        Ok::<_, AssociationError>(())
    };
    while_granted(&retrieval, sent).await?;
    finish(session, &asked, progress, retrieval, watch).await
}

async fn read_selection(
    session: &mut Session,
    root: Root,
    asked: &Asked<'_>,
) -> Result<Result<Selection, (Status, StatusDetail)>, AssociationError> {
    let limit = session.entity.host.config.limits.identifier_bytes;
    let bytes = session.association.receive_data_set(limit).await?;
    let relational = session.query_options(&asked.context.abstract_syntax).relational;
    let identifier = identifier::read(&bytes, &asked.context.transfer_syntax, limit);
    Ok(match identifier {
        Ok(identifier) => selection::selection(root, relational, &identifier),
        Err(error) => Err((Status::CANNOT_UNDERSTAND, StatusDetail::comment(&error.to_string()))),
    })
}

async fn open(session: &Session, selection: Selection, purpose: Purpose) -> Result<Retrieval, Refused> {
    session.entity.host.archive.retrieve(&session.caller, selection, purpose).await
}

/// Carries on as long as what is sent would still be granted; then the association ends, as it does
/// when its peer is revoked.
async fn while_granted(
    retrieval: &Retrieval,
    sending: impl Future<Output = Result<(), AssociationError>>,
) -> Result<(), AssociationError> {
    let ended = async {
        loop {
            tokio::time::sleep(CURRENT_CHECK).await;
            if !retrieval.is_current() {
                return;
            }
        }
    };
    tokio::select! {
        sent = sending => sent,
        () = ended => {
            let why = "the right to what is sent has ended";
            Err(AssociationError::Source(std::io::Error::new(std::io::ErrorKind::PermissionDenied, why)))
        }
    }
}

/// A pending response between sub-operations.
async fn report(session: &mut Session, asked: &Asked<'_>, progress: &Progress) -> Result<(), AssociationError> {
    if progress.is_done() {
        return Ok(());
    }
    let response = (asked.response)(Status::PENDING, StatusDetail::none(), Some(progress.counts()));
    session.association.send(asked.context.id, &response, None).await
}

/// The final response, with the list of what failed.
async fn finish(
    session: &mut Session,
    asked: &Asked<'_>,
    progress: Progress,
    retrieval: Retrieval,
    watch: Stopwatch,
) -> Result<(), AssociationError> {
    if !progress.is_cancelled()
        && let Err(refused) = retrieval.complete().await
    {
        tracing::warn!(%refused, "the end of a retrieval was not recorded");
    }
    drop(watch);
    let (status, counts) = (progress.status(), progress.final_counts());
    let instances = progress.counts();
    tracing::info!(
        door = DICOM,
        caller = session.caller.name(),
        study = asked.study,
        status = status.0,
        sent = instances.completed + instances.warning,
        failed = instances.failed,
        "retrieve"
    );
    let mut response = (asked.response)(status, StatusDetail::none(), Some(counts));
    let failed = progress.failed_list(&asked.context.transfer_syntax);
    response.put_has_data_set(failed.is_some());
    session.association.send(asked.context.id, &response, failed.as_deref()).await
}

/// The log line of a retrieval without sub-operations.
fn note_refused(session: &Session, asked: &Asked<'_>, status: Status) {
    let caller = session.caller.name();
    tracing::info!(door = DICOM, caller, study = asked.study, status = status.0, sent = 0, failed = 0, "retrieve");
}

async fn refuse(
    session: &mut Session,
    asked: &Asked<'_>,
    status: Status,
    detail: StatusDetail,
) -> Result<(), AssociationError> {
    note_refused(session, asked, status);
    session.association.send(asked.context.id, &(asked.response)(status, detail, None), None).await
}

/// The one place that says with which status a refused retrieval ends. Nothing found is
/// success with no sub-operations: what one may not see is not there.
async fn refuse_retrieval(session: &mut Session, asked: &Asked<'_>, refused: &Refused) -> Result<(), AssociationError> {
    let (status, detail) = match refused {
        Refused::NotFound => {
            note_refused(session, asked, Status::SUCCESS);
            let none = Progress::of(0).final_counts();
            let response = (asked.response)(Status::SUCCESS, StatusDetail::none(), Some(none));
            return session.association.send(asked.context.id, &response, None).await;
        }
        Refused::NotAllowed => (Status::NOT_AUTHORIZED, StatusDetail::none()),
        Refused::Invalid(why) => (Status::DATA_SET_DOES_NOT_MATCH, StatusDetail::comment(why)),
        Refused::Braked { wait_s, .. } => (
            Status::OUT_OF_RESOURCES_SUBOPERATIONS,
            StatusDetail::comment(&format!("beyond this caller's envelope: wait {wait_s} s")),
        ),
        Refused::OutOfResources(_) | Refused::ReadOnly(_) => {
            (Status::OUT_OF_RESOURCES_SUBOPERATIONS, StatusDetail::none())
        }
        Refused::Damaged(_) | Refused::Broken(_) => (Status::CANNOT_UNDERSTAND, StatusDetail::none()),
    };
    refuse(session, asked, status, detail).await
}
