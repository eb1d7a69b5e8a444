//! The configuration: one typed section a file, unknown keys refused.
//!
//! An empty file is a valid configuration of a closed, encrypted archive. Deliberately
//! absent: any key that switches TLS, authentication, sealing or the trail off.

pub mod data;
pub mod dicomweb;
pub mod dimse;
pub mod identities;
pub mod legacy;
pub mod limits;
pub mod listen;
pub mod log;
pub mod manual;
pub mod oidc;
pub mod people;
pub mod scan;
pub mod section;
pub mod trail;
pub mod unknown_senders;

use std::path::{Path, PathBuf};

use leadglass_dicom::{AeTitle, Uid};
use serde::{Deserialize, Serialize};

pub use data::Data;
pub use dicomweb::DicomWeb;
pub use dimse::Dimse;
pub use identities::Identities;
pub use legacy::Legacy;
pub use limits::Limits;
pub use listen::Listen;
pub use log::Log;
pub use oidc::Oidc;
pub use people::People;
pub use scan::Scan;
pub use trail::Trail;
pub use unknown_senders::UnknownSenders;

/// Characters of a network interface's name (IFNAMSIZ without its end).
const LONGEST_INTERFACE: usize = 15;

/// Everything that can be set. Loaded once in `main`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the doors are.
    pub listen: Listen,
    /// Where the archive lives.
    pub data: Data,
    /// Bounds.
    pub limits: Limits,
    /// What reading one object may cost.
    pub scan: Scan,
    /// The DICOM door.
    pub dimse: Dimse,
    /// Whose word is trusted for people at a peer.
    pub identities: Identities,
    /// DICOMweb.
    pub dicomweb: DicomWeb,
    /// Where the trail goes.
    pub trail: Trail,
    /// People.
    pub people: People,
    /// Identity providers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub oidc: Vec<Oidc>,
    /// The server's own log.
    pub log: Log,
    /// What was said on the command line, and cannot be said here.
    #[serde(skip)]
    pub consent: Consent,
}

/// What somebody has to say each time the server starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consent {
    /// That the DICOM door is meant to be on a public address.
    pub public_dimse: bool,
}

/// Why a configuration is not taken. Names keys and reasons.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
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
    /// Both doors on one port.
    #[error("listen.https and listen.dicom must differ (PS3.15 B.12: HTTP and DIMSE over TLS use different ports)")]
    SamePort,
    /// A value out of its range.
    #[error("{key}: {reason}")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// Why.
        reason: String,
    },
}

impl Config {
    /// Reads and checks a file; without one, the defaults.
    pub fn load(path: Option<&Path>) -> Result<Config, ConfigError> {
        let Some(path) = path else {
            return Ok(Config::default());
        };
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.into(), source })?;
        let config = Config::parse(&text)
            .map_err(|error| ConfigError::Malformed { path: path.into(), reason: error.to_string() })?;
        config.check()?;
        Ok(config)
    }

    /// Parses the text of a file, unchecked.
    pub fn parse(text: &str) -> Result<Config, toml::de::Error> {
        toml::from_str(text)
    }

    /// Refuses what the types alone cannot.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.listen.https.port() == self.listen.dicom.port() && self.listen.https.port() != 0 {
            return Err(ConfigError::SamePort);
        }
        self.check_people()?;
        self.check_dimse()?;
        self.trail.check()?;
        self.check_ranges()
    }

    fn check_people(&self) -> Result<(), ConfigError> {
        let flaw = self.people.flaw().or_else(|| self.oidc.iter().find_map(Oidc::flaw));
        let mut names: Vec<&str> = self.oidc.iter().map(|provider| provider.name.as_str()).collect();
        names.sort_unstable();
        let twice = names.windows(2).any(|pair| pair[0] == pair[1]);
        match flaw.or_else(|| twice.then(|| ("oidc.name", "is there twice".into()))) {
            Some((key, reason)) => Err(ConfigError::OutOfRange { key, reason }),
            None => Ok(()),
        }
    }

    fn check_dimse(&self) -> Result<(), ConfigError> {
        let out_of_range = |key, reason: String| Err(ConfigError::OutOfRange { key, reason });
        if !self.dimse.ae_title.is_empty()
            && let Err(error) = AeTitle::parse(&self.dimse.ae_title)
        {
            return out_of_range("dimse.ae_title", error.to_string());
        }
        if self.dimse.legacy.interface.chars().count() > LONGEST_INTERFACE {
            return out_of_range("dimse.legacy.interface", "is no name of a network interface".into());
        }
        for uid in &self.dimse.private_storage_sop_classes {
            if let Err(error) = Uid::parse(uid) {
                return out_of_range("dimse.private_storage_sop_classes", error.to_string());
            }
        }
        Ok(())
    }

    fn check_ranges(&self) -> Result<(), ConfigError> {
        let (limits, scan, dimse, web) = (&self.limits, &self.scan, &self.dimse, &self.dicomweb);
        let ranges: &[(&'static str, u64, std::ops::RangeInclusive<u64>)] = &[
            ("limits.connections", limits.connections.into(), 1..=65_536),
            ("limits.connections_per_address", limits.connections_per_address.into(), 1..=65_536),
            ("limits.tls_handshake_s", limits.tls_handshake_s, 1..=60),
            ("limits.stop_s", limits.stop_s, 0..=600),
            ("limits.data_set_bytes", limits.data_set_bytes, 1 << 20..=1 << 40),
            ("limits.identifier_bytes", limits.identifier_bytes as u64, 4 << 10..=64 << 20),
            ("limits.http_header_s", limits.http_header_s, 1..=120),
            ("limits.http_header_bytes", limits.http_header_bytes as u64, 8 << 10..=1 << 20),
            ("limits.http_headers", limits.http_headers as u64, 16..=1000),
            ("limits.http_body_idle_s", limits.http_body_idle_s, 1..=3600),
            ("limits.http2_streams", limits.http2_streams.into(), 1..=1000),
            ("data.segment_bytes", self.data.segment_bytes, 1 << 20..=1 << 34),
            ("data.spill_bytes", self.data.spill_bytes, 64 << 10..=1 << 33),
            ("scan.depth", scan.depth.into(), 1..=64),
            ("scan.elements", scan.elements, 1000..=2_000_000),
            ("scan.header_bytes", scan.header_bytes, 64 << 10..=64 << 20),
            ("scan.bulk_threshold", scan.bulk_threshold.into(), 64..=64 << 10),
            ("scan.text_value_bytes", scan.text_value_bytes.into(), 64 << 10..=16 << 20),
            ("scan.inflated_bytes", scan.inflated_bytes, 1 << 20..=4 << 30),
            ("scan.inflate_ratio", scan.inflate_ratio.into(), 10..=200),
            ("scan.inflate_ratio_from", scan.inflate_ratio_from, 64 << 10..=32 << 20),
            ("scan.fragments", scan.fragments.into(), 1..=1 << 20),
            ("dimse.associations_per_peer", dimse.associations_per_peer.into(), 1..=65_536),
            ("dimse.commitments_per_peer", dimse.commitments_per_peer.into(), 1..=1000),
            ("dimse.max_pdu_bytes", dimse.max_pdu_bytes.into(), 4 << 10..=4 << 20),
            ("dimse.max_associate_bytes", dimse.max_associate_bytes.into(), 16 << 10..=4 << 20),
            ("dimse.max_command_bytes", dimse.max_command_bytes.into(), 1 << 10..=1 << 20),
            ("dimse.associate_s", dimse.associate_s, 1..=300),
            ("dimse.message_s", dimse.message_s, 1..=3600),
            ("dimse.idle_s", dimse.idle_s, 1..=86_400),
            ("dimse.connect_s", dimse.connect_s, 1..=300),
            ("dimse.commitment_retry_s", dimse.commitment_retry_s, 1..=86_400),
            ("dimse.commitment_attempts", dimse.commitment_attempts.into(), 1..=1000),
            ("dimse.unknown_senders.days", dimse.unknown_senders.days.into(), 2..=3650),
            ("dimse.unknown_senders.senders", dimse.unknown_senders.senders.into(), 1..=1000),
            ("dimse.unknown_senders.objects_per_sender", dimse.unknown_senders.objects_per_sender.into(), 1..=100_000),
            ("dimse.unknown_senders.bytes_per_sender", dimse.unknown_senders.bytes_per_sender, 1 << 20..=1 << 44),
            ("dimse.unknown_senders.objects", dimse.unknown_senders.objects.into(), 1..=100_000),
            ("dimse.unknown_senders.bytes", dimse.unknown_senders.bytes, 1 << 20..=1 << 44),
            ("dicomweb.requests", web.requests as u64, 1..=65_536),
            ("dicomweb.requests_per_caller", web.requests_per_caller as u64, 1..=65_536),
            ("dicomweb.results", web.results, 1..=1_000_000),
            ("dicomweb.default_results", web.default_results, 1..=web.results.max(1)),
            ("dicomweb.frames", web.frames as u64, 1..=1_000_000),
            ("dicomweb.parts", web.parts as u64, 1..=1_000_000),
            ("dicomweb.part_header_bytes", web.part_header_bytes as u64, 1 << 10..=1 << 20),
            ("dicomweb.file_meta_bytes", web.file_meta_bytes as u64, 1 << 10..=1 << 20),
            ("dicomweb.metadata_bytes", web.metadata_bytes as u64, 64 << 10..=1 << 30),
            ("dicomweb.held_bulk_bytes", web.held_bulk_bytes as u64, 64 << 10..=16 << 30),
            ("dicomweb.stores_in_flight", web.stores_in_flight as u64, 1..=64),
            ("dicomweb.metadata_cache_bytes", web.metadata_cache_bytes as u64, 0..=16 << 30),
            ("dicomweb.admin_body_bytes", web.admin_body_bytes as u64, 4 << 10..=16 << 20),
        ];
        for (key, value, range) in ranges {
            if !range.contains(value) {
                let reason = format!("{value} is not within {} to {}", range.start(), range.end());
                return Err(ConfigError::OutOfRange { key, reason });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_closed_default() {
        let config = Config::parse("").unwrap();
        assert_eq!(config, Config::default());
        config.check().unwrap();
        assert!(config.listen.https.ip().is_loopback() && config.listen.dicom.ip().is_loopback());
        assert_eq!(config.dimse.ae_title, "", "no title is the same everywhere");
    }

    #[test]
    fn unknown_keys_are_refused_everywhere() {
        for text in ["tls = false", "[listen]\nplain = true", "[dimse]\nae_titel = \"X\"", "[danger]\nx = 1"] {
            assert!(Config::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn one_port_for_both_doors_is_refused_unless_any() {
        let both = |port| Config::parse(&format!("[listen]\nhttps='127.0.0.1:{port}'\ndicom='127.0.0.1:{port}'"));
        assert!(matches!(both(2762).unwrap().check(), Err(ConfigError::SamePort)));
        both(0).unwrap().check().unwrap();
    }

    #[test]
    fn legacy_peers_have_no_listener_unless_one_is_named() {
        assert!(!Config::default().dimse.legacy.is_configured());
        let config = Config::parse("[dimse.legacy]\ninterface = \"eth1\"").unwrap();
        assert!(config.check().is_ok() && config.dimse.legacy.is_configured());
        for text in ["address = \"0.0.0.0\"", "interface = [\"eth0\", \"eth1\"]", "peers = []"] {
            assert!(Config::parse(&format!("[dimse.legacy]\n{text}")).is_err(), "{text}");
        }
        let long = Config::parse("[dimse.legacy]\ninterface = \"a-name-of-17-chars\"").unwrap();
        assert!(long.check().is_err());
    }

    #[test]
    fn no_key_is_a_switch() {
        fn switches(path: &str, value: &toml::Value) -> Vec<String> {
            match value {
                toml::Value::Boolean(_) => vec![path.to_owned()],
                toml::Value::Table(table) => {
                    table.iter().flat_map(|(key, value)| switches(&format!("{path}.{key}"), value)).collect()
                }
                _ => Vec::new(),
            }
        }
        let tree = toml::Value::try_from(Config::default()).unwrap();
        // It opens a waiting room, and nothing out of which anybody could read: whom it lets
        // wait shows a certificate that is believed, and what waits is sealed, found by no
        // search and taken in by nobody but a person with a name.
        assert_eq!(switches("", &tree), [".dimse.unknown_senders.quarantine"], "what weakens is not a boolean");
    }
}
