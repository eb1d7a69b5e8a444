//! `[dimse.unknown_senders]`: what becomes of what senders send that nobody knows.

use std::path::PathBuf;
use std::time::Duration;

use leadglass_archive::held::HeldSettings;

use super::section::section;

section! {
    /// Senders that nobody knows: refused, unless what they send is to wait for approval. Either
    /// way nothing of theirs can be found, fetched or counted; see docs/PEERS.md.
    pub struct UnknownSenders {
        /// Whether what they send waits, sealed, until somebody accepts it, enrols its sender or
        /// discards it. They show a certificate that is fit and of an authority that is believed;
        /// whoever shows none, or one that is or was a peer's, is refused as ever.
        pub quarantine: bool = false,
        /// Files (PEM) of authorities of devices that are believed for this beside the archive's
        /// own. Their certificates make nobody a peer.
        pub authorities: Vec<PathBuf> = Vec::new(),
        /// Days after which what nobody decided on is destroyed; told a week and a day before.
        pub days: u32 = 30,
        /// Most unknown senders of whom something waits.
        pub senders: u32 = 32,
        /// Most objects that wait of one.
        pub objects_per_sender: u32 = 5_000,
        /// Most bytes that wait of one.
        pub bytes_per_sender: u64 = 8 << 30,
        /// Most objects that wait.
        pub objects: u32 = 20_000,
        /// Most bytes that wait.
        pub bytes: u64 = 32 << 30,
    }
}

impl UnknownSenders {
    /// As the archive knows them.
    pub fn settings(&self) -> HeldSettings {
        HeldSettings {
            admits: self.quarantine,
            expires: Duration::from_secs(u64::from(self.days) * 24 * 3600),
            senders: self.senders.into(),
            objects_per_sender: self.objects_per_sender.into(),
            bytes_per_sender: self.bytes_per_sender,
            objects: self.objects.into(),
            bytes: self.bytes,
            ..HeldSettings::default()
        }
    }

    /// The authorities believed for unknown senders: none while they are refused.
    pub fn believed(&self) -> &[PathBuf] {
        if self.quarantine { &self.authorities } else { &[] }
    }
}
