//! Element headers, PS3.5 7.1, read where they lie.

use leadglass_dicom::{Encoding, VR};

/// The length that says: up to the delimiter.
pub(super) const UNDEFINED: u32 = 0xFFFF_FFFF;
/// Item (FFFE,E000).
pub(super) const ITEM: u32 = 0xFFFE_E000;
/// Item Delimitation Item (FFFE,E00D).
pub(super) const ITEM_DELIMITER: u32 = 0xFFFE_E00D;
/// Sequence Delimitation Item (FFFE,E0DD).
pub(super) const SEQUENCE_DELIMITER: u32 = 0xFFFE_E0DD;

/// The header of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Group and element in one number.
    pub tag: u32,
    /// The VR, when one is written. VRs yet to be invented are UN, PS3.5 6.2.
    pub vr: Option<VR>,
    /// Bytes of the value, or [`UNDEFINED`].
    pub length: u32,
    /// Bytes of the header.
    pub size: u8,
}

/// Group and element of the first four bytes.
pub(super) fn tag(bytes: &[u8], encoding: Encoding) -> u32 {
    let [a, b, c, d] = first(bytes);
    match encoding {
        Encoding::ExplicitBigEndian => u32::from_be_bytes([a, b, c, d]),
        _ => u32::from_le_bytes([c, d, a, b]),
    }
}

/// Whether the header that begins with these 8 bytes has 12.
pub(super) fn is_long(bytes: &[u8], encoding: Encoding) -> bool {
    if encoding == Encoding::ImplicitLittleEndian || tag(bytes, encoding) >> 16 == 0xFFFE {
        return false;
    }
    let [_, _, _, _, a, b, ..] = *bytes else { return false };
    VR::from_binary([a, b]).is_none_or(has_long_form)
}

/// Reads a header of 8 or 12 bytes; `None` when no VR stands where one must.
pub(super) fn parse(bytes: &[u8], encoding: Encoding) -> Option<Header> {
    let tag = tag(bytes, encoding);
    let number = |bytes: [u8; 4]| match encoding {
        Encoding::ExplicitBigEndian => u32::from_be_bytes(bytes),
        _ => u32::from_le_bytes(bytes),
    };
    let [a, b, c, d] = first(bytes.get(4..)?);
    if encoding == Encoding::ImplicitLittleEndian || tag >> 16 == 0xFFFE {
        return Some(Header { tag, vr: None, length: number([a, b, c, d]), size: 8 });
    }
    match VR::from_binary([a, b]) {
        Some(vr) if !has_long_form(vr) => {
            let short = if encoding == Encoding::ExplicitBigEndian { [0, 0, c, d] } else { [c, d, 0, 0] };
            Some(Header { tag, vr: Some(vr), length: number(short), size: 8 })
        }
        vr => {
            let is_vr = a.is_ascii_uppercase() && b.is_ascii_uppercase();
            let length = number(first(bytes.get(8..)?));
            is_vr.then_some(Header { tag, vr: Some(vr.unwrap_or(VR::UN)), length, size: 12 })
        }
    }
}

/// Whether the explicit header of that VR has two reserved bytes and a 32-bit length, PS3.5 7.1.2.
fn has_long_form(vr: VR) -> bool {
    use VR::{OB, OD, OF, OL, OV, OW, SQ, SV, UC, UN, UR, UT, UV};
    matches!(vr, OB | OD | OF | OL | OV | OW | SQ | SV | UC | UN | UR | UT | UV)
}

fn first(bytes: &[u8]) -> [u8; 4] {
    bytes.first_chunk().copied().unwrap_or_default()
}
