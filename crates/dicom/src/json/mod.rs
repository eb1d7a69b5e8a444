//! The DICOM JSON Model, PS3.18 Annex F.
//!
//! Always UTF-8; Specific Character Set (0008,0005) keeps the value the object came with, as
//! CP-2518 has it: it tells of the original, not of the JSON. Group lengths are left out
//! (F.2.2). Deliberately absent: arrays of data sets, which the caller joins with commas.

pub(crate) mod base64;
mod number;
mod parse;
mod write;

pub use parse::parse;
pub use write::write;

/// Why JSON is no data set. Never repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// No JSON, or nested too deeply for it.
    #[error("malformed JSON")]
    Malformed,
    /// Larger than allowed.
    #[error("the JSON is larger than allowed")]
    TooLarge,
    /// JSON, but not of the DICOM JSON Model.
    #[error("the JSON is not of the DICOM JSON Model (PS3.18 F.2)")]
    NotDicom,
}
