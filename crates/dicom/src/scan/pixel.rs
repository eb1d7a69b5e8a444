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
    pub fn frame(&self, _number: u32) -> Option<FrameLocation<'_>> {
        todo!()
    }

    /// A compact form to keep: a few bytes, plus about three for each fragment.
    pub fn to_bytes(&self) -> Vec<u8> {
        todo!()
    }

    /// Reads what [`PixelDataLayout::to_bytes`] wrote; `None` when it is something else.
    pub fn from_bytes(_bytes: &[u8]) -> Option<PixelDataLayout> {
        todo!()
    }
}
