//! What an archive needs to know to open.

use std::path::PathBuf;
use std::sync::Arc;

use leadglass_dicom::clock::Clock;
use leadglass_dicom::scan::Limits;

use crate::access::people::PeopleSettings;
use crate::held::HeldSettings;

/// How and where an archive is opened.
#[derive(Clone)]
pub struct Settings {
    /// The data directory: log, index, keyring (wrapped). Made when absent, mode 0700.
    pub data_dir: PathBuf,
    /// Where the master key comes from.
    pub key_source: KeySource,
    /// Free bytes on the data directory's file system below which stores are refused.
    pub reserve_bytes: u64,
    /// Bytes of a log segment, preallocated.
    pub segment_bytes: u64,
    /// Sealed bytes of a data set above which it streams into a file of its own.
    pub spill_bytes: u64,
    /// Bytes of the largest data set taken.
    pub max_data_set_bytes: u64,
    /// What reading a data set may cost; its size is bounded by `max_data_set_bytes`.
    pub scan: Limits,
    /// What holds for all people.
    pub people: PeopleSettings,
    /// Whether, and how much, what unknown senders send waits for approval.
    pub held: HeldSettings,
    /// The clock of records and expiries.
    pub clock: Arc<dyn Clock>,
}

/// Where the master key comes from. It is never inside the data directory.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// A file of mode 0600 (made with a fresh key when absent and the data directory is empty).
    File(PathBuf),
    /// A file that holds a passphrase, stretched by argon2id.
    PassphraseFile(PathBuf),
    /// A systemd credential of that name, in `$CREDENTIALS_DIRECTORY`.
    SystemdCredential(String),
}

/// Why an archive does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the data directory.
    #[error("the data directory is in use by another Leadglass process (lock file {0})")]
    InUse(PathBuf),
    /// The master key is missing, unreadable, of wrong mode, or not this archive's.
    #[error("master key: {0}")]
    Key(String),
    /// Something on disk is not as it was written.
    #[error("the archive is damaged: {0}")]
    Damaged(String),
    /// The operating system says no.
    #[error("{what}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}
