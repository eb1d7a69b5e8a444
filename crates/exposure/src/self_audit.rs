//! An archive's own doors, to be looked at as a stranger would before they are opened.
//!
//! Deliberately absent: the look itself, which is [`crate::engine::audit`] like any other, and
//! what to do about findings, which is the archive's.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use aws_lc_rs::digest;
use leadglass_dicom::AeTitle;

use crate::catalogue::Depth;
use crate::scope::range::RangeSet;
use crate::scope::{Asset, AssetClass, Labels, Pace, Scope, Validity, Vantage};

/// How long a scope over one's own doors holds, in seconds.
const VALID_S: i64 = 3600;

/// The doors of an archive.
#[derive(Clone, Debug)]
pub struct Doors {
    /// Where DICOM over TLS answers.
    pub dicom: SocketAddr,
    /// Where HTTPS answers.
    pub https: SocketAddr,
    /// Where DICOM in clear text answers, when devices that cannot do better were declared.
    pub legacy: Option<SocketAddr>,
    /// The archive's AE Title.
    pub ae_title: AeTitle,
    /// SHA-256 of the certificate of the archive's own authority, which its owner trusts.
    pub authority_sha256: [u8; 32],
}

/// A scope that holds these doors and nothing else, from now for an hour. `now` is seconds since 1970.
pub fn scope(doors: &Doors, now: i64) -> Scope {
    let mut ports: BTreeMap<_, Vec<u16>> = BTreeMap::new();
    for door in [doors.dicom, doors.https].into_iter().chain(doors.legacy) {
        ports.entry(door.ip()).or_default().push(door.port());
    }
    let assets = ports.into_iter().map(|(address, ports)| Asset {
        // One archive, however many addresses: its doors may share a key.
        label: "own doors".to_owned(),
        class: AssetClass::Server,
        addresses: RangeSet::new([(address, address)]),
        listed: RangeSet::new([(address, address)]),
        hosts: Vec::new(),
        expected_ports: ports.clone(),
        ports,
        services: Vec::new(),
        shares: Vec::new(),
        urls: Vec::new(),
        share_links: Vec::new(),
        paths: Vec::new(),
        called_ae: Some(doors.ae_title.clone()),
        known_calling_ae: None,
        depth: None,
        // Whoever serves at an address owns it.
        public_owned: true,
        dedicated_vlan: false,
        tls_name: None,
        trail_saw_us: None,
        labels: Labels::default(),
    });
    let named = format!("{} {} {}", doors.dicom, doors.https, doors.ae_title);
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(digest::digest(&digest::SHA256, named.as_bytes()).as_ref());
    Scope {
        owner: "this archive".to_owned(),
        authorised_by: "its operator".to_owned(),
        reference: "self-audit".to_owned(),
        validity: Validity { from: now - VALID_S, until: now + VALID_S },
        windows: Vec::new(),
        vantage: Vantage::Host,
        contacts: vec!["the operator of this archive".to_owned()],
        depth: Depth::Canary,
        depth_reason: None,
        firewall_exempt: false,
        credentials: None,
        pace: Pace::new(crate::engine::CEILING, Duration::ZERO, 2),
        assets: assets.collect(),
        excluded: RangeSet::default(),
        excluded_paths: Vec::new(),
        trusted_keys: vec![doors.authority_sha256],
        signed_by: None,
        sha256,
    }
}
