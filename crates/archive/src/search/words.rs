//! A query in words, for the trail: who searched has to be told of later, and for whom.
//!
//! It holds names. The trail is sealed; nothing here may reach a log line.

use std::fmt::Write as _;

use leadglass_dicom::attribute;
use leadglass_dicom::person_name::NamePattern;
use leadglass_dicom::query::{Key, Matching, Query, Token, WildCard};

/// Longest text kept of one query, in bytes.
const LONGEST: usize = 4096;

/// The level and the keys.
pub(super) fn words(query: &Query) -> String {
    let mut out = String::from(query.level.as_str());
    for (at, key) in query.keys.iter().enumerate() {
        out.push_str(if at == 0 { " where " } else { " and " });
        key_words(key, &mut out);
    }
    if out.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|&end| out.is_char_boundary(end)).unwrap_or(0);
        out.truncate(end);
        out.push('…');
    }
    out
}

fn key_words(key: &Key, out: &mut String) {
    for tag in &key.path {
        let _ = match attribute::by_tag(*tag) {
            Some(known) => write!(out, "{} ", known.keyword),
            None => write!(out, "{tag} "),
        };
    }
    matching_words(&key.matching, out);
}

fn matching_words(matching: &Matching, out: &mut String) {
    let _ = match matching {
        Matching::Universal => write!(out, "is anything"),
        Matching::EmptyValue => write!(out, "is empty"),
        Matching::SingleValue(text) => write!(out, "= {text:?}"),
        Matching::Integer(number) => write!(out, "= {number}"),
        Matching::Decimal(number) => write!(out, "= {number}"),
        Matching::TagValue(tag) => write!(out, "= {tag}"),
        Matching::ListOfUid(uids) => write!(out, "in {uids:?}"),
        Matching::WildCard(pattern) => write!(out, "like {:?}", pattern_text(pattern)),
        Matching::PersonName(pattern) => write!(out, "like {:?}", name_text(pattern)),
        Matching::DateRange(range) => write!(out, "{}", span(range.from.as_ref(), range.to.as_ref())),
        Matching::TimeRange(range) => write!(out, "{}", span(range.from.as_ref(), range.to.as_ref())),
        Matching::DateTimeRange(range) => write!(out, "within {range:?}"),
        Matching::DateAndTimeRange { range, .. } => write!(out, "within {range:?}"),
        Matching::MultipleValues(several) => {
            for (at, one) in several.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { " or " });
                matching_words(one, out);
            }
            Ok(())
        }
        Matching::Sequence(keys) => {
            out.push_str("has an item where ");
            for (at, key) in keys.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { " and " });
                key_words(key, out);
            }
            Ok(())
        }
    };
}

fn span<T: std::fmt::Display>(from: Option<&T>, to: Option<&T>) -> String {
    let text = |end: Option<&T>| end.map(ToString::to_string).unwrap_or_default();
    format!("within {}-{}", text(from), text(to))
}

/// A pattern as it was written.
pub(super) fn pattern_text(pattern: &WildCard) -> String {
    pattern
        .tokens()
        .iter()
        .map(|token| match token {
            Token::Literal(c) => *c,
            Token::One => '?',
            Token::Any => '*',
        })
        .collect()
}

/// A name's pattern as it was written.
pub(super) fn name_text(pattern: &NamePattern) -> String {
    match pattern {
        NamePattern::AnyGroup(group) => pattern_text(group),
        NamePattern::Groups(groups) => {
            let groups: Vec<String> =
                groups.iter().map(|group| group.as_ref().map(pattern_text).unwrap_or_default()).collect();
            groups.join("=")
        }
        NamePattern::Fuzzy(words) => {
            let words: Vec<&str> = words.iter().map(|word| word.prefix.as_str()).collect();
            format!("~{}", words.join(" "))
        }
    }
}
