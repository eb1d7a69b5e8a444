//! A report of any content: refused, or read and written to the same canonical bytes.
#![no_main]

use leadglass_exposure::report::json;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(report) = json::parse(bytes) {
        let written = json::canonical(&report);
        assert_eq!(json::parse(&written).unwrap(), report);
    }
});
