//! JSON Web Tokens (RFC 7519, RFC 7515 compact form) of identity providers that we trust.
//!
//! The key is one that the server fetched from the configured issuer; nothing in a token says
//! where a key is to be had: headers that try (`jwk`, `jku`, `x5c`, `x5u`) are refused, as are
//! critical extensions, encryption and nesting. Deliberately absent: HTTP, symmetric keys,
//! `none`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::public_key::{Algorithm, PublicKey};

/// Longest token looked at, bytes.
const LONGEST_TOKEN: usize = 16 << 10;
/// Longest set of keys looked at, bytes.
const LONGEST_KEY_SET: usize = 256 << 10;
/// Most keys kept of one issuer.
const MOST_KEYS: usize = 64;
/// How far clocks may be apart.
const LEEWAY: Duration = Duration::from_secs(60);
/// Headers by which a token would choose its own key, or that change what was signed.
const REFUSED_HEADERS: &[&str] = &["jwk", "jku", "x5c", "x5u", "crit", "b64", "enc", "zip", "cty", "epk", "apu", "apv"];

/// The keys an issuer signs with, as it publishes them (RFC 7517).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet {
    keys: Vec<Published>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Published {
    id: Option<String>,
    algorithm: Option<String>,
    key: PublicKey,
}

/// What a token must say to be believed.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Exactly this `iss`.
    pub issuer: &'a str,
    /// This among `aud`; `azp`, when there, is this too.
    pub audience: &'a str,
    /// This `nonce`, when one was sent along.
    pub nonce: Option<&'a str>,
    /// The hour.
    pub now: SystemTime,
}

/// What a verified token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// `iss`.
    pub issuer: String,
    /// `sub`: who, at that issuer.
    pub subject: String,
    /// `exp`.
    pub expires: SystemTime,
    /// Everything it says.
    pub all: Map<String, Value>,
}

/// Why a token is not believed. For our log and trail, never for whoever showed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// Not three parts of base64url with a JSON header, or too long.
    #[error("not a signed token")]
    Malformed,
    /// `none`, a symmetric or an unknown algorithm.
    #[error("an algorithm that is not accepted")]
    Algorithm,
    /// A header that chooses a key, extends or wraps the token, or a type that is not a JWT's.
    #[error("a header that is not accepted")]
    Header,
    /// The issuer publishes no such key.
    #[error("a key that the issuer does not publish")]
    UnknownKey,
    /// The signature is not the key's.
    #[error("a wrong signature")]
    Signature,
    /// `iss`.
    #[error("another issuer")]
    Issuer,
    /// `aud`, `azp`.
    #[error("another audience")]
    Audience,
    /// `nonce`.
    #[error("another nonce")]
    Nonce,
    /// `sub` is missing, empty or too long.
    #[error("no subject")]
    Subject,
    /// `exp` is missing or over.
    #[error("expired")]
    Expired,
    /// `nbf` or `iat` are to come, or `iat` is missing.
    #[error("not yet valid")]
    NotYet,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// The keys of a JWK set that signatures can be verified with; others are passed over.
    ///
    /// # Errors
    /// [`JwtError::Malformed`] for what is no JWK set, is too long, or has no such key.
    pub fn parse(json: &[u8]) -> Result<KeySet, JwtError> {
        if json.len() > LONGEST_KEY_SET {
            return Err(JwtError::Malformed);
        }
        let set: JwkSet = serde_json::from_slice(json).map_err(|_| JwtError::Malformed)?;
        let keys: Vec<Published> = set.keys.into_iter().filter_map(published).take(MOST_KEYS).collect();
        if keys.is_empty() { Err(JwtError::Malformed) } else { Ok(KeySet { keys }) }
    }

    /// Whether a key of that id is among them: if not, they may have been rotated.
    pub fn has(&self, token: &str) -> bool {
        header_of(token).is_ok_and(|(header, algorithm)| self.find(&header, algorithm).is_some())
    }

    fn find(&self, header: &Header, algorithm: Algorithm) -> Option<&PublicKey> {
        let fits = |published: &&Published| {
            let kind = matches!(
                (&published.key, algorithm),
                (PublicKey::Rsa { .. }, Algorithm::Rs256 | Algorithm::Ps256)
                    | (PublicKey::P256(_), Algorithm::Es256)
                    | (PublicKey::Ed25519(_), Algorithm::EdDsa)
            );
            kind && published.algorithm.as_ref().is_none_or(|named| *named == header.alg)
        };
        let mut fitting = self.keys.iter().filter(fits);
        match &header.kid {
            Some(id) => fitting.find(|published| published.id.as_ref() == Some(id)).map(|published| &published.key),
            // A token that names no key is believed when there is no choice.
            None => match (fitting.next(), fitting.next()) {
                (Some(only), None) => Some(&only.key),
                _ => None,
            },
        }
    }
}

/// What a token says, once it is proven that the issuer said it, to us, and that it holds now.
///
/// # Errors
/// [`JwtError`], the first thing that is wrong; the signature is looked at before any claim.
pub fn verify(token: &str, keys: &KeySet, expected: &Expected<'_>) -> Result<Claims, JwtError> {
    let (header, algorithm) = header_of(token)?;
    let key = keys.find(&header, algorithm).ok_or(JwtError::UnknownKey)?;
    let (signed, signature) = token.rsplit_once('.').ok_or(JwtError::Malformed)?;
    let signature = decoded(signature)?;
    if !key.verifies(algorithm, signed.as_bytes(), &signature) {
        return Err(JwtError::Signature);
    }
    let (_, payload) = signed.split_once('.').ok_or(JwtError::Malformed)?;
    let all: Map<String, Value> = serde_json::from_slice(&decoded(payload)?).map_err(|_| JwtError::Malformed)?;
    let expires = holds(&all, expected)?;
    let subject = text(&all, "sub").filter(|subject| (1..=255).contains(&subject.len())).ok_or(JwtError::Subject)?;
    Ok(Claims { issuer: expected.issuer.to_owned(), subject: subject.to_owned(), expires, all })
}

fn header_of(token: &str) -> Result<(Header, Algorithm), JwtError> {
    if token.len() > LONGEST_TOKEN || token.bytes().filter(|byte| *byte == b'.').count() != 2 {
        return Err(JwtError::Malformed);
    }
    let (header, _) = token.split_once('.').ok_or(JwtError::Malformed)?;
    let header = decoded(header)?;
    let members: Map<String, Value> = serde_json::from_slice(&header).map_err(|_| JwtError::Malformed)?;
    // Read twice: the typed reading refuses a member that is there twice.
    let typed: Header = serde_json::from_slice(&header).map_err(|_| JwtError::Malformed)?;
    if REFUSED_HEADERS.iter().any(|name| members.contains_key(*name)) {
        return Err(JwtError::Header);
    }
    if typed.typ.as_deref().is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
        return Err(JwtError::Header);
    }
    let algorithm = match typed.alg.as_str() {
        "RS256" => Algorithm::Rs256,
        "PS256" => Algorithm::Ps256,
        "ES256" => Algorithm::Es256,
        "EdDSA" => Algorithm::EdDsa,
        _ => return Err(JwtError::Algorithm),
    };
    Ok((typed, algorithm))
}

/// Issuer, audience, nonce and times; when it ends.
fn holds(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<SystemTime, JwtError> {
    if text(claims, "iss") != Some(expected.issuer) {
        return Err(JwtError::Issuer);
    }
    let audiences: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let party = text(claims, "azp");
    let for_others = claims.contains_key("azp") && party != Some(expected.audience);
    // OpenID Connect Core 3.1.3.7: one of several audiences must say that it is the one.
    if !audiences.contains(&expected.audience) || for_others || (audiences.len() > 1 && party.is_none()) {
        return Err(JwtError::Audience);
    }
    if expected.nonce.is_some() && text(claims, "nonce") != expected.nonce {
        return Err(JwtError::Nonce);
    }
    let expires = time(claims, "exp").flatten().ok_or(JwtError::Expired)?;
    if expected.now >= expires + LEEWAY {
        return Err(JwtError::Expired);
    }
    let issued = time(claims, "iat").flatten().ok_or(JwtError::NotYet)?;
    let begins = time(claims, "nbf").unwrap_or(Some(UNIX_EPOCH)).ok_or(JwtError::NotYet)?;
    if issued.max(begins) > expected.now + LEEWAY {
        return Err(JwtError::NotYet);
    }
    Ok(expires)
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}

/// `None` when it is not there; `Some(None)` when it is no time.
fn time(claims: &Map<String, Value>, name: &str) -> Option<Option<SystemTime>> {
    let value = claims.get(name)?;
    // Up to the year 9999.
    let seconds = value.as_f64().filter(|seconds| (0.0..253_402_300_800.0).contains(seconds));
    Some(seconds.and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs_f64(seconds))))
}

fn published(value: Value) -> Option<Published> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    if jwk.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    let part = |part: &Option<String>| part.as_deref().and_then(|text| decoded(text).ok());
    let key = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", None) => PublicKey::rsa(part(&jwk.n)?, part(&jwk.e)?)?,
        ("EC", Some("P-256")) => PublicKey::p256(&part(&jwk.x)?, &part(&jwk.y)?)?,
        ("OKP", Some("Ed25519")) => PublicKey::ed25519(part(&jwk.x)?)?,
        _ => return None,
    };
    Some(Published { id: jwk.kid, algorithm: jwk.alg, key })
}

fn decoded(text: &str) -> Result<Vec<u8>, JwtError> {
    if text.is_empty() {
        return Err(JwtError::Malformed);
    }
    URL_SAFE_NO_PAD.decode(text).map_err(|_| JwtError::Malformed)
}

#[cfg(test)]
mod tests;
