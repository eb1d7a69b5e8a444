//! A query from the identifier of a C-FIND request, PS3.4 C.4.1.1.3.

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};

use super::value::matching_of;
use super::{Include, Key, MAX_DEPTH, MAX_KEYS, Matching, Query, QueryError, QueryOptions, Root, TagPath};
use crate::attribute::{self, Level};
use crate::charset::SpecificCharacterSet;
use crate::data_set::{DataSet, Element, Value};
use crate::datetime::{Range, UtcOffset};

impl Query {
    /// The query that an identifier asks, under the behaviours that were negotiated.
    pub fn from_identifier(root: Root, options: &QueryOptions, identifier: &DataSet) -> Result<Query, QueryError> {
        let level = level_of(root, identifier)?;
        let timezone = identifier.text(tags::TIMEZONE_OFFSET_FROM_UTC).and_then(UtcOffset::parse);
        let mut reading = Reading {
            options,
            timezone: timezone.unwrap_or_default(),
            include: Vec::new(),
            unsupported: Vec::new(),
            seen: 0,
        };
        let mut keys = reading.keys(identifier, &[], Some(level))?;
        let Reading { include, unsupported, .. } = reading;
        if !options.relational {
            hierarchical(root, level, &keys)?;
        }
        if options.combined_datetime {
            combine(&mut keys);
        }
        let terms: Vec<&str> = identifier.texts(tags::SPECIFIC_CHARACTER_SET).iter().map(String::as_str).collect();
        Ok(Query {
            root,
            level,
            keys,
            include: Include::Listed(include),
            fuzzy: options.fuzzy,
            relational: options.relational,
            timezone_adjustment: options.timezone_adjustment,
            timezone,
            combined_datetime: options.combined_datetime,
            charset: SpecificCharacterSet::from_terms(&terms),
            unsupported,
        })
    }
}

fn level_of(root: Root, identifier: &DataSet) -> Result<Level, QueryError> {
    let text = identifier.text(tags::QUERY_RETRIEVE_LEVEL).ok_or(QueryError::LevelMissing)?;
    match Level::parse(text) {
        Some(Level::Patient) if root == Root::Study => Err(QueryError::LevelUnknown),
        Some(level) => Ok(level),
        None => Err(QueryError::LevelUnknown),
    }
}

/// Whether an element of an identifier directs the query instead of being a key of it.
fn is_directive(tag: Tag) -> bool {
    tag.element() == 0
        || matches!(
            tag,
            tags::QUERY_RETRIEVE_LEVEL
                | tags::SPECIFIC_CHARACTER_SET
                | tags::TIMEZONE_OFFSET_FROM_UTC
                | tags::QUERY_RETRIEVE_VIEW
                | tags::RETRIEVE_AE_TITLE
                | tags::INSTANCE_AVAILABILITY
                | tags::STORAGE_MEDIA_FILE_SET_ID
                | tags::STORAGE_MEDIA_FILE_SET_UID
        )
}

struct Reading<'a> {
    options: &'a QueryOptions,
    timezone: UtcOffset,
    include: Vec<TagPath>,
    unsupported: Vec<TagPath>,
    seen: usize,
}

impl Reading<'_> {
    /// The keys of a data set or item; `level` at the top only. The depth is bounded.
    fn keys(&mut self, data_set: &DataSet, within: &[Tag], level: Option<Level>) -> Result<Vec<Key>, QueryError> {
        if within.len() > MAX_DEPTH {
            return Err(QueryError::TooDeep);
        }
        let mut keys = Vec::new();
        for (tag, element) in data_set.iter() {
            if level.is_some() && is_directive(tag) {
                if returned(tag) {
                    self.include.push(vec![tag]);
                }
                continue;
            }
            self.seen += 1;
            if self.seen > MAX_KEYS {
                return Err(QueryError::TooManyKeys);
            }
            let path: TagPath = within.iter().copied().chain([tag]).collect();
            let matching = self.matching(tag, element, &path)?;
            match (matching, level) {
                (Matching::Universal, _) => {}
                (matching, Some(level)) => match at_level(level, tag) {
                    Some(tag) => keys.push(Key { path: vec![tag], vr: vr_of(tag, element.vr), matching }),
                    None => self.unsupported.push(path.clone()),
                },
                (matching, None) => keys.push(Key { path: vec![tag], vr: vr_of(tag, element.vr), matching }),
            }
            if !matches!(&element.value, Value::Sequence(items) if items.iter().any(|item| !item.is_empty())) {
                self.include.push(path);
            }
        }
        Ok(keys)
    }

    fn matching(&mut self, tag: Tag, element: &Element, path: &[Tag]) -> Result<Matching, QueryError> {
        let number = |numbers: Vec<Matching>| match numbers.len() {
            0 => Matching::Universal,
            1 => numbers.into_iter().next().unwrap_or(Matching::Universal),
            _ => Matching::MultipleValues(numbers),
        };
        match &element.value {
            Value::Empty => Ok(Matching::Universal),
            Value::Text(values) => {
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                matching_of(tag, vr_of(tag, element.vr), &values, self.options, self.timezone)
            }
            Value::Unsigned(values) => {
                let values: Result<Vec<Matching>, _> =
                    values.iter().map(|&value| i64::try_from(value).map(Matching::Integer)).collect();
                values.map(number).map_err(|_| QueryError::InvalidValue(tag))
            }
            Value::Signed(values) => Ok(number(values.iter().map(|&value| Matching::Integer(value)).collect())),
            Value::Float(values) => Ok(number(values.iter().map(|&value| Matching::Decimal(value)).collect())),
            Value::Tags(values) => Ok(number(values.iter().map(|&value| Matching::TagValue(value)).collect())),
            Value::Bytes(bytes) if bytes.is_empty() => Ok(Matching::Universal),
            Value::Bytes(_) | Value::Bulk(_) => {
                self.unsupported.push(path.to_vec());
                Ok(Matching::Universal)
            }
            Value::Sequence(items) => match items.as_slice() {
                [] => Ok(Matching::Universal),
                [item] => {
                    let keys = self.keys(item, path, None)?;
                    Ok(if keys.is_empty() { Matching::Universal } else { Matching::Sequence(keys) })
                }
                _ => Err(QueryError::SeveralItems(tag)),
            },
        }
    }
}

/// Directives that are answered as well.
fn returned(tag: Tag) -> bool {
    matches!(
        tag,
        tags::TIMEZONE_OFFSET_FROM_UTC
            | tags::RETRIEVE_AE_TITLE
            | tags::INSTANCE_AVAILABILITY
            | tags::STORAGE_MEDIA_FILE_SET_ID
            | tags::STORAGE_MEDIA_FILE_SET_UID
    )
}

/// The attribute to match at the level: keys of lower levels cannot match, except that many ask
/// for a study by Modality and mean Modalities in Study.
pub(super) fn at_level(level: Level, tag: Tag) -> Option<Tag> {
    match attribute_level(tag) {
        Some(below) if below > level => {
            (level == Level::Study && tag == tags::MODALITY).then_some(tags::MODALITIES_IN_STUDY)
        }
        _ => Some(tag),
    }
}

/// The level of an attribute, nested ones by their sequence.
fn attribute_level(tag: Tag) -> Option<Level> {
    attribute::ALL
        .iter()
        .find(|attribute| attribute.within.unwrap_or(attribute.tag) == tag)
        .map(|attribute| attribute.level)
}

/// The representation to match in: the dictionary's where it knows better than UN.
pub(super) fn vr_of(tag: Tag, found: VR) -> VR {
    if let Some(attribute) = attribute::by_tag(tag) {
        return attribute.vr;
    }
    if found != VR::UN {
        return found;
    }
    StandardDataDictionary.by_tag(tag).map_or(VR::UN, |entry| entry.vr().relaxed())
}

/// PS3.4 C.4.1.2.1: each level above is fixed by a single value of its unique key.
fn hierarchical(root: Root, level: Level, keys: &[Key]) -> Result<(), QueryError> {
    let top = if root == Root::Patient { Level::Patient } else { Level::Study };
    for above in Level::ALL.into_iter().filter(|above| (top..level).contains(above)) {
        let unique = above.unique_key();
        let fixed = keys.iter().any(|key| {
            key.path == [unique]
                && match &key.matching {
                    Matching::SingleValue(_) => true,
                    Matching::ListOfUid(uids) => uids.len() == 1,
                    _ => false,
                }
        });
        if !fixed {
            return Err(QueryError::UniqueKeyMissing(unique));
        }
    }
    Ok(())
}

/// Date and time attributes that belong together.
const PAIRS: [(Tag, Tag); 5] = [
    (tags::STUDY_DATE, tags::STUDY_TIME),
    (tags::SERIES_DATE, tags::SERIES_TIME),
    (tags::ACQUISITION_DATE, tags::ACQUISITION_TIME),
    (tags::CONTENT_DATE, tags::CONTENT_TIME),
    (tags::PERFORMED_PROCEDURE_STEP_START_DATE, tags::PERFORMED_PROCEDURE_STEP_START_TIME),
];

/// Makes one key of a pair of ranges, PS3.4 C.2.2.2.5: from the first time of the first date to
/// the last time of the last date.
pub(super) fn combine(keys: &mut Vec<Key>) {
    for (date, time) in PAIRS {
        let place = |tag: Tag| keys.iter().position(|key| key.path == [tag]);
        let (Some(date_at), Some(time_at)) = (place(date), place(time)) else { continue };
        let (Matching::DateRange(dates), Matching::TimeRange(times)) =
            (&keys[date_at].matching, &keys[time_at].matching)
        else {
            continue;
        };
        let range = Range {
            from: dates.from.map(|date| (date, times.from.unwrap_or(crate::datetime::Time::MIDNIGHT))),
            to: dates.to.map(|date| (date, times.to.unwrap_or(crate::datetime::Time::END_OF_DAY))),
        };
        keys[date_at].matching = Matching::DateAndTimeRange { time, range };
        keys.remove(time_at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uid::Uid;

    fn identifier(level: &str, elements: &[(Tag, VR, &str)]) -> DataSet {
        let mut data_set = DataSet::new();
        data_set.put_text(tags::QUERY_RETRIEVE_LEVEL, VR::CS, level);
        for (tag, vr, text) in elements {
            let values: Vec<String> = text.split('\\').map(str::to_owned).collect();
            let value = if text.is_empty() { Value::Empty } else { Value::Text(values) };
            data_set.put(*tag, *vr, value);
        }
        data_set
    }

    fn read(root: Root, level: &str, elements: &[(Tag, VR, &str)]) -> Result<Query, QueryError> {
        Query::from_identifier(root, &QueryOptions::default(), &identifier(level, elements))
    }

    const STUDY: (Tag, VR, &str) = (tags::STUDY_INSTANCE_UID, VR::UI, "1.2.3");

    #[test]
    fn the_level_has_to_be_one_of_the_model() {
        assert_eq!(read(Root::Study, "PATIENT", &[]).unwrap_err(), QueryError::LevelUnknown);
        assert_eq!(read(Root::Study, "FRAME", &[]).unwrap_err(), QueryError::LevelUnknown);
        let none = Query::from_identifier(Root::Study, &QueryOptions::default(), &DataSet::new());
        assert_eq!(none.unwrap_err().offending_element(), Some(tags::QUERY_RETRIEVE_LEVEL));
        assert_eq!(read(Root::Patient, "PATIENT", &[]).unwrap().level, Level::Patient);
    }

    #[test]
    fn hierarchical_queries_fix_each_level_above() {
        let missing = |tag| Some(QueryError::UniqueKeyMissing(tag));
        assert_eq!(read(Root::Study, "SERIES", &[]).err(), missing(tags::STUDY_INSTANCE_UID));
        assert_eq!(read(Root::Patient, "STUDY", &[]).err(), missing(tags::PATIENT_ID));
        assert_eq!(read(Root::Study, "IMAGE", &[STUDY]).err(), missing(tags::SERIES_INSTANCE_UID));
        let several = (tags::STUDY_INSTANCE_UID, VR::UI, "1.2.3\\1.2.4");
        assert_eq!(read(Root::Study, "SERIES", &[several]).err(), missing(tags::STUDY_INSTANCE_UID));
        let wild = (tags::PATIENT_ID, VR::LO, "1*");
        assert_eq!(read(Root::Patient, "STUDY", &[wild]).err(), missing(tags::PATIENT_ID));
        assert!(read(Root::Study, "SERIES", &[STUDY]).is_ok());
        let relational = QueryOptions { relational: true, ..QueryOptions::default() };
        assert!(Query::from_identifier(Root::Study, &relational, &identifier("IMAGE", &[])).is_ok());
    }

    #[test]
    fn each_representation_has_its_matching() {
        let stars = "*?".repeat(32);
        let one = |tag, vr, text| {
            read(Root::Study, "STUDY", &[(tag, vr, text)])
                .map(|query| query.keys.into_iter().next().map(|key| key.matching))
        };
        let invalid = |tag| Err(QueryError::InvalidValue(tag));
        assert_eq!(one(tags::ACCESSION_NUMBER, VR::SH, "A1 "), Ok(Some(Matching::SingleValue("A1".into()))));
        assert_eq!(one(tags::ACCESSION_NUMBER, VR::SH, "*"), Ok(None));
        assert!(matches!(one(tags::ACCESSION_NUMBER, VR::SH, "A?"), Ok(Some(Matching::WildCard(_)))));
        assert!(matches!(one(tags::PATIENT_NAME, VR::PN, "Buc*"), Ok(Some(Matching::PersonName(_)))));
        assert_eq!(one(tags::STUDY_INSTANCE_UID, VR::UI, "1.2*"), invalid(tags::STUDY_INSTANCE_UID));
        assert_eq!(one(tags::STUDY_DATE, VR::DA, "2024*"), invalid(tags::STUDY_DATE));
        assert!(matches!(one(tags::STUDY_DATE, VR::DA, "20240101-"), Ok(Some(Matching::DateRange(_)))));
        assert!(matches!(one(tags::STUDY_TIME, VR::TM, "10-1130"), Ok(Some(Matching::TimeRange(_)))));
        assert_eq!(
            one(tags::STUDY_INSTANCE_UID, VR::UI, "1.2"),
            Ok(Some(Matching::ListOfUid(vec![Uid::parse("1.2").unwrap()])))
        );
        assert_eq!(one(tags::PATIENT_NAME, VR::PN, &stars), Err(QueryError::TooManyWildCards(tags::PATIENT_NAME)));
        assert!(matches!(one(tags::MODALITIES_IN_STUDY, VR::CS, "CT\\MR"), Ok(Some(Matching::MultipleValues(_)))));
    }

    #[test]
    fn empty_values_are_matched_when_negotiated() {
        let asked = identifier("STUDY", &[(tags::ACCESSION_NUMBER, VR::SH, "\"\"")]);
        let options = QueryOptions { empty_value: true, ..QueryOptions::default() };
        let query = Query::from_identifier(Root::Study, &options, &asked).unwrap();
        assert_eq!(query.keys[0].matching, Matching::EmptyValue);
    }

    #[test]
    fn what_is_asked_is_returned_and_what_directs_is_not_matched() {
        let query = read(
            Root::Study,
            "STUDY",
            &[
                (tags::PATIENT_NAME, VR::PN, ""),
                (tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 100"),
                (tags::RETRIEVE_AE_TITLE, VR::AE, "X"),
            ],
        )
        .unwrap();
        assert!(query.keys.is_empty());
        assert_eq!(query.charset.terms(), ["ISO_IR 100"]);
        assert_eq!(query.include, Include::Listed(vec![vec![tags::RETRIEVE_AE_TITLE], vec![tags::PATIENT_NAME]]));
    }

    #[test]
    fn sequences_match_by_one_item() {
        let mut item = DataSet::new();
        item.put_text(tags::SCHEDULED_PROCEDURE_STEP_ID, VR::SH, "S1");
        item.put(tags::REQUESTED_PROCEDURE_ID, VR::SH, Value::Empty);
        let mut asked = identifier("SERIES", &[STUDY]);
        asked.put(tags::REQUEST_ATTRIBUTES_SEQUENCE, VR::SQ, Value::Sequence(vec![item.clone()]));
        let query = Query::from_identifier(Root::Study, &QueryOptions::default(), &asked).unwrap();
        assert!(matches!(&query.keys[1].matching, Matching::Sequence(keys) if keys.len() == 1));
        let Include::Listed(include) = query.include else { panic!("all") };
        assert!(include.contains(&vec![tags::REQUEST_ATTRIBUTES_SEQUENCE, tags::REQUESTED_PROCEDURE_ID]));
        asked.put(tags::REQUEST_ATTRIBUTES_SEQUENCE, VR::SQ, Value::Sequence(vec![item.clone(), item]));
        let error = Query::from_identifier(Root::Study, &QueryOptions::default(), &asked).unwrap_err();
        assert_eq!(error, QueryError::SeveralItems(tags::REQUEST_ATTRIBUTES_SEQUENCE));
    }

    #[test]
    fn depth_and_number_of_keys_are_bounded() {
        let mut deep = DataSet::new();
        for _ in 0..40 {
            let mut outer = DataSet::new();
            outer.put(tags::REQUEST_ATTRIBUTES_SEQUENCE, VR::SQ, Value::Sequence(vec![deep]));
            deep = outer;
        }
        deep.put_text(tags::QUERY_RETRIEVE_LEVEL, VR::CS, "STUDY");
        let options = QueryOptions::default();
        assert_eq!(Query::from_identifier(Root::Study, &options, &deep).unwrap_err(), QueryError::TooDeep);
        let mut wide = identifier("STUDY", &[]);
        (0..1000).for_each(|n| wide.put_text(Tag(0x0009, 0x1000 + n), VR::LO, "x"));
        assert_eq!(Query::from_identifier(Root::Study, &options, &wide).unwrap_err(), QueryError::TooManyKeys);
    }

    #[test]
    fn ranges_of_date_and_time_are_one_when_negotiated() {
        let keys = [(tags::STUDY_DATE, VR::DA, "20240101-20240103"), (tags::STUDY_TIME, VR::TM, "12-13")];
        assert_eq!(read(Root::Study, "STUDY", &keys).unwrap().keys.len(), 2);
        let options = QueryOptions { combined_datetime: true, ..QueryOptions::default() };
        let query = Query::from_identifier(Root::Study, &options, &identifier("STUDY", &keys)).unwrap();
        assert!(matches!(query.keys.as_slice(), [Key { matching: Matching::DateAndTimeRange { .. }, .. }]));
        assert_eq!(query.include, Include::Listed(vec![vec![tags::STUDY_DATE], vec![tags::STUDY_TIME]]));
    }
}
