//! Any bytes as DICOM JSON; what is understood is written and read to the same.
#![no_main]

use leadglass_dicom::json::{parse, write};
use leadglass_dicom::scan::Limits;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for data_set in parse(bytes, &Limits::small()).unwrap_or_default() {
        let mut out = Vec::new();
        write(&data_set, &mut out, &mut |path, _| path.to_owned());
        assert!(parse(&out, &Limits::default()).is_ok());
    }
});
