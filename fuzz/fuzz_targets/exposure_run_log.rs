//! A run's log with any lines, the chain whole: refused, or read to a report that can be written and read back.
#![no_main]

use leadglass_exposure::engine::fuzzing::report_of;
use leadglass_exposure::report::json;
use leadglass_exposure::scope::range::RangeSet;
use leadglass_exposure::testing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|lines: &[u8]| {
    let mut scope = testing::scope();
    let (low, high) = ("127.0.0.0".parse().unwrap(), "127.0.0.255".parse().unwrap());
    let asset = &mut scope.assets[0];
    asset.addresses = RangeSet::new([(low, high)]);
    asset.hosts = vec!["pacs.hospital.example".to_owned()];
    asset.urls = vec!["http://pacs.hospital.example/images/".to_owned()];
    asset.paths = vec!["/images".into()];
    if let Some(report) = report_of(lines, scope) {
        assert!(report.systems.iter().all(|system| system.label == "loopback"));
        assert_eq!(json::parse(&json::canonical(&report)).unwrap(), report);
    }
});
