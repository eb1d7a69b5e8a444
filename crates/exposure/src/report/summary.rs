//! What a report comes to: the numbers that every form of it says.
//!
//! Findings that a baseline accepts are counted apart, and never change what is open: an
//! accepted open door is open. Deliberately absent: a score. Shares and counts can be checked
//! by hand, a score cannot.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::Serialize;

use super::baseline::Accepted;
use super::subject::{Identities, Subject};
use super::tally::{self, Counted, Group, Tally};
use super::wording::{self, Share, counted, number};
use super::{Coverage, Left, Report, System};
use crate::catalogue::{Check, Depth, checks};
use crate::engine::Ended;
use crate::evidence::Bucket;
use crate::finding::{Outcome, Severity, State};

/// What a report comes to.
#[derive(Clone, Debug)]
pub struct Summary<'report> {
    /// Systems checked, open, share, studies.
    pub systems: Tally,
    /// Open systems by how many studies they hold, fullest first; none for those that did not tell.
    pub buckets: Vec<(Option<Bucket>, u64)>,
    /// Findings by severity, without accepted ones.
    pub severities: Severities,
    /// Findings that a baseline accepts.
    pub accepted: u64,
    /// Outcomes by state, accepted findings among the findings.
    pub states: BTreeMap<State, u64>,
    /// Checks that found something, in the order in which to mend: open doors first, then by
    /// severity, then by how many systems and trees are concerned.
    pub checks: Vec<CheckSum>,
    /// Systems with findings, worst first.
    pub worst: Vec<HostSum<'report>>,
    /// By country, region, site and recognised product.
    pub countries: Vec<Group>,
    /// By region or state.
    pub regions: Vec<Group>,
    /// By site.
    pub sites: Vec<Group>,
    /// By recognised product.
    pub products: Vec<Group>,
    /// File trees.
    pub trees: Trees,
    /// How much was looked at.
    pub coverage: Share,
    /// What the report cannot say, a sentence each.
    pub limits: Vec<String>,
}

/// Findings by severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Severities {
    /// Patient data within reach of a stranger now.
    pub critical: u64,
    /// To be mended soon.
    pub high: u64,
    /// To be mended.
    pub medium: u64,
    /// Little by itself.
    pub low: u64,
    /// Worth knowing.
    pub info: u64,
}

/// What one check came to everywhere.
#[derive(Clone, Debug)]
pub struct CheckSum {
    /// The check.
    pub check: &'static Check,
    /// Its findings, without accepted ones.
    pub findings: u64,
    /// Findings that a baseline accepts.
    pub accepted: u64,
    /// Systems and trees with a finding, accepted ones too.
    pub subjects: u64,
    /// Its worst finding that is not accepted; its worst at all when all are.
    pub worst: Severity,
    /// Outcomes that passed.
    pub passed: u64,
}

/// A system with findings.
#[derive(Clone, Debug)]
pub struct HostSum<'report> {
    /// The system.
    pub system: &'report System,
    /// Whether a stranger reads patients' data there.
    pub open: bool,
    /// Its findings by severity, without accepted ones.
    pub severities: Severities,
    /// Findings that a baseline accepts.
    pub accepted: u64,
}

/// File trees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Trees {
    /// Roots walked.
    pub roots: u64,
    /// Files looked at.
    pub files: u64,
    /// DICOM files among them.
    pub dicom_files: u64,
    /// Files and folders that could not be read.
    pub unreadable: u64,
    /// Roots from which a stranger reads patients' data.
    pub exposed_roots: u64,
    /// DICOM files in those.
    pub dicom_files_in_exposed: u64,
}

impl<'report> Summary<'report> {
    /// Of a report, with what its baseline accepts.
    pub fn of(report: &'report Report, accepted: &Accepted) -> Summary<'report> {
        let identities = Identities::of(&[report]);
        let mut severities = Severities::default();
        let mut states = BTreeMap::new();
        let mut by_check: BTreeMap<&str, Sums> = BTreeMap::new();
        let mut hosts: BTreeMap<(&str, IpAddr), HostSum<'report>> = BTreeMap::new();
        for (subject, outcome) in report.seen() {
            *states.entry(outcome.state).or_default() += 1;
            let sums = by_check.entry(outcome.check.id).or_default();
            sums.passed += u64::from(outcome.state == State::Pass);
            if !outcome.is_finding() {
                continue;
            }
            let is_accepted = accepted.holds(&identities.key(&subject, outcome));
            sums.add(&subject, outcome, is_accepted);
            if !is_accepted {
                severities.add(outcome.severity);
            }
            if let super::subject::Place::Port(system, ..) = subject.place {
                let host = hosts.entry((&system.label, system.address)).or_insert_with(|| HostSum::new(system));
                host.add(outcome, is_accepted);
            }
        }
        let checked = || report.systems.iter().filter(|system| system.is_checked());
        let counting = |system: &System| Counted { open: system.is_open(), studies: system.studies };
        let mut systems = Tally::default();
        checked().for_each(|system| systems.add(counting(system)));
        let grouped = |name: fn(&System) -> Option<&str>| tally::groups(checked(), name, counting);
        Summary {
            systems,
            buckets: tally::buckets(checked().map(counting)),
            severities,
            accepted: by_check.values().map(|sums| sums.accepted).sum(),
            checks: in_order_of_need(by_check),
            worst: worst_first(hosts.into_values().collect()),
            countries: grouped(|system| system.labels.country.as_deref()),
            regions: grouped(|system| system.labels.region.as_deref()),
            sites: grouped(|system| system.labels.site.as_deref()),
            products: grouped(|system| system.product.map(crate::catalogue::Name::as_str)),
            trees: Trees::of(report),
            coverage: report.coverage.share(),
            limits: limits(report, &states),
            states,
        }
    }

    /// All findings that no baseline accepts.
    pub fn findings(&self) -> u64 {
        self.severities.total()
    }

    /// Outcomes that ended so.
    pub fn state(&self, state: State) -> u64 {
        self.states.get(&state).copied().unwrap_or(0)
    }
}

impl Coverage {
    /// How much of what was asked for was looked at: of the pairs of address and port, the
    /// hosts, the file trees and the names, the least. Nothing, where there was nothing to look at.
    pub fn share(&self) -> Share {
        if self.planned == 0 && self.hosts == 0 && self.trees == 0 {
            return Share::default();
        }
        let of = |part: u64, whole: u64| if whole == 0 { Share::WHOLE } else { Share::of(part, whole) };
        of(self.tried, self.planned)
            .min(of(self.hosts_done, self.hosts))
            .min(of(self.trees_done, self.trees))
            .min(of(self.names_found, self.names))
    }

    /// Whether the run came to its end and looked at something.
    pub fn is_whole(&self) -> bool {
        self.ended == Ended::Complete && self.share() > Share::default()
    }
}

impl Severities {
    /// Counts one finding.
    pub fn add(&mut self, severity: Severity) {
        *self.of_mut(severity) += 1;
    }

    /// How many are of a severity.
    pub fn of(mut self, severity: Severity) -> u64 {
        *self.of_mut(severity)
    }

    /// How many are at least so severe.
    pub fn at_least(self, least: Severity) -> u64 {
        wording::SEVERITIES.into_iter().filter(|severity| *severity >= least).map(|severity| self.of(severity)).sum()
    }

    /// How many there are.
    pub fn total(self) -> u64 {
        self.at_least(Severity::Info)
    }

    /// The worst there is.
    pub fn worst(self) -> Option<Severity> {
        wording::SEVERITIES.into_iter().find(|severity| self.of(*severity) > 0)
    }

    fn of_mut(&mut self, severity: Severity) -> &mut u64 {
        match severity {
            Severity::Critical => &mut self.critical,
            Severity::High => &mut self.high,
            Severity::Medium => &mut self.medium,
            Severity::Low => &mut self.low,
            Severity::Info => &mut self.info,
        }
    }
}

impl<'report> HostSum<'report> {
    fn new(system: &'report System) -> HostSum<'report> {
        HostSum { system, open: system.is_open(), severities: Severities::default(), accepted: 0 }
    }

    fn add(&mut self, outcome: &Outcome, accepted: bool) {
        if accepted {
            self.accepted += 1;
        } else {
            self.severities.add(outcome.severity);
        }
    }
}

impl Trees {
    fn of(report: &Report) -> Trees {
        let mut sum = Trees::default();
        report.trees.iter().for_each(|tree| sum.add(tree));
        sum
    }

    /// Counts one tree.
    pub fn add(&mut self, tree: &super::Tree) {
        self.roots += 1;
        self.files = self.files.saturating_add(tree.files);
        self.dicom_files = self.dicom_files.saturating_add(tree.dicom_files);
        self.unreadable = self.unreadable.saturating_add(tree.unreadable);
        if tree.is_exposed() {
            self.exposed_roots += 1;
            self.dicom_files_in_exposed = self.dicom_files_in_exposed.saturating_add(tree.dicom_files);
        }
    }
}

impl super::Tree {
    /// Whether it was there to be walked.
    pub fn is_walked(&self) -> bool {
        self.outcomes.iter().any(|outcome| outcome.state != State::Error)
    }

    /// Whether a stranger reads patients' data there.
    pub fn is_exposed(&self) -> bool {
        self.outcomes.iter().any(|outcome| outcome.is_finding() && outcome.check.opens)
    }
}

/// What one check came to, while it is being counted.
#[derive(Default)]
struct Sums {
    findings: u64,
    accepted: u64,
    passed: u64,
    worst: Option<Severity>,
    worst_accepted: Option<Severity>,
    subjects: BTreeSet<(String, Option<IpAddr>, Option<u32>)>,
}

impl Sums {
    fn add(&mut self, subject: &Subject<'_>, outcome: &Outcome, accepted: bool) {
        self.subjects.insert((subject.label.to_owned(), subject.address(), subject.root()));
        let (count, worst) = match accepted {
            true => (&mut self.accepted, &mut self.worst_accepted),
            false => (&mut self.findings, &mut self.worst),
        };
        *count += 1;
        *worst = (*worst).max(Some(outcome.severity));
    }
}

fn in_order_of_need(by_check: BTreeMap<&str, Sums>) -> Vec<CheckSum> {
    let found = checks().filter_map(|check| {
        let sums = by_check.get(check.id)?;
        Some(CheckSum {
            check,
            findings: sums.findings,
            accepted: sums.accepted,
            subjects: sums.subjects.len() as u64,
            worst: sums.worst.or(sums.worst_accepted)?,
            passed: sums.passed,
        })
    });
    let mut found: Vec<_> = found.collect();
    found.sort_by_key(|sum| {
        let need = (sum.findings > 0, sum.check.opens, sum.worst, sum.subjects);
        (std::cmp::Reverse(need), sum.check.id)
    });
    found
}

fn worst_first(mut hosts: Vec<HostSum<'_>>) -> Vec<HostSum<'_>> {
    hosts.sort_by(|a, b| {
        let of = |host: &HostSum<'_>| (host.open, host.severities, host.system.studies, host.accepted);
        let by_name = (&a.system.label, a.system.address).cmp(&(&b.system.label, b.system.address));
        of(b).cmp(&of(a)).then(by_name)
    });
    hosts
}

/// Why hosts were left before the end.
const LEFT: [Left; 6] = [Left::Strain, Left::Refused, Left::OutOfTime, Left::NotPermitted, Left::Stopped, Left::Fault];

/// What the report cannot say.
fn limits(report: &Report, states: &BTreeMap<State, u64>) -> Vec<String> {
    let of = |state: State| states.get(&state).copied().unwrap_or(0);
    let coverage = &report.coverage;
    let mut said = vec![format!(
        "Seen from {} at depth {}: from elsewhere other doors may be open.",
        wording::vantage(report.scope.vantage),
        u8::from(report.plan.depth)
    )];
    let mut say = |count: u64, sentence: String| {
        if count > 0 {
            said.push(sentence);
        }
    };
    let untried = coverage.planned.saturating_sub(coverage.tried);
    say(untried, format!("{} of {} ports of addresses were not tried.", number(untried), number(coverage.planned)));
    let unfinished = coverage.hosts.saturating_sub(coverage.hosts_done);
    say(
        unfinished,
        format!("{} of {} hosts were not looked at to the end.", number(unfinished), number(coverage.hosts)),
    );
    let unwalked = coverage.trees.saturating_sub(coverage.trees_done);
    say(unwalked, format!("{} of {} file trees could not be walked.", number(unwalked), number(coverage.trees)));
    let unfound = coverage.names.saturating_sub(coverage.names_found);
    say(
        unfound,
        format!("{} of {} names and URLs led to no address of the scope.", number(unfound), number(coverage.names)),
    );
    say(u64::from(coverage.ended != Ended::Complete), wording::ended(coverage.ended).to_owned());
    for reason in LEFT {
        let hosts = report.systems.iter().filter(|system| system.left == Some(reason)).count() as u64;
        say(hosts, format!("{}: {}.", counted(hosts, "host", "hosts"), wording::left(reason)));
    }
    let silent = coverage.silent;
    say(
        silent,
        format!("{} gave no answer at all: closed by a firewall, or not there.", counted(silent, "port", "ports")),
    );
    let refused = of(State::RefusedBefore);
    say(
        refused,
        format!(
            "{} ended before the question could be asked, which is no proof of a closed door.",
            counted(refused, "check", "checks")
        ),
    );
    let errors = of(State::Error);
    say(
        errors,
        format!("{} got an answer that no protocol allows, or none in time.", counted(errors, "check", "checks")),
    );
    let skipped = of(State::SkippedByPolicy);
    say(
        skipped,
        format!("{} not asked because depth, class or scope forbid it.", counted(skipped, "check was", "checks were")),
    );
    let unreadable: u64 = report.trees.iter().fold(0, |sum, tree| sum.saturating_add(tree.unreadable));
    say(unreadable, format!("{} could not be read.", counted(unreadable, "file or folder", "files and folders")));
    let dropped = coverage.dropped;
    say(dropped, format!("{} of imports lay outside of the scope and were dropped.", counted(dropped, "row", "rows")));
    let untold = report.systems.iter().filter(|system| system.is_open() && system.studies.is_none()).count() as u64;
    say(
        untold,
        format!(
            "{} did not tell how many studies: the sum is the least there is.",
            counted(untold, "open system", "open systems")
        ),
    );
    if report.plan.depth < Depth::Counts {
        said.push(
            "Studies were counted only where a check met a counter by itself; depth 3 asks for counts.".to_owned(),
        );
    }
    if let Some(shard) = &report.plan.shard {
        said.push(format!("This is shard {} of a larger run.", wording::plain(shard)));
    }
    said
}
