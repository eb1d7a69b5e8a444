//! Signed checkpoints of the tree, in the form of C2SP tlog-checkpoint: a signed note of
//! origin, size and root.
//!
//! ```text
//! leadglass/5f0c…
//! 1000
//! <root, base64>
//!
//! — leadglass/5f0c… <base64 of key hash (4) and Ed25519 signature (64)>
//! ```

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Hash, LogError, sha256};

/// Signature type of Ed25519 in C2SP signed-note.
const ED25519_TYPE: u8 = 1;

/// The Ed25519 key that signs checkpoints, and the origin it signs for.
pub struct CheckpointKey {
    pair: Ed25519KeyPair,
    verifier: CheckpointVerifier,
}

impl CheckpointKey {
    /// The key of that seed; its origin is made of its public half.
    pub(crate) fn from_seed(seed: &[u8; 32]) -> Option<CheckpointKey> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        let public = <[u8; 32]>::try_from(pair.public_key().as_ref()).ok()?;
        let origin = format!("leadglass/{}", hex::encode(&sha256(&[&public])[..8]));
        Some(CheckpointKey { pair, verifier: CheckpointVerifier { origin, public } })
    }

    /// The public half.
    pub fn verifier(&self) -> CheckpointVerifier {
        self.verifier.clone()
    }

    /// Signs that state of the tree.
    pub(super) fn sign(&self, size: u64, root: Hash) -> Checkpoint {
        let origin = &self.verifier.origin;
        let text = format!("{origin}\n{size}\n{}\n", STANDARD.encode(root));
        let signature = self.pair.sign(text.as_bytes());
        let signed = [self.verifier.key_hash().as_slice(), signature.as_ref()].concat();
        let note = format!("{text}\n\u{2014} {origin} {}\n", STANDARD.encode(signed));
        Checkpoint { size, root, note }
    }
}

/// The public half of a [`CheckpointKey`]: checks checkpoints without any secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointVerifier {
    origin: String,
    public: [u8; 32],
}

impl CheckpointVerifier {
    /// The verifier as a note verifier key: `origin+hash+base64`.
    pub fn text(&self) -> String {
        let key = [&[ED25519_TYPE], self.public.as_slice()].concat();
        format!("{}+{}+{}", self.origin, hex::encode(self.key_hash()), STANDARD.encode(key))
    }

    /// Reads what [`CheckpointVerifier::text`] gave.
    pub fn parse(text: &str) -> Result<CheckpointVerifier, LogError> {
        let bad = || LogError::BadCheckpoint("the verifier key is malformed");
        let (origin, rest) = text.trim().split_once('+').ok_or_else(bad)?;
        let (hash, key) = rest.split_once('+').ok_or_else(bad)?;
        let key = STANDARD.decode(key).map_err(|_| bad())?;
        let public = match key.split_first() {
            Some((&ED25519_TYPE, public)) => public.try_into().map_err(|_| bad())?,
            _ => return Err(bad()),
        };
        let verifier = CheckpointVerifier { origin: origin.to_owned(), public };
        if hex::encode(verifier.key_hash()) == hash { Ok(verifier) } else { Err(bad()) }
    }

    /// Checks the signature of a checkpoint and reads it.
    pub fn open(&self, note: &str) -> Result<Checkpoint, LogError> {
        let bad = LogError::BadCheckpoint;
        let (body, signatures) = note.split_once("\n\n").ok_or(bad("no signature"))?;
        let text = format!("{body}\n");
        if !signatures.lines().any(|line| self.signs(line, &text)) {
            return Err(bad("no valid signature by this log's key"));
        }
        let (origin, size, root) = parse_body(body).ok_or(bad("malformed"))?;
        if origin != self.origin {
            return Err(bad("another origin"));
        }
        Ok(Checkpoint { size, root, note: note.to_owned() })
    }

    fn signs(&self, line: &str, text: &str) -> bool {
        let signature = line.strip_prefix("\u{2014} ").and_then(|line| line.strip_prefix(&*self.origin));
        let Some(decoded) = signature.and_then(|rest| STANDARD.decode(rest.strip_prefix(' ')?).ok()) else {
            return false;
        };
        decoded.strip_prefix(&self.key_hash()).is_some_and(|signature| {
            UnparsedPublicKey::new(&ED25519, self.public).verify(text.as_bytes(), signature).is_ok()
        })
    }

    /// C2SP signed-note: first four bytes of SHA-256(name ‖ LF ‖ type ‖ public key).
    fn key_hash(&self) -> [u8; 4] {
        let hash = sha256(&[self.origin.as_bytes(), b"\n", &[ED25519_TYPE], &self.public]);
        [hash[0], hash[1], hash[2], hash[3]]
    }
}

/// A state of the tree somebody signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Leaves in the tree: the sequence of the last record covered.
    pub size: u64,
    /// Root of the tree.
    pub root: Hash,
    /// The signed note.
    pub note: String,
}

impl Checkpoint {
    /// Reads a note without checking its signature.
    pub(super) fn unverified(note: &str) -> Option<Checkpoint> {
        let (_, size, root) = parse_body(note.split_once("\n\n")?.0)?;
        Some(Checkpoint { size, root, note: note.to_owned() })
    }
}

fn parse_body(body: &str) -> Option<(&str, u64, Hash)> {
    let mut lines = body.lines();
    let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
    Some((origin, size.parse().ok()?, STANDARD.decode(root).ok()?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_opens_with_its_verifier_alone() {
        let key = CheckpointKey::from_seed(&[5; 32]).unwrap();
        let signed = key.sign(1000, [9; 32]);
        let verifier = CheckpointVerifier::parse(&key.verifier().text()).unwrap();
        assert_eq!(verifier.open(&signed.note).unwrap(), signed);
        let other = CheckpointKey::from_seed(&[6; 32]).unwrap().verifier();
        assert!(other.open(&signed.note).is_err());
        assert!(verifier.open(&signed.note.replacen("1000", "1001", 1)).is_err());
        assert!(verifier.open("nonsense").is_err());
        assert!(CheckpointVerifier::parse(&key.verifier().text().replacen('+', "x+", 1)).is_err());
    }
}
