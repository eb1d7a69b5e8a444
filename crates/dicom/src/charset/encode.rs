//! From text to bytes.

use dicom_core::VR;
use encoding_rs::{EncoderResult, Encoding, UTF_8};

use super::code_set::{Code, CodeSet, Half};
use super::{Coding, Halves, Unencodable, is_single_valued, resets};

const ESC: u8 = 0x1B;

/// The value field of a text element.
pub(super) fn encode(coding: &Coding, values: &[String], vr: VR) -> Result<Vec<u8>, Unencodable> {
    let mut bytes = Vec::with_capacity(values.iter().map(|value| value.len() + 1).sum());
    for (place, value) in values.iter().enumerate() {
        if place > 0 {
            bytes.push(b'\\');
        }
        if value.contains('\\') && !is_single_valued(vr) {
            return Err(Unencodable);
        }
        match coding {
            Coding::Whole(encoding) => whole(encoding, value, &mut bytes)?,
            Coding::Halves { initial, extensions, .. } => {
                Encoder { bytes: &mut bytes, vr, initial: *initial, now: *initial, extensions }.value(value)?;
            }
        }
    }
    Ok(bytes)
}

fn whole(encoding: &'static Encoding, value: &str, bytes: &mut Vec<u8>) -> Result<(), Unencodable> {
    if encoding == UTF_8 {
        bytes.extend_from_slice(value.as_bytes());
        return Ok(());
    }
    let mut encoder = encoding.new_encoder();
    let room = encoder.max_buffer_length_from_utf8_without_replacement(value.len()).ok_or(Unencodable)?;
    let mut part = Vec::with_capacity(room);
    let (result, _) = encoder.encode_from_utf8_to_vec_without_replacement(value, &mut part, true);
    if result != EncoderResult::InputEmpty {
        return Err(Unencodable);
    }
    bytes.append(&mut part);
    Ok(())
}

/// Writes ISO 2022.
struct Encoder<'a> {
    bytes: &'a mut Vec<u8>,
    vr: VR,
    initial: Halves,
    now: Halves,
    extensions: &'a [CodeSet],
}

impl Encoder<'_> {
    fn value(&mut self, value: &str) -> Result<(), Unencodable> {
        for c in value.chars() {
            match u8::try_from(c) {
                Ok(byte) if byte < 0x80 && resets(byte, self.vr) => {
                    self.back();
                    self.bytes.push(byte);
                    self.now = self.initial;
                }
                _ => self.character(c)?,
            }
        }
        self.back();
        Ok(())
    }

    /// Calls the initial set of the lower half, as delimiters and the end of a value demand,
    /// PS3.5 §6.1.2.5.3.
    fn back(&mut self) {
        if self.now.g0 != self.initial.g0 {
            self.call(self.initial.g0);
        }
    }

    fn character(&mut self, c: char) -> Result<(), Unencodable> {
        let active = [(Half::G0, Some(self.now.g0)), (Half::G1, self.now.g1)];
        for (half, code_set) in active {
            if let Some(code) = code_set.and_then(|set| set.code_of(c)).filter(|code| self.is_safe(half, *code)) {
                self.put(half, code);
                return Ok(());
            }
        }
        let called = self.extensions.iter().find_map(|set| {
            let half = set.call().0;
            set.code_of(c).filter(|code| self.is_safe(half, *code)).map(|code| (*set, half, code))
        });
        let (code_set, half, code) = called.ok_or(Unencodable)?;
        self.call(code_set);
        self.put(half, code);
        Ok(())
    }

    /// A yen sign is a backslash to whoever splits values; ESC is never a character.
    fn is_safe(&self, half: Half, code: Code) -> bool {
        match (half, code) {
            (Half::G0, Code::Single(b'\\')) => is_single_valued(self.vr),
            (Half::G0, Code::Single(byte)) => byte != ESC,
            _ => true,
        }
    }

    fn call(&mut self, code_set: CodeSet) {
        let (half, escape) = code_set.call();
        self.bytes.push(ESC);
        self.bytes.extend_from_slice(escape);
        match half {
            Half::G0 => self.now.g0 = code_set,
            Half::G1 => self.now.g1 = Some(code_set),
        }
    }

    fn put(&mut self, half: Half, code: Code) {
        let high = if half == Half::G0 { 0 } else { 0x80 };
        match code {
            Code::Single(byte) => self.bytes.push(byte | high),
            Code::Double(pair) => self.bytes.extend(pair.map(|byte| byte | high)),
        }
    }
}
