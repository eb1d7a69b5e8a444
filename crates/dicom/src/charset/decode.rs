//! From bytes to text.

use dicom_core::VR;
use encoding_rs::SHIFT_JIS;

use super::code_set::{CodeSet, Half, designation};
use super::{Coding, Halves, double_byte, is_single_valued, resets, term};

/// The values of a text element.
pub(super) fn decode(coding: &Coding, bytes: &[u8], vr: VR) -> Vec<String> {
    let bytes = trim_end(bytes);
    if bytes.is_empty() {
        return Vec::new();
    }
    let values = match coding {
        Coding::Whole(encoding) => split(&encoding.decode_without_bom_handling(bytes).0, vr),
        Coding::Halves { initial, .. } if is_plain(bytes) && initial.g0 == CodeSet::Ascii => {
            split(&String::from_utf8_lossy(bytes), vr)
        }
        Coding::Halves { initial, extensions, .. }
            if initial.g0 == CodeSet::JisRoman && extensions.is_empty() && bytes.iter().any(|b| is_shift_jis(*b)) =>
        {
            split(&SHIFT_JIS.decode_without_bom_handling(bytes).0, vr)
        }
        Coding::Halves { initial, extensions, .. } => {
            let initial = Halves { g1: term::lenient_g1(*initial, extensions), ..*initial };
            Decoder { bytes, at: 0, vr, initial, now: initial }.values()
        }
    };
    values.into_iter().map(|value| trimmed(value, vr)).collect()
}

/// Without the padding of the whole value field.
fn trim_end(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|b| !matches!(b, b' ' | 0)).map_or(0, |last| last + 1);
    &bytes[..end]
}

fn is_plain(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| *b < 0x80 && *b != 0x1B)
}

/// Bytes that ISO-IR 13 does not have and Shift-JIS begins characters with: it is often meant.
fn is_shift_jis(byte: u8) -> bool {
    matches!(byte, 0x81..=0x9F | 0xE0..=0xFC)
}

fn split(text: &str, vr: VR) -> Vec<String> {
    if is_single_valued(vr) { vec![text.to_owned()] } else { text.split('\\').map(str::to_owned).collect() }
}

/// Without the padding of one value, PS3.5 §6.2: spaces in front are insignificant in AE, DS
/// and IS alone beyond doubt.
fn trimmed(mut value: String, vr: VR) -> String {
    value.truncate(value.trim_end_matches([' ', '\0']).len());
    if matches!(vr, VR::AE | VR::DS | VR::IS) {
        let padding = value.len() - value.trim_start_matches(' ').len();
        value.drain(..padding);
    }
    value
}

/// Reads ISO 2022; every step takes at least one byte.
struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
    vr: VR,
    initial: Halves,
    now: Halves,
}

impl Decoder<'_> {
    fn values(mut self) -> Vec<String> {
        let mut values = Vec::new();
        let mut value = String::new();
        while let Some(&byte) = self.bytes.get(self.at) {
            let is_text = !(self.now.g0.is_double() && byte > b' ' && byte < 0x7F);
            if byte == b'\\' && is_text && !is_single_valued(self.vr) {
                values.push(std::mem::take(&mut value));
                self.now = self.initial;
                self.at += 1;
            } else if byte == 0x1B {
                self.escape(&mut value);
            } else if byte < 0x80 && is_text && resets(byte, self.vr) {
                value.push(char::from(byte));
                self.now = self.initial;
                self.at += 1;
            } else {
                value.push(self.character(byte));
            }
        }
        values.push(value);
        values
    }

    fn escape(&mut self, value: &mut String) {
        self.at += 1;
        match designation(&self.bytes[self.at..]) {
            Some((half, code_set, length)) => {
                match half {
                    Half::G0 => self.now.g0 = code_set,
                    Half::G1 => self.now.g1 = Some(code_set),
                }
                self.at += length;
            }
            None => value.push(char::REPLACEMENT_CHARACTER),
        }
    }

    fn character(&mut self, byte: u8) -> char {
        let high = byte & 0x80;
        let low = byte & 0x7F;
        // Control characters and the space belong to no set; ISO 8859-1 has no place unused.
        let code_set = match high {
            0 if low <= b' ' || low == 0x7F => CodeSet::Ascii,
            0 => self.now.g0,
            _ if low < b' ' => CodeSet::Latin1,
            _ => self.now.g1.unwrap_or(CodeSet::Latin1),
        };
        if code_set.is_double()
            && let Some(second) = self.bytes.get(self.at + 1).copied().filter(|second| is_second(*second, high))
        {
            self.at += 2;
            return double_byte::character(code_set, [low, second & 0x7F]).unwrap_or(char::REPLACEMENT_CHARACTER);
        }
        self.at += 1;
        match code_set {
            set if set.is_double() => char::REPLACEMENT_CHARACTER,
            CodeSet::Latin1 => char::from(byte),
            set => set.single(low).unwrap_or(char::REPLACEMENT_CHARACTER),
        }
    }
}

/// Whether the byte can be the second of a character whose first is in the same half.
fn is_second(byte: u8, high: u8) -> bool {
    byte & 0x80 == high && (0x21..=0x7E).contains(&(byte & 0x7F))
}
