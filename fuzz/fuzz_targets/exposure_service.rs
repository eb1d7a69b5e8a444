//! A database, directory, console or share that says anything: one state a check, and no name comes out.
#![no_main]

mod loopback;

use leadglass_exposure::probe::network::{self, Service};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((which, script)) = bytes.split_first() else { return };
    let services: Vec<_> = Service::all().collect();
    let service = services[usize::from(*which) % services.len()];
    loopback::look(script, async |look| {
        network::audit_as(look, service).await;
    });
});
