//! An assertion is read within bounds or refused; none is believed that nobody signed.
#![no_main]

use std::time::{Duration, SystemTime};

use leadglass_archive::access::public_key::PublicKey;
use leadglass_archive::access::saml::{Expected, issuer_of, verify};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let _ = issuer_of(input);
    // The modulus is no product of primes that anybody knows.
    let Some(key) = PublicKey::rsa(vec![0xC5; 256], vec![1, 0, 1]) else { return };
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let expected = Expected {
        issuer: "https://idp.example",
        keys: &[key],
        audience: "urn:archive",
        recipient: "urn:door",
        now,
    };
    assert!(verify(input, &expected).is_err());
});
