//! `[data]`: where the archive lives and where its master key comes from.

use std::path::{Path, PathBuf};

use leadglass_archive::KeySource;
use serde::{Deserialize, Serialize};

use super::section::section;

section! {
    /// Where the archive lives. Everything below `dir` is sealed; the master key is elsewhere.
    pub struct Data {
        /// The data directory: log, index, keyring. Made when absent, mode 0700.
        pub dir: PathBuf = PathBuf::from("/var/lib/leadglass/archive"),
        /// Where the master key comes from: `"beside"` (the file `DIR.key` next to the data
        /// directory, 0600, made at first start), `{ file = "PATH" }` (0600),
        /// `{ passphrase-file = "PATH" }` (0600, stretched by argon2id) or
        /// `{ systemd-credential = "NAME" }`.
        pub key: Key = Key::Beside,
        /// Bytes kept free on the file system: below them stores are refused (0xA700, 507)
        /// while reads go on.
        pub reserve_bytes: u64 = 512 << 20,
        /// Bytes of a log segment, allocated ahead.
        pub segment_bytes: u64 = 1 << 30,
        /// Bytes of a data set above which it streams into a file of its own.
        pub spill_bytes: u64 = 64 << 20,
    }
}

/// Where the master key comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Key {
    /// `DIR.key` next to the data directory.
    Beside,
    /// A file of mode 0600.
    File(PathBuf),
    /// A file of mode 0600 that holds a passphrase.
    PassphraseFile(PathBuf),
    /// A systemd credential.
    SystemdCredential(String),
}

impl Data {
    /// The key source as the archive knows it.
    pub fn key_source(&self) -> KeySource {
        match &self.key {
            Key::Beside => KeySource::File(beside(&self.dir, "key")),
            Key::File(path) => KeySource::File(path.clone()),
            Key::PassphraseFile(path) => KeySource::PassphraseFile(path.clone()),
            Key::SystemdCredential(name) => KeySource::SystemdCredential(name.clone()),
        }
    }
}

/// The path next to the data directory with that suffix.
pub fn beside(dir: &Path, suffix: &str) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_os_string();
    name.push(".");
    name.push(suffix);
    dir.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_never_inside_the_data_directory() {
        for dir in ["/srv/archive", "/srv/archive/", "data"] {
            let KeySource::File(key) = (Data { dir: dir.into(), ..Data::default() }).key_source() else {
                panic!("a file by default");
            };
            assert!(!key.starts_with(dir), "{dir}: {}", key.display());
        }
    }
}
