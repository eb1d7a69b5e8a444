//! Who is at a peer: passphrases and tokens that an association brings along.

#![expect(clippy::unwrap_used, reason = "test")]

use std::time::{Duration, SystemTime};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use leadglass_archive::access::Right;
use leadglass_archive::access::jwt::KeySet;
use leadglass_archive::access::people::{GroupRule, SignIn, TrustedIssuer};
use leadglass_archive::administer::{NewUser, Verb};
use leadglass_archive::retrieve::Purpose;
use leadglass_archive::testing::{Sample, TestArchive};
use leadglass_archive::{Caller, Credential, Door, Operation, Refused, Selection, Source, UserIdentity};
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

#[tokio::test]
async fn a_person_at_a_peer_is_held_as_a_person_and_the_peer_as_a_machine() {
    let test = TestArchive::new();
    let host = test.host().await;
    let sample = |study| Sample { side: 2, ..Sample::new(study, 1, 1) };
    for study in 1..=61 {
        test.store(&host, &sample(study)).await.unwrap();
    }
    let console = test.peer("CONSOLE", &[Verb::Retrieve]).await;
    person(&test, "ada", "reader").await;
    let said = UserIdentity::UsernamePasscode("ada".into(), PASSPHRASE.into());
    let ada = brought(&test, "CONSOLE", said).await.unwrap();
    let open = async |caller: &Caller, study| {
        let selection = Selection { studies: vec![sample(study).study_uid()], ..Selection::default() };
        test.archive().retrieve(caller, selection, Purpose::ToCaller).await.map(drop)
    };
    for study in 1..=60 {
        open(&ada, study).await.unwrap();
    }
    assert!(matches!(open(&ada, 61).await, Err(Refused::Braked { .. })), "sixty an hour");
    for study in 1..=61 {
        open(&console, study).await.unwrap();
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
async fn who_is_dismissed_at_the_provider_has_no_right_here_a_day_later_by_whatever_they_hold() {
    let test = TestArchive::new();
    let provider = Provider::new();
    let rules = vec![GroupRule { group: "doctors".into(), right: right("administrator") }];
    let (name, issuer, audience) = ("idp".to_owned(), "https://idp.example".to_owned(), "leadglass".to_owned());
    let (groups_claim, name_claim) = ("groups".to_owned(), "name".to_owned());
    let two_factors = vec!["mfa".to_owned()];
    let trusted = TrustedIssuer { name, issuer, audience, groups_claim, name_claim, two_factors, rules };
    test.archive().trust_issuer(trusted).unwrap();
    test.archive().put_issuer_keys("idp", provider.keys());
    let id_token = |groups: Value| {
        let now = test.clock().now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        provider.sign(&json!({ "iss": "https://idp.example", "aud": "leadglass", "sub": "s1", "iat": now, "nonce": "n",
                               "exp": now + 300, "groups": groups, "name": "Ada", "acr": "mfa" }))
    };
    let archive = test.archive();
    let sign_in = async |groups| archive.issuer_sign_in(&SOURCE, "idp", &id_token(groups), "n").await;
    let SignIn::Session(session) =
        archive.issuer_sign_in(&SOURCE, "idp", &id_token(json!(["doctors"])), "n").await.unwrap()
    else {
        panic!("asked for two factors there")
    };
    let ada = archive.authenticate(SOURCE, Credential::Session(session.secret.to_string())).await.unwrap();
    // No passkey of ours: it would let them in without the provider.
    assert!(matches!(archive.begin_passkey(&ada).await, Err(Refused::Invalid(_))));
    let everything = leadglass_archive::access::Scope::everything();
    let year = Duration::from_secs(365 * 24 * 3600);
    let secret = archive.create_token(&ada, "script", "viewer", year, everything).await.unwrap();
    let viewing = Source { door: Door::DicomWeb, ..SOURCE };
    let script = archive.authenticate(viewing.clone(), Credential::ApiToken(secret.clone())).await.unwrap();
    assert!(archive.is_current(&script));
    test.pass(Duration::from_secs(24 * 3600)).await;
    assert!(!archive.is_current(&script), "the provider said nothing for a day");
    assert!(archive.authenticate(viewing.clone(), Credential::ApiToken(secret.clone())).await.is_err());
    sign_in(json!(["doctors"])).await.unwrap();
    assert!(archive.is_current(&script), "it said so again");
    assert!(sign_in(json!([])).await.is_err());
    let late = archive.authenticate(viewing, Credential::ApiToken(secret)).await.unwrap();
    assert!(!late.may(Operation::Search), "in no group any longer");
    // Keys that are taken away are believed no longer.
    archive.put_issuer_keys("idp", KeySet::default());
    assert!(sign_in(json!(["doctors"])).await.is_err());
}

const SOURCE: Source =
    Source { address: Some(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1))), door: Door::Admin };

#[tokio::test]
async fn a_person_is_issuer_and_subject_together() {
    let test = TestArchive::new();
    let archive = test.archive();
    let providers = [Provider::new(), Provider::new()];
    let issuers = ["https://one.example", "https://two.example"];
    for (name, (issuer, provider)) in ["one", "two"].into_iter().zip(issuers.into_iter().zip(&providers)) {
        let trusted = TrustedIssuer {
            name: name.into(),
            issuer: issuer.into(),
            audience: "leadglass".into(),
            groups_claim: "groups".into(),
            name_claim: "name".into(),
            two_factors: Vec::new(),
            rules: vec![GroupRule { group: "doctors".into(), right: right("viewer") }],
        };
        archive.trust_issuer(trusted).unwrap();
        archive.put_issuer_keys(name, provider.keys());
    }
    let now = test.clock().now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let token = |by: usize, said: usize, subject: &str| {
        providers[by].sign(&json!({ "iss": issuers[said], "aud": "leadglass", "sub": subject, "iat": now, "nonce": "n",
                                    "exp": now + 300, "groups": ["doctors"], "name": "Ada" }))
    };
    let who = async |name: &str, token: String| match archive.issuer_sign_in(&SOURCE, name, &token, "n").await {
        Ok(SignIn::Session(session)) => Some(session.user),
        _ => None,
    };
    let ada = who("one", token(0, 0, "s1")).await.unwrap();
    assert_eq!(who("one", token(0, 0, "s1")).await, Some(ada.clone()), "the same");
    let others = [who("one", token(0, 0, "s2")).await.unwrap(), who("two", token(1, 1, "s1")).await.unwrap()];
    assert!(others.iter().all(|other| *other != ada) && others[0] != others[1], "{ada} {others:?}");
    assert_eq!(who("two", token(1, 0, "s1")).await, None, "one speaks for nobody of the other");
    assert_eq!(who("one", token(1, 0, "s1")).await, None, "nor by the other's key");
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
