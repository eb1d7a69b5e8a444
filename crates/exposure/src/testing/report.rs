//! Reports for tests: a small estate, one whose labels attack, the scan of 2019.

use std::net::{IpAddr, Ipv4Addr};

use super::NOW;
use crate::catalogue::{self, Check, Depth, Name};
use crate::evidence::{Fact, Hash, RuleId};
use crate::finding::{Confidence, Facet, Outcome, Severity, State};
use crate::report::{Coverage, FORMAT, Plan, Report, RunTimes, ScopeSummary, Service, System, Tool, Tree};
use crate::scope::{AssetClass, Labels, Vantage};

/// Texts that an owner could write into a scope to attack whoever reads the report.
pub const ATTACKS: [&str; 6] = [
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "\x1b[31mred\u{9b}2J\x07",
    "\" onload=\"alert(1)",
    "a\r\nb\tc\u{202e}d",
    "</style><img src=https://attack.invalid/x>&lt;",
];

/// A report about nothing.
pub fn empty() -> Report {
    Report {
        format: FORMAT,
        tool: Tool { name: "leadglass".to_owned(), version: "0.1.0".to_owned(), rules: "2026-11-01".to_owned() },
        scope: ScopeSummary {
            sha256: "4f".repeat(32),
            owner: "Test Hospital".to_owned(),
            authorised_by: "Test Officer".to_owned(),
            reference: "TEST-1".to_owned(),
            vantage: Vantage::ServerVlan,
            signed_by: None,
        },
        plan: Plan { depth: Depth::Canary, seed: 7, shard: None, ports: vec![104, 4242, 8042, 11112] },
        systems: Vec::new(),
        trees: Vec::new(),
        coverage: Coverage::default(),
        times: RunTimes { started: NOW, ended: NOW + 600, resumed: 0, log_head: None, announced: Vec::new() },
    }
}

/// Four hosts in two countries, two of them open, and two file trees, one exposed.
pub fn estate() -> Report {
    let mut report = empty();
    let mut archive = system("archive", 1, "DE", "North");
    archive.product = known("orthanc").or_else(|| known("Orthanc"));
    archive.studies = Some(40_000);
    archive.services = vec![
        service(104, "dicom", vec![finding("D-01"), finding("D-07"), finding("D-05"), passed("D-02")]),
        service(8042, "http", vec![finding("W-02"), finding("A-01"), state("W-03", State::RefusedBefore)]),
    ];
    let mut vulnerable = finding("V-01");
    vulnerable.facet = RuleId::parse("CVE-2023-33466").map_or(Facet::Whole, Facet::Rule);
    vulnerable.confidence = Confidence::Toolkit;
    archive.services[0].outcomes.push(vulnerable);
    let mut scanner = system("CT 2", 2, "DE", "South");
    scanner.class = AssetClass::Modality;
    scanner.services =
        vec![service(104, "dicom", vec![finding("D-01"), finding("D-05"), state("D-07", State::SkippedByPolicy)])];
    let mut portal = system("portal", 3, "CH", "South");
    portal.services = vec![service(8042, "https", vec![passed("W-02"), finding("W-08"), finding("W-10")])];
    let closed = system("closed", 4, "CH", "North");
    report.systems = vec![archive, scanner, closed, portal];
    let mut readable = finding("F-01");
    readable.facet = Facet::Path(Hash([9; 16]));
    report.trees = vec![
        tree("research share", 0, 45_000, vec![readable, finding("F-05"), passed("F-02")]),
        tree("archive", 0, 120, vec![passed("F-01"), passed("F-05")]),
    ];
    report.coverage = Coverage {
        planned: 16,
        tried: 16,
        open: 4,
        refused: 12,
        silent: 0,
        hosts: 4,
        hosts_done: 4,
        trees: 2,
        trees_done: 2,
        ..Coverage::default()
    };
    report.sort();
    report
}

/// The same estate after everything was mended.
pub fn closed_estate() -> Report {
    let mut report = estate();
    let services = report.systems.iter_mut().flat_map(|system| &mut system.services);
    let outcomes = services.flat_map(|service| &mut service.outcomes);
    for outcome in outcomes.chain(report.trees.iter_mut().flat_map(|tree| &mut tree.outcomes)) {
        *outcome = Outcome { facet: outcome.facet.clone(), ..Outcome::new(outcome.check.0, State::Pass) };
    }
    report.systems.iter_mut().for_each(|system| system.studies = None);
    report
}

/// The estate with an attack in every text that comes from the scope.
pub fn hostile() -> Report {
    let mut report = estate();
    let mut attacks = ATTACKS.into_iter().cycle();
    let mut attack = move || attacks.next().unwrap_or_default().to_owned();
    report.scope.owner = ATTACKS.concat();
    report.scope.authorised_by = ATTACKS.concat();
    report.scope.reference = ATTACKS.concat();
    for system in &mut report.systems {
        system.label = attack();
        system.labels = Labels { country: Some(attack()), region: Some(attack()), site: Some(attack()) };
    }
    for tree in &mut report.trees {
        tree.label = attack();
        tree.labels = Labels { country: Some(attack()), region: Some(attack()), site: Some(attack()) };
    }
    report.sort();
    report
}

/// Systems, open ones and studies by country: the picture of the scan of 2019 on 2,300
/// systems. Where the published figures name a country they are kept, the rest is one row.
pub const COUNTRIES: [(&str, u64, u64, u64); 8] = [
    ("US", 640, 187, 13_700_000),
    ("TR", 110, 36, 4_924_141),
    ("BR", 190, 34, 1_200_000),
    ("IN", 160, 97, 627_000),
    ("IT", 40, 10, 102_893),
    ("DE", 60, 5, 13_000),
    ("CH", 20, 2, 1_571),
    ("other", 1080, 219, 3_731_395),
];

/// The scan of 2019: 2,300 systems, 590 open, 24.3 million studies.
pub fn public_scan() -> Report {
    let mut report = empty();
    report.scope.owner = "National CERT".to_owned();
    report.scope.vantage = Vantage::Internet;
    report.plan.depth = Depth::Counts;
    let mut host = 0;
    for (country, checked, open, studies) in COUNTRIES {
        for index in 0..checked {
            host += 1;
            let label = format!("{}-{index:04}", country.to_lowercase());
            let mut system = system(&label, host, country, "North");
            system.labels.site = None;
            if index < open {
                // The remainder goes to the first, so that the sum is exact.
                let share = studies / open + if index == 0 { studies % open } else { 0 };
                system.studies = Some(share);
                system.services = vec![service(104, "dicom", vec![finding("D-01"), finding("D-07")])];
            } else if index % 3 == 0 {
                system.services =
                    vec![service(104, "dicom", vec![finding("D-01"), state("D-07", State::RefusedBefore)])];
            } else {
                system.services = vec![service(11112, "dicom-tls", vec![passed("D-07")])];
            }
            report.systems.push(system);
        }
    }
    let ports = u64::from(host) * 4;
    let open = report.systems.iter().map(|system| system.services.len() as u64).sum();
    let hosts = u64::from(host);
    report.coverage = Coverage {
        planned: ports,
        tried: ports,
        open,
        refused: ports - open,
        silent: 0,
        hosts,
        hosts_done: hosts,
        ..Coverage::default()
    };
    report.sort();
    report
}

/// A host of 192.0.2.0 and after.
pub fn system(label: &str, host: u32, country: &str, site: &str) -> System {
    let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 2, 0, 0)) + host);
    System {
        label: label.to_owned(),
        address: IpAddr::V4(address),
        class: AssetClass::Server,
        labels: Labels { country: Some(country.to_owned()), region: None, site: Some(site.to_owned()) },
        listed: true,
        product: None,
        studies: None,
        services: Vec::new(),
        left: None,
    }
}

/// A port with outcomes.
pub fn service(port: u16, speaks: &str, outcomes: Vec<Outcome>) -> Service {
    Service { port, speaks: known(speaks).unwrap_or(Name::fixed("unknown")), outcomes }
}

/// A tree with outcomes.
pub fn tree(label: &str, root: u32, dicom_files: u64, outcomes: Vec<Outcome>) -> Tree {
    Tree {
        label: label.to_owned(),
        root,
        labels: Labels::default(),
        dicom_files,
        files: dicom_files + 10,
        unreadable: 0,
        outcomes,
    }
}

/// A finding with the first name of its check as evidence.
pub fn finding(id: &str) -> Outcome {
    let mut outcome = state(id, State::Finding);
    if let Some(name) = outcome.check.names.first() {
        outcome.evidence.set(name, Fact::Count(3));
    }
    outcome
}

/// A check that passed.
pub fn passed(id: &str) -> Outcome {
    state(id, State::Pass)
}

/// A check that ended in a state.
#[expect(clippy::panic, reason = "a test that names a check that does not exist is wrong")]
pub fn state(id: &str, state: State) -> Outcome {
    let check: &'static Check = catalogue::check(id).unwrap_or_else(|| panic!("there is no check {id}"));
    let mut outcome = Outcome::new(check, state);
    if state == State::Finding {
        outcome.severity(check.severity.max(Severity::Low));
    }
    outcome
}

fn known(name: &str) -> Option<Name> {
    Name::known(name)
}
