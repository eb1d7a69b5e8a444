//! Forgeries of tokens, by name: none is taken.

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
};
use aws_lc_rs::{digest, hmac};
use serde_json::json;

use super::*;

const ISSUER: &str = "https://idp.hospital.example";
const AUDIENCE: &str = "leadglass";
const NOW: u64 = 1_800_000_000;

struct Provider {
    rsa: RsaKeyPair,
    ec: EcdsaKeyPair,
    ed: Ed25519KeyPair,
}

static PROVIDER: LazyLock<Provider> = LazyLock::new(|| Provider {
    rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
    ec: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
    ed: Ed25519KeyPair::generate().unwrap(),
});

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn rsa_parts(key: &RsaKeyPair) -> (Vec<u8>, Vec<u8>) {
    // RSAPublicKey of 2048 bits (RFC 8017 A.1.1).
    let der = key.public_key().as_ref();
    (der[9..265].to_vec(), der[267..270].to_vec())
}

fn jwks() -> Value {
    let (n, e) = rsa_parts(&PROVIDER.rsa);
    let point = PROVIDER.ec.public_key().as_ref();
    json!({ "keys": [
        { "kty": "RSA", "kid": "rsa", "use": "sig", "n": b64(n), "e": b64(e) },
        { "kty": "EC", "kid": "ec", "crv": "P-256", "x": b64(&point[1..33]), "y": b64(&point[33..]) },
        { "kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": b64(PROVIDER.ed.public_key()) },
        { "kty": "oct", "kid": "shared", "k": b64("a secret that everybody knows") },
        { "kty": "RSA", "kid": "enc", "use": "enc", "n": "AQAB", "e": "AQAB" },
    ] })
}

fn keys() -> KeySet {
    KeySet::parse(jwks().to_string().as_bytes()).unwrap()
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "nonce": "n", "iat": NOW - 5, "exp": NOW + 300 })
}

fn but(changes: Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

fn sign(alg: &str, input: &[u8]) -> Vec<u8> {
    let random = SystemRandom::new();
    match alg {
        "RS256" | "PS256" => {
            let padding: &'static dyn aws_lc_rs::signature::RsaEncoding =
                if alg == "RS256" { &RSA_PKCS1_SHA256 } else { &RSA_PSS_SHA256 };
            let der = aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&PROVIDER.rsa);
            let key = aws_lc_rs::signature::RsaKeyPair::from_pkcs8(der.unwrap().as_ref()).unwrap();
            let mut signature = vec![0; key.public_modulus_len()];
            key.sign(padding, &random, input, &mut signature).unwrap();
            signature
        }
        "ES256" => PROVIDER.ec.sign(&random, input).unwrap().as_ref().to_vec(),
        _ => PROVIDER.ed.sign(input).as_ref().to_vec(),
    }
}

fn token(header: &Value, claims: &Value) -> String {
    let input = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
    let alg = header["alg"].as_str().unwrap_or("none");
    format!("{input}.{}", b64(sign(alg, input.as_bytes())))
}

fn good() -> String {
    token(&json!({ "alg": "RS256", "kid": "rsa", "typ": "JWT" }), &claims())
}

fn asked(token: &str) -> Result<Claims, JwtError> {
    let now = UNIX_EPOCH + Duration::from_secs(NOW);
    verify(token, &keys(), &Expected { issuer: ISSUER, audience: AUDIENCE, nonce: Some("n"), now })
}

fn hs256(key: &[u8], header: &Value) -> String {
    let input = format!("{}.{}", b64(header.to_string()), b64(claims().to_string()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), input.as_bytes());
    format!("{input}.{}", b64(tag))
}

/// Signed with the issuer's own key, so that nothing but what the name says is wrong.
fn claiming(changes: Value) -> String {
    token(&json!({ "alg": "ES256", "kid": "ec" }), &but(changes))
}

fn headed(changes: Value) -> String {
    let mut header = json!({ "alg": "RS256", "kid": "rsa" });
    for (name, value) in changes.as_object().unwrap() {
        header[name] = value.clone();
    }
    let input = format!("{}.{}", b64(header.to_string()), b64(claims().to_string()));
    format!("{input}.{}", b64(sign("RS256", input.as_bytes())))
}

#[test]
fn tokens_of_every_accepted_algorithm_are_believed() {
    for (alg, kid) in [("RS256", "rsa"), ("PS256", "rsa"), ("ES256", "ec"), ("EdDSA", "ed")] {
        let believed = asked(&token(&json!({ "alg": alg, "kid": kid }), &claims())).unwrap();
        assert_eq!((believed.subject.as_str(), believed.issuer.as_str()), ("ada", ISSUER), "{alg}");
    }
    let several = but(json!({ "aud": [AUDIENCE, "viewer"], "azp": AUDIENCE }));
    assert!(asked(&token(&json!({ "alg": "EdDSA", "kid": "ed" }), &several)).is_ok());
    // Without a name the only key of the kind is meant.
    assert!(asked(&token(&json!({ "alg": "ES256" }), &claims())).is_ok());
    assert!(asked(&claiming(json!({ "exp": NOW - 30 }))).is_ok(), "clocks may be a minute apart");
}

/// P13: forged tokens by name; none is believed.
fn forged() -> Vec<(&'static str, String)> {
    let (n, e) = rsa_parts(&PROVIDER.rsa);
    let parts: Vec<String> = good().split('.').map(str::to_owned).collect();
    let unsigned = |alg: &str| format!("{}.{}.", b64(json!({ "alg": alg }).to_string()), parts[1]);
    let stranger = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let of_stranger = |header: Value| {
        let input = format!("{}.{}", b64(header.to_string()), b64(claims().to_string()));
        format!("{input}.{}", b64(stranger.sign(&SystemRandom::new(), input.as_bytes()).unwrap()))
    };
    let point = stranger.public_key().as_ref();
    let own = json!({ "kty": "EC", "crv": "P-256", "x": b64(&point[1..33]), "y": b64(&point[33..]) });
    let shared = json!({ "alg": "HS256", "kid": "rsa" });
    let swapped = b64(but(json!({ "sub": "eve" })).to_string());
    let encrypted = format!("{}.e30.e30.e30.e30", b64(json!({ "alg": "RSA-OAEP", "enc": "A256GCM" }).to_string()));
    vec![
        ("alg none", unsigned("none")),
        ("alg NONE", unsigned("NoNe")),
        ("no alg", format!("{}.{}.{}", b64("{\"kid\":\"rsa\"}"), parts[1], parts[2])),
        ("HS256 with the public modulus", hs256(&n, &shared)),
        ("HS256 with the published keys", hs256(jwks().to_string().as_bytes(), &shared)),
        (
            "HS256 with the published symmetric key",
            hs256(b"a secret that everybody knows", &json!({ "alg": "HS256", "kid": "shared" })),
        ),
        ("HS256 with an empty key", hs256(b"", &shared)),
        ("kid that is a path", headed(json!({ "kid": "../../../../dev/null" }))),
        ("kid that is SQL", headed(json!({ "kid": "x' UNION SELECT 'key" }))),
        ("kid of a key of another kind", headed(json!({ "kid": "ec" }))),
        ("kid of a key to encrypt with", headed(json!({ "kid": "enc" }))),
        ("kid that is no text", headed(json!({ "kid": ["rsa"] }))),
        ("embedded jwk", of_stranger(json!({ "alg": "ES256", "kid": "ec", "jwk": own }))),
        ("jku", of_stranger(json!({ "alg": "ES256", "jku": "https://evil.example/jwks" }))),
        ("x5u", headed(json!({ "x5u": "https://evil.example/cert" }))),
        ("x5c", headed(json!({ "x5c": ["MIIB"] }))),
        ("unknown crit", headed(json!({ "crit": ["exp"] }))),
        ("b64 false", headed(json!({ "b64": false }))),
        ("nested", headed(json!({ "cty": "JWT" }))),
        ("an access token", headed(json!({ "typ": "at+jwt" }))),
        ("a stranger's key", of_stranger(json!({ "alg": "ES256", "kid": "ec" }))),
        ("another algorithm of the key", headed(json!({ "alg": "PS256" }))),
        ("a claim changed", format!("{}.{swapped}.{}", parts[0], parts[2])),
        ("a signature cut short", good()[..good().len() - 4].to_owned()),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("an all-zero ES256 signature", {
            format!("{}.{}.{}", b64(json!({ "alg": "ES256", "kid": "ec" }).to_string()), parts[1], b64([0; 64]))
        }),
        ("padded base64", format!("{}=", good())),
        ("four parts", format!("{}.x", good())),
        ("encrypted", encrypted),
        ("another issuer", claiming(json!({ "iss": "https://idp.hospital.example.evil.example" }))),
        ("issuer with a slash", claiming(json!({ "iss": format!("{ISSUER}/") }))),
        ("no issuer", claiming(json!({ "iss": null }))),
        ("another audience", claiming(json!({ "aud": "other" }))),
        ("no audience", claiming(json!({ "aud": null }))),
        ("several audiences and no party", claiming(json!({ "aud": [AUDIENCE, "other"] }))),
        ("another party", claiming(json!({ "azp": "other" }))),
        ("another nonce", claiming(json!({ "nonce": "m" }))),
        ("no nonce", claiming(json!({ "nonce": null }))),
        ("expired", claiming(json!({ "exp": NOW - 61 }))),
        ("no end", claiming(json!({ "exp": null }))),
        ("an end that is text", claiming(json!({ "exp": "never" }))),
        ("an end beyond all time", claiming(json!({ "exp": 1e300 }))),
        ("not yet valid", claiming(json!({ "nbf": NOW + 61 }))),
        ("issued tomorrow", claiming(json!({ "iat": NOW + 86_400 }))),
        ("never issued", claiming(json!({ "iat": null }))),
        ("no subject", claiming(json!({ "sub": null }))),
        ("an empty subject", claiming(json!({ "sub": "" }))),
        ("a huge subject", claiming(json!({ "sub": "a".repeat(256) }))),
        ("huge", claiming(json!({ "x": "a".repeat(20_000) }))),
        ("deep", {
            let deep = format!("{{\"alg\":\"RS256\",\"x\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
            format!("{}.{}.{}", b64(deep), parts[1], parts[2])
        }),
        ("alg twice", format!("{}.{}.{}", b64("{\"alg\":\"RS256\",\"alg\":\"none\"}"), parts[1], parts[2])),
        (
            "exponent one",
            format!("{}.{}.{}", parts[0], swapped, b64(forged_with_exponent_one(&parts[0], &swapped, &n, &e))),
        ),
    ]
}

/// What a signature would be if the exponent were 1: the padded digest itself.
fn forged_with_exponent_one(header: &str, payload: &str, n: &[u8], _e: &[u8]) -> Vec<u8> {
    let hash = digest::digest(&digest::SHA256, format!("{header}.{payload}").as_bytes());
    let info = hex::decode("3031300d060960864801650304020105000420").unwrap();
    let mut block = vec![0, 1];
    block.resize(n.len() - info.len() - 33, 0xff);
    block.push(0);
    block.extend(info);
    block.extend(hash.as_ref());
    block
}

#[test]
fn no_forged_token_is_believed() {
    asked(&good()).unwrap();
    let forged = forged();
    assert!(forged.len() >= 30);
    for (name, token) in forged {
        assert!(asked(&token).is_err(), "{name}");
    }
}

#[test]
fn no_byte_of_a_token_can_be_changed() {
    let good = good();
    for at in (0..good.len()).step_by(7) {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        assert!(asked(&String::from_utf8(bytes).unwrap()).is_err(), "{at}");
    }
}

#[test]
fn a_set_without_a_usable_key_is_none() {
    for text in [
        "",
        "[]",
        "{\"keys\":[]}",
        "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}",
        "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}",
    ] {
        assert!(KeySet::parse(text.as_bytes()).is_err(), "{text}");
    }
    assert!(KeySet::parse(&vec![b' '; LONGEST_KEY_SET + 1]).is_err());
    assert!(keys().has(&good()));
    assert!(!keys().has(&headed(json!({ "kid": "rotated" }))));
}
