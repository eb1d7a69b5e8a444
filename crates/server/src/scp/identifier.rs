//! Identifiers and other small data sets, to and from the wire.

use leadglass_dicom::charset::SpecificCharacterSet;
use leadglass_dicom::encode::{self, EncodeError};
use leadglass_dicom::scan::{Limits, ScanError};
use leadglass_dicom::{DataSet, Tag, TransferSyntax, Uid, VR, Value};

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
    mut data_set: DataSet,
    transfer_syntax: &Uid,
    preferred: &SpecificCharacterSet,
) -> Result<Vec<u8>, EncodeError> {
    let latin_1 = SpecificCharacterSet::from_terms(&["ISO_IR 100"]);
    let utf_8 = SpecificCharacterSet::utf8();
    let can = |charset: &&SpecificCharacterSet| can_write(charset, &data_set);
    let charset = [preferred, &latin_1].into_iter().find(can).unwrap_or(&utf_8);
    let terms = charset.terms();
    if terms.is_empty() {
        data_set.remove(SPECIFIC_CHARACTER_SET);
    } else {
        data_set.put(SPECIFIC_CHARACTER_SET, VR::CS, Value::Text(terms));
    }
    encode::encode(&data_set, TransferSyntax::from_uid(transfer_syntax.clone()).encoding())
}

/// Whether the character set has all characters of all texts, in sequences too.
fn can_write(charset: &SpecificCharacterSet, data_set: &DataSet) -> bool {
    let mut waiting = vec![data_set];
    while let Some(data_set) = waiting.pop() {
        for (_, element) in data_set.iter() {
            match &element.value {
                Value::Text(texts) if !texts.iter().all(|text| charset.can_encode(text)) => return false,
                Value::Sequence(items) => waiting.extend(items),
                _ => {}
            }
        }
    }
    true
}
