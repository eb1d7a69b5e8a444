//! From what the walk met of Pixel Data to the frame table.

use super::pixel::{Fragment, PixelDataKind, PixelDataLayout};
use crate::{DataSet, Tag};

/// Number of Frames, and what describes the size of one (PS3.3 C.7.6.3).
const NUMBER_OF_FRAMES: Tag = Tag(0x0028, 0x0008);
const SAMPLES_PER_PIXEL: Tag = Tag(0x0028, 0x0002);
const PHOTOMETRIC_INTERPRETATION: Tag = Tag(0x0028, 0x0004);
const ROWS: Tag = Tag(0x0028, 0x0010);
const COLUMNS: Tag = Tag(0x0028, 0x0011);
const BITS_ALLOCATED: Tag = Tag(0x0028, 0x0100);
const FLOAT_PIXEL_DATA: Tag = Tag(0x7FE0, 0x0008);
const DOUBLE_FLOAT_PIXEL_DATA: Tag = Tag(0x7FE0, 0x0009);

/// Top-level Pixel Data as found.
pub(super) enum PixelField {
    Native { tag: Tag, offset: u64, length: u64 },
    Encapsulated { fragments: Vec<Fragment>, offset_table: Vec<u32> },
}

/// The frame table.
pub(super) fn layout(field: PixelField, header: &DataSet, extended_offsets: &[u64]) -> PixelDataLayout {
    let frames = header.integer(NUMBER_OF_FRAMES).and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0).unwrap_or(1);
    let kind = match field {
        PixelField::Native { tag, offset, length } => {
            let bits_per_frame = bits_per_frame(header, tag, frames, length).unwrap_or(0);
            PixelDataKind::Native { offset, length, bits_per_frame }
        }
        PixelField::Encapsulated { fragments, offset_table } => {
            let table: Vec<u64> = offset_table.into_iter().map(u64::from).collect();
            let first_fragments = from_offsets(extended_offsets, &fragments, frames)
                .or_else(|| from_offsets(&table, &fragments, frames))
                .or_else(|| from_counts(fragments.len(), frames))
                .unwrap_or_default();
            PixelDataKind::Encapsulated { fragments, first_fragments }
        }
    };
    PixelDataLayout { kind, frames }
}

/// Bits of one native frame, if as many as the header says are there.
fn bits_per_frame(header: &DataSet, tag: Tag, frames: u32, length: u64) -> Option<u64> {
    let number = |tag| header.integer(tag).and_then(|n| u64::try_from(n).ok());
    let allocated = match tag {
        FLOAT_PIXEL_DATA => 32,
        DOUBLE_FLOAT_PIXEL_DATA => 64,
        _ => number(BITS_ALLOCATED)?,
    };
    let samples = number(SAMPLES_PER_PIXEL).unwrap_or(1);
    let pixels = number(ROWS)?.checked_mul(number(COLUMNS)?)?;
    // PS3.3 C.7.6.3.1.2: two of three samples of YBR_FULL_422 are shared by two pixels.
    let halved = samples == 3 && header.text(PHOTOMETRIC_INTERPRETATION) == Some("YBR_FULL_422");
    let full = pixels.checked_mul(samples)?.checked_mul(allocated)?;
    let candidates = if halved { [pixels.checked_mul(2)?.checked_mul(allocated)?, full] } else { [full, full] };
    let fits =
        |bits: &u64| *bits > 0 && bits.checked_mul(u64::from(frames)).is_some_and(|all| all.div_ceil(8) <= length);
    if halved && fits(&full) { Some(full) } else { candidates.into_iter().find(fits) }
}

/// Frames by an offset table: each entry must be where a fragment's item begins.
fn from_offsets(offsets: &[u64], fragments: &[Fragment], frames: u32) -> Option<Vec<u32>> {
    if offsets.len() != frames as usize {
        return None;
    }
    let origin = fragments.first()?.offset;
    let mut first_fragments = Vec::with_capacity(offsets.len());
    for offset in offsets {
        let at = origin.checked_add(*offset)?;
        let number = fragments.binary_search_by_key(&at, |fragment| fragment.offset).ok()?;
        first_fragments.push(u32::try_from(number).ok()?);
    }
    let rises = first_fragments.first() == Some(&0) && first_fragments.is_sorted_by(|a, b| a < b);
    rises.then_some(first_fragments)
}

/// Frames by counting: one of each fragment, or all of one.
fn from_counts(fragments: usize, frames: u32) -> Option<Vec<u32>> {
    match frames {
        _ if fragments == 0 => None,
        1 => Some(vec![0]),
        _ if fragments == frames as usize => Some((0..frames).collect()),
        _ => None,
    }
}
