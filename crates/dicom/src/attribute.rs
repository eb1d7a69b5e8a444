//! The attributes that the archive indexes, as data.
//!
//! One table says for each attribute at which level it lives, how it matches and which
//! column holds it: the index makes its columns from it, queries learn from it what they may
//! ask, and the conformance statement prints it. Deliberately absent: SQL, and attributes
//! that the doors compute (Retrieve URL, Retrieve AE Title).

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};

/// A level of the query information models, PS3.4 C.6.1.1 and C.6.2.1; greater is deeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// PATIENT.
    Patient,
    /// STUDY.
    Study,
    /// SERIES.
    Series,
    /// IMAGE: a composite instance.
    Instance,
}

impl Level {
    /// All levels, top down.
    pub const ALL: [Level; 4] = [Level::Patient, Level::Study, Level::Series, Level::Instance];

    /// The level that Query/Retrieve Level (0008,0052) names, PS3.4 C.6.1.1.
    pub fn parse(text: &str) -> Option<Level> {
        match text.trim_matches([' ', '\0']) {
            "PATIENT" => Some(Level::Patient),
            "STUDY" => Some(Level::Study),
            "SERIES" => Some(Level::Series),
            "IMAGE" => Some(Level::Instance),
            _ => None,
        }
    }

    /// The value of Query/Retrieve Level (0008,0052).
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Patient => "PATIENT",
            Level::Study => "STUDY",
            Level::Series => "SERIES",
            Level::Instance => "IMAGE",
        }
    }

    /// The level's unique key.
    pub fn unique_key(self) -> Tag {
        match self {
            Level::Patient => tags::PATIENT_ID,
            Level::Study => tags::STUDY_INSTANCE_UID,
            Level::Series => tags::SERIES_INSTANCE_UID,
            Level::Instance => tags::SOP_INSTANCE_UID,
        }
    }
}

/// How an attribute's values compare with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Matchable {
    /// Text, case-sensitive: single value and wild card, PS3.4 C.2.2.2.1 and C.2.2.2.4.
    Text,
    /// A person's name, matched in its normalised form, see [`crate::person_name`].
    PersonName,
    /// A UID or a list of them, PS3.4 C.2.2.2.2.
    Uid,
    /// A date or a range of them.
    Date,
    /// A time of day or a range of them.
    Time,
    /// A moment or a range of them.
    DateTime,
    /// A whole number, whether a text (IS) or binary.
    Integer,
    /// Computed from the entities below, never read from an instance.
    Derived(Derived),
}

/// What a derived attribute is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Derived {
    /// The distinct Modality (0008,0060) values of the study's series; matches as text.
    ModalitiesInStudy,
    /// The distinct SOP Class UIDs of the study's instances; matches as UIDs.
    SopClassesInStudy,
    /// How many entities of the second level the entity at the attribute's level has.
    Count(Level),
}

/// An indexed attribute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attribute {
    /// The attribute.
    pub tag: Tag,
    /// The sequence whose items hold it, when it is not at the top of the data set.
    pub within: Option<Tag>,
    /// Its value representation.
    pub vr: VR,
    /// Its keyword, PS3.6.
    pub keyword: &'static str,
    /// The level whose entities have it.
    pub level: Level,
    /// How it matches.
    pub kind: Matchable,
    /// The column that holds it; names hold further columns with suffixes of it.
    pub column: &'static str,
    /// Whether PS3.4 C.6 (type U or R) or PS3.18 10.6 requires support for it.
    pub required: bool,
    /// Whether one entity may have several values of it; any of them may match.
    pub multiple: bool,
}

impl Attribute {
    /// The way from the top of the data set to the attribute.
    pub fn path(&self) -> Vec<Tag> {
        self.within.into_iter().chain([self.tag]).collect()
    }
}

/// The indexed attribute of that tag at the top of a data set.
pub fn by_tag(tag: Tag) -> Option<&'static Attribute> {
    ALL.iter().find(|attribute| attribute.tag == tag && attribute.within.is_none())
}

/// The indexed attribute that a path of tags leads to.
pub fn by_path(path: &[Tag]) -> Option<&'static Attribute> {
    match *path {
        [tag] => by_tag(tag),
        [sequence, tag] => ALL.iter().find(|attribute| attribute.tag == tag && attribute.within == Some(sequence)),
        _ => None,
    }
}

/// Any attribute as people write it: `PatientName`, `00100010`, `(0010,0010)` or
/// `0010,0010`; its representation from the dictionary of PS3.6, UN when it is not there.
pub fn named(text: &str) -> Option<(Tag, VR)> {
    let entry = StandardDataDictionary.by_name(text);
    let tag = entry.map(|entry| entry.tag()).or_else(|| {
        let digits: String = text.chars().filter(|c| !"(),".contains(*c)).collect();
        let number = u32::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 8)?;
        Some(Tag((number >> 16) as u16, (number & 0xFFFF) as u16))
    })?;
    let vr = StandardDataDictionary.by_tag(tag).map_or(VR::UN, |entry| entry.vr().relaxed());
    Some((tag, vr))
}

/// The indexed attribute of that keyword at the top of a data set.
pub fn by_keyword(keyword: &str) -> Option<&'static Attribute> {
    ALL.iter().find(|attribute| attribute.keyword == keyword && attribute.within.is_none())
}

/// The attributes of one level, in the order of [`ALL`].
pub fn of_level(level: Level) -> impl Iterator<Item = &'static Attribute> {
    ALL.iter().filter(move |attribute| attribute.level == level)
}

const fn a(tag: Tag, vr: VR, keyword: &'static str, level: Level, kind: Matchable, column: &'static str) -> Attribute {
    Attribute { tag, within: None, vr, keyword, level, kind, column, required: false, multiple: false }
}

impl Attribute {
    const fn required(self) -> Attribute {
        Attribute { required: true, ..self }
    }
    const fn multiple(self) -> Attribute {
        Attribute { multiple: true, ..self }
    }
    const fn within(self, sequence: Tag) -> Attribute {
        Attribute { within: Some(sequence), ..self }
    }
}

use Level::{Instance, Patient, Series, Study};
use Matchable::{Date, DateTime, Integer, PersonName, Text, Time, Uid};

const COUNT_STUDIES: Matchable = Matchable::Derived(Derived::Count(Study));
const COUNT_SERIES: Matchable = Matchable::Derived(Derived::Count(Series));
const COUNT_INSTANCES: Matchable = Matchable::Derived(Derived::Count(Instance));
const MODALITIES: Matchable = Matchable::Derived(Derived::ModalitiesInStudy);
const SOP_CLASSES: Matchable = Matchable::Derived(Derived::SopClassesInStudy);

/// Every indexed attribute: PS3.4 Tables C.6-1 to C.6-5, PS3.18 Tables 10.6.1-5, 10.6.3-3 to
/// 10.6.3-5, and what clients commonly ask beyond them.
#[rustfmt::skip]
pub const ALL: &[Attribute] = &[
    // PS3.4 Tables C.6-1 and C.6-5: patient
    a(tags::PATIENT_NAME, VR::PN, "PatientName", Patient, PersonName, "patient_name").required(),
    a(tags::PATIENT_ID, VR::LO, "PatientID", Patient, Text, "patient_id").required(),
    a(tags::ISSUER_OF_PATIENT_ID, VR::LO, "IssuerOfPatientID", Patient, Text, "issuer_of_patient_id"),
    a(tags::PATIENT_BIRTH_DATE, VR::DA, "PatientBirthDate", Patient, Date, "patient_birth_date").required(),
    a(tags::PATIENT_BIRTH_TIME, VR::TM, "PatientBirthTime", Patient, Time, "patient_birth_time"),
    a(tags::PATIENT_SEX, VR::CS, "PatientSex", Patient, Text, "patient_sex").required(),
    a(Tag(0x0010, 0x1000), VR::LO, "OtherPatientIDs", Patient, Text, "other_patient_ids").multiple(),
    a(tags::OTHER_PATIENT_NAMES, VR::PN, "OtherPatientNames", Patient, PersonName, "other_patient_names").multiple(),
    a(Tag(0x0010, 0x2160), VR::SH, "EthnicGroup", Patient, Text, "ethnic_group"),
    a(tags::PATIENT_COMMENTS, VR::LT, "PatientComments", Patient, Text, "patient_comments"),
    a(tags::NUMBER_OF_PATIENT_RELATED_STUDIES, VR::IS, "NumberOfPatientRelatedStudies", Patient, COUNT_STUDIES, "number_of_patient_related_studies"),
    a(tags::NUMBER_OF_PATIENT_RELATED_SERIES, VR::IS, "NumberOfPatientRelatedSeries", Patient, COUNT_SERIES, "number_of_patient_related_series"),
    a(tags::NUMBER_OF_PATIENT_RELATED_INSTANCES, VR::IS, "NumberOfPatientRelatedInstances", Patient, COUNT_INSTANCES, "number_of_patient_related_instances"),
    // PS3.4 Table C.6-2: study
    a(tags::STUDY_INSTANCE_UID, VR::UI, "StudyInstanceUID", Study, Uid, "study_instance_uid").required(),
    a(tags::STUDY_DATE, VR::DA, "StudyDate", Study, Date, "study_date").required(),
    a(tags::STUDY_TIME, VR::TM, "StudyTime", Study, Time, "study_time").required(),
    a(tags::ACCESSION_NUMBER, VR::SH, "AccessionNumber", Study, Text, "accession_number").required(),
    a(tags::STUDY_ID, VR::SH, "StudyID", Study, Text, "study_id").required(),
    a(tags::REFERRING_PHYSICIAN_NAME, VR::PN, "ReferringPhysicianName", Study, PersonName, "referring_physician_name").required(),
    a(tags::STUDY_DESCRIPTION, VR::LO, "StudyDescription", Study, Text, "study_description"),
    a(tags::NAME_OF_PHYSICIANS_READING_STUDY, VR::PN, "NameOfPhysiciansReadingStudy", Study, PersonName, "name_of_physicians_reading_study").multiple(),
    a(tags::ADMITTING_DIAGNOSES_DESCRIPTION, VR::LO, "AdmittingDiagnosesDescription", Study, Text, "admitting_diagnoses_description").multiple(),
    a(tags::PATIENT_AGE, VR::AS, "PatientAge", Study, Text, "patient_age"),
    a(tags::PATIENT_SIZE, VR::DS, "PatientSize", Study, Text, "patient_size"),
    a(tags::PATIENT_WEIGHT, VR::DS, "PatientWeight", Study, Text, "patient_weight"),
    a(tags::OCCUPATION, VR::SH, "Occupation", Study, Text, "occupation"),
    a(tags::ADDITIONAL_PATIENT_HISTORY, VR::LT, "AdditionalPatientHistory", Study, Text, "additional_patient_history"),
    a(tags::TIMEZONE_OFFSET_FROM_UTC, VR::SH, "TimezoneOffsetFromUTC", Study, Text, "timezone_offset_from_utc"),
    a(tags::MODALITIES_IN_STUDY, VR::CS, "ModalitiesInStudy", Study, MODALITIES, "modalities_in_study").required().multiple(),
    a(tags::SOP_CLASSES_IN_STUDY, VR::UI, "SOPClassesInStudy", Study, SOP_CLASSES, "sop_classes_in_study").multiple(),
    a(tags::NUMBER_OF_STUDY_RELATED_SERIES, VR::IS, "NumberOfStudyRelatedSeries", Study, COUNT_SERIES, "number_of_study_related_series").required(),
    a(tags::NUMBER_OF_STUDY_RELATED_INSTANCES, VR::IS, "NumberOfStudyRelatedInstances", Study, COUNT_INSTANCES, "number_of_study_related_instances").required(),
    // PS3.4 Table C.6-3: series
    a(tags::SERIES_INSTANCE_UID, VR::UI, "SeriesInstanceUID", Series, Uid, "series_instance_uid").required(),
    a(tags::MODALITY, VR::CS, "Modality", Series, Text, "modality").required(),
    a(tags::SERIES_NUMBER, VR::IS, "SeriesNumber", Series, Integer, "series_number").required(),
    a(tags::SERIES_DESCRIPTION, VR::LO, "SeriesDescription", Series, Text, "series_description").required(),
    a(tags::SERIES_DATE, VR::DA, "SeriesDate", Series, Date, "series_date"),
    a(tags::SERIES_TIME, VR::TM, "SeriesTime", Series, Time, "series_time"),
    a(tags::BODY_PART_EXAMINED, VR::CS, "BodyPartExamined", Series, Text, "body_part_examined"),
    a(tags::LATERALITY, VR::CS, "Laterality", Series, Text, "laterality"),
    a(tags::PROTOCOL_NAME, VR::LO, "ProtocolName", Series, Text, "protocol_name"),
    a(tags::MANUFACTURER, VR::LO, "Manufacturer", Series, Text, "manufacturer"),
    a(tags::MANUFACTURER_MODEL_NAME, VR::LO, "ManufacturerModelName", Series, Text, "manufacturer_model_name"),
    a(tags::INSTITUTION_NAME, VR::LO, "InstitutionName", Series, Text, "institution_name"),
    a(tags::INSTITUTIONAL_DEPARTMENT_NAME, VR::LO, "InstitutionalDepartmentName", Series, Text, "institutional_department_name"),
    a(tags::STATION_NAME, VR::SH, "StationName", Series, Text, "station_name"),
    a(tags::OPERATORS_NAME, VR::PN, "OperatorsName", Series, PersonName, "operators_name").multiple(),
    a(tags::PERFORMING_PHYSICIAN_NAME, VR::PN, "PerformingPhysicianName", Series, PersonName, "performing_physician_name").multiple(),
    a(tags::PERFORMED_PROCEDURE_STEP_START_DATE, VR::DA, "PerformedProcedureStepStartDate", Series, Date, "performed_procedure_step_start_date").required(),
    a(tags::PERFORMED_PROCEDURE_STEP_START_TIME, VR::TM, "PerformedProcedureStepStartTime", Series, Time, "performed_procedure_step_start_time").required(),
    a(tags::PERFORMED_PROCEDURE_STEP_ID, VR::SH, "PerformedProcedureStepID", Series, Text, "performed_procedure_step_id"),
    a(tags::SCHEDULED_PROCEDURE_STEP_ID, VR::SH, "ScheduledProcedureStepID", Series, Text, "scheduled_procedure_step_id").within(tags::REQUEST_ATTRIBUTES_SEQUENCE).required().multiple(),
    a(tags::REQUESTED_PROCEDURE_ID, VR::SH, "RequestedProcedureID", Series, Text, "requested_procedure_id").within(tags::REQUEST_ATTRIBUTES_SEQUENCE).required().multiple(),
    a(tags::NUMBER_OF_SERIES_RELATED_INSTANCES, VR::IS, "NumberOfSeriesRelatedInstances", Series, COUNT_INSTANCES, "number_of_series_related_instances").required(),
    // PS3.4 Table C.6-4: composite instance
    a(tags::SOP_INSTANCE_UID, VR::UI, "SOPInstanceUID", Instance, Uid, "sop_instance_uid").required(),
    a(tags::SOP_CLASS_UID, VR::UI, "SOPClassUID", Instance, Uid, "sop_class_uid").required(),
    a(tags::INSTANCE_NUMBER, VR::IS, "InstanceNumber", Instance, Integer, "instance_number").required(),
    a(tags::ROWS, VR::US, "Rows", Instance, Integer, "rows").required(),
    a(tags::COLUMNS, VR::US, "Columns", Instance, Integer, "columns").required(),
    a(tags::BITS_ALLOCATED, VR::US, "BitsAllocated", Instance, Integer, "bits_allocated").required(),
    a(tags::NUMBER_OF_FRAMES, VR::IS, "NumberOfFrames", Instance, Integer, "number_of_frames").required(),
    a(tags::CONTENT_DATE, VR::DA, "ContentDate", Instance, Date, "content_date"),
    a(tags::CONTENT_TIME, VR::TM, "ContentTime", Instance, Time, "content_time"),
    a(tags::ACQUISITION_DATE, VR::DA, "AcquisitionDate", Instance, Date, "acquisition_date"),
    a(tags::ACQUISITION_TIME, VR::TM, "AcquisitionTime", Instance, Time, "acquisition_time"),
    a(tags::ACQUISITION_DATE_TIME, VR::DT, "AcquisitionDateTime", Instance, DateTime, "acquisition_date_time"),
    a(tags::ACQUISITION_NUMBER, VR::IS, "AcquisitionNumber", Instance, Integer, "acquisition_number"),
    a(tags::IMAGE_TYPE, VR::CS, "ImageType", Instance, Text, "image_type").multiple(),
    a(tags::CONTENT_LABEL, VR::CS, "ContentLabel", Instance, Text, "content_label"),
    a(tags::CONTENT_DESCRIPTION, VR::LO, "ContentDescription", Instance, Text, "content_description"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn columns_are_distinct_within_a_level() {
        let mut seen = HashSet::new();
        for attribute in ALL {
            assert!(seen.insert((attribute.level, attribute.column)), "{}", attribute.keyword);
            assert!(attribute.column.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", attribute.column);
        }
    }

    #[test]
    fn keywords_and_representations_are_the_dictionary_s() {
        for attribute in ALL {
            let entry = StandardDataDictionary.by_tag(attribute.tag).unwrap();
            assert_eq!(entry.alias(), attribute.keyword);
            assert_eq!(entry.vr().relaxed(), attribute.vr, "{}", attribute.keyword);
        }
    }

    #[test]
    fn attributes_are_found_by_tag_keyword_and_path() {
        assert_eq!(by_tag(tags::PATIENT_ID), by_keyword("PatientID"));
        assert_eq!(by_keyword("RequestedProcedureID"), None);
        let nested = by_path(&[tags::REQUEST_ATTRIBUTES_SEQUENCE, tags::REQUESTED_PROCEDURE_ID]);
        assert_eq!(nested.map(|a| a.column), Some("requested_procedure_id"));
        assert_eq!(
            nested.map(Attribute::path),
            Some(vec![tags::REQUEST_ATTRIBUTES_SEQUENCE, tags::REQUESTED_PROCEDURE_ID])
        );
    }

    #[test]
    fn every_level_has_its_unique_key() {
        for level in Level::ALL {
            let key = by_tag(level.unique_key()).unwrap();
            assert_eq!((key.level, key.required), (level, true));
            assert_eq!(Level::parse(level.as_str()), Some(level));
        }
    }

    #[test]
    fn attributes_are_named_as_people_write_them() {
        for name in ["PatientName", "00100010", "(0010,0010)", "0010,0010"] {
            assert_eq!(named(name), Some((tags::PATIENT_NAME, VR::PN)), "{name}");
        }
        assert_eq!(named("00091001"), Some((Tag(9, 0x1001), VR::UN)));
        assert_eq!(named("PatientNam"), None);
        assert_eq!(named("0010001"), None);
    }
}
