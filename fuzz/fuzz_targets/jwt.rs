//! A token, and a provider's keys, are read within bounds or refused; no token is believed that
//! nobody signed.
#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use leadglass_archive::access::jwt::{Expected, KeySet, verify};
use libfuzzer_sys::fuzz_target;

/// Keys whose secret halves nobody kept.
const KEYS: &[u8] = br#"{"keys":[
    {"kty":"EC","crv":"P-256","alg":"ES256","kid":"1","x":"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY","y":"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"},
    {"kty":"OKP","crv":"Ed25519","kid":"2","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

static SET: LazyLock<Option<KeySet>> = LazyLock::new(|| KeySet::parse(KEYS).ok());

fuzz_target!(|input: &[u8]| {
    let _ = KeySet::parse(input);
    let (Ok(token), Some(keys)) = (std::str::from_utf8(input), &*SET) else { return };
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let expected = Expected { issuer: "https://idp.example", audience: "leadglass", nonce: None, now };
    let _ = keys.has(token);
    assert!(verify(token, keys, &expected).is_err());
});
