//! Character sets: from bytes to Unicode and back, PS3.3 C.12.1.1.2 and PS3.5 §6.1.
//!
//! All defined terms are known: the single-byte ones, those with ISO 2022 code extensions,
//! UTF-8, GB18030 and GBK, misspelt as they are met. Reading never fails: what cannot be
//! decoded becomes U+FFFD. Writing does, rather than put a wrong character.
//! Deliberately absent: guesses at the language of a text.

#[cfg(test)]
mod annexes;
mod code_set;
mod decode;
mod double_byte;
mod encode;
mod term;

use dicom_core::VR;
use encoding_rs::Encoding;

use code_set::CodeSet;

/// The value of Specific Character Set (0008,0005): how the text of a data set is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecificCharacterSet {
    coding: Coding,
}

/// How characters are coded.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Coding {
    /// An encoding of all of Unicode or of most of it, that takes no code extensions.
    Whole(&'static Encoding),
    /// Sets of characters in the two halves of a byte's range, ISO 2022.
    Halves {
        /// What holds at the beginning and after delimiters.
        initial: Halves,
        /// The sets that escape sequences may call, the initial ones among them. Empty when the
        /// term allows none; escape sequences that come all the same are followed.
        extensions: Vec<CodeSet>,
        /// The defined terms.
        terms: Vec<String>,
    },
}

/// What bytes below and above 0x80 mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Halves {
    g0: CodeSet,
    g1: Option<CodeSet>,
}

/// A text has characters that the character set cannot write, or a backslash where it would
/// separate values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text has characters that the character set cannot write")]
pub struct Unencodable;

impl Default for SpecificCharacterSet {
    /// The default repertoire, ISO-IR 6. Bytes above 0x7F, which it does not have, are read as
    /// ISO 8859-1 and never written.
    fn default() -> SpecificCharacterSet {
        SpecificCharacterSet::from_terms(&[])
    }
}

impl SpecificCharacterSet {
    /// The character set of those terms; none is the default repertoire. Separators and case
    /// do not matter (`ISO-IR 100`, `iso ir 100`); unknown terms count as ISO-IR 6.
    pub fn from_terms(terms: &[&str]) -> SpecificCharacterSet {
        SpecificCharacterSet { coding: term::coding_of(terms) }
    }

    /// UTF-8 (ISO_IR 192).
    pub fn utf8() -> SpecificCharacterSet {
        SpecificCharacterSet { coding: Coding::Whole(encoding_rs::UTF_8) }
    }

    /// Whether it is UTF-8.
    pub fn is_utf8(&self) -> bool {
        self.coding == Coding::Whole(encoding_rs::UTF_8)
    }

    /// The defined terms as they are written into Specific Character Set (0008,0005); none for
    /// the default repertoire.
    pub fn terms(&self) -> Vec<String> {
        match &self.coding {
            Coding::Whole(encoding) => vec![term::of_encoding(encoding).to_owned()],
            Coding::Halves { terms, .. } => terms.clone(),
        }
    }

    /// The values of a text element, decoded, padding removed; none when nothing is left.
    ///
    /// Value representations that Specific Character Set does not touch (PS3.5 §6.1.2.3) are
    /// read in the default repertoire; ST, LT, UT and UR are never split.
    pub fn decode(&self, bytes: &[u8], vr: VR) -> Vec<String> {
        decode::decode(self.coding_for(vr), bytes, vr)
    }

    /// The value field of a text element, without padding to even length.
    pub fn encode(&self, values: &[String], vr: VR) -> Result<Vec<u8>, Unencodable> {
        encode::encode(self.coding_for(vr), values, vr)
    }

    /// Whether the character set can write all characters of the text.
    pub fn can_encode(&self, text: &str) -> bool {
        text.bytes().all(|b| matches!(b, b' '..=b'~' if b != b'\\' && b != b'~'))
            || encode::encode(&self.coding, std::slice::from_ref(&text.to_owned()), VR::LT).is_ok()
    }

    fn coding_for(&self, vr: VR) -> &Coding {
        if is_affected(vr) { &self.coding } else { &DEFAULT }
    }
}

/// The default repertoire.
static DEFAULT: Coding =
    Coding::Halves { initial: Halves { g0: CodeSet::Ascii, g1: None }, extensions: Vec::new(), terms: Vec::new() };

/// PS3.5 §6.1.2.3: the representations whose text Specific Character Set governs.
fn is_affected(vr: VR) -> bool {
    matches!(vr, VR::LO | VR::LT | VR::PN | VR::SH | VR::ST | VR::UC | VR::UT)
}

/// PS3.5 §6.4: representations in which a backslash is a character like others.
fn is_single_valued(vr: VR) -> bool {
    matches!(vr, VR::LT | VR::ST | VR::UT | VR::UR)
}

/// Whether the initial sets hold again after the character, PS3.5 §6.1.2.5.3.
fn resets(byte: u8, vr: VR) -> bool {
    (byte < b' ' && byte != 0x1B) || (vr == VR::PN && matches!(byte, b'^' | b'='))
}
