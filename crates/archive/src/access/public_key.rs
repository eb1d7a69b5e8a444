//! Public keys that others sign with: identity providers (JWK, RFC 7517) and passkeys (COSE).
//!
//! Deliberately absent: secret keys, symmetric keys, and any choice of algorithm by whoever
//! signed: a key verifies with the algorithms of its own kind and no other.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::{Deserialize, Serialize};

/// Bytes of the longest RSA modulus looked at.
const LONGEST_MODULUS: usize = 1024;

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PublicKey {
    /// RSA, 2048 to 8192 bits: modulus and exponent, big endian.
    Rsa {
        /// Modulus.
        n: Vec<u8>,
        /// Exponent.
        e: Vec<u8>,
    },
    /// P-256: the uncompressed point, 65 bytes.
    P256(Vec<u8>),
    /// Ed25519: 32 bytes.
    Ed25519(Vec<u8>),
}

/// How something was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// ECDSA over P-256 with SHA-256, the two numbers as they are (RFC 7518 3.4).
    Es256,
    /// ECDSA over P-256 with SHA-256, in DER (WebAuthn).
    Es256Der,
    /// Ed25519.
    EdDsa,
}

impl PublicKey {
    /// An RSA key; `None` when it cannot be one that is verified with.
    pub fn rsa(n: Vec<u8>, e: Vec<u8>) -> Option<PublicKey> {
        ((256..=LONGEST_MODULUS).contains(&n.len()) && (1..=8).contains(&e.len())).then_some(PublicKey::Rsa { n, e })
    }

    /// A P-256 key of its coordinates.
    pub fn p256(x: &[u8], y: &[u8]) -> Option<PublicKey> {
        (x.len() == 32 && y.len() == 32).then(|| PublicKey::P256([&[4], x, y].concat()))
    }

    /// An Ed25519 key.
    pub fn ed25519(x: Vec<u8>) -> Option<PublicKey> {
        (x.len() == 32).then_some(PublicKey::Ed25519(x))
    }

    /// Whether it signed that, with that algorithm, which must be one of its kind.
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match (self, algorithm) {
            (PublicKey::Rsa { n, e }, Algorithm::Rs256) => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
            }
            (PublicKey::Rsa { n, e }, Algorithm::Ps256) => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PSS_2048_8192_SHA256, message, signature).is_ok()
            }
            (PublicKey::P256(point), Algorithm::Es256) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
            (PublicKey::P256(point), Algorithm::Es256Der) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature).is_ok()
            }
            (PublicKey::Ed25519(key), Algorithm::EdDsa) => {
                UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
            }
            _ => false,
        }
    }
}
