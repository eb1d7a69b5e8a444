//! P-DATA-TF and its presentation data values, PS3.8 §9.3.5 and Annex E.

use super::Fault;

/// Bytes before a fragment in its presentation data value: length, context id, control.
pub const PDV_HEADER_BYTES: usize = 6;
/// Bytes before the fragment in a P-DATA-TF with one presentation data value.
pub const DATA_HEADER_BYTES: usize = super::HEADER_BYTES + PDV_HEADER_BYTES;

/// The header of a presentation data value, PS3.8 E.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PdvHeader {
    /// Presentation context id.
    pub context_id: u8,
    /// Whether the fragment is of a command set, not of a data set.
    pub is_command: bool,
    /// Whether it is the last fragment.
    pub is_last: bool,
    /// Bytes of the fragment.
    pub length: u32,
}

impl PdvHeader {
    /// Reads a header of which `pdu_left` bytes, itself included, are left in the PDU.
    pub fn decode(bytes: [u8; PDV_HEADER_BYTES], pdu_left: u32) -> Result<PdvHeader, Fault> {
        let [a, b, c, d, context_id, control] = bytes;
        let length = u32::from_be_bytes([a, b, c, d]);
        if length < 2 {
            return Err(Fault::invalid("a presentation data value without context id and control"));
        }
        if length > pdu_left.saturating_sub(4) {
            return Err(Fault::invalid("a presentation data value longer than its PDU"));
        }
        Ok(PdvHeader { context_id, is_command: control & 1 == 1, is_last: control & 2 == 2, length: length - 2 })
    }

    /// The twelve bytes before the one fragment of a P-DATA-TF.
    pub fn encode_with_pdu(self) -> [u8; DATA_HEADER_BYTES] {
        let [a, b, c, d] = (self.length + 6).to_be_bytes();
        let [e, f, g, h] = (self.length + 2).to_be_bytes();
        let control = u8::from(self.is_command) | u8::from(self.is_last) << 1;
        [4, 0, a, b, c, d, e, f, g, h, self.context_id, control]
    }
}
