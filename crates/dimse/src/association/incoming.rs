//! From bytes to events: the receiving half of PS3.8 §9.2 and of PS3.7 §6.3, without
//! waiting for anything. Whoever has bytes asks for the next event.

use bytes::{Buf, Bytes, BytesMut};

use crate::message::CommandSet;
use crate::pdu::data::{PDV_HEADER_BYTES, PdvHeader};
use crate::pdu::{Fault, HEADER_BYTES, Header, PduType, control};

/// A chunk of a data set is at least this long, unless its presentation data value ends.
const CHUNK_BYTES: usize = 32 * 1024;

/// What the peer said.
#[derive(Debug)]
pub(super) enum Event {
    /// A whole command set; its data set follows when it says so.
    Command { context_id: u8, command: CommandSet },
    /// Bytes of the data set.
    Data(Bytes),
    /// The data set is complete.
    DataEnd,
    /// A-RELEASE-RQ.
    ReleaseRequest,
    /// A-RELEASE-RP.
    ReleaseResponse,
    /// A-ABORT.
    Abort { abort_source: u8, reason: u8 },
}

/// What may come next in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// The first fragment of a command set.
    Command,
    /// More of the command set on this context.
    RestOfCommand(u8),
    /// The data set on this context.
    DataSet(u8),
}

pub(super) struct Incoming {
    max_pdu_bytes: u32,
    max_command_bytes: usize,
    context_ids: Vec<u8>,
    expected: Expected,
    /// Bytes of the current P-DATA-TF that no presentation data value has claimed.
    pdu_left: u32,
    /// The current presentation data value; its length is what is left of it.
    pdv: Option<PdvHeader>,
    /// Fragments of the command set so far.
    command: Vec<u8>,
}

impl Incoming {
    pub(super) fn new(max_pdu_bytes: u32, max_command_bytes: u32, ids: impl Iterator<Item = u8>) -> Incoming {
        Incoming {
            max_pdu_bytes,
            max_command_bytes: usize::try_from(max_command_bytes).unwrap_or(usize::MAX),
            context_ids: ids.collect(),
            expected: Expected::Command,
            pdu_left: 0,
            pdv: None,
            command: Vec::new(),
        }
    }

    /// Whether a message or a PDU has begun and not ended.
    pub(super) fn is_mid_message(&self) -> bool {
        self.expected != Expected::Command || self.pdu_left > 0 || self.pdv.is_some()
    }

    /// Whether a large part of a data set is to come.
    pub(super) fn expects_much(&self) -> bool {
        matches!(self.expected, Expected::DataSet(_))
    }

    /// The next event in the bytes; `None` when it takes more of them.
    pub(super) fn next(&mut self, input: &mut BytesMut) -> Result<Option<Event>, Fault> {
        loop {
            if let Some(pdv) = self.pdv {
                match self.fragment(pdv, input)? {
                    Progress::Event(event) => return Ok(Some(event)),
                    Progress::Further => {}
                    Progress::NeedsBytes => return Ok(None),
                }
            } else if self.pdu_left > 0 {
                let Some(header) = take::<PDV_HEADER_BYTES>(input) else {
                    return match self.pdu_left {
                        ..6 => Err(NO_PDV),
                        _ => Ok(None),
                    };
                };
                self.begin_fragment(header)?;
            } else {
                let Some(header) = input.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
                let header = Header::decode(*header)?;
                if header.kind != PduType::Data {
                    return self.control(header, input);
                }
                self.check_data(header)?;
                input.advance(HEADER_BYTES);
                self.pdu_left = header.length;
            }
        }
    }

    fn check_data(&self, header: Header) -> Result<(), Fault> {
        if header.length > self.max_pdu_bytes {
            return Err(Fault::invalid("a P-DATA-TF longer than the maximum we announced"));
        }
        if header.length < 6 { Err(NO_PDV) } else { Ok(()) }
    }

    fn begin_fragment(&mut self, header: [u8; PDV_HEADER_BYTES]) -> Result<(), Fault> {
        if self.pdu_left < 6 {
            return Err(NO_PDV);
        }
        let pdv = PdvHeader::decode(header, self.pdu_left)?;
        self.check_order(pdv)?;
        let length = usize::try_from(pdv.length).unwrap_or(usize::MAX);
        if pdv.is_command && self.command.len().saturating_add(length) > self.max_command_bytes {
            return Err(Fault::message("a command set longer than our limit"));
        }
        self.pdu_left -= pdv.length + 6;
        self.pdv = Some(pdv);
        Ok(())
    }

    /// One message at a time: command fragments, then data set fragments, on one context (PS3.8 E.2).
    fn check_order(&self, pdv: PdvHeader) -> Result<(), Fault> {
        if !self.context_ids.contains(&pdv.context_id) {
            return Err(Fault::invalid("a presentation context id that was not accepted"));
        }
        match (self.expected, pdv.is_command) {
            (Expected::Command, true) => Ok(()),
            (Expected::RestOfCommand(id), true) | (Expected::DataSet(id), false) if id == pdv.context_id => Ok(()),
            (Expected::RestOfCommand(_), true) | (Expected::DataSet(_), false) => {
                Err(Fault::unexpected_parameter("a message that changes its presentation context"))
            }
            (Expected::DataSet(_), true) => {
                Err(Fault::unexpected_parameter("a command fragment before the data set has ended"))
            }
            (_, false) => Err(Fault::unexpected_parameter("a data set fragment without a command")),
        }
    }

    /// Consumes what there is of a fragment.
    fn fragment(&mut self, mut pdv: PdvHeader, input: &mut BytesMut) -> Result<Progress, Fault> {
        let left = usize::try_from(pdv.length).unwrap_or(usize::MAX);
        let count = left.min(input.len());
        if left > 0 && (count == 0 || (!pdv.is_command && count < left.min(CHUNK_BYTES))) {
            return Ok(Progress::NeedsBytes);
        }
        let bytes = input.split_to(count);
        pdv.length -= u32::try_from(count).unwrap_or(pdv.length);
        let ended = pdv.length == 0;
        self.pdv = Some(pdv).filter(|_| !ended);
        if pdv.is_command {
            self.command.extend_from_slice(&bytes);
            self.expected = Expected::RestOfCommand(pdv.context_id);
            return if ended && pdv.is_last { self.end_command(pdv.context_id) } else { Ok(Progress::Further) };
        }
        if count > 0 {
            // The end of the data set is an event of its own: an empty rest says so.
            self.pdv = Some(pdv).filter(|_| !ended || pdv.is_last);
            return Ok(Progress::Event(Event::Data(bytes.freeze())));
        }
        self.pdv = None;
        if pdv.is_last {
            self.expected = Expected::Command;
            return Ok(Progress::Event(Event::DataEnd));
        }
        Ok(Progress::Further)
    }

    fn end_command(&mut self, context_id: u8) -> Result<Progress, Fault> {
        let command = CommandSet::decode(&self.command)
            .map_err(|_| Fault::message("a command set that is not implicit little endian of group 0000"))?;
        self.command.clear();
        self.expected = if command.has_data_set() { Expected::DataSet(context_id) } else { Expected::Command };
        Ok(Progress::Event(Event::Command { context_id, command }))
    }

    /// PDUs other than P-DATA-TF. An abort is always heard, the rest only between messages.
    fn control(&self, header: Header, input: &mut BytesMut) -> Result<Option<Event>, Fault> {
        let between_messages = self.expected == Expected::Command;
        match header.kind {
            PduType::Abort => {}
            PduType::ReleaseRequest | PduType::ReleaseResponse if between_messages => {}
            _ => return Err(Fault::unexpected("a PDU that has no place here")),
        }
        control::check_length(header.length)?;
        let Some([_, _, _, _, _, _, _, _, abort_source, reason]) = take::<10>(input) else { return Ok(None) };
        Ok(Some(match header.kind {
            PduType::ReleaseRequest => Event::ReleaseRequest,
            PduType::ReleaseResponse => Event::ReleaseResponse,
            _ => Event::Abort { abort_source, reason },
        }))
    }
}

const NO_PDV: Fault = Fault::invalid("a P-DATA-TF with room for no presentation data value");

enum Progress {
    Event(Event),
    Further,
    NeedsBytes,
}

/// Takes `N` bytes when there are as many.
fn take<const N: usize>(input: &mut BytesMut) -> Option<[u8; N]> {
    let bytes = *input.first_chunk::<N>()?;
    input.advance(N);
    Some(bytes)
}
