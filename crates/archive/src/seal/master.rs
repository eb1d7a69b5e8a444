//! The master key and where it comes from. It is never inside the data directory.

use std::path::{Path, PathBuf};

use zeroize::{Zeroize, ZeroizeOnDrop};

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
    /// There are records and no keyring to open them.
    #[error("{0} is missing though the archive holds records: restore it from a copy")]
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

/// 32 secret bytes that wrap the data keys.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MasterKey([u8; 32]);

impl MasterKey {
    /// Makes a fresh key in a new file of mode 0600; fails when the file exists. Durable
    /// when it returns.
    pub fn create_file(_path: &Path) -> Result<MasterKey, KeyError> {
        todo!()
    }
}
