//! A query from the query string of a QIDO-RS request, PS3.18 8.3.4 and 10.6.
//!
//! Deliberately absent: `accept` and `charset`, which the door reads (PS3.18 8.3.3); Retrieve
//! URL, which the door writes.

mod parameters;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

use super::identifier::{at_level, combine, vr_of};
use super::value::matching_of;
use super::{Include, Key, Matching, Query, QueryError, QueryOptions, Root, TagPath};
use crate::attribute::{self, Level};
use crate::charset::SpecificCharacterSet;
use crate::datetime::UtcOffset;
use crate::uid::{SeriesInstanceUid, StudyInstanceUid, Uid};
use parameters::{AttributeParameter, Parameters, dictionary_vr, hexadecimal_tag};

/// The longest query string, in bytes.
pub const MAX_QUERY_BYTES: usize = 65_536;

/// A QIDO-RS search.
#[derive(Clone, Debug)]
pub struct QidoSearch {
    /// What is asked. It is relational, with combined date and time ranges, in UTF-8.
    pub query: Query,
    /// At most so many results.
    pub limit: Option<u64>,
    /// So many results are skipped first.
    pub offset: u64,
}

impl Query {
    /// The search that a target resource and its query string (percent-encoded, without `?`)
    /// ask. `study` and `series` are those of the resource's path.
    pub fn from_qido(
        level: Level,
        study: Option<&StudyInstanceUid>,
        series: Option<&SeriesInstanceUid>,
        query_string: &str,
    ) -> Result<QidoSearch, QueryError> {
        let parameters = Parameters::parse(query_string)?;
        let options = QueryOptions {
            relational: true,
            combined_datetime: true,
            fuzzy: parameters.fuzzy.unwrap_or(false),
            empty_value: parameters.empty_value.unwrap_or(false),
            multiple_values: true,
            ..QueryOptions::default()
        };
        let mut keys = path_keys(study, series);
        let mut include = default_fields(level, study.is_some(), series.is_some());
        let mut unsupported = Vec::new();
        for attribute in parameters.attributes {
            if let Some(key) = attribute.key(level, &options, &mut unsupported)? {
                keys.push(key);
            }
            add(&mut include, attribute.path);
        }
        parameters.include.into_iter().for_each(|path| add(&mut include, path));
        combine(&mut keys);
        let query = Query {
            root: Root::Study,
            level,
            keys,
            include: if parameters.include_all { Include::All } else { Include::Listed(include) },
            fuzzy: options.fuzzy,
            relational: true,
            timezone_adjustment: false,
            timezone: None,
            combined_datetime: true,
            charset: SpecificCharacterSet::utf8(),
            unsupported,
        };
        let (limit, offset) = (parameters.limit, parameters.offset.unwrap_or(0));
        Ok(QidoSearch { query, limit, offset })
    }
}

fn path_keys(study: Option<&StudyInstanceUid>, series: Option<&SeriesInstanceUid>) -> Vec<Key> {
    let key =
        |tag: Tag, uid: &Uid| Key { path: vec![tag], vr: VR::UI, matching: Matching::ListOfUid(vec![uid.clone()]) };
    let study = study.map(|uid| key(tags::STUDY_INSTANCE_UID, uid.as_uid()));
    let series = series.map(|uid| key(tags::SERIES_INSTANCE_UID, uid.as_uid()));
    study.into_iter().chain(series).collect()
}

/// PS3.18 Tables 10.6.3-3 to 10.6.3-5: what an answer holds unasked. Levels that the path
/// fixes are told by their unique key alone.
fn default_fields(level: Level, study_fixed: bool, series_fixed: bool) -> Vec<TagPath> {
    let mut fields = Vec::new();
    let wanted = |attribute: &&attribute::Attribute| match attribute.level {
        above if above > level => false,
        _ if attribute.tag == attribute.level.unique_key() && attribute.level != Level::Patient => true,
        Level::Patient | Level::Study if study_fixed && level > Level::Study => false,
        Level::Series if series_fixed && level > Level::Series => false,
        _ => attribute.required,
    };
    for attribute in attribute::ALL.iter().filter(wanted) {
        add(&mut fields, attribute.path());
    }
    add(&mut fields, vec![tags::INSTANCE_AVAILABILITY]);
    add(&mut fields, vec![tags::TIMEZONE_OFFSET_FROM_UTC]);
    fields
}

fn add(fields: &mut Vec<TagPath>, path: TagPath) {
    if !fields.contains(&path) {
        fields.push(path);
    }
}

impl AttributeParameter {
    /// The key; `None` for universal matching and for what cannot match at the level.
    fn key(
        &self,
        level: Level,
        options: &QueryOptions,
        unsupported: &mut Vec<TagPath>,
    ) -> Result<Option<Key>, QueryError> {
        let Some((&tag, sequences)) = self.path.split_last() else { return Ok(None) };
        // Of a private attribute it is not known how it is written: it is matched as text.
        let vr = dictionary_vr(tag).unwrap_or(VR::LO);
        // A comma is no character of these representations, so it separates as a backslash does.
        let lists = matches!(vr, VR::UI | VR::CS | VR::DA | VR::TM | VR::DT | VR::IS | VR::DS);
        let values: Vec<&str> = match vr {
            VR::LT | VR::ST | VR::UT | VR::UR => vec![&self.value],
            _ => self.value.split(|c| c == '\\' || (lists && c == ',')).collect(),
        };
        let matching = match vr {
            VR::AT => tag_values(tag, &values)?,
            _ => matching_of(tag, vr, &values, options, UtcOffset::ZERO)?,
        };
        if matching == Matching::Universal {
            return Ok(None);
        }
        let top = *self.path.first().unwrap_or(&tag);
        let Some(found_in) = at_level(level, top) else {
            unsupported.push(self.path.clone());
            return Ok(None);
        };
        let key = match sequences {
            [] => Key { path: vec![found_in], vr: vr_of(found_in, vr), matching },
            _ => nested(&self.path, vr, matching),
        };
        Ok(Some(key))
    }
}

/// A key within sequences: each of them matches by the one below it.
fn nested(path: &[Tag], vr: VR, matching: Matching) -> Key {
    let mut tags = path.iter().rev();
    let innermost = tags.next().into_iter().copied().collect();
    tags.fold(Key { path: innermost, vr, matching }, |key, sequence| Key {
        path: vec![*sequence],
        vr: VR::SQ,
        matching: Matching::Sequence(vec![key]),
    })
}

fn tag_values(tag: Tag, values: &[&str]) -> Result<Matching, QueryError> {
    let found: Option<Vec<Matching>> = values
        .iter()
        .filter(|value| !value.is_empty())
        .map(|value| hexadecimal_tag(value).map(Matching::TagValue))
        .collect();
    let mut found = found.ok_or(QueryError::InvalidValue(tag))?;
    Ok(match found.len() {
        0 => Matching::Universal,
        1 => found.remove(0),
        _ => Matching::MultipleValues(found),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datetime::{Date, Range};
    use proptest::prelude::*;

    fn search(level: Level, text: &str) -> Result<QidoSearch, QueryError> {
        Query::from_qido(level, None, None, text)
    }

    fn only_key(text: &str) -> Matching {
        let keys = search(Level::Study, text).unwrap().query.keys;
        assert_eq!(keys.len(), 1, "{text}");
        keys.into_iter().next().unwrap().matching
    }

    #[test]
    fn attributes_are_named_by_keyword_or_tag() {
        let by_keyword = search(Level::Study, "PatientID=11235813").unwrap().query;
        let by_tag = search(Level::Study, "00100020=11235813").unwrap().query;
        assert_eq!(by_keyword.keys, by_tag.keys);
        assert_eq!(by_keyword.keys[0].matching, Matching::SingleValue("11235813".into()));
        assert!(search(Level::Study, "00091002=x").unwrap().query.keys[0].path == [Tag(0x0009, 0x1002)]);
    }

    #[test]
    fn what_is_unknown_is_refused_by_its_place_and_never_repeated() {
        for text in [
            "PatientID=1&patientid=2",
            "PatientID=1&0010002=2",
            "PatientID=1&00020010=2",
            "PatientID=1&PatientName.PatientID=2",
        ] {
            let error = search(Level::Study, text).unwrap_err();
            assert_eq!(error, QueryError::UnknownParameter(2), "{text}");
            assert!(!error.to_string().contains("atient"));
        }
        assert_eq!(
            search(Level::Study, "limit=-1").unwrap_err(),
            QueryError::InvalidParameter { position: 1, name: "limit" }
        );
        assert!(
            search(Level::Study, "fuzzymatching=yes").is_err()
                && search(Level::Study, "includefield=Nonsense").is_err()
        );
        assert_eq!(search(Level::Study, "PatientName=%ZZ").unwrap_err(), QueryError::BadEncoding(1));
        assert_eq!(search(Level::Study, "PatientName=%FF").unwrap_err(), QueryError::BadEncoding(1));
        assert_eq!(
            search(Level::Study, "StudyDate=2024-01-01").unwrap_err(),
            QueryError::InvalidValue(tags::STUDY_DATE)
        );
        assert_eq!(
            search(Level::Study, "StudyInstanceUID=../x").unwrap_err(),
            QueryError::InvalidValue(tags::STUDY_INSTANCE_UID)
        );
    }

    #[test]
    fn paging_and_repeated_parameters() {
        let found = search(Level::Study, "limit=25&offset=50&limit=25").unwrap();
        assert_eq!((found.limit, found.offset), (Some(25), 50));
        assert_eq!(search(Level::Study, "limit=1&limit=2").unwrap_err(), QueryError::RepeatedParameter(2));
        assert_eq!(search(Level::Study, "PatientID=1&00100020=2").unwrap_err(), QueryError::RepeatedParameter(2));
        assert_eq!(search(Level::Study, "PatientID=1&&00100020=1&").unwrap().query.keys.len(), 1);
        assert_eq!(search(Level::Study, "").unwrap().limit, None);
    }

    #[test]
    fn lists_ranges_wild_cards_and_empty_values() {
        let uids = Matching::ListOfUid(vec![Uid::parse("1.2").unwrap(), Uid::parse("1.3").unwrap()]);
        assert_eq!(only_key("StudyInstanceUID=1.2,1.3"), uids);
        assert_eq!(only_key("0020000D=1.2%5C1.3"), uids);
        let day = Date::parse("20240131");
        assert_eq!(only_key("StudyDate=-20240131"), Matching::DateRange(Range { from: None, to: day }));
        assert!(matches!(only_key("StudyDescription=*brain%3F"), Matching::WildCard(_)));
        assert!(matches!(only_key("ModalitiesInStudy=CT,MR"), Matching::MultipleValues(list) if list.len() == 2));
        assert_eq!(only_key("StudyDescription=a,b+c"), Matching::SingleValue("a,b c".into()));
        assert!(search(Level::Study, "PatientName=&PatientID=*").unwrap().query.keys.is_empty());
        assert_eq!(only_key("StudyID=%22%22&emptyvaluematching=true"), Matching::EmptyValue);
        assert_eq!(only_key("StudyID=%22%22"), Matching::SingleValue("\"\"".into()));
    }

    #[test]
    fn date_and_time_ranges_are_one() {
        let matching = only_key("StudyDate=20240101-20240102&StudyTime=1200-1300");
        assert!(matches!(matching, Matching::DateAndTimeRange { time: tags::STUDY_TIME, .. }));
        let found = search(Level::Instance, "AcquisitionDateTime=20240101000000+0100-20240102").unwrap();
        assert!(matches!(found.query.keys[0].matching, Matching::DateTimeRange(_)));
    }

    #[test]
    fn paths_lead_into_sequences() {
        let text = "RequestAttributesSequence.RequestedProcedureID=P1&includefield=00400275.00400009";
        let query = search(Level::Series, text).unwrap().query;
        let Matching::Sequence(inner) = &query.keys[0].matching else { panic!("no sequence") };
        assert_eq!(
            (query.keys[0].path[0], inner[0].path[0]),
            (tags::REQUEST_ATTRIBUTES_SEQUENCE, tags::REQUESTED_PROCEDURE_ID)
        );
        let Include::Listed(fields) = query.include else { panic!("all") };
        assert!(fields.contains(&vec![Tag(0x0040, 0x0275), Tag(0x0040, 0x0009)]));
        let deep = ["00400275"; 40].join(".");
        assert_eq!(search(Level::Series, &format!("{deep}=1")).unwrap_err(), QueryError::UnknownParameter(1));
    }

    #[test]
    fn fields_of_the_level_come_unasked() {
        let Include::Listed(fields) = search(Level::Study, "StudyDescription=x").unwrap().query.include else {
            panic!("all")
        };
        for tag in [tags::PATIENT_NAME, tags::STUDY_INSTANCE_UID, tags::MODALITIES_IN_STUDY, tags::STUDY_DESCRIPTION] {
            assert!(fields.contains(&vec![tag]), "{tag}");
        }
        assert!(!fields.contains(&vec![tags::MODALITY]));
        let study = StudyInstanceUid::parse("1.2").unwrap();
        let within = Query::from_qido(Level::Series, Some(&study), None, "includefield=PatientID").unwrap().query;
        let Include::Listed(fields) = within.include else { panic!("all") };
        assert!(fields.contains(&vec![tags::MODALITY]) && fields.contains(&vec![tags::STUDY_INSTANCE_UID]));
        assert!(!fields.contains(&vec![tags::PATIENT_NAME]) && fields.contains(&vec![tags::PATIENT_ID]));
        assert_eq!(within.keys[0].matching, Matching::ListOfUid(vec![study.as_uid().clone()]));
        assert_eq!(search(Level::Study, "includefield=all").unwrap().query.include, Include::All);
    }

    #[test]
    fn keys_of_lower_levels_are_told_and_modality_is_understood() {
        let query = search(Level::Study, "Modality=CT&SeriesNumber=1").unwrap().query;
        assert_eq!(query.keys[0].path, [tags::MODALITIES_IN_STUDY]);
        assert_eq!(query.unsupported, [vec![tags::SERIES_NUMBER]]);
    }

    #[test]
    fn there_are_bounds() {
        let many: Vec<String> = (0..5000).map(|n| format!("0009{n:04x}=1")).collect();
        assert_eq!(search(Level::Study, &many[..400].join("&")).unwrap_err(), QueryError::TooManyKeys);
        assert_eq!(search(Level::Study, &many.join("&")).unwrap_err(), QueryError::TooManyKeys);
        assert_eq!(search(Level::Study, &"&".repeat(70_000)).unwrap_err(), QueryError::QueryTooLong);
        let stars = format!("PatientName={}", "*?".repeat(32));
        assert_eq!(search(Level::Study, &stars).unwrap_err(), QueryError::TooManyWildCards(tags::PATIENT_NAME));
        let long = format!("StudyDescription={}", "x".repeat(2000));
        assert_eq!(search(Level::Study, &long).unwrap_err(), QueryError::ValueTooLong(tags::STUDY_DESCRIPTION));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}") {
            let _ = search(Level::Study, &text);
        }

        #[test]
        fn any_parameters_are_read_or_refused(
            parts in prop::collection::vec(("(PatientName|StudyDate|00100020|limit|includefield|StudyTime|Rows|AcquisitionDateTime)", "[0-9*?,+\\\\%2.a-zé-]{0,20}"), 0..6),
        ) {
            let text: Vec<String> = parts.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let _ = search(Level::Instance, &text.join("&"));
        }
    }
}
