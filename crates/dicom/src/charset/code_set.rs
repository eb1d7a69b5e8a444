//! The sets of characters that ISO 2022 calls into a half of the byte range, PS3.3 Tables
//! C.12-2 to C.12-4.

use std::sync::LazyLock;

use encoding_rs::{
    Encoding, ISO_8859_2, ISO_8859_3, ISO_8859_4, ISO_8859_5, ISO_8859_6, ISO_8859_7, ISO_8859_8, ISO_8859_15,
    WINDOWS_874, WINDOWS_1252, WINDOWS_1254,
};

use super::double_byte;

/// One set of characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum CodeSet {
    /// ISO-IR 6.
    Ascii,
    /// ISO-IR 14: ASCII with yen sign and overline for backslash and tilde.
    JisRoman,
    /// ISO-IR 13: half-width katakana.
    Katakana,
    /// ISO-IR 100, ISO 8859-1.
    Latin1,
    /// ISO-IR 101, ISO 8859-2.
    Latin2,
    /// ISO-IR 109, ISO 8859-3.
    Latin3,
    /// ISO-IR 110, ISO 8859-4.
    Latin4,
    /// ISO-IR 144, ISO 8859-5.
    Cyrillic,
    /// ISO-IR 127, ISO 8859-6.
    Arabic,
    /// ISO-IR 126, ISO 8859-7.
    Greek,
    /// ISO-IR 138, ISO 8859-8.
    Hebrew,
    /// ISO-IR 148, ISO 8859-9.
    Latin5,
    /// ISO-IR 203, ISO 8859-15.
    Latin9,
    /// ISO-IR 166, TIS 620.
    Thai,
    /// ISO-IR 87, JIS X 0208.
    JisX0208,
    /// ISO-IR 159, JIS X 0212.
    JisX0212,
    /// ISO-IR 149, KS X 1001.
    KsX1001,
    /// ISO-IR 58, GB 2312.
    Gb2312,
}

use CodeSet::*;

/// A half of the byte range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    /// Below 0x80.
    G0,
    /// Above 0x80.
    G1,
}

/// Each set with the escape sequence (after ESC) that calls it and the half it is called into;
/// the first of a set is the one to write, PS3.3 Tables C.12-3 and C.12-4.
const ESCAPES: &[(&[u8], Half, CodeSet)] = &[
    (b"(B", Half::G0, Ascii),
    (b"(J", Half::G0, JisRoman),
    (b")I", Half::G1, Katakana),
    (b"-A", Half::G1, Latin1),
    (b"-B", Half::G1, Latin2),
    (b"-C", Half::G1, Latin3),
    (b"-D", Half::G1, Latin4),
    (b"-L", Half::G1, Cyrillic),
    (b"-G", Half::G1, Arabic),
    (b"-F", Half::G1, Greek),
    (b"-H", Half::G1, Hebrew),
    (b"-M", Half::G1, Latin5),
    (b"-b", Half::G1, Latin9),
    (b"-T", Half::G1, Thai),
    (b"$B", Half::G0, JisX0208),
    (b"$(D", Half::G0, JisX0212),
    (b"$)C", Half::G1, KsX1001),
    (b"$)A", Half::G1, Gb2312),
    // Not DICOM's, but met: the edition of 1978, the long form, and sets in the other half.
    (b"$@", Half::G0, JisX0208),
    (b"$(B", Half::G0, JisX0208),
    (b"$)B", Half::G1, JisX0208),
    (b"(I", Half::G0, Katakana),
];

/// The designation at the beginning of `rest`, which follows an ESC, and its length.
pub(super) fn designation(rest: &[u8]) -> Option<(Half, CodeSet, usize)> {
    ESCAPES
        .iter()
        .find(|(escape, ..)| rest.starts_with(escape))
        .map(|(escape, half, code_set)| (*half, *code_set, escape.len()))
}

/// Single-byte sets of the upper half.
const HIGH: [CodeSet; 11] = [Latin1, Latin2, Latin3, Latin4, Cyrillic, Arabic, Greek, Hebrew, Latin5, Latin9, Thai];

/// Characters of the bytes from 0xA0 on, one row a set of [`HIGH`]; U+FFFD where there is none.
static ROWS: LazyLock<Vec<[char; 96]>> = LazyLock::new(|| HIGH.iter().map(|code_set| code_set.row()).collect());

impl CodeSet {
    /// The set of that number in the register, and the one that its term puts below 0x80.
    pub(super) fn of_register(number: u16) -> Option<CodeSet> {
        Some(match number {
            6 => Ascii,
            13 => Katakana,
            14 => JisRoman,
            100 => Latin1,
            101 => Latin2,
            109 => Latin3,
            110 => Latin4,
            144 => Cyrillic,
            127 => Arabic,
            126 => Greek,
            138 => Hebrew,
            148 => Latin5,
            203 => Latin9,
            166 => Thai,
            87 => JisX0208,
            159 => JisX0212,
            149 => KsX1001,
            58 => Gb2312,
            _ => return None,
        })
    }

    /// The half and the escape sequence (after ESC) that call the set.
    pub(super) fn call(self) -> (Half, &'static [u8]) {
        ESCAPES.iter().find(|entry| entry.2 == self).map_or((Half::G0, b"(B"), |(escape, half, _)| (*half, escape))
    }

    /// Whether a character takes two bytes.
    pub(super) fn is_double(self) -> bool {
        matches!(self, JisX0208 | JisX0212 | KsX1001 | Gb2312)
    }

    /// The character of a byte, given without its highest bit, in a single-byte set.
    pub(super) fn single(self, low: u8) -> Option<char> {
        match self {
            Ascii => Some(char::from(low)),
            JisRoman => Some(match low {
                b'\\' => '¥',
                b'~' => '‾',
                low => char::from(low),
            }),
            Katakana => match low {
                0x21..=0x5F => char::from_u32(0xFF61 + u32::from(low - 0x21)),
                _ => None,
            },
            _ => {
                let row = HIGH.iter().position(|other| *other == self)?;
                let c = *ROWS.get(row)?.get(usize::from(low.checked_sub(0x20)?))?;
                (c != char::REPLACEMENT_CHARACTER).then_some(c)
            }
        }
    }

    /// The bytes of a character, without their highest bits: one, or two of them.
    pub(super) fn code_of(self, c: char) -> Option<Code> {
        if self.is_double() {
            return double_byte::code_of(self, c).map(Code::Double);
        }
        let range = match self {
            Ascii | JisRoman => 0..=0x7F,
            _ => 0x20..=0x7F,
        };
        match self {
            Ascii => u8::try_from(c).ok().filter(u8::is_ascii),
            _ => range.into_iter().find(|low| self.single(*low) == Some(c)),
        }
        .map(Code::Single)
    }

    fn row(self) -> [char; 96] {
        let encoding: &Encoding = match self {
            Latin2 => ISO_8859_2,
            Latin3 => ISO_8859_3,
            Latin4 => ISO_8859_4,
            Cyrillic => ISO_8859_5,
            Arabic => ISO_8859_6,
            Greek => ISO_8859_7,
            Hebrew => ISO_8859_8,
            Latin9 => ISO_8859_15,
            Thai => WINDOWS_874,
            // They differ from ISO 8859-9 and ISO 8859-1 below 0xA0 only.
            Latin5 => WINDOWS_1254,
            _ => WINDOWS_1252,
        };
        let bytes: Vec<u8> = (0xA0..=0xFF).collect();
        let (text, _) = encoding.decode_without_bom_handling(&bytes);
        let mut row = [char::REPLACEMENT_CHARACTER; 96];
        row.iter_mut().zip(text.chars()).for_each(|(place, c)| *place = c);
        row
    }
}

/// The bytes of a character without their highest bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    Single(u8),
    Double([u8; 2]),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_of_the_register() {
        assert_eq!(Latin1.single(0x69), Some('é'));
        assert_eq!(Latin2.single(0x31), Some('ą'));
        assert_eq!(Latin5.single(0x70), Some('ğ'));
        assert_eq!(Thai.single(0x21), Some('ก'));
        assert_eq!(Hebrew.single(0x60), Some('א'));
        assert_eq!(Latin9.single(0x24), Some('€'));
        assert_eq!(Katakana.single(0x54), Some('ﾔ'));
        assert_eq!(Arabic.single(0x21), None);
    }

    #[test]
    fn every_character_of_a_single_byte_set_has_its_byte() {
        for code_set in HIGH.into_iter().chain([Katakana]) {
            for low in 0x20..0x80 {
                if let Some(c) = code_set.single(low) {
                    assert_eq!(code_set.code_of(c), Some(Code::Single(low)), "{code_set:?} {low:#x}");
                }
            }
        }
    }

    #[test]
    fn every_set_is_called_by_its_own_sequence() {
        for (escape, half, code_set) in ESCAPES {
            assert_eq!(designation(escape), Some((*half, *code_set, escape.len())));
        }
        assert_eq!(designation(b"$("), None);
    }
}
