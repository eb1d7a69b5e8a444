//! A scope file of any content: read, or refused with its mistakes; what is read stays within what may be.
#![no_main]

use std::path::Path;

use leadglass_exposure::scope::Scope;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| match Scope::parse(bytes, Path::new("/nonexistent")) {
    Ok(scope) => {
        assert!(scope.validity.from < scope.validity.until);
        let targets = scope.targets();
        assert!(targets.all.len() >= targets.listed.len());
        if let Some(first) = targets.all.nth(0) {
            assert!(!scope.excluded.contains(first));
            assert!(scope.asset_of(first).is_some());
        }
    }
    Err(faults) => assert!(!faults.to_string().is_empty()),
});
