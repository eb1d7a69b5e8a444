//! The side that calls, PS3.8 §9.2 state 5.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::acceptor::{aborted, check_peer_max, read_pdu};
use crate::association::wire::{Wait, Wire};
use crate::association::{Agreed, Association, AssociationError, Failure, Limits};
use crate::negotiation::{AssociateRequest, ContextResult, PresentationContext};
use crate::pdu::associate::{AssociateAccept, decode_accept, encode_request};
use crate::pdu::{Fault, PduType};

/// Asks for an association over a connected stream. `request.max_pdu_bytes` is what the
/// limits say when it is 0 or more than they say.
pub async fn request<S: AsyncRead + AsyncWrite + Unpin + Send>(
    stream: S,
    mut request: AssociateRequest,
    limits: &Limits,
) -> Result<Association<S>, AssociationError> {
    let ours = limits.announced_max_pdu_bytes();
    request.max_pdu_bytes = match request.max_pdu_bytes {
        0 => ours,
        wanted => wanted.clamp(crate::association::MIN_PEER_PDU_BYTES, ours),
    };
    let mut wire = Wire::new(stream, limits);
    wire.output = encode_request(&request)?;
    match exchange(&mut wire, &request, limits).await {
        Ok(accept) => Ok(Association::open(wire, limits, agree(request, accept))),
        Err(failure) => Err(wire.settle(failure).await),
    }
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin + Send>(
    wire: &mut Wire<S>,
    request: &AssociateRequest,
    limits: &Limits,
) -> Result<AssociateAccept, Failure> {
    wire.write_output().await?;
    let wait = Wait::Until(Instant::now() + limits.associate_timeout, "before its A-ASSOCIATE-AC was complete");
    let (kind, body) = read_pdu(wire, limits, wait).await?;
    match kind {
        PduType::AssociateAccept => {}
        PduType::AssociateReject => {
            let byte = |at: usize| body.get(at).copied().unwrap_or(0);
            return Err(AssociationError::from((byte(1), byte(2), byte(3))).into());
        }
        PduType::Abort => return Err(aborted(&body)),
        _ => return Err(Fault::unexpected("a PDU that does not answer an A-ASSOCIATE-RQ").into()),
    }
    let accept = decode_accept(&body)?;
    check_peer_max(accept.max_pdu_bytes)?;
    check_results(request, &accept)?;
    Ok(accept)
}

/// An acceptor chooses among what was proposed.
fn check_results(request: &AssociateRequest, accept: &AssociateAccept) -> Result<(), Fault> {
    for (id, result) in &accept.contexts {
        let proposed = request.contexts.iter().find(|context| context.id == *id);
        let proposed = proposed.ok_or(Fault::invalid("a result for a presentation context that was not proposed"))?;
        if let ContextResult::Accepted(uid) = result
            && !proposed.transfer_syntaxes.contains(uid)
        {
            return Err(Fault::invalid("a transfer syntax that was not proposed"));
        }
    }
    Ok(())
}

fn agree(request: AssociateRequest, accept: AssociateAccept) -> Agreed {
    let (mut contexts, mut refused) = (Vec::new(), Vec::new());
    for proposed in &request.contexts {
        let result = accept.contexts.iter().find(|(id, _)| *id == proposed.id).map(|(_, result)| result);
        match result {
            Some(ContextResult::Accepted(uid)) => contexts.push(PresentationContext {
                id: proposed.id,
                abstract_syntax: proposed.abstract_syntax.clone(),
                transfer_syntax: uid.clone(),
            }),
            // No result at all accepts nothing.
            other => refused.push((proposed.id, other.cloned().unwrap_or(ContextResult::ProviderRejection))),
        }
    }
    Agreed {
        contexts,
        refused,
        roles: accept.roles,
        extended: accept.extended,
        user_identity_response: accept.user_identity_response,
        peer_max_pdu_bytes: accept.max_pdu_bytes,
        max_pdu_bytes: request.max_pdu_bytes,
        is_requestor: true,
        request,
    }
}
