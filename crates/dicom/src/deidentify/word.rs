//! Descriptions cleaned, PS3.15 E.3.5: of a free text the words stay that are known to identify
//! nobody; everything else goes.
//!
//! What is known is a list (`data/descriptor_words.txt`, and the words a profile adds), vertebrae,
//! and measures: a number of at most three digits with its unit. Plain numbers go, as do dates,
//! names, and words nobody put on the list: a description may become shorter than it could be,
//! never more telling.

use std::collections::HashSet;
use std::sync::LazyLock;

const WORDS: &str = include_str!("../../data/descriptor_words.txt");
const UNITS: [&str; 21] = [
    "MM", "CM", "UM", "KV", "KVP", "MA", "MAS", "MS", "S", "SEC", "MIN", "HZ", "KHZ", "MHZ", "T", "DEG", "ML", "CC",
    "MG", "MGY", "X",
];

/// The words of a text that may stay, one space between; empty when there is none.
///
/// `names` are words of the names in the object, in capitals: they go, on the list or not.
pub(super) fn cleaned(text: &[u8], added: &HashSet<String>, names: &HashSet<String>) -> String {
    let mut kept = String::new();
    for word in text.split(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'.')) {
        let Ok(word) = std::str::from_utf8(word) else { continue };
        let word = word.trim_matches('.');
        let upper = word.to_ascii_uppercase();
        let is_known = STANDARD.contains(upper.as_str()) || added.contains(&upper);
        if !names.contains(&upper) && (is_known || is_vertebra(&upper) || is_measure(&upper)) {
            if !kept.is_empty() {
                kept.push(' ');
            }
            kept.push_str(word);
        }
    }
    kept
}

static STANDARD: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| WORDS.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace).collect());

/// C1 to C7, T1 to T12, L1 to L5, S1 to S5; T1 and T2 are weightings, too.
fn is_vertebra(word: &str) -> bool {
    let Some((kind, number)) = word.split_at_checked(1) else { return false };
    let most = match kind {
        "C" => 7,
        "T" | "D" => 12,
        "L" | "S" => 5,
        _ => return false,
    };
    number.len() <= 2 && number.parse().is_ok_and(|number: u8| (1..=most).contains(&number))
}

/// `5MM`, `1.25MM`, `120KV`.
fn is_measure(word: &str) -> bool {
    let unit = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = word.strip_suffix(unit).unwrap_or("");
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_short = (1..=3).contains(&whole.len()) && fraction.len() <= 2 && !fraction.contains('.');
    is_short && UNITS.contains(&unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> String {
        cleaned(text.as_bytes(), &HashSet::new(), &HashSet::from(["HEAD".to_owned()]))
    }

    #[test]
    fn known_words_stay_and_others_go() {
        assert_eq!(of("CT Thorax/Abdomen w contrast 5.0mm (Mrs Doe, 12.03.1954)"), "CT Thorax Abdomen contrast 5.0mm");
        assert_eq!(of("L5-S1 T2 TSE sag, MRN 12345678"), "L5 S1 T2 TSE sag");
        assert_eq!(of("head of Mrs Head"), "of");
        assert_eq!(of("Dr. Miller 555-1234 1.2.3mm 1234mm 12345"), "");
        assert_eq!(cleaned(b"study LUNA16", &HashSet::from(["LUNA16".to_owned()]), &HashSet::new()), "study LUNA16");
    }

    #[test]
    fn the_list_is_of_words_in_capitals() {
        for word in STANDARD.iter() {
            assert!(word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()), "{word}");
            assert!(word.bytes().filter(u8::is_ascii_digit).count() <= 2, "{word}");
        }
        assert!(STANDARD.len() > 300);
    }

    proptest! {
        #[test]
        fn nothing_comes_out_that_was_not_known(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            for word in cleaned(&text, &HashSet::new(), &HashSet::new()).split(' ').filter(|word| !word.is_empty()) {
                let upper = word.to_ascii_uppercase();
                prop_assert!(STANDARD.contains(upper.as_str()) || is_vertebra(&upper) || is_measure(&upper));
            }
        }
    }
}
