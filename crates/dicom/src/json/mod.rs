//! The DICOM JSON Model, PS3.18 Annex F.
//!
//! Always UTF-8. Deliberately absent: arrays of data sets, which the caller joins with commas.

use crate::{Bulk, DataSet};

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

/// Appends the data set as one JSON object. `bulk_uri` names a bulk value by its path,
/// `7FE00010` or inside sequences `tag/item/tag…` with items counted from 0.
pub fn write(_data_set: &DataSet, _out: &mut Vec<u8>, _bulk_uri: &mut dyn FnMut(&str, &Bulk) -> String) {
    todo!()
}

/// Reads one data set, or an array of them (STOW-RS metadata, PS3.18 10.5.1).
pub fn parse(_bytes: &[u8], _limits: &crate::scan::Limits) -> Result<Vec<DataSet>, JsonError> {
    todo!()
}
