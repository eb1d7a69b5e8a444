//! Detached Ed25519 signatures (RFC 8032) over scopes and reports: a small text file beside the
//! signed one.
//!
//! What is signed begins with the purpose, so that a scope's signature is never a report's.
//! Deliberately absent: trust. Whose key it is, the reader has to know.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use aws_lc_rs::rand::SecureRandom;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use zeroize::Zeroizing;

/// The version of the file's form, in its first line.
const HEADER: &str = "leadglass-signature 1";
/// Largest key or signature file that is read, in bytes.
const MAX_BYTES: u64 = 4096;

/// What a signature is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A scope file, by who authorises.
    Scope,
    /// A report, by who made it.
    Report,
}

/// A public key, 32 bytes; hexadecimal in text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

/// A text that is no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a public key is 64 hexadecimal digits, as sign prints it")]
pub struct NotAPublicKey;

/// A signature that was demanded is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    /// Nobody signed.
    #[error("it is not signed; {0} was to have signed it")]
    ByAnybody(PublicKey),
    /// Somebody else did.
    #[error("it is signed by {by}; {demanded} was to have signed it")]
    ByAnother {
        /// Who did.
        by: PublicKey,
        /// Who was to.
        demanded: PublicKey,
    },
}

/// A key that signs.
pub struct SigningKey(Ed25519KeyPair);

/// Why there is no signature, or none that holds.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// The signature is of other bytes, for another purpose, or by another key than it says.
    #[error("the signature does not hold: the file or the signature was changed, or it is for something else")]
    Wrong,
    /// No signature file.
    #[error("the signature file is none of this version: {HEADER}")]
    Malformed,
    /// No key in the file.
    #[error("the file holds no Ed25519 private key in PKCS#8 PEM form")]
    NoKey,
    /// The file of a key that others can read.
    #[error("the key file can be read by others than its owner; chmod 600 it, and ask whether it still is a secret")]
    Readable,
    /// No randomness to be had.
    #[error("there is no randomness to make a key from")]
    NoRandomness,
    /// A file cannot be read or written.
    #[error("the key or signature file cannot be read or written")]
    Io(#[from] io::Error),
}

impl SigningKey {
    /// A new key.
    pub fn generate(random: &dyn SecureRandom) -> Result<SigningKey, SignatureError> {
        let mut seed = Zeroizing::new([0; 32]);
        random.fill(&mut *seed).map_err(|_| SignatureError::NoRandomness)?;
        Ed25519KeyPair::from_seed_unchecked(&*seed).map(SigningKey).map_err(|_| SignatureError::NoKey)
    }

    /// Writes the key to a new file that only its owner can read: PKCS#8 (RFC 8410), PEM.
    /// There must be no file yet.
    pub fn write(&self, path: &Path) -> Result<(), SignatureError> {
        let document = self.0.to_pkcs8v1().map_err(|_| SignatureError::NoKey)?;
        let base64 = Zeroizing::new(STANDARD.encode(document.as_ref()));
        let pem = Zeroizing::new(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", *base64));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(pem.as_bytes())?;
        file.sync_all()?;
        Ok(())
    }

    /// Reads a key that [`SigningKey::write`] or openssl wrote. Refuses a file that others can read.
    pub fn read(path: &Path) -> Result<SigningKey, SignatureError> {
        let file = File::open(path)?;
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            return Err(SignatureError::Readable);
        }
        let mut pem = Zeroizing::new(Vec::new());
        file.take(MAX_BYTES).read_to_end(&mut pem)?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(&pem).map_err(|_| SignatureError::NoKey)?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.secret_pkcs8_der());
        pair.map(SigningKey).map_err(|_| SignatureError::NoKey)
    }

    /// The key to verify with.
    pub fn public(&self) -> PublicKey {
        let mut public = [0; 32];
        public.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(public)
    }

    /// Signs bytes for a purpose; the text of the file to put beside them.
    pub fn sign(&self, purpose: Purpose, bytes: &[u8]) -> String {
        let signature = STANDARD.encode(self.0.sign(&purpose.message(bytes)));
        format!("{HEADER} {purpose}\nkey ed25519 {}\nsignature {signature}\n", self.public())
    }
}

/// Who signed these bytes for this purpose, when the signature holds.
pub fn verify(purpose: Purpose, bytes: &[u8], signature: &str) -> Result<PublicKey, SignatureError> {
    let mut lines = signature.lines();
    let mut after = |start: &str| lines.next().and_then(|line| line.strip_prefix(start)).map(str::trim);
    let said = after(HEADER).ok_or(SignatureError::Malformed)?;
    let key = after("key ed25519 ").ok_or(SignatureError::Malformed)?;
    let signature = after("signature ").ok_or(SignatureError::Malformed)?;
    if lines.any(|line| !line.trim().is_empty()) {
        return Err(SignatureError::Malformed);
    }
    let mut public = [0; 32];
    hex::decode_to_slice(key, &mut public).map_err(|_| SignatureError::Malformed)?;
    let signature = STANDARD.decode(signature).map_err(|_| SignatureError::Malformed)?;
    if said != purpose.as_str() {
        return Err(SignatureError::Wrong);
    }
    let verifier = UnparsedPublicKey::new(&ED25519, public);
    verifier.verify(&purpose.message(bytes), &signature).map_err(|_| SignatureError::Wrong)?;
    Ok(PublicKey(public))
}

/// Where the signature of a file is: `FILE.sig`.
pub fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sig");
    PathBuf::from(name)
}

/// Who signed a file that was read, when there is a signature beside it; one that does not hold
/// is an error, not an absent one.
pub fn verify_beside(purpose: Purpose, path: &Path, bytes: &[u8]) -> Result<Option<PublicKey>, SignatureError> {
    let file = match File::open(beside(path)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut text = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut text)?;
    let text = std::str::from_utf8(&text).map_err(|_| SignatureError::Malformed)?;
    verify(purpose, bytes, text).map(Some)
}

/// Whether the one who was demanded signed, when one was. A signature that holds only says that
/// someone signed; who may, its reader knows.
pub fn demand(demanded: Option<PublicKey>, signed_by: Option<PublicKey>) -> Result<(), NotSigned> {
    match (demanded, signed_by) {
        (Some(demanded), None) => Err(NotSigned::ByAnybody(demanded)),
        (Some(demanded), Some(by)) if by != demanded => Err(NotSigned::ByAnother { by, demanded }),
        _ => Ok(()),
    }
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Purpose::Scope => "scope",
            Purpose::Report => "report",
        }
    }

    /// What is signed: no purpose's message is the beginning of another's, for the zero byte.
    fn message(self, bytes: &[u8]) -> Vec<u8> {
        let mut message = format!("{HEADER} {self}").into_bytes();
        message.push(0);
        message.extend_from_slice(bytes);
        message
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for PublicKey {
    type Err = NotAPublicKey;

    fn from_str(text: &str) -> Result<PublicKey, NotAPublicKey> {
        let mut key = [0; 32];
        hex::decode_to_slice(text.trim(), &mut key).map_err(|_| NotAPublicKey)?;
        Ok(PublicKey(key))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;

    use super::*;

    fn key() -> SigningKey {
        SigningKey::generate(&SystemRandom::new()).unwrap()
    }

    #[test]
    fn what_was_signed_holds_and_nothing_else() {
        let key = key();
        let signature = key.sign(Purpose::Scope, b"owner");
        assert_eq!(verify(Purpose::Scope, b"owner", &signature).unwrap(), key.public());
        assert!(matches!(verify(Purpose::Scope, b"owned", &signature), Err(SignatureError::Wrong)));
        assert!(matches!(verify(Purpose::Report, b"owner", &signature), Err(SignatureError::Wrong)));
        // Calling it a report's does not make it one.
        let renamed = signature.replace("1 scope", "1 report");
        assert!(matches!(verify(Purpose::Report, b"owner", &renamed), Err(SignatureError::Wrong)));
        let other = signature.replace(&key.public().to_string(), &self::key().public().to_string());
        assert!(matches!(verify(Purpose::Scope, b"owner", &other), Err(SignatureError::Wrong)));
    }

    #[test]
    fn what_is_no_signature_file_is_said_to_be_none() {
        let signature = key().sign(Purpose::Scope, b"owner");
        let cut = signature.lines().next().unwrap().to_owned();
        let later = signature.replace("signature 1", "signature 2");
        let longer = format!("{signature}more\n");
        for text in ["", "PLANTED", &cut, &later, &longer] {
            assert!(matches!(verify(Purpose::Scope, b"owner", text), Err(SignatureError::Malformed)), "{text}");
        }
    }

    #[test]
    fn who_signed_is_demanded() {
        let (ours, another) = (key().public(), key().public());
        assert_eq!(demand(Some(ours), Some(ours)), Ok(()));
        assert_eq!(demand(None, Some(another)), Ok(()));
        assert_eq!(demand(Some(ours), None), Err(NotSigned::ByAnybody(ours)));
        assert_eq!(demand(Some(ours), Some(another)), Err(NotSigned::ByAnother { by: another, demanded: ours }));
        assert_eq!(ours.to_string().parse(), Ok(ours));
        for text in ["", "ab", "PLANTED", &ours.to_string()[1..]] {
            assert_eq!(text.parse::<PublicKey>(), Err(NotAPublicKey), "{text}");
        }
    }

    #[test]
    fn a_key_is_its_owners_and_no_file_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.key");
        let key = key();
        key.write(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(SigningKey::read(&path).unwrap().public(), key.public());
        assert!(matches!(key.write(&path), Err(SignatureError::Io(_))));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(SigningKey::read(&path), Err(SignatureError::Readable)));
    }

    #[test]
    fn a_wrong_signature_beside_a_file_is_an_error_and_an_absent_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scope.toml");
        assert_eq!(verify_beside(Purpose::Scope, &path, b"owner").unwrap(), None);
        let key = key();
        std::fs::write(beside(&path), key.sign(Purpose::Scope, b"owner")).unwrap();
        assert_eq!(verify_beside(Purpose::Scope, &path, b"owner").unwrap(), Some(key.public()));
        assert!(matches!(verify_beside(Purpose::Scope, &path, b"owned"), Err(SignatureError::Wrong)));
    }
}
