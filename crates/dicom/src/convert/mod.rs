//! Outgoing objects from one native transfer syntax to another, in a stream.
//!
//! Pixel values do not change, only how they are written. Deliberately absent: codecs.

use crate::TransferSyntax;
use crate::scan::ScanError;

/// Why an object cannot be converted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// One of the two syntaxes encapsulates its pixel data.
    #[error("only native transfer syntaxes convert into each other without a codec")]
    NotNative,
    /// The stored bytes do not parse.
    #[error(transparent)]
    Scan(#[from] ScanError),
}

/// Converts a data set piece by piece. Memory does not grow with the object.
pub struct Converter {}

impl Converter {
    /// A converter between two native syntaxes; the same one twice passes bytes through.
    pub fn new(_from: &TransferSyntax, _to: &TransferSyntax) -> Result<Converter, ConvertError> {
        todo!()
    }

    /// Takes bytes of the source and appends to `out` what can be said already.
    pub fn push(&mut self, _bytes: &[u8], _out: &mut Vec<u8>) -> Result<(), ConvertError> {
        todo!()
    }

    /// The source has ended; appends the rest.
    pub fn finish(self, _out: &mut Vec<u8>) -> Result<(), ConvertError> {
        todo!()
    }
}
