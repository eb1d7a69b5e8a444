//! The meaning of a query, spelled out over data sets: the reference for every index.

use dicom_core::Tag;

use super::{Key, Matching, Query};
use crate::data_set::{DataSet, Element, Value};
use crate::datetime::{Date, DateTime, Time, UtcOffset};
use crate::person_name::search_keys;

/// Whether a data set that holds an entity's attributes (those of its levels above and the
/// derived ones too) matches all keys of the query.
pub fn matches(query: &Query, entity: &DataSet) -> bool {
    query.keys.iter().all(|key| key_matches(key, entity))
}

/// Whether a data set matches one key.
pub fn key_matches(key: &Key, entity: &DataSet) -> bool {
    match key.path.split_first() {
        None => false,
        Some((tag, [])) => element_matches(&key.matching, *tag, entity),
        Some((sequence, rest)) => {
            let inner = Key { path: rest.to_vec(), vr: key.vr, matching: key.matching.clone() };
            let items = entity.items(*sequence);
            // Nothing there is what empty value matching asks for.
            (items.is_empty() && key.matching == Matching::EmptyValue)
                || items.iter().any(|item| key_matches(&inner, item))
        }
    }
}

fn element_matches(matching: &Matching, tag: Tag, entity: &DataSet) -> bool {
    let element = entity.element(tag);
    match matching {
        Matching::Universal => true,
        Matching::EmptyValue => element.is_none_or(is_empty),
        Matching::MultipleValues(several) => several.iter().any(|one| element_matches(one, tag, entity)),
        Matching::Sequence(keys) => entity.items(tag).iter().any(|item| keys.iter().all(|key| key_matches(key, item))),
        Matching::DateAndTimeRange { time, range } => {
            let Some(date) = entity.text(tag).and_then(Date::parse) else { return false };
            // A date without a time lies in the range when some moment of its day does.
            match entity.text(*time).and_then(Time::parse) {
                Some(time) => range.contains(&(date, time)),
                None => {
                    range.from.is_none_or(|from| from <= (date, Time::END_OF_DAY))
                        && range.to.is_none_or(|to| (date, Time::MIDNIGHT) <= to)
                }
            }
        }
        Matching::ListOfUid(uids) => {
            entity.texts(tag).iter().any(|text| uids.iter().any(|uid| uid.as_str() == padless(text)))
        }
        Matching::Integer(number) => integers(element).any(|found| found == *number),
        Matching::Decimal(number) => decimals(element).any(|found| found == *number),
        Matching::TagValue(wanted) => {
            matches!(element, Some(Element { value: Value::Tags(found), .. }) if found.contains(wanted))
        }
        _ => entity.texts(tag).iter().any(|text| text_matches(matching, text, entity)),
    }
}

/// One text value against a condition on texts.
fn text_matches(matching: &Matching, text: &str, entity: &DataSet) -> bool {
    match matching {
        Matching::SingleValue(value) => padless(text) == padless(value),
        Matching::WildCard(pattern) => pattern.matches(padless(text)),
        Matching::PersonName(pattern) => pattern.matches(&search_keys(text)),
        Matching::DateRange(range) => Date::parse(text).is_some_and(|date| range.contains(&date)),
        Matching::TimeRange(range) => Time::parse(text).is_some_and(|time| range.contains(&time)),
        Matching::DateTimeRange(range) => {
            let timezone = entity.text(dicom_dictionary_std::tags::TIMEZONE_OFFSET_FROM_UTC).and_then(UtcOffset::parse);
            DateTime::parse(text, timezone.unwrap_or_default()).is_some_and(|moment| range.contains(&moment))
        }
        _ => false,
    }
}

fn padless(text: &str) -> &str {
    text.trim_matches([' ', '\0'])
}

fn is_empty(element: &Element) -> bool {
    match &element.value {
        Value::Empty => true,
        Value::Text(values) => values.iter().all(|value| padless(value).is_empty()),
        Value::Unsigned(values) => values.is_empty(),
        Value::Signed(values) => values.is_empty(),
        Value::Float(values) => values.is_empty(),
        Value::Tags(values) => values.is_empty(),
        Value::Bytes(bytes) => bytes.is_empty(),
        Value::Bulk(_) => false,
        Value::Sequence(items) => items.is_empty(),
    }
}

fn integers(element: Option<&Element>) -> Box<dyn Iterator<Item = i64> + '_> {
    match element.map(|element| &element.value) {
        Some(Value::Unsigned(values)) => Box::new(values.iter().filter_map(|&value| i64::try_from(value).ok())),
        Some(Value::Signed(values)) => Box::new(values.iter().copied()),
        Some(Value::Text(values)) => Box::new(values.iter().filter_map(|value| padless(value).parse().ok())),
        _ => Box::new(std::iter::empty()),
    }
}

fn decimals(element: Option<&Element>) -> Box<dyn Iterator<Item = f64> + '_> {
    match element.map(|element| &element.value) {
        Some(Value::Float(values)) => Box::new(values.iter().copied()),
        Some(Value::Text(values)) => Box::new(values.iter().filter_map(|value| padless(value).parse().ok())),
        _ => Box::new(std::iter::empty()),
    }
}
