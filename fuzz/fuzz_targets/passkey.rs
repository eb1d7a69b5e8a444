//! What an authenticator says of a new passkey (WebAuthn 6.1), its COSE key included, is read within
//! its bytes or refused.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use leadglass_archive::access::people::RelyingParty;
use leadglass_archive::access::people::passkey::NewPasskey;
use leadglass_archive::testing::passkey_is_read;
use libfuzzer_sys::fuzz_target;

/// SHA-256 of `pacs.example`, and the flags of a person who was asked, with a key.
const HEAD: [u8; 33] = [
    0xeb, 0x23, 0x99, 0x6c, 0xe2, 0xeb, 0x6a, 0x89, 0x80, 0xd9, 0x39, 0x6c, 0xbe, 0x10, 0x0f, 0x3e,
    0x8b, 0x9b, 0xbb, 0xdc, 0x2a, 0x31, 0x99, 0x3f, 0x37, 0xa3, 0xa8, 0xe5, 0xe0, 0x6a, 0x54, 0x91,
    0x45,
];

fuzz_target!(|input: &[u8]| {
    let party = RelyingParty { id: "pacs.example".into(), origins: vec!["https://pacs.example".into()] };
    let client = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let ours = client(br#"{"type":"webauthn.create","challenge":"c","origin":"https://pacs.example"}"#);
    // What follows the fixed head, and then the browser's own words, are made up.
    let data = client(&[HEAD.as_slice(), input].concat());
    passkey_is_read(&party, "c", &NewPasskey { client_data: ours, authenticator_data: data.clone() });
    passkey_is_read(&party, "c", &NewPasskey { client_data: client(input), authenticator_data: data });
    if let Ok(text) = std::str::from_utf8(input) {
        passkey_is_read(&party, "c", &NewPasskey { client_data: text.into(), authenticator_data: text.into() });
    }
});
