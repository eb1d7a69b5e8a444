//! The side that is called, PS3.8 §9.2 states 2 and 3.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::association::wire::{Wait, Wire};
use crate::association::{Agreed, Association, AssociationError, Failure, Limits, MIN_PEER_PDU_BYTES};
use crate::negotiation::{Acceptance, AssociateRequest, ContextResult, PresentationContext, Rejection};
use crate::pdu::associate::{AssociateAccept, RequestError, decode_request, encode_accept};
use crate::pdu::{Fault, HEADER_BYTES, Header, PduType, control};

/// An association that has been asked for and not answered.
pub struct Requested<S> {
    wire: Wire<S>,
    limits: Limits,
    request: AssociateRequest,
}

/// Waits for an A-ASSOCIATE-RQ (ARTIM: `limits.associate_timeout`).
///
/// A request that is malformed is answered A-ABORT, one for another protocol version or
/// application context, or with an unreadable AE title, A-ASSOCIATE-RJ.
pub async fn receive<S: AsyncRead + AsyncWrite + Unpin + Send>(
    stream: S,
    limits: &Limits,
) -> Result<Requested<S>, AssociationError> {
    let mut wire = Wire::new(stream, limits);
    match receive_request(&mut wire, limits).await {
        Ok(request) => Ok(Requested { wire, limits: limits.clone(), request }),
        // AA-2: when ARTIM expires the connection is closed, without a word.
        Err(Failure::Other(error @ AssociationError::TimedOut(_))) => {
            wire.close().await;
            Err(error)
        }
        Err(failure) => Err(wire.settle(failure).await),
    }
}

async fn receive_request<S: AsyncRead + AsyncWrite + Unpin + Send>(
    wire: &mut Wire<S>,
    limits: &Limits,
) -> Result<AssociateRequest, Failure> {
    let wait = Wait::Until(Instant::now() + limits.associate_timeout, "before its A-ASSOCIATE-RQ was complete");
    let (kind, body) = read_pdu(wire, limits, wait).await?;
    match kind {
        PduType::AssociateRequest => {}
        PduType::Abort => return Err(aborted(&body)),
        _ => return Err(Fault::unexpected("a PDU other than A-ASSOCIATE-RQ to begin with").into()),
    }
    let request = match decode_request(&body) {
        Ok(request) => request,
        Err(RequestError::Fault(fault)) => return Err(fault.into()),
        Err(RequestError::Rejected(rejection)) => {
            wire.farewell(&control::reject(rejection)).await;
            return Err(AssociationError::Unacceptable(rejection).into());
        }
    };
    check_peer_max(request.max_pdu_bytes)?;
    Ok(request)
}

/// Reads one PDU of the time before the association is open; P-DATA-TF is not read.
pub(crate) async fn read_pdu<S: AsyncRead + AsyncWrite + Unpin + Send>(
    wire: &mut Wire<S>,
    limits: &Limits,
    wait: Wait,
) -> Result<(PduType, bytes::BytesMut), Failure> {
    wire.fill(HEADER_BYTES, wait).await?;
    let header = wire.input.first_chunk().ok_or(Fault::invalid("a PDU without header"))?;
    let Header { kind, length } = Header::decode(*header)?;
    match kind {
        PduType::AssociateRequest | PduType::AssociateAccept if length > limits.max_associate_bytes => {
            return Err(Fault::invalid("an A-ASSOCIATE PDU longer than our limit").into());
        }
        PduType::AssociateRequest | PduType::AssociateAccept => {}
        PduType::Data => return Err(Fault::unexpected("a P-DATA-TF before the association is open").into()),
        _ => control::check_length(length)?,
    }
    let length = usize::try_from(length).map_err(|_| Fault::invalid("a PDU longer than memory"))?;
    wire.fill(HEADER_BYTES + length, wait).await?;
    let mut pdu = wire.input.split_to(HEADER_BYTES + length);
    Ok((kind, pdu.split_off(HEADER_BYTES)))
}

/// The body of an A-ABORT as an error.
pub(crate) fn aborted(body: &[u8]) -> Failure {
    let byte = |at: usize| body.get(at).copied().unwrap_or(0);
    AssociationError::Aborted { abort_source: byte(2), reason: byte(3) }.into()
}

/// Refuses a maximum that leaves no room for a fragment; 0 is no limit.
pub(crate) fn check_peer_max(max_pdu_bytes: u32) -> Result<(), Fault> {
    if (1..MIN_PEER_PDU_BYTES).contains(&max_pdu_bytes) {
        return Err(Fault::invalid("a maximum PDU length too small to be of use"));
    }
    Ok(())
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Requested<S> {
    /// What is asked for.
    pub fn request(&self) -> &AssociateRequest {
        &self.request
    }

    /// Answers A-ASSOCIATE-AC.
    pub async fn accept(mut self, acceptance: Acceptance) -> Result<Association<S>, AssociationError> {
        let (contexts, refused) = self.contexts(&acceptance)?;
        let max_pdu_bytes = self.limits.announced_max_pdu_bytes();
        let results = self.request.contexts.iter().map(|context| context.id).zip(acceptance.contexts);
        let accept = AssociateAccept {
            contexts: results.collect(),
            max_pdu_bytes,
            implementation_class: leadglass_dicom::Uid::parse(crate::IMPLEMENTATION_CLASS_UID).ok(),
            implementation_version: Some(crate::IMPLEMENTATION_VERSION_NAME.to_owned()),
            async_operations: None,
            roles: acceptance.roles,
            extended: acceptance.extended,
            user_identity_response: acceptance.user_identity_response,
        };
        self.wire.output = encode_accept(&self.request, &accept)?;
        if let Err(error) = self.wire.write_output().await {
            return Err(self.wire.settle(error.into()).await);
        }
        let agreed = Agreed {
            contexts,
            refused,
            roles: accept.roles,
            extended: accept.extended,
            user_identity_response: accept.user_identity_response,
            peer_max_pdu_bytes: self.request.max_pdu_bytes,
            max_pdu_bytes,
            is_requestor: false,
            request: self.request,
        };
        Ok(Association::open(self.wire, &self.limits, agreed))
    }

    /// What is accepted and what is not; one result for each proposal, of what was proposed.
    #[expect(clippy::type_complexity, reason = "two lists, used once")]
    fn contexts(
        &self,
        acceptance: &Acceptance,
    ) -> Result<(Vec<PresentationContext>, Vec<(u8, ContextResult)>), AssociationError> {
        if acceptance.contexts.len() != self.request.contexts.len() {
            return Err(AssociationError::Misuse("each proposed context has one result"));
        }
        let (mut contexts, mut refused) = (Vec::new(), Vec::new());
        for (proposed, result) in self.request.contexts.iter().zip(&acceptance.contexts) {
            match result {
                ContextResult::Accepted(uid) if proposed.transfer_syntaxes.contains(uid) => {
                    contexts.push(PresentationContext {
                        id: proposed.id,
                        abstract_syntax: proposed.abstract_syntax.clone(),
                        transfer_syntax: uid.clone(),
                    });
                }
                ContextResult::Accepted(_) => {
                    return Err(AssociationError::Misuse("a transfer syntax that was not proposed"));
                }
                result => refused.push((proposed.id, result.clone())),
            }
        }
        Ok((contexts, refused))
    }

    /// Answers A-ASSOCIATE-RJ and waits shortly for the other end to close.
    pub async fn reject(mut self, rejection: Rejection) -> Result<(), AssociationError> {
        self.wire.farewell(&control::reject(rejection)).await;
        Ok(())
    }
}
