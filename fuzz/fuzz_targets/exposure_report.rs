//! A report of any content: refused, or read and written to the same canonical bytes, and in every form of it.
#![no_main]

use leadglass_exposure::fleet::Fleet;
use leadglass_exposure::report::format::{Format, Options, write};
use leadglass_exposure::report::json;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(report) = json::parse(bytes) else { return };
    let written = json::canonical(&report);
    assert_eq!(json::parse(&written).unwrap(), report);
    for format in Format::ALL {
        let mut out = Vec::new();
        write(&report, format, &Options { accepted: None, before: Some(&report) }, &mut out).unwrap();
        assert!(std::str::from_utf8(&out).is_ok());
    }
    let _ = Fleet::of(vec![report.clone(), report]);
});
