//! C-STORE through a shield: scanned within limits, decided once it is known which study the
//! object belongs to, and then passed on as it arrives.

use bytes::Bytes;
use leadglass_archive::relay::{Asked, Ended, Relaying};
use leadglass_dicom::TransferSyntax;
use leadglass_dicom::scan::{Identity, Limits, Scanner};
use leadglass_dimse::association::Message;
use leadglass_dimse::message::element::STATUS;
use leadglass_dimse::message::{CStoreRequest, StatusDetail};
use leadglass_dimse::negotiation::PresentationContext;
use leadglass_dimse::status::Status;
use leadglass_dimse::{Association, AssociationError};

use super::dimse::{Session, status_of};
use crate::listen::quick::Quick;

/// Bytes that wait for the study to become known.
pub(super) const MOST_PENDING: usize = 8 << 20;

/// Why an object does not reach the old archive, or not whole.
enum Failed {
    /// The client's association is over.
    Front(AssociationError),
    /// The old archive's is.
    Behind(AssociationError),
    /// The object is refused here; something of it may be on its way already.
    Refused(Status, String),
}

/// Passes one object on, and its answer back.
pub(super) async fn store(
    session: &mut Session,
    context: &PresentationContext,
    message: &Message,
    request: &CStoreRequest,
) -> Result<(), AssociationError> {
    if request.affected_sop_class != context.abstract_syntax {
        let why = "Affected SOP Class UID is not that of the presentation context";
        return session.refuse(message, Status::DATA_SET_DOES_NOT_MATCH, why).await;
    }
    let mut begun = false;
    match pass(session, context, message, request, &mut begun).await {
        Ok(()) => Ok(()),
        Err(Failed::Front(error)) => Err(error),
        Err(Failed::Behind(error)) => {
            session.lost(&error).await;
            session.refuse(message, Status::PROCESSING_FAILURE, "the old archive ended the association").await
        }
        Err(Failed::Refused(status, why)) => {
            if begun {
                // Half an object is on its way: only an abort keeps it from being taken for a whole one.
                session.lost(&AssociationError::Misuse("an object was refused half way")).await;
            }
            session.refuse(message, status, &why).await
        }
    }
}

async fn pass(
    session: &mut Session,
    context: &PresentationContext,
    message: &Message,
    request: &CStoreRequest,
    begun: &mut bool,
) -> Result<(), Failed> {
    let config = &session.entity.host().config;
    let limits = Limits { bulk_threshold: 64, ..config.scan.limits(config.limits.data_set_bytes) };
    let scanner = Scanner::new(&TransferSyntax::from_uid(context.transfer_syntax.clone()), limits);
    let (identity, pending, mut scanner) = identified(session, scanner).await?;
    let relaying = granted(session, request, &identity).await?;
    match carry(session, message, &mut scanner, pending, begun).await {
        Ok(()) => ended(session, message, scanner, relaying).await,
        Err(failed) => {
            relaying.close(Ended::Failed);
            Err(failed)
        }
    }
}

/// Reads until it is known which study the object belongs to: who it is, the bytes so far,
/// and the scanner, unless all of it was scanned.
async fn identified(
    session: &mut Session,
    mut scanner: Scanner,
) -> Result<(Identity, Vec<Bytes>, Option<Scanner>), Failed> {
    let (mut pending, mut pending_bytes) = (Vec::new(), 0);
    while let Some(chunk) = session.front.next_data_chunk().await.map_err(Failed::Front)? {
        scanner.push(&chunk).map_err(|error| not_understood(&error))?;
        pending_bytes += chunk.len();
        if pending_bytes > MOST_PENDING {
            return Err(not_understood(&"its identifying attributes come too late"));
        }
        pending.push(chunk);
        if let Some(identity) = scanner.identity() {
            return Ok((identity.clone(), pending, Some(scanner)));
        }
    }
    let scanned = scanner.finish().map_err(|error| not_understood(&error))?;
    let identity = scanned.identity.ok_or_else(|| not_understood(&"the data set names no instance"))?;
    Ok((identity, pending, None))
}

/// Decided and recorded before its first byte is passed on.
async fn granted(session: &Session, request: &CStoreRequest, identity: &Identity) -> Result<Relaying, Failed> {
    let announced = (&request.affected_sop_class, &request.affected_sop_instance);
    if announced != (identity.sop_class.as_uid(), identity.sop_instance.as_uid()) {
        return Err(Failed::Refused(Status::DATA_SET_DOES_NOT_MATCH, "it is not what was announced".into()));
    }
    let asked =
        Asked { studies: vec![identity.study.clone()], patient_id: identity.patient_id.clone(), detail: String::new() };
    let granted = session.entity.host().archive.relay_store(&session.caller, asked).await;
    granted.map_err(|refused| Failed::Refused(status_of(&refused), String::new()))
}

/// Passes the bytes on but their end, which only a whole scan allows.
async fn carry(
    session: &mut Session,
    message: &Message,
    scanner: &mut Option<Scanner>,
    pending: Vec<Bytes>,
    begun: &mut bool,
) -> Result<(), Failed> {
    behind(&mut session.behind)?.begin_data(message.context_id, &message.command).await.map_err(Failed::Behind)?;
    *begun = true;
    for chunk in pending {
        behind(&mut session.behind)?.send_data(&chunk).await.map_err(Failed::Behind)?;
    }
    while let Some(chunk) = session.front.next_data_chunk().await.map_err(Failed::Front)? {
        if let Some(scanner) = scanner {
            scanner.push(&chunk).map_err(|error| not_understood(&error))?;
        }
        behind(&mut session.behind)?.send_data(&chunk).await.map_err(Failed::Behind)?;
    }
    Ok(())
}

/// Ends the object, and hands the old archive's answer on.
async fn ended(
    session: &mut Session,
    message: &Message,
    scanner: Option<Scanner>,
    relaying: Relaying,
) -> Result<(), Failed> {
    let answered = async {
        if let Some(scanner) = scanner {
            scanner.finish().map_err(|error| not_understood(&error))?;
        }
        let behind = behind(&mut session.behind)?;
        behind.end_data().await.map_err(Failed::Behind)?;
        let left = || Failed::Behind(AssociationError::PeerMisbehaved("it released instead of responding"));
        behind.receive().await.map_err(Failed::Behind)?.ok_or_else(left)
    };
    let answer = match answered.await {
        Ok(answer) => answer,
        Err(failed) => {
            relaying.close(Ended::Failed);
            return Err(failed);
        }
    };
    let status = Status(answer.command.u16(STATUS).unwrap_or(Status::PROCESSING_FAILURE.0));
    relaying.count(u64::from(status.is_done()));
    relaying.close(if status.is_done() { Ended::Done } else { Ended::Failed });
    let detail = StatusDetail::none();
    let response = leadglass_dimse::message::refusal(&message.command, status, &detail);
    let response =
        response.ok_or(Failed::Front(AssociationError::PeerMisbehaved("a command that asks for nothing")))?;
    session.front.send(message.context_id, &response, None).await.map_err(Failed::Front)
}

fn behind(behind: &mut Option<Association<Quick>>) -> Result<&mut Association<Quick>, Failed> {
    let gone = || Failed::Refused(Status::OUT_OF_RESOURCES, "the old archive ended the association".into());
    behind.as_mut().ok_or_else(gone)
}

fn not_understood(error: &dyn std::fmt::Display) -> Failed {
    Failed::Refused(Status::CANNOT_UNDERSTAND, error.to_string())
}
