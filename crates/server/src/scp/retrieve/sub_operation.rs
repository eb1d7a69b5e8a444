//! One C-STORE sub-operation: a stored object out to a peer, converted when its context
//! has another native transfer syntax.

use std::collections::VecDeque;

use bytes::Bytes;
use leadglass_archive::Refused;
use leadglass_archive::retrieve::{DataSetReader, Retrieval, StoredInstance};
use leadglass_dicom::convert::{ConvertError, Converter};
use leadglass_dicom::{AeTitle, TransferSyntax};
use leadglass_dimse::message::{CStoreRequest, Command, Priority};
use leadglass_dimse::negotiation::PresentationContext;
use leadglass_dimse::status::StatusKind;
use leadglass_dimse::{Association, AssociationError};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::metrics::{self, DICOM};

/// Bytes that are read, opened and checked before the first is sent. Damage found within
/// them costs one sub-operation; damage found later costs the association, as a data set
/// once begun cannot be taken back.
const AHEAD_BYTES: usize = 4 << 20;

/// How a sub-operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The peer has it.
    Completed,
    /// The peer has it and warns.
    Warning,
    /// The peer has it not.
    Failed,
}

/// The context an instance goes out on: its own transfer syntax when that was accepted,
/// otherwise a native one if its own is native.
pub fn context_for(instance: &StoredInstance, contexts: &[PresentationContext]) -> Option<PresentationContext> {
    let of_class = || contexts.iter().filter(|context| context.abstract_syntax == *instance.sop_class.as_uid());
    let as_is = of_class().find(|context| context.transfer_syntax == *instance.transfer_syntax.uid());
    let converted = || {
        let is_native =
            |context: &&PresentationContext| TransferSyntax::from_uid(context.transfer_syntax.clone()).is_native();
        instance.transfer_syntax.is_native().then(|| of_class().find(is_native)).flatten()
    };
    as_is.or_else(converted).cloned()
}

/// A sub-operation to be.
pub struct SubOperation {
    /// Its context.
    pub context: PresentationContext,
    /// AE title and Message ID of the C-MOVE it belongs to.
    pub originator: Option<(AeTitle, u16)>,
}

impl SubOperation {
    /// Sends the instance and waits for the answer; notes a C-CANCEL that comes first in
    /// `cancels`. An error ends the association.
    pub async fn store<S: AsyncRead + AsyncWrite + Unpin + Send>(
        self,
        association: &mut Association<S>,
        retrieval: &Retrieval,
        instance: &StoredInstance,
        cancels: &mut Vec<u16>,
    ) -> Result<Outcome, AssociationError> {
        let mut source = match Source::open(retrieval, instance, &self.context).await {
            Ok(source) => source,
            Err(fault) => {
                tracing::warn!(%fault, "an instance cannot be handed out");
                return Ok(Outcome::Failed);
            }
        };
        let message_id = association.next_message_id();
        let request = CStoreRequest {
            message_id,
            affected_sop_class: instance.sop_class.as_uid().clone(),
            affected_sop_instance: instance.sop_instance.as_uid().clone(),
            priority: Priority::Medium,
            move_originator: self.originator,
        };
        association.begin_data(self.context.id, &request.into()).await?;
        while let Some(bytes) = source.next().await.map_err(|fault| AssociationError::Source(fault.into()))? {
            metrics::sent(DICOM, bytes.len());
            association.send_data(&bytes).await?;
        }
        association.end_data().await?;
        answer(association, message_id, cancels).await
    }
}

async fn answer<S: AsyncRead + AsyncWrite + Unpin + Send>(
    association: &mut Association<S>,
    message_id: u16,
    cancels: &mut Vec<u16>,
) -> Result<Outcome, AssociationError> {
    loop {
        let message = association.receive().await?.ok_or(AssociationError::Closed)?;
        match Command::try_from(&message.command) {
            Ok(Command::CStoreResponse(response)) if response.responded_to == message_id => {
                return Ok(match response.status.kind() {
                    StatusKind::Success => Outcome::Completed,
                    StatusKind::Warning => Outcome::Warning,
                    _ => Outcome::Failed,
                });
            }
            Ok(Command::CCancelRequest(cancel)) if cancels.is_empty() => cancels.push(cancel.responded_to),
            _ => return Err(AssociationError::PeerMisbehaved("another message than the answer to a C-STORE")),
        }
    }
}

/// Why a stored object does not come out.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Convert(#[from] ConvertError),
}

impl From<Fault> for std::io::Error {
    fn from(fault: Fault) -> std::io::Error {
        std::io::Error::other(fault)
    }
}

/// The bytes of an instance in the transfer syntax of a context.
struct Source {
    ahead: VecDeque<Bytes>,
    rest: Rest,
}

/// What is still to be read.
struct Rest {
    reader: Option<DataSetReader>,
    converter: Option<Converter>,
}

impl Source {
    /// Opens an instance and reads ahead.
    async fn open(
        retrieval: &Retrieval,
        instance: &StoredInstance,
        context: &PresentationContext,
    ) -> Result<Source, Fault> {
        let to = TransferSyntax::from_uid(context.transfer_syntax.clone());
        let converter = match to == instance.transfer_syntax {
            true => None,
            false => Some(Converter::new(&instance.transfer_syntax, &to)?),
        };
        let mut rest = Rest { reader: Some(retrieval.open(instance).await?), converter };
        let (mut ahead, mut bytes_ahead) = (VecDeque::new(), 0);
        while bytes_ahead < AHEAD_BYTES {
            let Some(bytes) = rest.next().await? else { break };
            bytes_ahead += bytes.len();
            ahead.push_back(bytes);
        }
        Ok(Source { ahead, rest })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        match self.ahead.pop_front() {
            Some(bytes) => Ok(Some(bytes)),
            None => self.rest.next().await,
        }
    }
}

impl Rest {
    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        let Some(reader) = &mut self.reader else { return Ok(None) };
        let chunk = reader.next_chunk().await?;
        if chunk.is_none() {
            self.reader = None;
        }
        let Some(converter) = &mut self.converter else { return Ok(chunk) };
        let mut out = Vec::new();
        match chunk {
            Some(chunk) => converter.push(&chunk, &mut out)?,
            None => match self.converter.take() {
                Some(converter) => converter.finish(&mut out)?,
                None => return Ok(None),
            },
        }
        Ok(Some(out.into()))
    }
}
