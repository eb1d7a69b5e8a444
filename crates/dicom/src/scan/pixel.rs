//! Where the frames are: the frame table of Pixel Data, PS3.5 §8 and Annex A.4.

use std::ops::Range;

/// Where Pixel Data is in the (inflated) data set, and which bytes make which frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PixelDataLayout {
    /// Native or encapsulated.
    pub kind: PixelDataKind,
    /// Number of Frames (0028,0008); 1 when the element is absent or no positive number.
    pub frames: u32,
}

/// The two shapes of Pixel Data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PixelDataKind {
    /// One value: frame after frame, without gap (PS3.5 8.1.1), 1-bit frames not even
    /// aligned to bytes.
    Native {
        /// Bytes from the start of the data set to the value.
        offset: u64,
        /// Bytes of the value.
        length: u64,
        /// Bits of one frame, by Rows, Columns, Samples per Pixel and Bits Allocated; 0 when
        /// these do not describe the value.
        bits_per_frame: u64,
    },
    /// Fragments.
    Encapsulated {
        /// Each fragment's value in the order of the data set, the Basic Offset Table not counted.
        fragments: Vec<Fragment>,
        /// For each frame the number of its first fragment; empty when it cannot be told.
        first_fragments: Vec<u32>,
    },
}

/// One fragment of encapsulated Pixel Data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Bytes from the start of the data set to the fragment's value.
    pub offset: u64,
    /// Bytes of the value.
    pub length: u32,
}

/// Where one frame is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameLocation<'a> {
    /// Whole bytes of a native value.
    Bytes(Range<u64>),
    /// 1-bit frames that do not begin or end at a byte: the bytes that hold them, the bit
    /// in the first byte it begins with (bit 0 is the first pixel, PS3.5 8.1.1), and how many bits.
    Bits {
        /// Bytes of the data set that hold the frame.
        bytes: Range<u64>,
        /// Bits of the first byte that belong to the frame before.
        skip: u8,
        /// Bits of the frame.
        bits: u64,
    },
    /// The values of these fragments, joined.
    Fragments(&'a [Fragment]),
}

impl PixelDataLayout {
    /// Where the frame of that number is, counted from 1; `None` when there is none or when
    /// the fragments cannot be told apart into frames.
    pub fn frame(&self, number: u32) -> Option<FrameLocation<'_>> {
        let index = number.checked_sub(1).filter(|_| number <= self.frames)?;
        match &self.kind {
            PixelDataKind::Native { offset, length, bits_per_frame } => {
                native_frame(index, *offset, *length, *bits_per_frame)
            }
            PixelDataKind::Encapsulated { fragments, first_fragments } => {
                let index = index as usize;
                let first = *first_fragments.get(index)? as usize;
                let end = first_fragments.get(index + 1).map_or(fragments.len(), |next| *next as usize);
                fragments.get(first..end).map(FrameLocation::Fragments)
            }
        }
    }
}

fn native_frame(index: u32, offset: u64, length: u64, bits: u64) -> Option<FrameLocation<'static>> {
    if bits == 0 {
        return None;
    }
    let first_bit = bits.checked_mul(u64::from(index))?;
    let end_bit = first_bit.checked_add(bits)?;
    let end = end_bit.div_ceil(8);
    if end > length {
        return None;
    }
    let bytes = offset.checked_add(first_bit / 8)?..offset.checked_add(end)?;
    let skip = (first_bit % 8) as u8;
    if skip == 0 && bits.is_multiple_of(8) {
        return Some(FrameLocation::Bytes(bytes));
    }
    Some(FrameLocation::Bits { bytes, skip, bits })
}
