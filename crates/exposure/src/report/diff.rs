//! What changed between two reports: new, resolved, worse, better, and what could not be told.
//!
//! Silence is not a mend: a finding counts as resolved only when the later run asked the same
//! question from the same place and got the better answer, or found the door gone while it
//! looked at everything. All else is "not re-checked".

mod said;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::baseline::Accepted;
use super::subject::{At, Identities, Key};
use super::wording::Share;
use super::{Report, System};
use crate::evidence::Fact;
use crate::finding::{Confidence, Outcome, Severity, State};

/// What changed between an earlier and a later report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// The earlier report, by the SHA-256 of its body.
    pub earlier: String,
    /// The later.
    pub later: String,
    /// Findings that changed, by change, then worst first.
    pub items: Vec<Item>,
    /// Findings that are as they were.
    pub unchanged: u64,
    /// Hosts that answered or are listed in the later report only.
    pub appeared: Vec<At>,
    /// Hosts of the earlier report only.
    pub vanished: Vec<At>,
    /// Share of open systems before and after, in percent.
    pub share: [Share; 2],
    /// The worst finding of the later report that no baseline accepts.
    pub worst_now: Option<Severity>,
}

/// One finding that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    /// How it changed.
    pub change: Change,
    /// Which finding.
    #[serde(flatten)]
    pub key: Key,
    /// How bad it was; none when it was no finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<Severity>,
    /// How bad it is; none when it is no finding, or not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<Severity>,
    /// Whether a baseline accepts it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub accepted: bool,
}

/// How a finding changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It was none before.
    New,
    /// More severe than before.
    Worse,
    /// As severe, with other evidence.
    EvidenceChanged,
    /// Less severe than before.
    Better,
    /// The later run could not tell.
    NotRechecked,
    /// Looked at again, and mended.
    Resolved,
}

/// All changes, in the order in which they are told.
pub const CHANGES: [Change; 6] =
    [Change::New, Change::Worse, Change::EvidenceChanged, Change::Better, Change::NotRechecked, Change::Resolved];

impl Diff {
    /// Between an earlier and a later report, with what a baseline accepts of the later.
    pub fn of(earlier: &Report, later: &Report, accepted: &Accepted) -> Diff {
        let identities = Identities::of(&[earlier, later]);
        let own = Identities::of(&[later]);
        let accepted: BTreeSet<Key> = later
            .findings()
            .filter(|(subject, outcome)| accepted.holds(&own.key(subject, outcome)))
            .map(|(subject, outcome)| identities.key(&subject, outcome))
            .collect();
        let (before, after) = (Found::of(earlier, &identities), Found::of(later, &identities));
        let reach = Reach::of(earlier, later, &identities);
        let mut unchanged = 0;
        let mut items = Vec::new();
        let keys: BTreeSet<&Key> = before.findings.keys().chain(after.findings.keys()).collect();
        for key in keys {
            let (was, now) = (before.findings.get(key), after.findings.get(key));
            let change = match (was, now) {
                (Some(was), Some(now)) => was.changed(now),
                (None, _) => Some(Change::New),
                (Some(_), None) if after.mended(key, &reach) => Some(Change::Resolved),
                (Some(_), None) => Some(Change::NotRechecked),
            };
            let severity = |finding: Option<&Finding<'_>>| finding.map(|finding| finding.severity);
            match change {
                Some(change) => items.push(Item {
                    change,
                    key: key.clone(),
                    was: severity(was),
                    now: severity(now),
                    accepted: accepted.contains(key),
                }),
                None => unchanged += 1,
            }
        }
        items.sort_by(|a, b| {
            let of = |item: &Item| (item.change, std::cmp::Reverse(item.now.max(item.was)));
            of(a).cmp(&of(b)).then_with(|| a.key.cmp(&b.key))
        });
        let worst_now = after.findings.iter().filter(|(key, _)| !accepted.contains(*key));
        Diff {
            earlier: earlier.body_sha256(),
            later: later.body_sha256(),
            worst_now: worst_now.map(|(_, finding)| finding.severity).max(),
            items,
            unchanged,
            appeared: only_in(later, earlier, &identities),
            vanished: only_in(earlier, later, &identities),
            share: [earlier, later].map(open_share),
        }
    }

    /// Findings that changed so.
    pub fn of_change(&self, change: Change) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(move |item| item.change == change)
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.appeared.is_empty() && self.vanished.is_empty()
    }
}

/// Findings of one report under one key: the worst of them, with all their evidence.
struct Finding<'report> {
    severity: Severity,
    seen: BTreeSet<(Confidence, String)>,
    outcomes: Vec<&'report Outcome>,
}

impl Finding<'_> {
    fn changed(&self, now: &Finding<'_>) -> Option<Change> {
        match self.severity.cmp(&now.severity) {
            std::cmp::Ordering::Less => Some(Change::Worse),
            std::cmp::Ordering::Greater => Some(Change::Better),
            std::cmp::Ordering::Equal if self.seen != now.seen || self.outcomes.len() != now.outcomes.len() => {
                Some(Change::EvidenceChanged)
            }
            std::cmp::Ordering::Equal => None,
        }
    }
}

/// What one report found, and which questions it answered where.
struct Found<'report> {
    findings: BTreeMap<Key, Finding<'report>>,
    states: BTreeMap<(At, &'static str), Vec<&'report Outcome>>,
}

impl<'report> Found<'report> {
    fn of(report: &'report Report, identities: &Identities<'_>) -> Found<'report> {
        let mut found = Found { findings: BTreeMap::new(), states: BTreeMap::new() };
        for (subject, outcome) in report.seen() {
            found.states.entry((identities.at(&subject), outcome.check.id)).or_default().push(outcome);
            if outcome.is_finding() {
                let nothing = || Finding { severity: outcome.severity, seen: BTreeSet::new(), outcomes: Vec::new() };
                let finding = found.findings.entry(identities.key(&subject, outcome)).or_insert_with(nothing);
                finding.severity = finding.severity.max(outcome.severity);
                finding.seen.insert((outcome.confidence, comparable_evidence(outcome)));
                finding.outcomes.push(outcome);
            }
        }
        found
    }

    /// Whether a finding of the earlier report is mended in this one.
    fn mended(&self, key: &Key, reach: &Reach) -> bool {
        let answers = self.states.get(&(key.at.clone(), key.check));
        let Some(answers) = answers else {
            return reach.saw_the_door_gone(&key.at);
        };
        let same_part = answers.iter().filter(|outcome| same_part(&outcome.facet, &key.facet));
        let passed = |outcome: &&&Outcome| outcome.state == State::Pass;
        let mut same_part = same_part.peekable();
        if same_part.peek().is_some() {
            return same_part.all(|outcome| passed(&outcome));
        }
        let of_the_whole = |outcome: &&&Outcome| outcome.facet.is_whole();
        // The whole passed, so each part did; or every part that was found was answered by the same rules.
        answers.iter().filter(of_the_whole).any(|outcome| passed(&outcome))
            || (reach.same_rules && !key.facet.is_whole() && answers.iter().all(|outcome| outcome.is_scored()))
    }
}

fn same_part(a: &crate::finding::Facet, b: &crate::finding::Facet) -> bool {
    use crate::finding::Facet::Path;
    a == b || matches!((a, b), (Path(_), Path(_)))
}

/// Evidence without what is keyed anew for every run: hashes of folders.
fn comparable_evidence(outcome: &Outcome) -> String {
    let keyed = outcome.check.id.starts_with('F');
    let kept = outcome.evidence.facts().filter(|(_, fact)| !(keyed && matches!(fact, Fact::Hash(_))));
    kept.map(|(name, fact)| format!("{name}={fact:?};")).collect()
}

/// How far the later run can be believed about doors that it did not find.
struct Reach {
    /// The same vantage, everything tried, all of the same ports.
    complete: bool,
    /// The same version with the same rules, at least as deep.
    same_rules: bool,
    /// Nothing was silent: each port said that it is open or closed.
    none_silent: bool,
    same_scope: bool,
    ports: BTreeSet<u16>,
    /// Hosts that were looked at to the end, and whether any port of them answered.
    looked_at: BTreeMap<At, bool>,
}

impl Reach {
    fn of(earlier: &Report, later: &Report, identities: &Identities<'_>) -> Reach {
        let coverage = &later.coverage;
        let all_tried = coverage.tried >= coverage.planned && coverage.hosts_done >= coverage.hosts;
        let finished = later.systems.iter().filter(|system| system.left.is_none());
        Reach {
            complete: all_tried && later.scope.vantage == earlier.scope.vantage && later.plan.shard.is_none(),
            same_rules: later.tool == earlier.tool && later.plan.depth >= earlier.plan.depth,
            none_silent: coverage.silent == 0,
            same_scope: later.scope.sha256 == earlier.scope.sha256,
            ports: later.plan.ports.iter().copied().collect(),
            looked_at: finished.map(|system| (identities.host(system), !system.services.is_empty())).collect(),
        }
    }

    /// Whether the later run looked for this port, and found it closed.
    fn saw_the_door_gone(&self, at: &At) -> bool {
        let Some(port) = at.port else { return false };
        let host = At { port: None, ..at.clone() };
        let asked = self.same_scope || self.ports.contains(&port);
        let answered = self.looked_at.get(&host).is_some_and(|answered| *answered || self.none_silent);
        self.complete && asked && answered
    }
}

fn only_in(this: &Report, other: &Report, identities: &Identities<'_>) -> Vec<At> {
    let hosts = |report: &Report| -> BTreeSet<At> {
        let checked = report.systems.iter().filter(|system: &&System| system.is_checked());
        checked.map(|system| identities.host(system)).collect()
    };
    hosts(this).difference(&hosts(other)).cloned().collect()
}

fn open_share(report: &Report) -> Share {
    let checked = report.systems.iter().filter(|system| system.is_checked());
    let (mut open, mut all) = (0, 0);
    for system in checked {
        all += 1;
        open += u64::from(system.is_open());
    }
    Share::of(open, all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::verdict::FailOn;
    use crate::testing::report::{closed_estate, estate};

    fn between(earlier: &Report, later: &Report) -> Diff {
        Diff::of(earlier, later, &Accepted::default())
    }

    fn changes(diff: &Diff) -> BTreeSet<Change> {
        diff.items.iter().map(|item| item.change).collect()
    }

    #[test]
    fn the_same_is_no_change() {
        let report = estate();
        let mut again = report.clone();
        again.times.started += 86_400;
        let diff = between(&report, &again);
        assert!(diff.is_empty());
        assert_eq!(diff.unchanged, report.findings().count() as u64);
    }

    #[test]
    fn all_mended_and_all_new() {
        let (open, closed) = (estate(), closed_estate());
        let mended = between(&open, &closed);
        assert_eq!(changes(&mended), [Change::Resolved].into());
        assert_eq!(mended.items.len(), open.findings().count());
        let broken = between(&closed, &open);
        assert_eq!(changes(&broken), [Change::New].into());
        assert!(broken.fails(FailOn::New(Severity::High)));
        assert!(!mended.fails(FailOn::New(Severity::Info)));
    }

    #[test]
    fn who_did_not_ask_again_mended_nothing() {
        let open = estate();
        let mut silent = open.clone();
        silent.systems.iter_mut().for_each(|system| system.services.clear());
        silent.coverage.silent = 4;
        let mut stopped = open.clone();
        stopped.systems.clear();
        let mut refused = open.clone();
        for service in refused.systems.iter_mut().flat_map(|system| &mut system.services) {
            service.outcomes.iter_mut().for_each(|outcome| outcome.state = State::RefusedBefore);
        }
        let mut elsewhere = open.clone();
        elsewhere.systems.iter_mut().for_each(|system| system.services.clear());
        elsewhere.scope.vantage = crate::scope::Vantage::Internet;
        for later in [silent, stopped, refused, elsewhere] {
            let mut later = later;
            later.trees.clear();
            assert_eq!(changes(&between(&open, &later)), [Change::NotRechecked].into());
        }
    }

    #[test]
    fn a_door_that_is_gone_is_resolved_when_all_was_tried() {
        let open = estate();
        let mut gone = open.clone();
        let archive = gone.systems.iter_mut().find(|system| system.label == "archive").unwrap();
        archive.services.retain(|service| service.port != 8042);
        let diff = between(&open, &gone);
        assert_eq!(changes(&diff), [Change::Resolved].into());
        assert!(diff.items.iter().all(|item| item.key.at.port == Some(8042)));
        gone.coverage.tried -= 1;
        assert_eq!(changes(&between(&open, &gone)), [Change::NotRechecked].into());
    }

    #[test]
    fn worse_better_and_other_evidence() {
        let report = estate();
        let changed = |change: fn(&mut Outcome)| {
            let mut later = report.clone();
            let services = later.systems.iter_mut().flat_map(|system| &mut system.services);
            let mut outcomes = services.flat_map(|service| &mut service.outcomes);
            change(outcomes.find(|outcome| outcome.check.id == "D-01" && outcome.is_finding()).unwrap());
            between(&report, &later)
        };
        assert_eq!(changes(&changed(|outcome| outcome.severity = Severity::Critical)), [Change::Worse].into());
        assert_eq!(changes(&changed(|outcome| outcome.severity = Severity::Info)), [Change::Better].into());
        let seen = changed(|outcome| outcome.confidence = Confidence::Imported);
        assert_eq!(changes(&seen), [Change::EvidenceChanged].into());
    }

    #[test]
    fn a_listed_host_is_its_label_and_one_of_a_range_its_address() {
        let report = estate();
        let mut moved = report.clone();
        moved.systems[0].address = "127.9.9.9".parse().unwrap();
        assert!(between(&report, &moved).is_empty(), "a new address under the old label");
        let mut of_range = report.clone();
        of_range.systems[0].listed = false;
        let mut moved = of_range.clone();
        moved.systems[0].address = "127.9.9.9".parse().unwrap();
        let diff = between(&of_range, &moved);
        assert_eq!((diff.appeared.len(), diff.vanished.len()), (1, 1));
        assert!(diff.of_change(Change::Resolved).next().is_none());
        let text = diff.text();
        assert!(text.contains("127.9.9.9") && text.contains("Hosts that vanished"), "{text}");
    }
}
