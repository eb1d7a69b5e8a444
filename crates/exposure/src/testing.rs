//! A run over loopback for tests, and names that must never come out of it.

pub mod report;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use leadglass_dicom::clock::ManualClock;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::catalogue::Depth;
use crate::finding::{Notes, Outcome};
use crate::net::Line;
use crate::net::rate::Rate;
use crate::probe::version::Rules;
use crate::probe::{Known, Look};
use crate::run::{Limits, Run, RunKey};
use crate::scope::range::RangeSet;
use crate::scope::{Asset, AssetClass, Labels, Pace, Scope, Validity, Vantage};
use crate::tries::Tries;

/// Where the tests' targets are.
pub const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// The hour of the tests: 2026-11-22 12:00 UTC.
pub const NOW: i64 = 1_795_348_800;
/// What hostile targets put into every field that they control.
pub const PLANTED: [&str; 4] = ["PLANTED^JANE", "PLANTED-MRN-4711", "19601231", "Planted Clinic"];

/// A scope that holds all of loopback.
pub fn scope() -> Scope {
    let loopback =
        RangeSet::new([(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), IpAddr::V4(Ipv4Addr::new(127, 255, 255, 255)))]);
    let asset = Asset {
        label: "loopback".to_owned(),
        class: AssetClass::Server,
        addresses: loopback,
        listed: RangeSet::default(),
        hosts: Vec::new(),
        ports: Vec::new(),
        expected_ports: Vec::new(),
        services: Vec::new(),
        shares: Vec::new(),
        urls: Vec::new(),
        share_links: Vec::new(),
        paths: Vec::new(),
        called_ae: None,
        known_calling_ae: None,
        depth: None,
        public_owned: false,
        dedicated_vlan: false,
        tls_name: None,
        trail_saw_us: None,
        labels: Labels::default(),
    };
    Scope {
        owner: "Test Hospital".to_owned(),
        authorised_by: "Test Officer".to_owned(),
        reference: "TEST-1".to_owned(),
        validity: Validity { from: NOW - 86_400, until: NOW + 86_400 },
        windows: Vec::new(),
        vantage: Vantage::ServerVlan,
        contacts: vec!["soc@hospital.example".to_owned()],
        depth: Depth::Credentials,
        depth_reason: Some("to test".to_owned()),
        firewall_exempt: false,
        credentials: None,
        pace: Pace { rate_per_second: 0, spacing: Duration::ZERO, modality_spacing: Duration::ZERO, hosts_at_once: 50 },
        assets: vec![asset],
        excluded: RangeSet::default(),
        excluded_paths: Vec::new(),
        trusted_keys: Vec::new(),
        signed_by: None,
        sha256: [0; 32],
    }
}

/// A run without pauses over a scope.
pub fn run(scope: Scope) -> Run {
    let now = UNIX_EPOCH + Duration::from_secs(NOW.unsigned_abs());
    Run {
        scope: Arc::new(scope),
        key: RunKey::new([7; 32], NOW),
        clock: Arc::new(ManualClock::new(now)),
        rate: Rate::per_second(0),
        limits: Limits { spacing: Duration::ZERO, conversation: Duration::from_secs(3), ..Limits::default() },
        rules: Rules::built_in(),
        tries: Tries::default(),
        stop: CancellationToken::new(),
    }
}

/// Looks at a port of loopback and gives what was learned and noted.
pub async fn look(
    run: &Run,
    port: u16,
    depth: Depth,
    at: impl AsyncFnOnce(&mut Look<'_, '_>),
) -> (Known, Vec<Outcome>) {
    let (mut line, mut known, mut notes) = (Line::new(run, LOOPBACK), Known::default(), Notes::default());
    let asset = &run.scope.assets[0];
    at(&mut Look { line: &mut line, asset, depth, port, known: &mut known, notes: &mut notes }).await;
    (known, notes.into_outcomes())
}

/// Panics when a planted name is in what would be written.
pub fn assert_no_names(written: &impl Serialize) {
    let text = serde_json::to_string(written).unwrap_or_default();
    for name in PLANTED {
        assert!(!text.contains(name), "{name} came out");
    }
}
