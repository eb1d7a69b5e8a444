//! The keyring: data keys and named secrets, wrapped by the master key.

use std::path::Path;

use zeroize::Zeroizing;

use super::{DataKey, KeyError, KeyId, RecoveryKit};
use crate::log::CheckpointKey;
use crate::settings::KeySource;

/// All keys of an archive. Shared by reference; its methods lock inside and block on disk
/// where they say so.
pub struct Keyring {}

impl Keyring {
    /// Opens `data_dir/keyring/`. An archive without records and without keyring gets a
    /// fresh one (and a fresh master key file when the source is an absent file).
    pub fn open_or_create(_data_dir: &Path, _source: &KeySource) -> Result<Keyring, KeyError> {
        todo!()
    }

    /// Makes a key. Not durable until [`Keyring::persist`].
    pub fn create_key(&self) -> Result<(KeyId, DataKey), KeyError> {
        todo!()
    }

    /// Makes the keys created so far durable (one fdatasync, none when nothing is pending).
    /// To be called before the log write that uses them.
    pub fn persist(&self) -> Result<(), KeyError> {
        todo!()
    }

    /// The key of that name.
    pub fn key(&self, _id: KeyId) -> Result<DataKey, KeyError> {
        todo!()
    }

    /// Whether there is such a key; `false` when it was destroyed.
    pub fn has_key(&self, _id: KeyId) -> bool {
        todo!()
    }

    /// Destroys a key: the keyring is rewritten without it, durable when this returns.
    pub fn destroy(&self, _id: KeyId) -> Result<(), KeyError> {
        todo!()
    }

    /// The key that seals trail entries.
    pub fn trail_key(&self) -> (KeyId, DataKey) {
        todo!()
    }

    /// The key that seals changes (peers, tokens, labels, tombstones).
    pub fn change_key(&self) -> (KeyId, DataKey) {
        todo!()
    }

    /// The key of the index's page encryption.
    pub fn index_key(&self) -> DataKey {
        todo!()
    }

    /// The key that signs checkpoints.
    pub fn checkpoint_key(&self) -> Result<CheckpointKey, KeyError> {
        todo!()
    }

    /// Keeps a secret under that name, replacing any before. Durable when it returns.
    pub fn put_secret(&self, _name: &str, _secret: &[u8]) -> Result<(), KeyError> {
        todo!()
    }

    /// The secret of that name.
    pub fn secret(&self, _name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        todo!()
    }

    /// Wraps everything with the key of another source, in one atomic rewrite.
    pub fn rotate_master(&self, _new: &KeySource) -> Result<(), KeyError> {
        todo!()
    }

    /// The master key as text for paper.
    pub fn recovery_kit(&self) -> RecoveryKit {
        todo!()
    }
}
