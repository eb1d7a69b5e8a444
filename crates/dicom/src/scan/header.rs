//! Element headers, PS3.5 §7.1, in each encoding.

use super::Fault;
use crate::{Encoding, Tag, VR};

/// Item (FFFE,E000).
pub(crate) const ITEM: Tag = Tag(0xFFFE, 0xE000);
/// Item Delimitation Item (FFFE,E00D).
pub(crate) const ITEM_DELIMITER: Tag = Tag(0xFFFE, 0xE00D);
/// Sequence Delimitation Item (FFFE,E0DD).
pub(crate) const SEQUENCE_DELIMITER: Tag = Tag(0xFFFE, 0xE0DD);
/// The length that says: up to the delimiter.
pub(crate) const UNDEFINED: u32 = 0xFFFF_FFFF;
/// The longest header.
pub(crate) const MAX_HEADER: usize = 12;

/// The header of an element, as the walk hands it to its visitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The tag.
    pub tag: Tag,
    /// The VR written, or that of the dictionary where none is written; UN for VRs unknown.
    pub vr: VR,
    /// What the dictionary says of a standard element written as UN; otherwise like `vr`.
    pub meaning: VR,
    /// Bytes of the value, or [`UNDEFINED`].
    pub length: u32,
    /// How the value is written: implicit little endian inside UN, PS3.5 6.2.2.
    pub encoding: Encoding,
    /// Bytes from the start of the data set to the header.
    pub start: u64,
    /// Bytes from the start of the data set to the value.
    pub offset: u64,
}

/// What the bytes of a header say, before any dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawHeader {
    pub tag: Tag,
    /// None in implicit encoding and for items and delimiters.
    pub vr: Option<VR>,
    pub length: u32,
}

/// How many bytes the header that begins with these 8 has.
pub(crate) fn header_length(bytes: [u8; 8], encoding: Encoding) -> usize {
    if encoding == Encoding::ImplicitLittleEndian || tag(bytes, encoding).0 == 0xFFFE {
        return 8;
    }
    match VR::from_binary([bytes[4], bytes[5]]) {
        Some(vr) if !is_long_form(vr) => 8,
        _ => 12,
    }
}

/// Reads a header of [`header_length`] bytes.
pub(crate) fn parse(bytes: &[u8; MAX_HEADER], encoding: Encoding) -> Result<RawHeader, Fault> {
    let [t0, t1, t2, t3, v0, v1, l0, l1, x0, x1, x2, x3] = *bytes;
    let tag = tag([t0, t1, t2, t3, 0, 0, 0, 0], encoding);
    if encoding == Encoding::ImplicitLittleEndian {
        return Ok(RawHeader { tag, vr: None, length: u32::from_le_bytes([v0, v1, l0, l1]) });
    }
    let big = encoding == Encoding::ExplicitBigEndian;
    let long = |b| if big { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) };
    if tag.0 == 0xFFFE {
        return Ok(RawHeader { tag, vr: None, length: long([v0, v1, l0, l1]) });
    }
    match VR::from_binary([v0, v1]) {
        Some(vr) if !is_long_form(vr) => {
            let short = if big { u16::from_be_bytes([l0, l1]) } else { u16::from_le_bytes([l0, l1]) };
            Ok(RawHeader { tag, vr: Some(vr), length: u32::from(short) })
        }
        Some(vr) => Ok(RawHeader { tag, vr: Some(vr), length: long([x0, x1, x2, x3]) }),
        // PS3.5 §6.2: a VR yet to be invented has the long form.
        None if v0.is_ascii_uppercase() && v1.is_ascii_uppercase() => {
            Ok(RawHeader { tag, vr: Some(VR::UN), length: long([x0, x1, x2, x3]) })
        }
        None => Err(Fault::BadVr(tag)),
    }
}

/// Whether the explicit header of that VR has two reserved bytes and a 32-bit length.
pub(crate) fn is_long_form(vr: VR) -> bool {
    use VR::{OB, OD, OF, OL, OV, OW, SQ, SV, UC, UN, UR, UT, UV};
    matches!(vr, OB | OD | OF | OL | OV | OW | SQ | SV | UC | UN | UR | UT | UV)
}

/// Appends a header. A value longer than the short form can say is written as UN,
/// PS3.5 6.2.2.
pub(crate) fn write(out: &mut Vec<u8>, tag: Tag, vr: VR, length: u32, encoding: Encoding) {
    let big = encoding == Encoding::ExplicitBigEndian;
    let short = |n: u16| if big { n.to_be_bytes() } else { n.to_le_bytes() };
    let long = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
    out.extend_from_slice(&short(tag.0));
    out.extend_from_slice(&short(tag.1));
    if encoding == Encoding::ImplicitLittleEndian || tag.group() == 0xFFFE {
        out.extend_from_slice(&long(length));
        return;
    }
    match u16::try_from(length) {
        Ok(length) if !is_long_form(vr) => {
            out.extend_from_slice(&vr.to_bytes());
            out.extend_from_slice(&short(length));
        }
        _ => {
            let vr = if is_long_form(vr) { vr } else { VR::UN };
            out.extend_from_slice(&vr.to_bytes());
            out.extend_from_slice(&[0, 0]);
            out.extend_from_slice(&long(length));
        }
    }
}

fn tag(bytes: [u8; 8], encoding: Encoding) -> Tag {
    let [g0, g1, e0, e1, ..] = bytes;
    if encoding == Encoding::ExplicitBigEndian {
        Tag(u16::from_be_bytes([g0, g1]), u16::from_be_bytes([e0, e1]))
    } else {
        Tag(u16::from_le_bytes([g0, g1]), u16::from_le_bytes([e0, e1]))
    }
}
