//! What an instance is, known long before its pixels have arrived.

use super::Fault;
use crate::uid::UidError;
use crate::{DataSet, SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid, Tag, Value};

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
        Ok(Identity {
            sop_class: uid(header, SOP_CLASS_UID, SopClassUid::parse)?,
            sop_instance: uid(header, SOP_INSTANCE_UID, SopInstanceUid::parse)?,
            study: uid(header, STUDY_INSTANCE_UID, StudyInstanceUid::parse)?,
            series: uid(header, SERIES_INSTANCE_UID, SeriesInstanceUid::parse)?,
            patient_id: header.text(PATIENT_ID).filter(|id| !id.is_empty()).map(str::to_owned),
        })
    }

    /// Whether that tag is one of those an instance is known by; twice is refused.
    pub(super) fn is_identifying(tag: Tag) -> bool {
        [SOP_CLASS_UID, SOP_INSTANCE_UID, PATIENT_ID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID].contains(&tag)
    }
}

fn uid<U>(header: &DataSet, tag: Tag, parse: fn(&str) -> Result<U, UidError>) -> Result<U, Fault> {
    match header.element(tag).map(|element| &element.value) {
        None | Some(Value::Empty) => Err(Fault::Missing(tag)),
        Some(Value::Text(values)) => match values.as_slice() {
            [value] => parse(value).map_err(|error| Fault::BadUid { tag, error }),
            _ => Err(Fault::BadUid { tag, error: UidError::Malformed }),
        },
        Some(_) => Err(Fault::BadUid { tag, error: UidError::TooLong }),
    }
}
