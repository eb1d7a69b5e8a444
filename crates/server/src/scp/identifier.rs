//! Identifiers and other small data sets, to and from the wire.

use leadglass_dicom::charset::SpecificCharacterSet;
use leadglass_dicom::encode::{self, EncodeError};
use leadglass_dicom::scan::{Limits, ScanError};
use leadglass_dicom::{DataSet, Tag, TransferSyntax, Uid};

/// Query/Retrieve Level (0008,0052).
pub const QUERY_RETRIEVE_LEVEL: Tag = Tag(0x0008, 0x0052);
/// Specific Character Set (0008,0005).
pub const SPECIFIC_CHARACTER_SET: Tag = Tag(0x0008, 0x0005);

/// Reads an identifier of at most `limit` bytes that came in that transfer syntax.
pub fn read(bytes: &[u8], transfer_syntax: &Uid, limit: usize) -> Result<DataSet, ScanError> {
    let limits = Limits { data_set_bytes: limit as u64, elements: limit as u64 / 8, ..Limits::small() };
    let encoding = TransferSyntax::from_uid(transfer_syntax.clone()).encoding();
    encode::decode(bytes, encoding, &limits)
}

/// Writes a data set in that transfer syntax, in a character set the other end reads: the
/// one it wrote in if that has all characters, Latin-1 if that has, otherwise UTF-8.
pub fn write(
    data_set: &DataSet,
    transfer_syntax: &Uid,
    preferred: &SpecificCharacterSet,
) -> Result<Vec<u8>, EncodeError> {
    let encoding = TransferSyntax::from_uid(transfer_syntax.clone()).encoding();
    for charset in [preferred, &SpecificCharacterSet::from_terms(&["ISO_IR 100"])] {
        match data_set.encode(encoding, charset) {
            Err(EncodeError::Unencodable(_)) => {}
            written => return written,
        }
    }
    data_set.encode(encoding, &SpecificCharacterSet::utf8())
}
