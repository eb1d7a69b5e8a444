//! One frame of a stored instance, found by its table without reading anything else.

use bytes::Bytes;
use leadglass_dicom::scan::FrameLocation;

use super::data_set::OpenInstance;
use crate::Refused;

/// The bytes of a frame, counted from 1.
pub(super) fn read(open: &OpenInstance, number: u32) -> Result<Bytes, Refused> {
    let layout = open.layout().ok_or(Refused::NotFound)?;
    if number == 0 || number > layout.frames {
        return Err(Refused::NotFound);
    }
    let cannot_tell = || Refused::Invalid("the frames of this object cannot be told apart".into());
    match layout.frame(number).ok_or_else(cannot_tell)? {
        FrameLocation::Bytes(range) => Ok(open.read_inflated(range)?.into()),
        FrameLocation::Bits { bytes, skip, bits } => {
            let packed = open.read_inflated(bytes)?;
            Ok(shifted(&packed, skip, bits).into())
        }
        FrameLocation::Fragments([fragment]) => {
            Ok(open.read(fragment.offset..fragment.offset + u64::from(fragment.length))?.into())
        }
        FrameLocation::Fragments(fragments) => {
            let mut frame = Vec::new();
            for fragment in fragments {
                frame.extend_from_slice(&open.read(fragment.offset..fragment.offset + u64::from(fragment.length))?);
            }
            Ok(frame.into())
        }
    }
}

/// Bits packed from the least significant end (PS3.5 8.1.1), moved so that the first is the
/// first of a byte; bits past the last are zero.
fn shifted(packed: &[u8], skip: u8, bits: u64) -> Vec<u8> {
    let length = usize::try_from(bits.div_ceil(8)).unwrap_or(0).min(packed.len());
    let skip = u32::from(skip % 8);
    let mut out: Vec<u8> = (0..length)
        .map(|at| {
            let low = packed.get(at).copied().unwrap_or(0) >> skip;
            let next = packed.get(at + 1).copied().unwrap_or(0);
            low | next.checked_shl(8 - skip).unwrap_or(0)
        })
        .collect();
    if let (Some(last), used @ 1..) = (out.last_mut(), bits % 8) {
        *last &= (1u8 << used) - 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_move_to_the_first_of_a_byte() {
        assert_eq!(shifted(&[0b1010_0000, 0b0000_0011], 5, 5), [0b0001_1101]);
        assert_eq!(shifted(&[0xFF, 0x01], 0, 9), [0xFF, 0x01]);
        assert_eq!(shifted(&[0xAB], 0, 8), [0xAB]);
    }
}
