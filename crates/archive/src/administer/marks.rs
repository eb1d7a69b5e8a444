//! Labels and restrictions of studies and patients.

use leadglass_dicom::StudyInstanceUid;

use crate::access::{Marked, Marks, requests};
use crate::change::Change;
use crate::{Archive, Caller, Refused};

use super::{LONGEST_NAME, checked_name};

/// Most labels of one study.
const MOST_LABELS: usize = 32;

impl Archive {
    /// Sets all labels and restrictions of a study or a patient; none takes those there were
    /// away. They hold for the next operation, also for what is stored later.
    ///
    /// # Errors
    /// [`Refused::Invalid`] for a subject or a label that cannot be one.
    pub async fn mark(&self, caller: &Caller, subject: Marked, marks: Marks) -> Result<(), Refused> {
        self.perform_change(caller, requests::Mark { subject, marks }, async |granted| {
            let requests::Mark { subject, marks } = granted.request().clone();
            let subject = checked_subject(subject)?;
            if marks.labels.len() > MOST_LABELS {
                return Err(Refused::Invalid(format!("a study has at most {MOST_LABELS} labels")));
            }
            if marks.canary && matches!(subject, Marked::Study(_)) {
                return Err(Refused::Invalid("canaries are patients".into()));
            }
            if !marks.labels.is_empty() && matches!(subject, Marked::Patient(_)) {
                return Err(Refused::Invalid("labels are of studies; patients can be restricted".into()));
            }
            let labels = marks.labels.iter().map(|label| checked_name(label)).collect::<Result<_, _>>()?;
            Ok((Some(Change::MarksSet { subject, marks: Marks { labels, ..marks } }), ()))
        })
        .await
    }

    /// The labels and restrictions of a study or a patient.
    ///
    /// # Errors
    /// Only those of every operation: not allowed, or no trail.
    pub async fn marks(&self, caller: &Caller, subject: Marked) -> Result<Marks, Refused> {
        self.perform(caller, requests::ReadMarks { subject }, async |granted| {
            Ok(self.inner.registry.marks(&granted.request().subject))
        })
        .await
    }
}

fn checked_subject(subject: Marked) -> Result<Marked, Refused> {
    match subject {
        Marked::Study(uid) => StudyInstanceUid::parse(&uid)
            .map(|uid| Marked::study(&uid))
            .map_err(|error| Refused::Invalid(error.to_string())),
        Marked::Patient(id) => {
            let plain = id.chars().all(|c| !c.is_control() && c != '\\');
            let long = id.chars().count() > LONGEST_NAME;
            match id.trim() {
                trimmed if !trimmed.is_empty() && trimmed == id && plain && !long => Ok(Marked::Patient(id)),
                _ => Err(Refused::Invalid("a Patient ID has 1 to 64 printable characters".into())),
            }
        }
    }
}
