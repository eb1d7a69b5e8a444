//! C-STORE into the spool, PS3.4 B: acknowledged once it would survive a power cut.

use leadglass_archive::spool::{Sheet, SpoolRefused};
use leadglass_dimse::AssociationError;
use leadglass_dimse::message::{CStoreRequest, StatusDetail};
use leadglass_dimse::negotiation::PresentationContext;
use leadglass_dimse::status::Status;

use super::config::EdgeVerb;
use super::session::Session;

/// Takes one object and answers.
pub(super) async fn store(
    session: &mut Session,
    context: &PresentationContext,
    request: &CStoreRequest,
) -> Result<(), AssociationError> {
    let outcome = receive(session, context, request).await?;
    let (status, detail) = match outcome {
        Ok(()) => (Status::SUCCESS, StatusDetail::none()),
        Err(refusal) => refusal,
    };
    session.association.send(context.id, &request.response(status, detail).into(), None).await
}

type Refusal = (Status, StatusDetail);

/// The outer error ends the association, the inner one is answered.
async fn receive(
    session: &mut Session,
    context: &PresentationContext,
    request: &CStoreRequest,
) -> Result<Result<(), Refusal>, AssociationError> {
    let begun = begin(session, context, request);
    let mut arrival = match begun {
        Ok(arrival) => arrival,
        Err(refusal) => {
            drain(session).await?;
            return Ok(Err(refusal));
        }
    };
    while let Some(chunk) = session.association.next_data_chunk().await? {
        if let Err(refused) = arrival.push(&chunk).await {
            drop(arrival);
            drain(session).await?;
            return Ok(Err(told(session, &refused)));
        }
    }
    Ok(arrival.finish().await.map(drop).map_err(|refused| told(session, &refused)))
}

fn begin(
    session: &Session,
    context: &PresentationContext,
    request: &CStoreRequest,
) -> Result<leadglass_archive::spool::Arrival, Refusal> {
    if !session.modality.may(EdgeVerb::Store) {
        return Err((Status::NOT_AUTHORIZED, StatusDetail::none()));
    }
    if request.affected_sop_class != context.abstract_syntax {
        let why = "Affected SOP Class UID is not that of the presentation context";
        return Err((Status::DATA_SET_DOES_NOT_MATCH, StatusDetail::comment(why)));
    }
    let sheet = Sheet {
        calling_ae: session.modality.ae.to_string(),
        sop_class: request.affected_sop_class.to_string(),
        sop_instance: request.affected_sop_instance.to_string(),
        transfer_syntax: context.transfer_syntax.to_string(),
        received_ns: 0,
        shown: None,
    };
    session.shared.spool.begin(sheet).map_err(|refused| told(session, &refused))
}

/// The one place that says with which status a refused object ends, and the log of it.
fn told(session: &Session, refused: &SpoolRefused) -> Refusal {
    tracing::warn!(door = "edge", modality = %session.modality.ae, reason = %refused, "an object is not taken");
    match refused {
        SpoolRefused::CannotUnderstand(why) => (Status::CANNOT_UNDERSTAND, StatusDetail::comment(why)),
        SpoolRefused::DoesNotMatch(why) => (Status::DATA_SET_DOES_NOT_MATCH, StatusDetail::comment(why)),
        SpoolRefused::Full(_) => (Status::OUT_OF_RESOURCES, StatusDetail::comment("the spool of the edge is full")),
        SpoolRefused::Poisoned => (Status::OUT_OF_RESOURCES, StatusDetail::comment("the spool cannot be written")),
        SpoolRefused::NoSuchObject | SpoolRefused::Damaged(_) | SpoolRefused::Broken(_) => {
            (Status::PROCESSING_FAILURE, StatusDetail::none())
        }
    }
}

/// Reads the rest of a refused object: a peer that still sends does not read our answer.
async fn drain(session: &mut Session) -> Result<(), AssociationError> {
    while session.association.next_data_chunk().await?.is_some() {}
    Ok(())
}
