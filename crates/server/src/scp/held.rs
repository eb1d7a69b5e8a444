//! C-STORE of a sender that nobody knows: into the approval queue, PS3.4 B.
//!
//! The answer is Success (0000H) once the object would survive a power cut. Success of the
//! Storage service says that the SCP has the object, and no more: that it stays is what Storage
//! Commitment promises (PS3.4 J), which an unknown sender does not get. A failure would be untrue
//! and have a modality send the same again until the queue is full, and the warnings of B.2.3 say
//! that attributes were changed or dropped, which none is. Deliberately absent: anything an
//! unknown sender could read.

use leadglass_archive::held::Arriving;
use leadglass_archive::store::StoreRefused;
use leadglass_dicom::TransferSyntax;
use leadglass_dimse::AssociationError;
use leadglass_dimse::message::{CStoreRequest, StatusDetail};
use leadglass_dimse::negotiation::PresentationContext;
use leadglass_dimse::status::Status;

use super::session::Session;
use super::storage::{drain, status_of_refusal};
use crate::metrics::{self, DICOM};

/// Takes one object and answers when it would survive a power cut.
pub async fn hold(
    session: &mut Session,
    context: &PresentationContext,
    request: &CStoreRequest,
) -> Result<(), AssociationError> {
    let (status, detail) = match receive(session, context, request).await? {
        Ok(()) => (Status::SUCCESS, StatusDetail::none()),
        Err(refused) => status_of_refusal(&refused),
    };
    tracing::debug!(door = DICOM, caller = session.caller.name(), status = status.0, "object of an unknown sender");
    session.association.send(context.id, &request.response(status, detail).into(), None).await
}

/// The outer error ends the association, the inner one is answered.
async fn receive(
    session: &mut Session,
    context: &PresentationContext,
    request: &CStoreRequest,
) -> Result<Result<(), StoreRefused>, AssociationError> {
    if request.affected_sop_class != context.abstract_syntax {
        drain(&mut session.association).await?;
        let reason = "Affected SOP Class UID is not that of the presentation context";
        return Ok(Err(StoreRefused::DoesNotMatch(reason.into())));
    }
    let arriving = Arriving {
        transfer_syntax: TransferSyntax::from_uid(context.transfer_syntax.clone()),
        sop_class: request.affected_sop_class.clone().into(),
        sop_instance: request.affected_sop_instance.clone().into(),
        shown: session.shown.clone().unwrap_or_default(),
    };
    let mut hold = match session.entity.host().archive.hold(&session.caller, arriving).await {
        Ok(hold) => hold,
        Err(refused) => {
            drain(&mut session.association).await?;
            return Ok(Err(refused));
        }
    };
    while let Some(chunk) = session.association.next_data_chunk().await? {
        metrics::received(DICOM, chunk.len());
        if let Err(refused) = hold.push(&chunk).await {
            drop(hold);
            drain(&mut session.association).await?;
            return Ok(Err(refused));
        }
    }
    Ok(hold.finish().await)
}
