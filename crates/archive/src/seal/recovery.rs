//! The recovery kit: the master key as text a person can print and type back.

use super::{KeyError, MasterKey};

/// The master key as groups of letters and digits with checksums. Whoever holds it can open
/// the data directory: shown once, kept on paper.
pub struct RecoveryKit {}

impl RecoveryKit {
    /// The kit of that key.
    pub fn of(_key: &MasterKey) -> RecoveryKit {
        todo!()
    }

    /// Text to print: numbered groups.
    pub fn text(&self) -> &str {
        todo!()
    }

    /// Reads a kit back; spaces, dashes, line numbers and case do not matter.
    pub fn parse(_text: &str) -> Result<MasterKey, KeyError> {
        todo!()
    }
}
