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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::Level;
    use crate::data_set::VR;
    use dicom_dictionary_std::tags;

    fn study() -> DataSet {
        let mut study = DataSet::new();
        study.put_text(tags::PATIENT_NAME, VR::PN, "Buc^Jérôme");
        study.put_text(tags::PATIENT_ID, VR::LO, "P1 ");
        study.put_text(tags::STUDY_INSTANCE_UID, VR::UI, "1.2.3");
        study.put_text(tags::STUDY_DATE, VR::DA, "20240102");
        study.put_text(tags::STUDY_TIME, VR::TM, "1015");
        study.put_text(tags::STUDY_DESCRIPTION, VR::LO, "Brain*MRI");
        study.put(tags::MODALITIES_IN_STUDY, VR::CS, Value::Text(vec!["CT".into(), "SR".into()]));
        study.put_text(tags::NUMBER_OF_STUDY_RELATED_SERIES, VR::IS, "3");
        study.put(tags::ROWS, VR::US, Value::Unsigned(vec![512]));
        study.put_text(tags::ACQUISITION_DATE_TIME, VR::DT, "20240102101500+0100");
        study.put_text(tags::STUDY_ID, VR::SH, "");
        let mut item = DataSet::new();
        item.put_text(tags::REQUESTED_PROCEDURE_ID, VR::SH, "R1");
        item.put_text(tags::SCHEDULED_PROCEDURE_STEP_ID, VR::SH, "S1");
        let mut other = DataSet::new();
        other.put_text(tags::REQUESTED_PROCEDURE_ID, VR::SH, "R2");
        study.put(tags::REQUEST_ATTRIBUTES_SEQUENCE, VR::SQ, Value::Sequence(vec![item, other]));
        study
    }

    fn found(query_string: &str) -> bool {
        let search = Query::from_qido(Level::Instance, None, None, query_string).unwrap();
        matches(&search.query, &study())
    }

    #[test]
    fn text_matches_as_it_is_written() {
        assert!(found("PatientID=P1") && !found("PatientID=p1") && !found("PatientID=P"));
        assert!(
            found("StudyDescription=Brain*")
                && !found("StudyDescription=brain*")
                && found("StudyDescription=B????*MR?")
        );
        assert!(found("ModalitiesInStudy=SR") && found("ModalitiesInStudy=MR,CT") && !found("ModalitiesInStudy=MR"));
        assert!(found("StudyInstanceUID=1.2.4,1.2.3") && !found("StudyInstanceUID=1.2.4"));
    }

    #[test]
    fn names_match_by_meaning() {
        assert!(found("PatientName=BUC%5EJEROME") && found("PatientName=buc*") && !found("PatientName=bu"));
        assert!(found("PatientName=jerom&fuzzymatching=true") && !found("PatientName=jerom"));
        assert!(found("PatientName=Buk&fuzzymatching=true"));
    }

    #[test]
    fn dates_and_times_match_by_range() {
        assert!(found("StudyDate=20240102") && found("StudyDate=20240101-20240102") && !found("StudyDate=-20240101"));
        assert!(found("StudyTime=10") && found("StudyTime=1015-") && !found("StudyTime=1016-"));
        assert!(found("StudyDate=20240101-20240103&StudyTime=12-09"), "one range from noon of the 1st to 9 of the 3rd");
        assert!(!found("StudyDate=20240102-20240103&StudyTime=12-13"), "it began before");
        assert!(found("AcquisitionDateTime=20240102091500-20240102091500") && !found("AcquisitionDateTime=2023"));
    }

    #[test]
    fn numbers_match_by_value_and_absence_by_emptiness() {
        assert!(found("NumberOfStudyRelatedSeries=03") && found("Rows=512") && !found("Rows=51"));
        let empty = |name: &str| found(&format!("{name}=%22%22&emptyvaluematching=true"));
        assert!(empty("StudyID") && empty("AccessionNumber") && !empty("PatientID"));
        assert!(found("StudyID=*") && found("AccessionNumber="));
    }

    #[test]
    fn one_item_has_to_match_all() {
        assert!(found("RequestAttributesSequence.RequestedProcedureID=R2"));
        assert!(!found("RequestAttributesSequence.RequestedProcedureID=R3"));
        let key = |path: Vec<Tag>, matching| Key { path, vr: VR::SH, matching };
        let both = |procedure: &str| {
            key(
                vec![tags::REQUEST_ATTRIBUTES_SEQUENCE],
                Matching::Sequence(vec![
                    key(vec![tags::REQUESTED_PROCEDURE_ID], Matching::SingleValue(procedure.into())),
                    key(vec![tags::SCHEDULED_PROCEDURE_STEP_ID], Matching::SingleValue("S1".into())),
                ]),
            )
        };
        assert!(key_matches(&both("R1"), &study()) && !key_matches(&both("R2"), &study()));
        let path = vec![tags::REQUEST_ATTRIBUTES_SEQUENCE, tags::REQUESTED_PROCEDURE_ID];
        assert!(key_matches(&key(path, Matching::SingleValue("R2".into())), &study()));
    }
}
