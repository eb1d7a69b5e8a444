//! Any bytes as a file: whole and in pieces they must say the same; then the scan.
#![no_main]

use leadglass_dicom::part10::{Part10Reader, split};
use leadglass_dicom::scan::{Limits, scan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = split(bytes);
    let mut reader = Part10Reader::new();
    for piece in bytes.chunks(97) {
        if !matches!(reader.push(piece), Ok(None)) {
            break;
        }
    }
    if let Ok((meta, data_set)) = whole {
        let _ = scan(data_set, &meta.transfer_syntax, &Limits::default());
    }
});
