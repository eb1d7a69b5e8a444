//! Who is at a peer: passphrases and tokens that an association brings along.

#![expect(clippy::unwrap_used, reason = "test")]

use std::time::{Duration, SystemTime};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use leadglass_archive::access::Right;
use leadglass_archive::access::jwt::KeySet;
use leadglass_archive::access::people::{GroupRule, TrustedIssuer};
use leadglass_archive::administer::{NewUser, Verb};
use leadglass_archive::testing::TestArchive;
use leadglass_archive::{Caller, Credential, Door, Operation, Source, UserIdentity};
use leadglass_dicom::clock::Clock as _;
use serde_json::{Value, json};

const PASSPHRASE: &str = "a lead apron in the attic";

fn right(role: &str) -> Right {
    serde_json::from_value(json!({ "role": role })).unwrap()
}

fn at(door: Door) -> Source {
    Source { address: Some([192, 0, 2, 1].into()), door }
}

async fn person(test: &TestArchive, name: &str, role: &str) {
    let rights = vec![right(role)];
    let new = NewUser { name: name.into(), display: None, service: false, rights, patients: Vec::new() };
    let invitation = test.archive().add_user(&test.host().await, new).await.unwrap().unwrap();
    test.archive().accept_invitation(&at(Door::Admin), name, &invitation, PASSPHRASE).await.unwrap();
}

async fn brought(test: &TestArchive, ae: &str, identity: UserIdentity) -> Option<Caller> {
    let certificate_der = format!("certificate of {ae}").into_bytes();
    let credential =
        Credential::Peer { certificate_der, calling_ae: ae.parse().unwrap(), user_identity: Some(identity) };
    test.archive().authenticate(at(Door::Dimse), credential).await.ok()
}

#[tokio::test]
async fn a_passphrase_is_that_of_a_user_who_needs_no_second_factor() {
    let test = TestArchive::new();
    test.peer("CONSOLE", &[Verb::Store, Verb::Find]).await;
    person(&test, "ada", "viewer").await;
    person(&test, "root", "administrator").await;
    let said = |name: &str, passphrase: &str| UserIdentity::UsernamePasscode(name.into(), passphrase.into());
    let caller = brought(&test, "CONSOLE", said("ada", PASSPHRASE)).await.unwrap();
    assert_eq!(caller.name(), "CONSOLE (ada)");
    assert!(caller.may(Operation::Search), "both may");
    assert!(!caller.may(Operation::Store) && !caller.may(Operation::Retrieve), "one of them may");
    for (name, passphrase) in
        [("ada", "wrong"), ("ada", ""), ("", PASSPHRASE), ("eve", PASSPHRASE), ("root", PASSPHRASE)]
    {
        assert!(brought(&test, "CONSOLE", said(name, passphrase)).await.is_none(), "{name}");
    }
    assert!(brought(&test, "NOBODY", said("ada", PASSPHRASE)).await.is_none(), "no peer, no passphrase");
    for identity in [UserIdentity::Kerberos, UserIdentity::Saml(b"<a/>".to_vec()), UserIdentity::Unsupported(9)] {
        assert!(brought(&test, "CONSOLE", identity).await.is_none());
    }
}

/// A provider of the test's.
struct Provider(EcdsaKeyPair);

impl Provider {
    fn new() -> Provider {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        Provider(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref()).unwrap())
    }

    fn keys(&self) -> KeySet {
        let point = self.0.public_key().as_ref();
        let [x, y] = [&point[1..33], &point[33..]].map(|half| URL_SAFE_NO_PAD.encode(half));
        let set = json!({ "keys": [{ "kty": "EC", "crv": "P-256", "x": x, "y": y, "alg": "ES256" }] });
        KeySet::parse(set.to_string().as_bytes()).unwrap()
    }

    fn sign(&self, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({ "alg": "ES256", "typ": "JWT" })), part(claims));
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

#[tokio::test]
async fn a_token_is_one_peer_s_for_a_user_who_signed_in_by_its_provider() {
    let test = TestArchive::new();
    test.peer("CONSOLE", &[Verb::Find]).await;
    test.peer("OTHER", &[Verb::Find]).await;
    let provider = Provider::new();
    let rules = vec![GroupRule { group: "doctors".into(), right: right("viewer") }];
    let (name, issuer, audience) = ("idp".to_owned(), "https://idp.example".to_owned(), "leadglass".to_owned());
    let (groups_claim, name_claim) = ("groups".to_owned(), "name".to_owned());
    let two_factors = Vec::new();
    let trusted = TrustedIssuer { name, issuer, audience, groups_claim, name_claim, two_factors, rules };
    test.archive().trust_issuer(trusted).unwrap();
    test.archive().put_issuer_keys("idp", provider.keys());
    let now = test.clock().now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let claims = |id: &str| {
        json!({ "iss": "https://idp.example", "aud": "leadglass", "sub": "s1", "jti": id, "iat": now, "exp": now + 300,
                "nonce": "n", "groups": ["doctors"], "name": "Ada" })
    };
    let jwt = |claims: &Value| UserIdentity::Jwt(provider.sign(claims).into_bytes());
    assert!(brought(&test, "CONSOLE", jwt(&claims("1"))).await.is_none(), "nobody of that name yet");
    let step = test.archive().issuer_sign_in(&at(Door::Admin), "idp", &provider.sign(&claims("0")), "n").await;
    step.unwrap();
    let caller = brought(&test, "CONSOLE", jwt(&claims("1"))).await.unwrap();
    assert!(caller.name().starts_with("CONSOLE (") && caller.may(Operation::Search));
    assert!(brought(&test, "CONSOLE", jwt(&claims("1"))).await.is_some(), "its other associations");
    assert!(brought(&test, "OTHER", jwt(&claims("1"))).await.is_none(), "another peer's");
    let mut nameless = claims("2");
    nameless.as_object_mut().unwrap().remove("jti");
    let forged = UserIdentity::Jwt(Provider::new().sign(&claims("3")).into_bytes());
    for identity in [jwt(&nameless), forged, UserIdentity::Jwt(vec![0xFF]), UserIdentity::Jwt(Vec::new())] {
        assert!(brought(&test, "CONSOLE", identity).await.is_none());
    }
    test.pass(Duration::from_secs(400)).await;
    assert!(!test.archive().is_current(&caller), "it ends with the token");
    assert!(brought(&test, "CONSOLE", jwt(&claims("1"))).await.is_none(), "expired");
}
