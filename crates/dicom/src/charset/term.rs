//! Defined terms of Specific Character Set, and what people write instead of them.

use encoding_rs::{Encoding, GB18030, GBK, UTF_8};

use super::code_set::{CodeSet, Half};
use super::{Coding, Halves};

/// More values than all defined terms together are of no use to anybody.
const MOST_TERMS: usize = 32;

/// The term of an encoding that takes no code extensions.
pub(super) fn of_encoding(encoding: &'static Encoding) -> &'static str {
    if encoding == GB18030 {
        "GB18030"
    } else if encoding == GBK {
        "GBK"
    } else {
        "ISO_IR 192"
    }
}

/// One term, understood.
enum Term {
    Whole(&'static Encoding),
    Set { code_set: CodeSet, number: u16, extended: bool },
    Unknown,
}

/// What the terms say together.
pub(super) fn coding_of(terms: &[&str]) -> Coding {
    let understood: Vec<Term> = terms.iter().take(MOST_TERMS).map(|term| understand(term)).collect();
    // PS3.3 C.12.1.1.2: these stand alone. Behind another term they are left out.
    if let Some(Term::Whole(encoding)) = understood.first() {
        return Coding::Whole(encoding);
    }
    let extends = understood.len() > 1 || matches!(understood.first(), Some(Term::Set { extended: true, .. }));
    let mut sets = Vec::new();
    let mut names = Vec::new();
    for term in &understood {
        let (code_set, number) = match term {
            Term::Set { code_set, number, .. } => (*code_set, *number),
            Term::Unknown => (CodeSet::Ascii, 6),
            Term::Whole(_) => continue,
        };
        if !sets.contains(&code_set) {
            sets.push(code_set);
            names.push((code_set, number));
        }
    }
    let initial = sets.first().map_or(Halves { g0: CodeSet::Ascii, g1: None }, |first| initial_halves(*first));
    if !extends {
        let terms =
            names.iter().filter(|(set, _)| *set != CodeSet::Ascii).map(|(_, n)| format!("ISO_IR {n}")).collect();
        return Coding::Halves { initial, extensions: Vec::new(), terms };
    }
    let terms = names.iter().map(|(_, number)| format!("ISO 2022 IR {number}")).collect();
    Coding::Halves { initial, extensions: extensions(initial, &sets), terms }
}

/// What the first term puts into the halves. A set that needs two bytes is never there from
/// the beginning.
fn initial_halves(first: CodeSet) -> Halves {
    match first {
        CodeSet::Katakana | CodeSet::JisRoman => Halves { g0: CodeSet::JisRoman, g1: Some(CodeSet::Katakana) },
        set if set.is_double() || set == CodeSet::Ascii => Halves { g0: CodeSet::Ascii, g1: None },
        set => Halves { g0: CodeSet::Ascii, g1: Some(set) },
    }
}

/// All sets to write in, those of the beginning first.
fn extensions(initial: Halves, sets: &[CodeSet]) -> Vec<CodeSet> {
    let mut all: Vec<CodeSet> = [Some(initial.g0), initial.g1].into_iter().flatten().collect();
    for set in sets {
        let also = (*set == CodeSet::Katakana).then_some(CodeSet::JisRoman);
        all.extend([Some(*set), also].into_iter().flatten());
    }
    let mut unique = Vec::new();
    all.into_iter().for_each(|set| {
        if !unique.contains(&set) {
            unique.push(set)
        }
    });
    unique
}

/// The set that bytes above 0x80 are read in when no escape sequence came: the first term's, or
/// else that of a later term; many who write Korean or Chinese save the sequence.
pub(super) fn lenient_g1(initial: Halves, extensions: &[CodeSet]) -> Option<CodeSet> {
    initial.g1.or_else(|| extensions.iter().copied().find(|set| set.call().0 == Half::G1))
}

fn understand(term: &str) -> Term {
    let plain: String =
        term.chars().take(64).filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
    match plain.as_str() {
        "GB18030" | "ISO2022GB18030" => return Term::Whole(GB18030),
        "GBK" | "ISO2022GBK" | "GB2312" => return Term::Whole(GBK),
        "UTF8" | "ISOIR192" | "ISO2022IR192" => return Term::Whole(UTF_8),
        "LATIN1" | "ISO88591" => return Term::Set { code_set: CodeSet::Latin1, number: 100, extended: false },
        _ => {}
    }
    let (digits, extended) = match (plain.strip_prefix("ISO2022IR"), plain.strip_prefix("ISOIR")) {
        (Some(digits), _) => (digits, true),
        (None, Some(digits)) => (digits, false),
        (None, None) => return Term::Unknown,
    };
    let Ok(number) = digits.parse::<u16>() else { return Term::Unknown };
    match CodeSet::of_register(number) {
        // ISO-IR 14 is the lower half of the term that is named after the upper one.
        Some(CodeSet::JisRoman) => Term::Set { code_set: CodeSet::Katakana, number: 13, extended },
        Some(code_set) => Term::Set { code_set, number, extended: extended || code_set.is_double() },
        None => Term::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use crate::charset::SpecificCharacterSet;

    fn terms(terms: &[&str]) -> Vec<String> {
        SpecificCharacterSet::from_terms(terms).terms()
    }

    #[test]
    fn misspelt_terms_are_understood() {
        for written in ["ISO_IR 100", "ISO-IR 100", "ISO IR 100", "iso_ir_100", "ISO_IR 100 ", "ISO_IR100", "latin-1"] {
            assert_eq!(terms(&[written]), ["ISO_IR 100"], "{written}");
        }
        assert_eq!(terms(&["utf-8"]), ["ISO_IR 192"]);
        assert_eq!(terms(&["", "iso 2022-ir 87"]), ["ISO 2022 IR 6", "ISO 2022 IR 87"]);
        assert_eq!(terms(&["ISO_IR 6"]), Vec::<String>::new());
        assert_eq!(terms(&["gb18030"]), ["GB18030"]);
    }

    #[test]
    fn unknown_terms_are_the_default_repertoire() {
        assert_eq!(terms(&["KOI8-R"]), Vec::<String>::new());
        assert_eq!(SpecificCharacterSet::from_terms(&["ISO_IR 99999999"]), SpecificCharacterSet::default());
    }

    #[test]
    fn terms_survive_themselves() {
        for set in [
            &["ISO 2022 IR 6", "ISO 2022 IR 87", "ISO 2022 IR 159"][..],
            &["ISO 2022 IR 13", "ISO 2022 IR 87"],
            &["ISO 2022 IR 100", "ISO 2022 IR 144"],
            &["ISO_IR 13"],
            &["GBK"],
        ] {
            assert_eq!(terms(set), set);
        }
    }

    #[test]
    fn thousands_of_terms_do_no_harm() {
        assert_eq!(terms(&["ISO 2022 IR 87"; 5000]), ["ISO 2022 IR 87"]);
    }
}
