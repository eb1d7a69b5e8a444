//! The edge's configuration: a file of its own, unknown keys refused.
//!
//! Deliberately absent: a key that switches TLS, sealing or durability off, and an address
//! to listen on: there is only an interface by name.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use leadglass_archive::spool::SpoolSettings;
use leadglass_dicom::clock::Clock;
use leadglass_dicom::{AeTitle, Uid};
use serde::{Deserialize, Serialize};

use crate::config::data::{Data, Key};
use crate::config::section::section;
use crate::config::{Config, Log, Scan};
use crate::interfaces::private::is_private;
use crate::shield::config::EdgeShield;

/// Everything that can be set for an edge.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EdgeConfig {
    /// Where modalities are listened to.
    pub listen: EdgeListen,
    /// The archive that objects are sent on to.
    pub archive: EdgeArchive,
    /// Where objects wait.
    pub spool: EdgeSpool,
    /// Bounds.
    pub limits: EdgeLimits,
    /// What reading one object may cost.
    pub scan: Scan,
    /// The edge's own log.
    pub log: Log,
    /// The modalities; none on an edge that is a shield alone.
    pub modality: Vec<Modality>,
    /// The old archive that the edge is a shield of.
    pub shield: Option<EdgeShield>,
    /// The shield's own doors, data directory and bounds, as of an archive.
    pub serve: Config,
}

section! {
    /// Where modalities are listened to, in clear text: one interface by its name. An
    /// interface that has a public address is refused; there is no address to set.
    pub struct EdgeListen {
        /// The name of the network interface, as `ip link` shows it. `lo` for a modality's
        /// software on this very machine.
        pub interface: String = String::from("lo"),
        /// The TCP port. 0 takes any free one.
        pub port: u16 = 11112,
    }
}

section! {
    /// The archive that objects are sent on to, over mutual TLS alone. For each modality its
    /// AE title is enrolled there with the edge's certificate: `leadglass peer add CT1 --verbs
    /// store --out DIR` once, `leadglass peer add MR1 --verbs store --certificate
    /// DIR/cert.pem` for each further one.
    pub struct EdgeArchive {
        /// `host:port` of its DICOM door.
        pub address: String = String::new(),
        /// Its AE title.
        pub ae_title: String = String::new(),
        /// The folder that `leadglass peer add --out` wrote: `cert.pem`, `key.pem`, `ca.pem`.
        pub bundle: PathBuf = PathBuf::from("/etc/leadglass/edge"),
        /// When an object leaves the spool: `"stored"` (the archive acknowledged it, which is
        /// after it is durable there) or `"committed"` (and answered a storage commitment
        /// request for it; the peers need the verb `commit`).
        pub remove_after: RemoveAfter = RemoveAfter::Stored,
        /// Seconds to connect.
        pub connect_s: u64 = 5,
        /// Seconds before the first new attempt after a failure; doubled with each further one.
        pub retry_first_s: u64 = 1,
        /// Seconds between attempts at most.
        pub retry_longest_s: u64 = 60,
        /// How often an object is tried that the archive answers with a failure that may pass
        /// (not: out of resources, which is waited for without end) before it is set apart.
        pub attempts: u32 = 20,
        /// Seconds to wait for the report of a storage commitment request.
        pub commitment_s: u64 = 60,
        /// Private Storage SOP classes that are taken beside the standard ones.
        pub private_storage_sop_classes: Vec<String> = Vec::new(),
    }
}

/// When an object leaves the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RemoveAfter {
    /// The archive acknowledged it.
    Stored,
    /// And committed to it.
    Committed,
}

section! {
    /// Where objects wait. Everything below `dir` is sealed; the master key is elsewhere.
    pub struct EdgeSpool {
        /// The edge's data directory. Made when absent, mode 0700.
        pub dir: PathBuf = PathBuf::from("/var/lib/leadglass/edge"),
        /// Where the master key comes from, as for an archive: `"beside"` (the file `DIR.key`
        /// next to the directory, 0600, made at first start), `{ file = "PATH" }`,
        /// `{ passphrase-file = "PATH" }` or `{ systemd-credential = "NAME" }`.
        pub key: Key = Key::Beside,
        /// Bytes of all objects together above which modalities are told 0xA700.
        pub max_bytes: u64 = 64 << 30,
        /// Bytes kept free on the file system; below them modalities are told 0xA700.
        pub reserve_bytes: u64 = 512 << 20,
    }
}

section! {
    /// Bounds on what a modality may send or hold open. None of them can be switched off.
    pub struct EdgeLimits {
        /// Open connections.
        pub connections: u32 = 128,
        /// Open connections from one address.
        pub connections_per_address: u32 = 32,
        /// Bytes of the largest data set taken.
        pub data_set_bytes: u64 = 16 << 30,
        /// Bytes of the largest P-DATA PDU we receive, as we announce it.
        pub max_pdu_bytes: u32 = 256 << 10,
        /// Seconds for the A-ASSOCIATE-RQ to arrive (ARTIM, PS3.8 9.1.5).
        pub associate_s: u64 = 30,
        /// Seconds of silence inside a message, or of the modality not taking our bytes.
        pub message_s: u64 = 60,
        /// Seconds of silence between messages.
        pub idle_s: u64 = 600,
        /// Seconds that objects on their way are given when the edge stops.
        pub stop_s: u64 = 30,
    }
}

/// A modality: who may send here, exactly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Modality {
    /// The calling AE title; the archive sees it.
    pub ae_title: String,
    /// The one address it comes from: private or loopback, no range.
    pub address: IpAddr,
    /// The AE title it calls us by.
    pub called: String,
    /// What it may do: `store`, `find` (queries, worklists), `retrieve` (C-GET).
    pub verbs: Vec<EdgeVerb>,
}

/// What a modality may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EdgeVerb {
    /// C-STORE, into the spool.
    Store,
    /// C-FIND, passed through to the archive.
    Find,
    /// C-GET, passed through to the archive.
    Retrieve,
}

/// Why a configuration is not taken.
#[derive(Debug, thiserror::Error)]
pub enum EdgeConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML of the known keys.
    #[error("{path}: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// A value that cannot be.
    #[error("{key}: {reason}")]
    Value {
        /// The key.
        key: String,
        /// Why.
        reason: String,
    },
}

impl EdgeConfig {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// It cannot be read, has unknown keys, or a value that cannot be.
    pub fn load(path: &Path) -> Result<EdgeConfig, EdgeConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| EdgeConfigError::Unreadable { path: path.into(), source })?;
        let mut config = EdgeConfig::parse(&text)
            .map_err(|error| EdgeConfigError::Malformed { path: path.into(), reason: error.to_string() })?;
        for dir in [&mut config.spool.dir, &mut config.serve.data.dir] {
            let absolute = std::path::absolute(&*dir);
            *dir = absolute.map_err(|source| EdgeConfigError::Unreadable { path: dir.clone(), source })?;
        }
        config.check()?;
        Ok(config)
    }

    /// Parses the text of a file, unchecked.
    ///
    /// # Errors
    /// It is no TOML, or has unknown keys.
    pub fn parse(text: &str) -> Result<EdgeConfig, toml::de::Error> {
        toml::from_str(text)
    }

    /// Refuses what the types alone cannot.
    ///
    /// # Errors
    /// Names the key and the reason.
    pub fn check(&self) -> Result<(), EdgeConfigError> {
        match &self.shield {
            Some(shield) => self.check_shield(shield)?,
            None if self.modality.is_empty() => {
                return value("modality", "name at least one ([[modality]]), or a [shield]");
            }
            None if self.serve != Config::default() => return value("serve", "is for a [shield] alone"),
            None => {}
        }
        if self.modality.is_empty() {
            return Ok(());
        }
        for modality in &self.modality {
            self.check_modality(modality)?;
        }
        title("archive.ae_title", &self.archive.ae_title)?;
        if !self
            .archive
            .address
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0))
        {
            return value("archive.address", "is host:port");
        }
        for uid in &self.archive.private_storage_sop_classes {
            if let Err(error) = Uid::parse(uid) {
                return value("archive.private_storage_sop_classes", &error.to_string());
            }
        }
        self.check_ranges()
    }

    fn check_shield(&self, shield: &EdgeShield) -> Result<(), EdgeConfigError> {
        shield.check()?;
        self.serve
            .check()
            .map_err(|error| EdgeConfigError::Value { key: "serve".into(), reason: error.to_string() })?;
        if self.serve.dimse.legacy.is_configured() {
            return value(
                "serve.dimse.legacy",
                "a shield has no legacy peers: modalities in clear text are [[modality]]",
            );
        }
        if self.serve.data.dir == Config::default().data.dir || self.serve.data.dir == self.spool.dir {
            return value("serve.data.dir", "name a directory of the shield's own: not an archive's, not the spool's");
        }
        Ok(())
    }

    fn check_modality(&self, modality: &Modality) -> Result<(), EdgeConfigError> {
        title("modality.ae_title", &modality.ae_title)?;
        title("modality.called", &modality.called)?;
        if !is_private(modality.address) {
            let reason = format!("{} is public: a modality without TLS is on a private network", modality.address);
            return value("modality.address", &reason);
        }
        if modality.verbs.is_empty() {
            return value("modality.verbs", "are store, find, retrieve: name at least one");
        }
        let same = |other: &&Modality| other.ae_title == modality.ae_title && other.address == modality.address;
        if self.modality.iter().filter(same).count() > 1 {
            return value(
                "modality.ae_title",
                &format!("{} at {} is there twice", modality.ae_title, modality.address),
            );
        }
        Ok(())
    }

    fn check_ranges(&self) -> Result<(), EdgeConfigError> {
        let (archive, limits, scan) = (&self.archive, &self.limits, &self.scan);
        let ranges: &[(&str, u64, RangeInclusive<u64>)] = &[
            ("archive.connect_s", archive.connect_s, 1..=300),
            ("archive.retry_first_s", archive.retry_first_s, 1..=3600),
            ("archive.retry_longest_s", archive.retry_longest_s, archive.retry_first_s..=86_400),
            ("archive.attempts", archive.attempts.into(), 1..=1_000_000),
            ("archive.commitment_s", archive.commitment_s, 1..=3600),
            ("spool.max_bytes", self.spool.max_bytes, 1 << 20..=1 << 50),
            ("limits.connections", limits.connections.into(), 1..=65_536),
            ("limits.connections_per_address", limits.connections_per_address.into(), 1..=65_536),
            ("limits.data_set_bytes", limits.data_set_bytes, 1 << 20..=1 << 40),
            ("limits.max_pdu_bytes", limits.max_pdu_bytes.into(), 4 << 10..=4 << 20),
            ("limits.associate_s", limits.associate_s, 1..=300),
            ("limits.message_s", limits.message_s, 1..=3600),
            ("limits.idle_s", limits.idle_s, 1..=86_400),
            ("limits.stop_s", limits.stop_s, 0..=600),
            ("scan.depth", scan.depth.into(), 1..=64),
            ("scan.elements", scan.elements, 1000..=2_000_000),
            ("scan.header_bytes", scan.header_bytes, 64 << 10..=64 << 20),
            ("scan.bulk_threshold", scan.bulk_threshold.into(), 64..=64 << 10),
            ("scan.text_value_bytes", scan.text_value_bytes.into(), 64 << 10..=16 << 20),
            ("scan.inflated_bytes", scan.inflated_bytes, 1 << 20..=4 << 30),
            ("scan.inflate_ratio", scan.inflate_ratio.into(), 10..=200),
            ("scan.inflate_ratio_from", scan.inflate_ratio_from, 64 << 10..=32 << 20),
            ("scan.fragments", scan.fragments.into(), 1..=1 << 20),
        ];
        for (key, given, range) in ranges {
            if !range.contains(given) {
                return value(key, &format!("{given} is not within {} to {}", range.start(), range.end()));
            }
        }
        Ok(())
    }

    /// How the spool is opened.
    pub fn spool_settings(&self, clock: Arc<dyn Clock>) -> SpoolSettings {
        SpoolSettings {
            data_dir: self.spool.dir.clone(),
            key_source: self.spool.key_source(),
            max_bytes: self.spool.max_bytes,
            reserve_bytes: self.spool.reserve_bytes,
            scan: self.scan.limits(self.limits.data_set_bytes),
            clock,
        }
    }
}

impl EdgeSpool {
    /// Where the master key comes from.
    pub fn key_source(&self) -> leadglass_archive::KeySource {
        Data { dir: self.dir.clone(), key: self.key.clone(), ..Data::default() }.key_source()
    }
}

impl EdgeLimits {
    /// As the protocol crate knows them.
    pub fn association(&self) -> leadglass_dimse::Limits {
        leadglass_dimse::Limits {
            max_pdu_bytes: self.max_pdu_bytes,
            associate_timeout: std::time::Duration::from_secs(self.associate_s),
            message_timeout: std::time::Duration::from_secs(self.message_s),
            idle_timeout: std::time::Duration::from_secs(self.idle_s),
            ..leadglass_dimse::Limits::default()
        }
    }
}

fn title(key: &str, text: &str) -> Result<(), EdgeConfigError> {
    match AeTitle::parse(text) {
        Ok(_) => Ok(()),
        Err(error) => value(key, &error.to_string()),
    }
}

fn value<T>(key: &str, reason: &str) -> Result<T, EdgeConfigError> {
    Err(EdgeConfigError::Value { key: key.to_owned(), reason: reason.to_owned() })
}
