//! What can be asked of the archive, and how it can be refused.

use leadglass_dicom::{SeriesInstanceUid, SopInstanceUid, StudyInstanceUid};

/// Which stored instances are meant. Each list that is not empty narrows; all empty
/// lists name nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Patient IDs (0010,0020), exact.
    pub patient_ids: Vec<String>,
    /// Studies.
    pub studies: Vec<StudyInstanceUid>,
    /// Series.
    pub series: Vec<SeriesInstanceUid>,
    /// Instances.
    pub instances: Vec<SopInstanceUid>,
}

/// Why an operation was not carried out. Each door turns it into its own status in one place.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The caller may not do this, or may not know that it exists.
    #[error("not allowed")]
    NotAllowed,
    /// Nothing of that name that the caller may see.
    #[error("no such object")]
    NotFound,
    /// The request itself is wrong; the text is safe to send back.
    #[error("{0}")]
    Invalid(String),
    /// No space, or over a limit that passes: try again later.
    #[error("out of resources: {0}")]
    OutOfResources(String),
    /// The archive cannot write its log or its trail and therefore gives nothing out.
    #[error("the archive is read-only: {0}")]
    ReadOnly(String),
    /// Stored bytes fail their checksum or seal. The text names record, not patient.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
    /// A fault of ours.
    #[error("internal error: {0}")]
    Broken(String),
}
