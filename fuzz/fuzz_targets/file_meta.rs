//! Any bytes as a file: whole and in pieces they say the same.
#![no_main]

use leadglass_dicom::part10::{FileMeta, Part10Error, Part10Reader, split};
use libfuzzer_sys::fuzz_target;

fn in_pieces(bytes: &[u8]) -> Result<(FileMeta, Vec<u8>), Part10Error> {
    let mut reader = Part10Reader::new();
    let mut pieces = bytes.chunks(97);
    while let Some(piece) = pieces.next() {
        if let Some((meta, mut data_set)) = reader.push(piece)? {
            pieces.for_each(|piece| data_set.extend_from_slice(piece));
            return Ok((meta, data_set));
        }
    }
    reader.finish()
}

fuzz_target!(|bytes: &[u8]| {
    let whole = split(bytes).map(|(meta, data_set)| (meta, data_set.to_vec()));
    assert_eq!(in_pieces(bytes), whole);
});
