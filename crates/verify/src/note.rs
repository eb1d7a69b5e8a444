//! Signed notes of C2SP, as checkpoints of a log: origin, size, root, and an Ed25519 signature.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::merkle::{Hash, sha256};

/// Signature type of Ed25519 in signed notes.
const ED25519_TYPE: u8 = 1;

/// A note verifier key: `name+hash+base64`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    /// The text, as printed and compared.
    pub text: String,
    origin: String,
    hash: [u8; 4],
    public: [u8; 32],
}

/// A state of the log that was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Records covered.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
}

impl Verifier {
    /// Reads a verifier key; `None` when it is malformed or its hash is not its own.
    pub fn parse(text: &str) -> Option<Verifier> {
        let mut fields = text.trim().splitn(3, '+');
        let (origin, hash, key) = (fields.next()?, fields.next()?, fields.next()?);
        let key = STANDARD.decode(key).ok()?;
        let public: [u8; 32] = key.strip_prefix(&[ED25519_TYPE])?.try_into().ok()?;
        let full = sha256(&[origin.as_bytes(), b"\n", &[ED25519_TYPE], &public]);
        let own = [full[0], full[1], full[2], full[3]];
        let written = u32::from_str_radix(hash, 16).ok()?.to_be_bytes();
        let text = text.trim().to_owned();
        (own == written).then(|| Verifier { text, origin: origin.to_owned(), hash: own, public })
    }

    /// The checkpoint of a note that this key signed; `None` of any other text.
    pub fn open(&self, note: &str) -> Option<Checkpoint> {
        let (body, signatures) = note.split_once("\n\n")?;
        let body = format!("{body}\n");
        signatures.lines().find(|line| self.signed(line, &body))?;
        let mut lines = body.lines();
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let root = STANDARD.decode(root).ok()?.try_into().ok()?;
        (origin == self.origin).then_some(Checkpoint { size: size.parse().ok()?, root })
    }

    fn signed(&self, line: &str, body: &str) -> bool {
        let signature = line.strip_prefix("\u{2014} ").and_then(|line| line.strip_prefix(self.origin.as_str()));
        let signature = signature.and_then(|rest| STANDARD.decode(rest.strip_prefix(' ')?).ok());
        let Some(signature) = signature.as_deref().and_then(|bytes| bytes.strip_prefix(&self.hash)) else {
            return false;
        };
        UnparsedPublicKey::new(&ED25519, self.public).verify(body.as_bytes(), signature).is_ok()
    }
}
