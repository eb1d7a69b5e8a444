//! Sending messages: command and data set in fragments of the peer's size, PS3.8 Annex E.

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Association, AssociationError};
use crate::message::CommandSet;
use crate::pdu::data::{DATA_HEADER_BYTES, PDV_HEADER_BYTES, PdvHeader};

/// The longest P-DATA-TF we send to a peer that takes any.
const MAX_SENT_PDU_BYTES: u32 = 256 * 1024;
/// The shortest maximum a peer may announce; less leaves no room for a fragment worth sending.
pub(crate) const MIN_PEER_PDU_BYTES: u32 = 16;
/// Whole PDUs gather until there are as many bytes, then go out in one write.
const WRITE_BYTES: usize = 64 * 1024;

/// The sending half: what has been begun and how long a fragment may be.
pub(super) struct Outgoing {
    fragment_bytes: usize,
    /// The data set begun: its context and where its unfinished PDU starts in the output.
    pub(super) data_set: Option<(u8, usize)>,
}

impl Outgoing {
    pub(super) fn new(peer_max_pdu_bytes: u32) -> Outgoing {
        let max = match peer_max_pdu_bytes {
            0 => MAX_SENT_PDU_BYTES,
            announced => announced.clamp(MIN_PEER_PDU_BYTES, MAX_SENT_PDU_BYTES),
        };
        // Fragments have an even length, PS3.8 E.1.
        let fragment_bytes = (usize::try_from(max).unwrap_or(0) - PDV_HEADER_BYTES) & !1;
        Outgoing { fragment_bytes, data_set: None }
    }

    /// Appends a command set as PDUs.
    fn put_command(&self, context_id: u8, command: &CommandSet, output: &mut Vec<u8>) {
        let bytes = command.encode();
        let mut fragments = bytes.chunks(self.fragment_bytes).peekable();
        while let Some(fragment) = fragments.next() {
            let length = u32::try_from(fragment.len()).unwrap_or(0);
            let header = PdvHeader { context_id, is_command: true, is_last: fragments.peek().is_none(), length };
            output.extend(header.encode_with_pdu());
            output.extend_from_slice(fragment);
        }
    }

    /// Begins a PDU of the data set.
    fn open_pdu(&mut self, context_id: u8, output: &mut Vec<u8>) {
        self.data_set = Some((context_id, output.len()));
        output.extend([0; DATA_HEADER_BYTES]);
    }

    /// Writes the header of the PDU begun, now that its length is known.
    fn close_pdu(context_id: u8, start: usize, is_last: bool, output: &mut [u8]) {
        let length = u32::try_from(output.len() - start - DATA_HEADER_BYTES).unwrap_or(0);
        let header = PdvHeader { context_id, is_command: false, is_last, length };
        if let Some(field) = output.get_mut(start..start + DATA_HEADER_BYTES) {
            field.copy_from_slice(&header.encode_with_pdu());
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Association<S> {
    /// Sends a command and, when given, its data set; each PDU is one write, and small
    /// PDUs go out together.
    ///
    /// Sending is not cancel safe: an association whose sending was dropped can only be aborted.
    pub async fn send(
        &mut self,
        context_id: u8,
        command: &CommandSet,
        data_set: Option<&[u8]>,
    ) -> Result<(), AssociationError> {
        if let Some(bytes) = data_set {
            self.begin_data(context_id, command).await?;
            self.send_data(bytes).await?;
            return self.end_data().await;
        }
        self.put_command(context_id, command, false)?;
        self.write().await
    }

    /// Sends a command whose data set follows by `send_data` and `end_data`. The command
    /// may stay here until the first PDU of the data set is full.
    pub async fn begin_data(&mut self, context_id: u8, command: &CommandSet) -> Result<(), AssociationError> {
        self.put_command(context_id, command, true)?;
        self.outgoing.open_pdu(context_id, &mut self.wire.output);
        Ok(())
    }

    /// Sends bytes of the data set begun; splits into PDUs of the peer's size.
    pub async fn send_data(&mut self, mut bytes: &[u8]) -> Result<(), AssociationError> {
        self.check_open()?;
        while !bytes.is_empty() {
            let (context_id, start) = self.outgoing.data_set.ok_or(NOTHING_BEGUN)?;
            let room = self.outgoing.fragment_bytes - (self.wire.output.len() - start - DATA_HEADER_BYTES);
            if room == 0 {
                Outgoing::close_pdu(context_id, start, false, &mut self.wire.output);
                if self.wire.output.len() >= WRITE_BYTES {
                    self.write().await?;
                }
                self.outgoing.open_pdu(context_id, &mut self.wire.output);
                continue;
            }
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.wire.output.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Ends the data set begun.
    pub async fn end_data(&mut self) -> Result<(), AssociationError> {
        self.check_open()?;
        let (context_id, start) = self.outgoing.data_set.take().ok_or(NOTHING_BEGUN)?;
        Outgoing::close_pdu(context_id, start, true, &mut self.wire.output);
        self.write().await
    }

    fn put_command(
        &mut self,
        context_id: u8,
        command: &CommandSet,
        has_data_set: bool,
    ) -> Result<(), AssociationError> {
        self.check_open()?;
        if self.context(context_id).is_none() {
            return Err(AssociationError::Misuse("the presentation context was not accepted"));
        }
        if self.outgoing.data_set.is_some() {
            return Err(AssociationError::Misuse("the data set begun has not ended"));
        }
        let mut command = command.clone();
        command.put_has_data_set(has_data_set);
        self.outgoing.put_command(context_id, &command, &mut self.wire.output);
        Ok(())
    }

    async fn write(&mut self) -> Result<(), AssociationError> {
        let result = self.wire.write_output().await;
        self.settle(result.map_err(Into::into)).await
    }
}

const NOTHING_BEGUN: AssociationError = AssociationError::Misuse("no data set was begun");
