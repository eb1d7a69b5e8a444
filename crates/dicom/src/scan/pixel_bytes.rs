//! The frame table as bytes to keep.

use super::pixel::{Fragment, PixelDataKind, PixelDataLayout};

const NATIVE: u8 = 1;
const ENCAPSULATED: u8 = 2;

/// How the fragments make frames.
const UNKNOWN: u8 = 0;
const ONE_EACH: u8 = 1;
const LISTED: u8 = 2;

impl PixelDataLayout {
    /// A compact form to keep: a few bytes, plus about three for each fragment.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match &self.kind {
            PixelDataKind::Native { offset, length, bits_per_frame } => {
                out.push(NATIVE);
                for number in [u64::from(self.frames), *offset, *length, *bits_per_frame] {
                    put(&mut out, number);
                }
            }
            PixelDataKind::Encapsulated { fragments, first_fragments } => {
                out.push(ENCAPSULATED);
                put(&mut out, u64::from(self.frames));
                put_fragments(&mut out, fragments);
                put_first_fragments(&mut out, first_fragments, fragments.len());
            }
        }
        out
    }

    /// Reads what [`PixelDataLayout::to_bytes`] wrote; `None` when it is something else.
    pub fn from_bytes(bytes: &[u8]) -> Option<PixelDataLayout> {
        let (kind, mut rest) = bytes.split_first()?;
        let rest = &mut rest;
        let frames = u32::try_from(take(rest)?).ok()?;
        let kind = match *kind {
            NATIVE => PixelDataKind::Native { offset: take(rest)?, length: take(rest)?, bits_per_frame: take(rest)? },
            ENCAPSULATED => {
                let fragments = take_fragments(rest)?;
                let first_fragments = take_first_fragments(rest, fragments.len(), frames)?;
                PixelDataKind::Encapsulated { fragments, first_fragments }
            }
            _ => return None,
        };
        rest.is_empty().then_some(PixelDataLayout { kind, frames })
    }
}

/// Fragments follow each other with 8 bytes of header between, so their lengths tell all.
fn put_fragments(out: &mut Vec<u8>, fragments: &[Fragment]) {
    put(out, fragments.len() as u64);
    put(out, fragments.first().map_or(0, |fragment| fragment.offset));
    for fragment in fragments {
        put(out, u64::from(fragment.length));
    }
}

fn take_fragments(rest: &mut &[u8]) -> Option<Vec<Fragment>> {
    let count = usize::try_from(take(rest)?).ok()?;
    let mut offset = take(rest)?;
    // Each length takes a byte at least: a count that lies allocates nothing.
    if count > rest.len() {
        return None;
    }
    let mut fragments = Vec::with_capacity(count);
    for _ in 0..count {
        let length = u32::try_from(take(rest)?).ok()?;
        fragments.push(Fragment { offset, length });
        offset = offset.checked_add(u64::from(length))?.checked_add(8)?;
    }
    Some(fragments)
}

fn put_first_fragments(out: &mut Vec<u8>, first_fragments: &[u32], fragments: usize) {
    let one_each = first_fragments.len() == fragments && first_fragments.iter().zip(0..).all(|(a, b)| *a == b);
    if first_fragments.is_empty() {
        out.push(UNKNOWN);
    } else if one_each {
        out.push(ONE_EACH);
    } else {
        out.push(LISTED);
        let mut before = 0;
        for first in first_fragments {
            put(out, u64::from(first.saturating_sub(before)));
            before = *first;
        }
    }
}

fn take_first_fragments(rest: &mut &[u8], fragments: usize, frames: u32) -> Option<Vec<u32>> {
    let (how, after) = rest.split_first()?;
    *rest = after;
    match *how {
        UNKNOWN => Some(Vec::new()),
        ONE_EACH => (0..fragments).map(|number| u32::try_from(number).ok()).collect(),
        LISTED if frames as usize <= rest.len() => {
            let mut first = 0_u32;
            let step = |_| {
                first = first.checked_add(u32::try_from(take(rest)?).ok()?)?;
                ((first as usize) < fragments).then_some(first)
            };
            (0..frames).map(step).collect()
        }
        _ => None,
    }
}

/// Appends a number, seven bits a byte, the lowest first.
fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        let bits = u64::from(byte & 0x7F);
        if shift == 63 && bits > 1 {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_native_table_survives(frames: u32, offset: u64, length: u64, bits_per_frame: u64) {
            let layout = PixelDataLayout { kind: PixelDataKind::Native { offset, length, bits_per_frame }, frames };
            prop_assert_eq!(PixelDataLayout::from_bytes(&layout.to_bytes()), Some(layout));
        }

        #[test]
        fn an_encapsulated_table_survives(origin in 0_u64..1 << 40, lengths in prop::collection::vec(any::<u32>(), 1..50), every in 1_usize..5) {
            let mut offset = origin;
            let fragments: Vec<Fragment> = lengths.iter().map(|&length| {
                let fragment = Fragment { offset, length };
                offset += u64::from(length) + 8;
                fragment
            }).collect();
            let first_fragments: Vec<u32> = (0..fragments.len() as u32).step_by(every).collect();
            let frames = first_fragments.len() as u32;
            let layout = PixelDataLayout { kind: PixelDataKind::Encapsulated { fragments, first_fragments }, frames };
            prop_assert_eq!(PixelDataLayout::from_bytes(&layout.to_bytes()), Some(layout));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = PixelDataLayout::from_bytes(&bytes);
        }
    }
}
