//! Data keys and their names.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::KeyError;

/// The name of a data key: random, says nothing about the study. Zero means "not sealed".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u128);

impl KeyId {
    /// The key id of records whose parts are public (checkpoints): no key.
    pub const NONE: KeyId = KeyId(0);

    /// A fresh random id, never [`KeyId::NONE`].
    pub(crate) fn random() -> Result<KeyId, KeyError> {
        let mut bytes = [0; 16];
        random_bytes(&mut bytes)?;
        Ok(KeyId(u128::from_be_bytes(bytes).max(1)))
    }

    /// The 16 bytes of the id, as the record header and the index keep it.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The id of those bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> KeyId {
        KeyId(u128::from_be_bytes(bytes))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// 32 secret bytes that seal the records of one study, or of one system purpose.
/// Wiped when dropped, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct DataKey([u8; 32]);

impl DataKey {
    /// A fresh random key.
    pub(crate) fn random() -> Result<DataKey, KeyError> {
        let mut key = DataKey([0; 32]);
        random_bytes(&mut key.0)?;
        Ok(key)
    }

    /// The key of those bytes.
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> DataKey {
        DataKey(bytes)
    }

    /// The secret itself, for who derives from it (seal, the index's page encryption).
    pub(crate) fn secret(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

/// Fills with bytes of the operating system's generator.
pub(crate) fn random_bytes(out: &mut [u8]) -> Result<(), KeyError> {
    aws_lc_rs::rand::fill(out).map_err(|_| KeyError::Random)
}
