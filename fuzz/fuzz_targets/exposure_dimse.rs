//! A DICOM peer that says anything: each check ends in one state, and no name comes out.
#![no_main]

mod loopback;

use leadglass_exposure::net::Over;
use leadglass_exposure::probe::dimse::{self, fuzzing};
use leadglass_exposure::probe::{trail, version};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(granted) = fuzzing::granted(bytes) {
        assert!(granted.iter().all(|name| dimse::SERVICE_NAMES.contains(&name.as_str())));
    }
    fuzzing::status(bytes);
    loopback::look(bytes, async |look| {
        dimse::greet(look, Over::Clear).await;
        dimse::audit(look).await;
        version::audit(look).await;
        trail::audit(look).await;
    });
});
