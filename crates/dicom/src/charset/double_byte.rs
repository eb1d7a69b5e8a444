//! The sets of 94 by 94 characters, read through the EUC forms that the encoding standard has.
//!
//! That standard follows Microsoft's code pages where they differ from the register; the few
//! characters of JIS X 0208 concerned are put right here.

use std::collections::HashMap;
use std::sync::LazyLock;

use encoding_rs::{EUC_JP, EUC_KR, GBK};

use super::code_set::CodeSet;

/// JIS X 0208 codes whose character the encoding standard takes from code page 932.
const JIS_X_0208: [([u8; 2], char); 6] = [
    ([0x21, 0x41], '\u{301C}'),
    ([0x21, 0x42], '\u{2016}'),
    ([0x21, 0x5D], '\u{2212}'),
    ([0x21, 0x71], '\u{00A2}'),
    ([0x21, 0x72], '\u{00A3}'),
    ([0x22, 0x4C], '\u{00AC}'),
];

/// The character of two bytes, given without their highest bits.
pub(super) fn character(code_set: CodeSet, code: [u8; 2]) -> Option<char> {
    let [a, b] = code;
    if !(0x21..=0x7E).contains(&a) || !(0x21..=0x7E).contains(&b) {
        return None;
    }
    let (a, b) = (a | 0x80, b | 0x80);
    let text = match code_set {
        CodeSet::JisX0208 => match JIS_X_0208.iter().find(|(other, _)| *other == code) {
            Some((_, c)) => return Some(*c),
            None => EUC_JP.decode_without_bom_handling_and_without_replacement(&[a, b])?.into_owned(),
        },
        CodeSet::JisX0212 => EUC_JP.decode_without_bom_handling_and_without_replacement(&[0x8F, a, b])?.into_owned(),
        CodeSet::KsX1001 => EUC_KR.decode_without_bom_handling_and_without_replacement(&[a, b])?.into_owned(),
        CodeSet::Gb2312 => GBK.decode_without_bom_handling_and_without_replacement(&[a, b])?.into_owned(),
        _ => return None,
    };
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(c), None) => Some(c),
        _ => None,
    }
}

/// The two bytes of a character, without their highest bits.
pub(super) fn code_of(code_set: CodeSet, c: char) -> Option<[u8; 2]> {
    let codes = match code_set {
        CodeSet::JisX0208 => &*CODES_0208,
        CodeSet::JisX0212 => &*CODES_0212,
        CodeSet::KsX1001 => &*CODES_1001,
        CodeSet::Gb2312 => &*CODES_2312,
        _ => return None,
    };
    codes.get(&c).copied()
}

type Codes = HashMap<char, [u8; 2]>;

static CODES_0208: LazyLock<Codes> = LazyLock::new(|| codes(CodeSet::JisX0208, |row| matches!(row, 1..=8 | 16..=84)));
static CODES_0212: LazyLock<Codes> = LazyLock::new(|| codes(CodeSet::JisX0212, |_| true));
static CODES_1001: LazyLock<Codes> = LazyLock::new(|| codes(CodeSet::KsX1001, |_| true));
static CODES_2312: LazyLock<Codes> = LazyLock::new(|| codes(CodeSet::Gb2312, |row| matches!(row, 1..=9 | 16..=87)));

/// The codes of a set's own rows: what vendors put into the others is read but not written.
fn codes(code_set: CodeSet, is_standard: impl Fn(u8) -> bool) -> Codes {
    let mut codes = Codes::new();
    for row in (1..=94).filter(|row| is_standard(*row)) {
        for cell in 1..=94 {
            let code = [row + 0x20, cell + 0x20];
            if let Some(c) = character(code_set, code).filter(|c| !is_private(*c)) {
                codes.entry(c).or_insert(code);
            }
        }
    }
    codes
}

fn is_private(c: char) -> bool {
    ('\u{E000}'..='\u{F8FF}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_written_is_read_back() {
        for code_set in [CodeSet::JisX0208, CodeSet::JisX0212, CodeSet::KsX1001, CodeSet::Gb2312] {
            for c in '\u{80}'..='\u{FFFF}' {
                if let Some(code) = code_of(code_set, c) {
                    assert_eq!(character(code_set, code), Some(c), "{code_set:?}");
                }
            }
        }
    }

    #[test]
    fn the_sets_have_the_size_that_their_standards_say() {
        assert_eq!(CODES_0208.len(), 6879);
        assert_eq!(CODES_0212.len(), 6067);
        assert!((8226..=8238).contains(&CODES_1001.len()), "{}", CODES_1001.len());
        assert!((7445..=7530).contains(&CODES_2312.len()), "{}", CODES_2312.len());
    }
}
