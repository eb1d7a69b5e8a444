//! What a passkey says, and what is made to look like it.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::json;

use super::*;

struct Authenticator {
    key: EcdsaKeyPair,
    counter: u32,
}

fn party() -> RelyingParty {
    RelyingParty { id: "pacs.example".into(), origins: vec!["https://pacs.example".into()] }
}

fn client(kind: &str, challenge: &str, origin: &str) -> String {
    URL_SAFE_NO_PAD.encode(json!({ "type": kind, "challenge": challenge, "origin": origin }).to_string())
}

impl Authenticator {
    fn new() -> Authenticator {
        Authenticator { key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap(), counter: 0 }
    }

    fn data(&self, id: &str, flags: u8) -> Vec<u8> {
        [sha256(id.as_bytes()).as_ref(), &[flags], &self.counter.to_be_bytes()].concat()
    }

    fn create(&self, id: &str, flags: u8, client_data: String) -> NewPasskey {
        let point = self.key.public_key().as_ref();
        let key = [
            &hex::decode("a50102032620012158 20".replace(' ', "")).unwrap(),
            &point[1..33],
            &[0x22, 0x58, 0x20],
            &point[33..],
        ]
        .concat();
        let data = [self.data(id, flags), vec![0; 16], vec![0, 4], b"cred".to_vec(), key].concat();
        NewPasskey { client_data, authenticator_data: URL_SAFE_NO_PAD.encode(data) }
    }

    fn get(&mut self, id: &str, flags: u8, client_data: String) -> Assertion {
        self.counter += 1;
        let data = self.data(id, flags);
        let signed = [data.as_slice(), sha256(&URL_SAFE_NO_PAD.decode(&client_data).unwrap()).as_ref()].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        Assertion {
            id: URL_SAFE_NO_PAD.encode("cred"),
            client_data,
            authenticator_data: URL_SAFE_NO_PAD.encode(data),
            signature: URL_SAFE_NO_PAD.encode(signature),
        }
    }
}

const OURS: &str = "https://pacs.example";
const ALL: u8 = PRESENT | VERIFIED | ATTESTED;

#[test]
fn a_passkey_signs_in_where_it_was_made_and_with_the_challenge_of_now() {
    let mut authenticator = Authenticator::new();
    let new = authenticator.create("pacs.example", ALL, client("webauthn.create", "c1", OURS));
    let passkey = registered(&party(), "c1", "key", &new).unwrap();
    let shown = authenticator.get("pacs.example", ALL & !ATTESTED, client("webauthn.get", "c2", OURS));
    assert_eq!(asserted(&party(), "c2", &passkey, &shown), Some(1));
    assert_eq!(asserted(&party(), "c3", &passkey, &shown), None, "a replay");
    let copied = Passkey { counter: 1, ..passkey.clone() };
    assert_eq!(asserted(&party(), "c2", &copied, &shown), None, "a counter that does not grow");
    for (what, kind, origin, id, flags) in [
        ("phished", "webauthn.get", "https://pacs.example.evil.example", "pacs.example", ALL),
        ("another party", "webauthn.get", OURS, "evil.example", ALL),
        ("a registration", "webauthn.create", OURS, "pacs.example", ALL),
        ("nobody verified", "webauthn.get", OURS, "pacs.example", PRESENT),
        ("nobody present", "webauthn.get", OURS, "pacs.example", VERIFIED),
    ] {
        let shown = authenticator.get(id, flags, client(kind, "c2", origin));
        assert_eq!(asserted(&party(), "c2", &passkey, &shown), None, "{what}");
    }
    let shown = Authenticator::new().get("pacs.example", ALL, client("webauthn.get", "c2", OURS));
    assert_eq!(asserted(&party(), "c2", &passkey, &shown), None, "a stranger's key");
}

#[test]
fn a_registration_that_is_not_whole_is_none() {
    let authenticator = Authenticator::new();
    let good = authenticator.create("pacs.example", ALL, client("webauthn.create", "c", OURS));
    assert!(registered(&party(), "c", "key", &good).is_some());
    let bytes = URL_SAFE_NO_PAD.decode(&good.authenticator_data).unwrap();
    for length in 0..bytes.len() {
        let cut = NewPasskey { authenticator_data: URL_SAFE_NO_PAD.encode(&bytes[..length]), ..good.clone() };
        assert!(registered(&party(), "c", "key", &cut).is_none(), "{length}");
    }
    for flags in [PRESENT | ATTESTED, VERIFIED | ATTESTED, PRESENT | VERIFIED] {
        let new = authenticator.create("pacs.example", flags, client("webauthn.create", "c", OURS));
        assert!(registered(&party(), "c", "key", &new).is_none(), "{flags}");
    }
}
