//! From the values of a key to the condition they mean, by value representation.

use dicom_core::{Tag, VR};

use super::{MAX_LIST, MAX_VALUE_BYTES, MAX_WILD_CARDS, Matching, QueryError, QueryOptions, WildCard};
use crate::datetime::{Date, DateTime, Range, Time, UtcOffset, split_range};
use crate::person_name::NamePattern;
use crate::uid::Uid;

/// What the values of a key of text mean. No value, or empty ones only, is universal matching.
pub(super) fn matching_of(
    tag: Tag,
    vr: VR,
    values: &[&str],
    options: &QueryOptions,
    timezone: UtcOffset,
) -> Result<Matching, QueryError> {
    let values: Vec<&str> =
        values.iter().map(|value| value.trim_matches([' ', '\0'])).filter(|value| !value.is_empty()).collect();
    if values.len() > MAX_LIST || values.iter().any(|value| value.len() > MAX_VALUE_BYTES) {
        return Err(QueryError::ValueTooLong(tag));
    }
    match values.as_slice() {
        [] => Ok(Matching::Universal),
        ["\"\""] if options.empty_value => Ok(Matching::EmptyValue),
        _ if vr == VR::UI => list_of_uid(tag, &values),
        [value] => single(tag, vr, value, options, timezone),
        several => several
            .iter()
            .map(|value| single(tag, vr, value, options, timezone))
            .collect::<Result<Vec<_>, _>>()
            .map(any_of),
    }
}

/// One of several suffices; a universal one among them makes all of it universal.
fn any_of(several: Vec<Matching>) -> Matching {
    if several.contains(&Matching::Universal) { Matching::Universal } else { Matching::MultipleValues(several) }
}

fn list_of_uid(tag: Tag, values: &[&str]) -> Result<Matching, QueryError> {
    if values.contains(&"*") {
        return Ok(Matching::Universal);
    }
    let uids: Result<Vec<Uid>, _> = values.iter().map(|value| Uid::parse(value)).collect();
    uids.map(Matching::ListOfUid).map_err(|_| QueryError::InvalidValue(tag))
}

fn single(tag: Tag, vr: VR, value: &str, options: &QueryOptions, timezone: UtcOffset) -> Result<Matching, QueryError> {
    let invalid = QueryError::InvalidValue(tag);
    match vr {
        // Wild cards have no meaning here, but a lone `*` is what many send for "any".
        _ if value == "*" => Ok(Matching::Universal),
        VR::DA => {
            span(value, |text| Date::parse(text).map(|date| (date, date))).map(Matching::DateRange).ok_or(invalid)
        }
        VR::TM => span(value, Time::parse_span).map(Matching::TimeRange).ok_or(invalid),
        VR::DT => moments(value, timezone).map(Matching::DateTimeRange).ok_or(invalid),
        VR::IS | VR::US | VR::UL | VR::UV | VR::SS | VR::SL | VR::SV => {
            value.parse().map(Matching::Integer).map_err(|_| invalid)
        }
        VR::DS | VR::FL | VR::FD => match value.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Matching::Decimal(number)),
            _ => Err(invalid),
        },
        VR::PN => {
            bounded(tag, value)?;
            let pattern = if options.fuzzy { NamePattern::fuzzy(value) } else { NamePattern::literal(value) };
            Ok(pattern.map_or(Matching::Universal, Matching::PersonName))
        }
        VR::AE | VR::CS | VR::LO | VR::LT | VR::SH | VR::ST | VR::UC | VR::UR | VR::UT
            if value.contains(['*', '?']) =>
        {
            bounded(tag, value)?;
            let pattern = WildCard::new(value);
            Ok(if pattern.is_universal() { Matching::Universal } else { Matching::WildCard(pattern) })
        }
        VR::OB | VR::OD | VR::OF | VR::OL | VR::OV | VR::OW | VR::UN | VR::SQ | VR::AT => Err(invalid),
        _ => Ok(Matching::SingleValue(value.to_owned())),
    }
}

fn bounded(tag: Tag, value: &str) -> Result<(), QueryError> {
    let wild_cards = value.bytes().filter(|b| matches!(b, b'*' | b'?')).count();
    if wild_cards > MAX_WILD_CARDS { Err(QueryError::TooManyWildCards(tag)) } else { Ok(()) }
}

/// A value or a range of them, ends included with all that they leave open.
fn span<T: Copy>(value: &str, parse: impl Fn(&str) -> Option<(T, T)>) -> Option<Range<T>> {
    if let Some((first, last)) = parse(value) {
        return Some(Range { from: Some(first), to: Some(last) });
    }
    let (from, to) = split_range(value)?;
    range(from, to, parse)
}

fn range<T: Copy>(from: &str, to: &str, parse: impl Fn(&str) -> Option<(T, T)>) -> Option<Range<T>> {
    let from = if from.is_empty() { None } else { Some(parse(from)?.0) };
    let to = if to.is_empty() { None } else { Some(parse(to)?.1) };
    Some(Range { from, to })
}

/// A DT key: a hyphen may begin an offset or divide a range; the reading that makes sense is
/// taken, PS3.4 C.2.2.2.5.3.
fn moments(value: &str, timezone: UtcOffset) -> Option<Range<DateTime>> {
    let parse = |text: &str| DateTime::parse_span(text, timezone);
    if let Some((first, last)) = parse(value) {
        return Some(Range { from: Some(first), to: Some(last) });
    }
    if value == "-" {
        return None;
    }
    value.match_indices('-').find_map(|(at, _)| range(value[..at].trim(), value[at + 1..].trim(), parse))
}
