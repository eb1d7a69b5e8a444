//! Bytes of one value to a [`Value`], PS3.5 §6.2.

use std::borrow::Cow;

use crate::charset::SpecificCharacterSet;
use crate::{Encoding, Tag, VR, Value};

/// Decodes a value. Numbers whose bytes do not divide into whole ones stay bytes, as UN.
pub(crate) fn decode(vr: VR, bytes: &[u8], encoding: Encoding, charset: &SpecificCharacterSet) -> (VR, Value) {
    if bytes.is_empty() {
        return (vr, if vr == VR::SQ { Value::Sequence(Vec::new()) } else { Value::Empty });
    }
    let size = unit(vr);
    if !bytes.len().is_multiple_of(size) && !is_bytes(vr) {
        return (VR::UN, Value::Bytes(bytes.to_vec()));
    }
    let big = encoding == Encoding::ExplicitBigEndian;
    let value = match vr {
        VR::US => Value::Unsigned(numbers(bytes, big, |b: [u8; 2]| u64::from(u16::from_le_bytes(b)))),
        VR::UL => Value::Unsigned(numbers(bytes, big, |b: [u8; 4]| u64::from(u32::from_le_bytes(b)))),
        VR::UV => Value::Unsigned(numbers(bytes, big, u64::from_le_bytes)),
        VR::SS => Value::Signed(numbers(bytes, big, |b: [u8; 2]| i64::from(i16::from_le_bytes(b)))),
        VR::SL => Value::Signed(numbers(bytes, big, |b: [u8; 4]| i64::from(i32::from_le_bytes(b)))),
        VR::SV => Value::Signed(numbers(bytes, big, i64::from_le_bytes)),
        VR::FL => Value::Float(numbers(bytes, big, |b: [u8; 4]| f64::from(f32::from_le_bytes(b)))),
        VR::FD => Value::Float(numbers(bytes, big, f64::from_le_bytes)),
        VR::AT => Value::Tags(tags(bytes, big)),
        VR::OB | VR::OD | VR::OF | VR::OL | VR::OV | VR::OW | VR::UN | VR::SQ => {
            let mut bytes = bytes.to_vec();
            if big {
                swap(&mut bytes, size);
            }
            Value::Bytes(bytes)
        }
        VR::SH | VR::LO | VR::ST | VR::LT | VR::PN | VR::UC | VR::UT => text_value(charset.decode(bytes, vr)),
        _ => text_value(plain_text(bytes, vr)),
    };
    (vr, value)
}

/// Bytes that change places with each other between little and big endian.
pub(crate) fn unit(vr: VR) -> usize {
    match vr {
        VR::US | VR::SS | VR::OW | VR::AT => 2,
        VR::UL | VR::SL | VR::FL | VR::OF | VR::OL => 4,
        VR::FD | VR::OD | VR::SV | VR::UV | VR::OV => 8,
        _ => 1,
    }
}

/// Turns the bytes of each unit around; an incomplete one at the end stays as it is.
pub(crate) fn swap(bytes: &mut [u8], unit: usize) {
    if unit > 1 {
        bytes.chunks_exact_mut(unit).for_each(<[u8]>::reverse);
    }
}

/// Whether values of that VR are bytes to us.
pub(super) fn is_bytes(vr: VR) -> bool {
    matches!(vr, VR::OB | VR::OD | VR::OF | VR::OL | VR::OV | VR::OW | VR::UN)
}

/// How many values a [`Value`] holds.
pub(super) fn count(value: &Value) -> usize {
    match value {
        Value::Text(values) => values.len(),
        Value::Unsigned(values) => values.len(),
        Value::Signed(values) => values.len(),
        Value::Float(values) => values.len(),
        Value::Tags(values) => values.len(),
        Value::Sequence(items) => items.len(),
        Value::Empty | Value::Bytes(_) | Value::Bulk(_) => 0,
    }
}

fn numbers<const N: usize, T>(bytes: &[u8], big: bool, read: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (units, _) = bytes.as_chunks::<N>();
    units
        .iter()
        .map(|unit| {
            let mut unit = *unit;
            if big {
                unit.reverse();
            }
            read(unit)
        })
        .collect()
}

fn tags(bytes: &[u8], big: bool) -> Vec<Tag> {
    let halves: Vec<u16> = numbers(bytes, big, u16::from_le_bytes);
    let (pairs, _) = halves.as_chunks::<2>();
    pairs.iter().map(|[group, element]| Tag(*group, *element)).collect()
}

/// Text of the default repertoire; bytes outside are taken as Latin-1 rather than refused.
fn plain_text(bytes: &[u8], vr: VR) -> Vec<String> {
    let padding = |c: char| c == ' ' || c == '\0';
    let text: Cow<'_, str> = match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => text.into(),
        _ => bytes.iter().map(|&b| char::from(b)).collect::<String>().into(),
    };
    let text = text.trim_end_matches(padding);
    if vr == VR::UR {
        return vec![text.to_owned()];
    }
    let leading_too = matches!(vr, VR::AE | VR::DS | VR::IS | VR::UI);
    text.split('\\')
        .map(|value| {
            let value = value.trim_end_matches(padding);
            if leading_too { value.trim_start_matches(' ') } else { value }.to_owned()
        })
        .collect()
}

fn text_value(values: Vec<String>) -> Value {
    match values.as_slice() {
        [] => Value::Empty,
        [only] if only.is_empty() => Value::Empty,
        _ => Value::Text(values),
    }
}
