//! Passkeys (WebAuthn Level 2): what a browser's authenticator signs, verified.
//!
//! The person is asked by the authenticator itself (user verification is required), so a
//! passkey is two factors in one. It names its user: nobody types a name that could be tried.
//! Deliberately absent: attestation. Which authenticator people use is theirs to choose.

mod cose;

use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::access::public_key::{Algorithm, PublicKey};

/// Longest id of a credential, bytes (WebAuthn 4, "Credential ID").
const LONGEST_ID: usize = 1023;
/// User present, user verified, attested credential data included (WebAuthn 6.1).
const PRESENT: u8 = 1;
const VERIFIED: u8 = 1 << 2;
const ATTESTED: u8 = 1 << 6;

/// For whom passkeys are made: the web face under its public name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelyingParty {
    /// The public host name: passkeys work there and nowhere else.
    pub id: String,
    /// `https://host:port`, one or more, as a browser names the page.
    pub origins: Vec<String>,
}

/// A passkey as kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Passkey {
    /// The credential's id, base64url.
    pub(crate) id: String,
    /// What its owner calls it.
    pub(crate) name: String,
    /// Its key.
    pub(crate) key: PublicKey,
    /// How its signatures are made: COSE algorithm.
    pub(crate) algorithm: i64,
    /// The last signature counter seen; 0 of authenticators that do not count.
    pub(crate) counter: u32,
}

/// What the browser sends of a new passkey: `AuthenticatorAttestationResponse`, base64url.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPasskey {
    /// `clientDataJSON`.
    pub client_data: String,
    /// `getAuthenticatorData()`.
    pub authenticator_data: String,
}

/// What the browser sends of a sign-in: `AuthenticatorAssertionResponse`, base64url.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    /// `rawId`.
    pub id: String,
    /// `clientDataJSON`.
    pub client_data: String,
    /// `authenticatorData`.
    pub authenticator_data: String,
    /// `signature`.
    pub signature: String,
}

/// WebAuthn 5.8.1.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
}

/// A fresh challenge, base64url.
pub(crate) fn challenge() -> Option<String> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// The passkey that was made for that challenge (WebAuthn 7.1), or `None`.
pub(crate) fn registered(party: &RelyingParty, challenge: &str, name: &str, new: &NewPasskey) -> Option<Passkey> {
    client_data(party, "webauthn.create", challenge, &new.client_data)?;
    let data = decoded(&new.authenticator_data)?;
    let (flags, counter, rest) = authenticator_data(party, &data)?;
    if flags & ATTESTED == 0 {
        return None;
    }
    // 6.5.1: AAGUID, length of the id, id, key.
    let (head, rest) = rest.split_at_checked(18)?;
    let length = usize::from(u16::from_be_bytes([head[16], head[17]]));
    let (id, key) = rest.split_at_checked(length)?;
    if id.is_empty() || id.len() > LONGEST_ID {
        return None;
    }
    let (key, algorithm) = cose::key(key)?;
    Some(Passkey { id: URL_SAFE_NO_PAD.encode(id), name: name.to_owned(), key, algorithm, counter })
}

/// The counter after that sign-in, when the passkey signed that challenge (WebAuthn 7.2).
pub(crate) fn asserted(party: &RelyingParty, challenge: &str, passkey: &Passkey, shown: &Assertion) -> Option<u32> {
    if shown.id != passkey.id {
        return None;
    }
    let client_data = client_data(party, "webauthn.get", challenge, &shown.client_data)?;
    let data = decoded(&shown.authenticator_data)?;
    let (_, counter, _) = authenticator_data(party, &data)?;
    let algorithm = match passkey.algorithm {
        cose::ES256 => Algorithm::Es256Der,
        cose::RS256 => Algorithm::Rs256,
        cose::EDDSA => Algorithm::EdDsa,
        _ => return None,
    };
    let signed = [data.as_slice(), sha256(&client_data).as_ref()].concat();
    if !passkey.key.verifies(algorithm, &signed, &decoded(&shown.signature)?) {
        return None;
    }
    // 7.2 step 21: a counter that does not grow is a copied authenticator's.
    let grows = counter > passkey.counter || (counter == 0 && passkey.counter == 0);
    grows.then_some(counter)
}

fn client_data(party: &RelyingParty, kind: &str, challenge: &str, text: &str) -> Option<Vec<u8>> {
    let bytes = decoded(text)?;
    let data: ClientData = serde_json::from_slice(&bytes).ok()?;
    let ours = data.kind == kind && data.challenge == challenge && !data.cross_origin;
    (ours && party.origins.contains(&data.origin)).then_some(bytes)
}

/// Flags, counter and the rest of authenticator data (WebAuthn 6.1) of a verified person.
fn authenticator_data<'a>(party: &RelyingParty, data: &'a [u8]) -> Option<(u8, u32, &'a [u8])> {
    let (head, rest) = data.split_at_checked(37)?;
    let flags = head[32];
    let counter = u32::from_be_bytes([head[33], head[34], head[35], head[36]]);
    let verified = flags & PRESENT != 0 && flags & VERIFIED != 0;
    (head[..32] == *sha256(party.id.as_bytes()).as_ref() && verified).then_some((flags, counter, rest))
}

fn sha256(bytes: &[u8]) -> digest::Digest {
    digest::digest(&digest::SHA256, bytes)
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests;
