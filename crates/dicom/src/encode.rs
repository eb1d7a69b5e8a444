//! Small data sets to bytes and back: identifiers, command sets, responses.
//!
//! Deliberately absent: pixel data. Objects go out as they came, or through [`crate::convert`].

use crate::scan::{Limits, ScanError};
use crate::{DataSet, Encoding, Tag};

/// Why a data set cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A value that is somewhere else cannot be written.
    #[error("{0} is bulk data, which is not here")]
    Bulk(Tag),
    /// A value of 4 GiB or more.
    #[error("{0} is too long")]
    TooLong(Tag),
    /// The value is not of the kind its value representation asks for.
    #[error("{0} holds a value its value representation cannot")]
    WrongValue(Tag),
}

/// Reads a small data set, for example [`Limits::small`]. Text is decoded by its Specific
/// Character Set; no identity is demanded.
pub fn decode(_bytes: &[u8], _encoding: Encoding, _limits: &Limits) -> Result<DataSet, ScanError> {
    todo!()
}
