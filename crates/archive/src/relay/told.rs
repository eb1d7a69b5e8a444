//! Whom an old archive told of: remembered in memory, study by study, so that a study that is
//! opened is somebody's. Deliberately absent: a copy on disk; it is asked for again.

use std::collections::HashMap;

use leadglass_dicom::StudyInstanceUid;
use parking_lot::Mutex;

/// Most studies that are remembered; then all are asked for anew.
const MOST: usize = 50_000;
/// Characters of a Patient ID that are looked at: PS3.5 6.2 has 64.
const LONGEST: usize = 256;

/// What one row of an old archive's answer, or one of its objects, tells of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Patient ID (0010,0020).
    pub patient_id: Option<String>,
    /// Patient's Name (0010,0010).
    pub name: Option<String>,
    /// Study Instance UID (0020,000D).
    pub study: Option<String>,
}

/// Patients by Study Instance UID; `None` for studies of which nothing is known but that.
#[derive(Default)]
pub(crate) struct Whose {
    studies: Mutex<HashMap<String, Option<String>>>,
}

impl Whose {
    /// Those that were neither told of nor asked for.
    pub(super) fn unknown(&self, studies: &[StudyInstanceUid]) -> Vec<StudyInstanceUid> {
        let known = self.studies.lock();
        studies.iter().filter(|study| !known.contains_key(study.as_str())).cloned().collect()
    }

    /// Remembers what rows tell, and of studies that were asked for what they do not.
    pub(super) fn learn(&self, asked: &[StudyInstanceUid], rows: &[Told]) {
        let mut known = self.studies.lock();
        if known.len().saturating_add(asked.len()).saturating_add(rows.len()) > MOST {
            known.clear();
        }
        for study in asked.iter().take(MOST) {
            known.insert(study.to_string(), None);
        }
        for row in rows.iter().take(MOST) {
            if let (Some(study), Some(patient)) = (trimmed(&row.study), trimmed(&row.patient_id))
                && let Ok(study) = StudyInstanceUid::parse(study)
            {
                known.insert(study.to_string(), Some(patient.to_owned()));
            }
        }
    }

    /// The patients of those studies, as far as they are known.
    pub(super) fn of(&self, studies: &[StudyInstanceUid]) -> HashMap<StudyInstanceUid, String> {
        let known = self.studies.lock();
        let patient = |study: &StudyInstanceUid| known.get(study.as_str()).cloned().flatten();
        studies.iter().filter_map(|study| Some((study.clone(), patient(study)?))).collect()
    }

    /// Whom a row tells of: by Patient ID, that of its study, or else by what it has.
    pub(super) fn whom(&self, row: &Told) -> Option<String> {
        let of_study = |study: &str| self.studies.lock().get(study).cloned().flatten();
        trimmed(&row.patient_id)
            .map(str::to_owned)
            .or_else(|| trimmed(&row.study).map(|study| of_study(study).unwrap_or_else(|| study.to_owned())))
            .or_else(|| trimmed(&row.name).map(str::to_owned))
    }
}

fn trimmed(text: &Option<String>) -> Option<&str> {
    let text = text.as_deref()?.trim_matches([' ', '\0']);
    let end = text.char_indices().nth(LONGEST).map_or(text.len(), |(at, _)| at);
    Some(&text[..end]).filter(|text| !text.is_empty())
}
