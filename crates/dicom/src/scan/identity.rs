//! What an instance is, known long before its pixels have arrived.

use super::Fault;
use crate::uid::UidError;
use crate::{DataSet, Element, SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid, Tag, Value};

/// SOP Class UID.
pub(super) const SOP_CLASS_UID: Tag = Tag(0x0008, 0x0016);
/// SOP Instance UID.
pub(super) const SOP_INSTANCE_UID: Tag = Tag(0x0008, 0x0018);
/// Patient ID.
pub(super) const PATIENT_ID: Tag = Tag(0x0010, 0x0020);
/// Study Instance UID.
pub(super) const STUDY_INSTANCE_UID: Tag = Tag(0x0020, 0x000D);
/// Series Instance UID.
pub(super) const SERIES_INSTANCE_UID: Tag = Tag(0x0020, 0x000E);

/// The four UIDs every composite instance has, and the Patient ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// SOP Class UID (0008,0016).
    pub sop_class: SopClassUid,
    /// SOP Instance UID (0008,0018).
    pub sop_instance: SopInstanceUid,
    /// Study Instance UID (0020,000D).
    pub study: StudyInstanceUid,
    /// Series Instance UID (0020,000E).
    pub series: SeriesInstanceUid,
    /// Patient ID (0010,0020), when there is one.
    pub patient_id: Option<String>,
}

impl Identity {
    /// Reads the identity from a header.
    pub fn of(header: &DataSet) -> Result<Identity, Fault> {
        Identity::read(|tag| header.element(tag))
    }

    /// Reads it from elements in whatever order they came.
    pub(super) fn of_elements(elements: &[(Tag, Element)]) -> Result<Identity, Fault> {
        Identity::read(|tag| elements.iter().find(|(other, _)| *other == tag).map(|(_, element)| element))
    }

    fn read<'a>(element: impl Fn(Tag) -> Option<&'a Element>) -> Result<Identity, Fault> {
        let patient_id = match element(PATIENT_ID).map(|element| &element.value) {
            Some(Value::Text(values)) => values.first().filter(|id| !id.is_empty()).cloned(),
            _ => None,
        };
        Ok(Identity {
            sop_class: uid(SOP_CLASS_UID, element(SOP_CLASS_UID), SopClassUid::parse)?,
            sop_instance: uid(SOP_INSTANCE_UID, element(SOP_INSTANCE_UID), SopInstanceUid::parse)?,
            study: uid(STUDY_INSTANCE_UID, element(STUDY_INSTANCE_UID), StudyInstanceUid::parse)?,
            series: uid(SERIES_INSTANCE_UID, element(SERIES_INSTANCE_UID), SeriesInstanceUid::parse)?,
            patient_id,
        })
    }

    /// Whether that tag is one of those an instance is known by; twice is refused.
    pub(super) fn is_identifying(tag: Tag) -> bool {
        [SOP_CLASS_UID, SOP_INSTANCE_UID, PATIENT_ID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID].contains(&tag)
    }
}

fn uid<U>(tag: Tag, element: Option<&Element>, parse: fn(&str) -> Result<U, UidError>) -> Result<U, Fault> {
    match element.map(|element| &element.value) {
        None | Some(Value::Empty) => Err(Fault::Missing(tag)),
        Some(Value::Text(values)) => match values.as_slice() {
            [value] => parse(value).map_err(|error| Fault::BadUid { tag, error }),
            _ => Err(Fault::BadUid { tag, error: UidError::Malformed }),
        },
        Some(_) => Err(Fault::BadUid { tag, error: UidError::TooLong }),
    }
}
