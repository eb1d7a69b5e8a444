//! The master key and where it comes from. It is never inside the data directory.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::settings::{KeySource, OpenError};

/// What is wrong with a key or the keyring.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key source is not there.
    #[error("{0} does not exist: put the master key back there, or restore it from the recovery kit")]
    Missing(PathBuf),
    /// Others may read it.
    #[error("{path} has mode {mode:04o}: only its owner may read it; chmod 600 it")]
    Mode {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// What is there is no key.
    #[error("{path}: {what}")]
    Malformed {
        /// The key file or the recovery kit.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// The right kind of key, but not this archive's.
    #[error("the master key is not the one this keyring was made with")]
    Wrong,
    /// The keyring is not as it was written.
    #[error("the keyring is damaged at byte {offset} of {path}: restore it from a copy")]
    Damaged {
        /// The keyring file.
        path: PathBuf,
        /// Where.
        offset: u64,
    },
    /// There is no keyring to open records with.
    #[error("{0} is missing: this is no archive, or its keyring has to be restored from a copy")]
    NoKeyring(PathBuf),
    /// Never made, or destroyed: what was sealed with it is erased.
    #[error("no key {0}: destroyed or never made")]
    NoSuchKey(super::KeyId),
    /// An earlier write failed; the keyring takes no more changes until restart.
    #[error("the keyring is read-only since a write to it failed")]
    Poisoned,
    /// The name of a secret is empty or longer than 255 bytes, or the secret over 1 MiB.
    #[error("a secret needs a name of 1 to 255 bytes and at most 1 MiB")]
    SecretLimits,
    /// A group of the recovery kit is mistyped.
    #[error("recovery kit: group {0} of 8 is mistyped or missing")]
    Kit(usize),
    /// The cryptographic module refuses.
    #[error("the cryptographic module failed")]
    Broken,
    /// The operating system gives no random bytes.
    #[error("the operating system gives no random bytes")]
    Random,
    /// The operating system says no.
    #[error("{what} {path}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl KeyError {
    /// For `map_err` on an operation on `path`.
    pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> KeyError {
        move |source| KeyError::Io { what, path: path.to_owned(), source }
    }
}

impl From<KeyError> for OpenError {
    fn from(error: KeyError) -> OpenError {
        match error {
            KeyError::Io { what, path, source } => OpenError::Io { what: format!("{what} {}", path.display()), source },
            KeyError::Damaged { .. } | KeyError::NoKeyring(_) => OpenError::Damaged(error.to_string()),
            other => OpenError::Key(other.to_string()),
        }
    }
}

/// How a passphrase becomes a key: kept in the clear in the keyring's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Random, per keyring.
    pub salt: [u8; 32],
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Stretch {
    /// RFC 9106 section 4, the second recommended option: 64 MiB, 3 passes.
    pub fn fresh() -> Result<Stretch, KeyError> {
        let mut salt = [0; 32];
        super::random_bytes(&mut salt)?;
        Ok(Stretch { salt, memory_kib: 64 * 1024, passes: 3, lanes: 1 })
    }

    fn apply(&self, passphrase: &[u8]) -> Result<MasterKey, KeyError> {
        let params =
            argon2::Params::new(self.memory_kib, self.passes, self.lanes, Some(32)).map_err(|_| KeyError::Broken)?;
        let argon = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
        let mut key = MasterKey([0; 32]);
        argon.hash_password_into(passphrase, &self.salt, &mut key.0).map_err(|_| KeyError::Broken)?;
        Ok(key)
    }
}

/// 32 secret bytes that wrap the data keys. Wiped when dropped, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MasterKey([u8; 32]);

impl MasterKey {
    /// Makes a fresh key in a new file of mode 0600; fails when the file exists. Durable
    /// when it returns.
    pub fn create_file(path: &Path) -> Result<MasterKey, KeyError> {
        let mut key = MasterKey([0; 32]);
        super::random_bytes(&mut key.0)?;
        key.write_file(path)?;
        Ok(key)
    }

    /// Writes the key to a new file of mode 0600, as [`MasterKey::create_file`] does: to put
    /// back a key read from a recovery kit.
    pub fn write_file(&self, path: &Path) -> Result<(), KeyError> {
        let io = |what| KeyError::io(what, path);
        let mut text = Zeroizing::new(STANDARD.encode(self.0));
        text.push('\n');
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(io("cannot create the key file"))?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io("cannot write the key file"))?;
        sync_directory(path.parent().unwrap_or(Path::new("/")))
    }

    /// The key of those bytes.
    pub(super) fn from_bytes(bytes: [u8; 32]) -> MasterKey {
        MasterKey(bytes)
    }

    pub(super) fn secret(&self) -> &[u8; 32] {
        &self.0
    }

    /// Fetches the key from its source. An absent key file is an error.
    pub(super) fn load(source: &KeySource, stretch: &Stretch) -> Result<MasterKey, KeyError> {
        match source {
            KeySource::File(path) => parse_key(path, &read_private(path)?),
            KeySource::PassphraseFile(path) => {
                let text = read_private(path)?;
                let passphrase = text.trim_ascii();
                if passphrase.len() < 12 {
                    return Err(malformed(path, "a passphrase needs at least 12 characters"));
                }
                stretch.apply(passphrase)
            }
            KeySource::SystemdCredential(name) => {
                let path = credential_path(name)?;
                parse_key(&path, &read_private(&path)?)
            }
        }
    }

    /// Fetches the key, making a fresh key file where the source is an absent one.
    pub(super) fn load_or_create(source: &KeySource, stretch: &Stretch) -> Result<MasterKey, KeyError> {
        match source {
            KeySource::File(path) if !path.exists() => MasterKey::create_file(path),
            _ => MasterKey::load(source, stretch),
        }
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// Makes renames and new names in a directory durable.
pub(super) fn sync_directory(path: &Path) -> Result<(), KeyError> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path).and_then(|directory| directory.sync_all()).map_err(KeyError::io("cannot sync the directory", path))
}

fn malformed(path: &Path, what: &'static str) -> KeyError {
    KeyError::Malformed { path: path.to_owned(), what }
}

/// Reads a small file that nobody but its owner may read.
fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let file = File::open(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => KeyError::Missing(path.to_owned()),
        _ => KeyError::Io { what: "cannot open", path: path.to_owned(), source },
    })?;
    let mode = file.metadata().map_err(KeyError::io("cannot look at", path))?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Mode { path: path.to_owned(), mode });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(4097));
    file.take(4097).read_to_end(&mut bytes).map_err(KeyError::io("cannot read", path))?;
    if bytes.len() > 4096 {
        return Err(malformed(path, "longer than 4096 bytes"));
    }
    Ok(bytes)
}

/// 32 bytes as they are, in base64 or in hex.
fn parse_key(path: &Path, bytes: &[u8]) -> Result<MasterKey, KeyError> {
    if let Ok(raw) = <[u8; 32]>::try_from(bytes) {
        return Ok(MasterKey(raw));
    }
    let text = bytes.trim_ascii();
    let decoded = match text.len() {
        64 => hex::decode(text).ok(),
        _ => STANDARD.decode(text).ok(),
    };
    let decoded = Zeroizing::new(decoded.unwrap_or_default());
    let key = <[u8; 32]>::try_from(decoded.as_slice());
    key.map(MasterKey).map_err(|_| malformed(path, "not a key: 32 bytes in base64 or hex are expected"))
}

fn credential_path(name: &str) -> Result<PathBuf, KeyError> {
    let directory = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let directory = directory.ok_or_else(|| KeyError::Missing(PathBuf::from("$CREDENTIALS_DIRECTORY")))?;
    let mut components = Path::new(name).components();
    match (components.next(), components.next()) {
        (Some(Component::Normal(file)), None) => Ok(directory.join(file)),
        _ => Err(malformed(&directory, "the name of a credential is one file name")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRETCH: Stretch = Stretch { salt: [1; 32], memory_kib: 8, passes: 1, lanes: 1 };

    fn write(path: &Path, text: &[u8], mode: u32) {
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_fresh_file_is_private_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        let key = MasterKey::create_file(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
        let again = MasterKey::load(&KeySource::File(path.clone()), &STRETCH).unwrap();
        assert_eq!(again.secret(), key.secret());
        assert!(MasterKey::create_file(&path).is_err(), "an existing key is never overwritten");
    }

    #[test]
    fn a_file_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        for mode in [0o640, 0o604, 0o660, 0o644] {
            write(&path, &[b'a'; 64], mode);
            let refused = MasterKey::load(&KeySource::File(path.clone()), &STRETCH);
            assert!(matches!(refused, Err(KeyError::Mode { mode: m, .. }) if m == mode));
        }
        write(&path, &[b'a'; 64], 0o400);
        assert_eq!(MasterKey::load(&KeySource::File(path), &STRETCH).unwrap().secret(), &[0xAA; 32]);
    }

    #[test]
    fn nonsense_is_no_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        for text in [b"".as_slice(), b"short", &[b'g'; 64], &[b'a'; 5000]] {
            write(&path, text, 0o600);
            let refused = MasterKey::load(&KeySource::File(path.clone()), &STRETCH);
            assert!(matches!(refused, Err(KeyError::Malformed { .. })));
        }
        let missing = MasterKey::load(&KeySource::File(dir.path().join("none")), &STRETCH);
        assert!(matches!(missing, Err(KeyError::Missing(_))));
    }

    #[test]
    fn a_passphrase_is_stretched_with_the_salt() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passphrase");
        write(&path, b"correct horse battery\n", 0o600);
        let source = KeySource::PassphraseFile(path.clone());
        let one = MasterKey::load(&source, &STRETCH).unwrap();
        assert_eq!(one.secret(), MasterKey::load(&source, &STRETCH).unwrap().secret());
        assert_ne!(one.secret(), MasterKey::load(&source, &Stretch { salt: [2; 32], ..STRETCH }).unwrap().secret());
        write(&path, b"short", 0o600);
        assert!(MasterKey::load(&source, &STRETCH).is_err());
    }
}
