//! A web server that says anything: each check ends in one state, and no name comes out.
#![no_main]

mod loopback;

use leadglass_exposure::net::Over;
use leadglass_exposure::probe::{product, version, web};
use leadglass_exposure::scope::link::Link;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((how, script)) = bytes.split_first() else { return };
    loopback::look(script, async |look| {
        let url = Link::parse(&format!("http://127.0.0.1:{}/images/", look.port)).unwrap();
        match how % 4 {
            0 => web::audit_url(look, 0, &url).await,
            1 => web::audit_link(look, 0, &url).await,
            _ => {
                web::greet(look, Over::Clear).await;
                web::audit(look).await;
                product::audit(look).await;
                version::audit(look).await;
            }
        }
    });
});
