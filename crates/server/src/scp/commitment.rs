//! Storage Commitment Push Model as SCP, PS3.4 J.3.
//!
//! The request is answered at once; the archive then reads every object again, and the
//! report follows on the same association while it is open, otherwise on one of our own to
//! the peer's address, tried again for a while. A transaction holds one of its peer's few
//! places from the request until its report is answered or given up. Deliberately absent:
//! reports that survive a restart of the server. A peer that never gets one asks again
//! (PS3.4 J.3.2.1.4).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use leadglass_archive::Caller;
use leadglass_archive::retrieve::{Commitment, SopReference};
use leadglass_dicom::charset::SpecificCharacterSet;
use leadglass_dicom::{AeTitle, DataSet, SopClassUid, SopInstanceUid, Tag, Uid, VR, Value};
use leadglass_dimse::message::{Command, NActionRequest, NEventReportRequest, StatusDetail};
use leadglass_dimse::negotiation::{PresentationContext, RoleSelection};
use leadglass_dimse::status::Status;
use leadglass_dimse::{Association, AssociationError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

use super::outbound::{self, NotReached};
use super::session::Session;
use super::sop_class::{STORAGE_COMMITMENT_PUSH, STORAGE_COMMITMENT_PUSH_INSTANCE};
use super::tally::Counted;
use super::{Entity, identifier};

const TRANSACTION_UID: Tag = Tag(0x0008, 0x1195);
const REFERENCED_SOP_SEQUENCE: Tag = Tag(0x0008, 0x1199);
const FAILED_SOP_SEQUENCE: Tag = Tag(0x0008, 0x1198);
const REFERENCED_SOP_CLASS_UID: Tag = Tag(0x0008, 0x1150);
const REFERENCED_SOP_INSTANCE_UID: Tag = Tag(0x0008, 0x1155);
const FAILURE_REASON: Tag = Tag(0x0008, 0x1197);

/// What a peer asks to be committed.
struct Transaction {
    uid: Uid,
    references: Vec<SopReference>,
}

/// A finished report with its transaction's place, to be delivered.
pub struct Report {
    result: Outcome,
    _place: Counted,
}

/// What a report says.
struct Outcome {
    /// Storage Commitment Result: 1 all committed, 2 some failed (PS3.4 J.3.3.1).
    event_type: u16,
    information: DataSet,
}

/// Reports that wait for their association; the tasks that make further ones wait.
const QUEUE: usize = 16;

/// The reports of one association: those due, and those sent and not yet answered.
pub struct Reports {
    sender: mpsc::Sender<Report>,
    due: mpsc::Receiver<Report>,
    unanswered: HashMap<u16, Report>,
}

impl Reports {
    /// None so far.
    pub fn new() -> Reports {
        let (sender, due) = mpsc::channel(QUEUE);
        Reports { sender, due, unanswered: HashMap::new() }
    }

    /// The next report that is due; waits for ever when none is being made.
    pub async fn next(&mut self) -> Report {
        match self.due.recv().await {
            Some(report) => report,
            None => std::future::pending().await,
        }
    }

    /// The peer has answered the report sent under that Message ID.
    pub fn answered(&mut self, message_id: u16, status: Status) {
        let known = self.unanswered.remove(&message_id).is_some();
        tracing::debug!(known, %status, "storage commitment report answered");
    }

    /// The association has ended: what was not answered goes over one of our own.
    pub fn hand_over(mut self, entity: &Entity, caller: &Arc<Caller>, ae: &AeTitle) {
        self.due.close();
        let mut undelivered: Vec<Report> = self.unanswered.into_values().collect();
        while let Ok(report) = self.due.try_recv() {
            undelivered.push(report);
        }
        for report in undelivered {
            entity.tasks.spawn(deliver(entity.clone(), caller.clone(), ae.clone(), report));
        }
    }
}

/// Answers an N-ACTION and sets the check going.
pub async fn request(
    session: &mut Session,
    context: &PresentationContext,
    request: &NActionRequest,
) -> Result<(), AssociationError> {
    let limit = session.entity.host.config.limits.identifier_bytes;
    let bytes = session.association.receive_data_set(limit).await?;
    let transaction = if request.action_type != 1 {
        Err(Status::NO_SUCH_ACTION)
    } else if request.requested_sop_instance.as_str() != STORAGE_COMMITMENT_PUSH_INSTANCE {
        Err(Status::NO_SUCH_OBJECT_INSTANCE)
    } else {
        let information = identifier::read(&bytes, &context.transfer_syntax, limit);
        information.map_err(|_| Status::PROCESSING_FAILURE).and_then(|data_set| transaction(&data_set))
    };
    let most = session.entity.host.config.dimse.commitments_per_peer;
    let place = session.entity.commitments.enter(&session.calling_ae, most).ok_or(Status::RESOURCE_LIMITATION);
    let transaction = transaction.and_then(|transaction| Ok((transaction, place?)));
    let status = match &transaction {
        Ok(_) => Status::SUCCESS,
        Err(status) => *status,
    };
    session.association.send(context.id, &request.response(status, StatusDetail::none()).into(), None).await?;
    if let Ok((transaction, place)) = transaction {
        let (entity, caller, ae) = (session.entity.clone(), session.caller.clone(), session.calling_ae.clone());
        let sender = session.reports.sender.clone();
        session.entity.tasks.spawn(async move {
            let report = Report { result: check(&entity, &caller, transaction).await, _place: place };
            if let Err(mpsc::error::SendError(report)) = sender.send(report).await {
                deliver(entity, caller, ae, report).await;
            }
        });
    }
    Ok(())
}

/// Sends a report on the association it was asked on; the answer comes as a message.
pub async fn report_here(session: &mut Session, report: Report) -> Result<(), AssociationError> {
    let context = session.association.contexts().iter().find(|c| c.abstract_syntax.as_str() == STORAGE_COMMITMENT_PUSH);
    let Some(context) = context.cloned() else {
        return Ok(());
    };
    let message_id = session.association.next_message_id();
    let sent = send(&mut session.association, &context, message_id, &report).await;
    // One that did not go out goes over an association of our own, like one without answer.
    session.reports.unanswered.insert(message_id, report);
    sent
}

fn transaction(information: &DataSet) -> Result<Transaction, Status> {
    let uid = information.text(TRANSACTION_UID).ok_or(Status::MISSING_ATTRIBUTE)?;
    let uid = Uid::parse(uid).map_err(|_| Status::INVALID_ARGUMENT_VALUE)?;
    let references: Option<Vec<SopReference>> =
        information.items(REFERENCED_SOP_SEQUENCE).iter().map(reference).collect();
    match references {
        Some(references) if !references.is_empty() => Ok(Transaction { uid, references }),
        _ => Err(Status::INVALID_ARGUMENT_VALUE),
    }
}

fn reference(item: &DataSet) -> Option<SopReference> {
    let sop_class = SopClassUid::parse(item.text(REFERENCED_SOP_CLASS_UID)?).ok()?;
    let sop_instance = SopInstanceUid::parse(item.text(REFERENCED_SOP_INSTANCE_UID)?).ok()?;
    Some(SopReference { sop_class, sop_instance })
}

/// Checks what was asked for.
async fn check(entity: &Entity, caller: &Caller, transaction: Transaction) -> Outcome {
    let Transaction { uid, references } = transaction;
    let committed = entity.host.archive.commit(caller, references.clone()).await;
    let results = committed.unwrap_or_else(|error| {
        tracing::warn!(%error, "a storage commitment request could not be checked");
        vec![Commitment::ProcessingFailure; references.len()]
    });
    outcome(uid, &references, &results)
}

/// What the report on a transaction says. An instance that was named twice, once rightly and once
/// not, is not said to be committed: its sender may delete what is.
fn outcome(transaction: Uid, references: &[SopReference], results: &[Commitment]) -> Outcome {
    let (mut committed, mut failed) = (Vec::new(), Vec::new());
    let results = || references.iter().zip(results);
    let in_doubt: HashSet<&SopInstanceUid> =
        results().filter(|(_, r)| **r != Commitment::Committed).map(|(reference, _)| &reference.sop_instance).collect();
    for (reference, result) in results() {
        let mut item = DataSet::new();
        item.put_text(REFERENCED_SOP_CLASS_UID, VR::UI, reference.sop_class.as_str());
        item.put_text(REFERENCED_SOP_INSTANCE_UID, VR::UI, reference.sop_instance.as_str());
        let reason = match result {
            Commitment::Committed => {
                if !in_doubt.contains(&reference.sop_instance) {
                    committed.push(item);
                }
                continue;
            }
            Commitment::NoSuchObjectInstance => Status::NO_SUCH_OBJECT_INSTANCE,
            Commitment::ClassInstanceConflict => Status::CLASS_INSTANCE_CONFLICT,
            Commitment::ProcessingFailure => Status::PROCESSING_FAILURE,
        };
        item.put(FAILURE_REASON, VR::US, Value::Unsigned(vec![reason.0.into()]));
        failed.push(item);
    }
    let event_type = if failed.is_empty() { 1 } else { 2 };
    let mut information = DataSet::new();
    information.put_text(TRANSACTION_UID, VR::UI, transaction.as_str());
    if !committed.is_empty() {
        information.put(REFERENCED_SOP_SEQUENCE, VR::SQ, Value::Sequence(committed));
    }
    if !failed.is_empty() {
        information.put(FAILED_SOP_SEQUENCE, VR::SQ, Value::Sequence(failed));
    }
    Outcome { event_type, information }
}

/// Sends N-EVENT-REPORT under that Message ID.
async fn send<S: AsyncRead + AsyncWrite + Unpin + Send>(
    association: &mut Association<S>,
    context: &PresentationContext,
    message_id: u16,
    report: &Report,
) -> Result<(), AssociationError> {
    let instance = Uid::parse(STORAGE_COMMITMENT_PUSH_INSTANCE);
    let request = NEventReportRequest {
        message_id,
        affected_sop_class: context.abstract_syntax.clone(),
        affected_sop_instance: instance.map_err(|_| AssociationError::Misuse("the well-known instance"))?,
        event_type: report.result.event_type,
    };
    let charset = SpecificCharacterSet::default();
    let bytes = identifier::write(&report.result.information, &context.transfer_syntax, &charset);
    let bytes = bytes.map_err(|_| AssociationError::Misuse("a report that cannot be written"))?;
    association.send(context.id, &request.into(), Some(&bytes)).await
}

/// Delivers a report over an association of our own, trying again for a while.
async fn deliver(entity: Entity, caller: Arc<Caller>, ae: AeTitle, report: Report) {
    let dimse = &entity.host.config.dimse;
    for attempt in 1..=dimse.commitment_attempts {
        let delivered = tokio::select! {
            () = entity.stop.cancelled() => return,
            delivered = deliver_once(&entity, &caller, &ae, &report) => delivered,
        };
        let Err(error) = delivered else { return };
        tracing::info!(attempt, %error, "storage commitment report not delivered");
        if matches!(error, NotReached::NoAddress) {
            return;
        }
        tokio::select! {
            () = entity.stop.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(dimse.commitment_retry_s)) => {}
        }
    }
}

async fn deliver_once(entity: &Entity, caller: &Caller, ae: &AeTitle, report: &Report) -> Result<(), NotReached> {
    let host = &entity.host;
    let peer = host.archive.destination(caller, ae).await.map_err(|_| NotReached::NoAddress)?;
    let misuse = |_| AssociationError::Misuse("a constant UID");
    let sop_class = Uid::parse(STORAGE_COMMITMENT_PUSH).map_err(misuse)?;
    let syntaxes = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"].map(Uid::parse);
    let syntaxes = syntaxes.into_iter().collect::<Result<Vec<Uid>, _>>().map_err(misuse)?;
    let roles = vec![RoleSelection { sop_class: sop_class.clone(), scu: false, scp: true }];
    let mut association = outbound::associate(host, &peer, vec![(sop_class, syntaxes)], roles).await?;
    let Some(context) = association.contexts().first().cloned() else {
        association.release().await?;
        return Err(AssociationError::Misuse("the peer takes no storage commitment reports").into());
    };
    let message_id = association.next_message_id();
    send(&mut association, &context, message_id, report).await?;
    let message = association.receive().await?.ok_or(AssociationError::Closed)?;
    match Command::try_from(&message.command) {
        Ok(Command::NEventReportResponse(response)) if response.responded_to == message_id => {}
        _ => return Err(AssociationError::PeerMisbehaved("another message than the answer").into()),
    }
    Ok(association.release().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference_to(uid: &str) -> SopReference {
        SopReference {
            sop_class: SopClassUid::parse("1.2.3").unwrap(),
            sop_instance: SopInstanceUid::parse(uid).unwrap(),
        }
    }

    #[test]
    fn a_report_names_each_object_once_with_its_reason() {
        let references = ["1.1", "1.2", "1.3", "1.3"].map(reference_to);
        let results = [
            Commitment::Committed,
            Commitment::NoSuchObjectInstance,
            Commitment::Committed,
            Commitment::ClassInstanceConflict,
        ];
        let outcome = outcome(Uid::parse("9.9").unwrap(), &references, &results);
        assert_eq!(outcome.event_type, 2);
        let information = &outcome.information;
        assert_eq!(information.text(TRANSACTION_UID), Some("9.9"));
        assert_eq!(information.items(REFERENCED_SOP_SEQUENCE).len(), 1);
        let reasons: Vec<_> =
            information.items(FAILED_SOP_SEQUENCE).iter().map(|i| i.integer(FAILURE_REASON)).collect();
        assert_eq!(reasons, [Some(0x0112), Some(0x0119)]);
    }

    #[test]
    fn a_request_without_transaction_or_references_is_refused() {
        let mut information = DataSet::new();
        assert_eq!(transaction(&information).err(), Some(Status::MISSING_ATTRIBUTE));
        information.put_text(TRANSACTION_UID, VR::UI, "9.9");
        assert_eq!(transaction(&information).err(), Some(Status::INVALID_ARGUMENT_VALUE));
        information.put(REFERENCED_SOP_SEQUENCE, VR::SQ, Value::Sequence(vec![DataSet::new()]));
        assert_eq!(transaction(&information).err(), Some(Status::INVALID_ARGUMENT_VALUE));
    }
}
