//! The Native DICOM Model, PS3.19 Annex A.1, as PS3.18 uses it for metadata.
//!
//! Deliberately absent: reading XML.

use crate::{Bulk, DataSet};

/// Appends the data set as one XML document. `bulk_uri` as in [`crate::json::write`].
pub fn write(_data_set: &DataSet, _out: &mut Vec<u8>, _bulk_uri: &mut dyn FnMut(&str, &Bulk) -> String) {
    todo!()
}
