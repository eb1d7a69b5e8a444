//! Many runs as one picture: what a region or a country looks like, now and over time.
//!
//! Of each place (owner, vantage, country, region, site) the newest run counts. A run that asked
//! for less than an older one, looked less deep or came less far replaces it host by host only,
//! and where it looked less deep or left a host early it can add to what is known, never take
//! away. A system that was seen from two vantages counts once, and is open when it is open from
//! one of them.
//! Deliberately absent: hosts. The fleet view speaks of places and products.

mod html;
mod said;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::Serialize;

use crate::catalogue::Name;
use crate::evidence::Bucket;
use crate::finding::Severity;
use crate::report::summary::{Severities, Trees};
use crate::report::tally::{self, Counted, Group, Tally};
use crate::report::wording::{self, Share};
use crate::report::{Report, System, Tree};
use crate::scope::{Labels, Vantage};

pub use said::{Format, write};

/// The version of the JSON form.
pub const FORMAT: u32 = 1;
/// Most days of the series; older ones are left out.
const MAX_DAYS: usize = 400;

/// Many runs as one picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fleet {
    /// [`FORMAT`].
    pub format: u32,
    /// All systems.
    pub total: Tally,
    /// Open systems by how many studies they hold, fullest first.
    pub buckets: Vec<BucketRow>,
    /// Findings of the newest runs by severity.
    pub severities: Severities,
    /// By country.
    pub countries: Vec<Group>,
    /// By region or state.
    pub regions: Vec<Group>,
    /// By site.
    pub sites: Vec<Group>,
    /// By recognised product.
    pub products: Vec<Group>,
    /// File trees.
    pub trees: Trees,
    /// The same picture at the end of each day on which a run ended.
    pub series: Vec<Day>,
    /// The runs it is made of, oldest first.
    pub runs: Vec<RunRow>,
}

/// Open systems with so many studies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BucketRow {
    /// How many studies; none when the system did not tell.
    pub studies: Option<Bucket>,
    /// How many systems.
    pub systems: u64,
}

/// The picture at the end of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Day {
    /// `2026-11-22`, UTC.
    pub date: String,
    /// All systems, as they were known then.
    #[serde(flatten)]
    pub tally: Tally,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunRow {
    /// The day on which it ended.
    pub date: String,
    /// Whose systems.
    pub owner: String,
    /// Seen from where.
    pub vantage: Vantage,
    /// SHA-256 of its body.
    pub body_sha256: String,
    /// How much of what was asked for was looked at, in percent.
    pub coverage: Share,
    /// Its own numbers.
    #[serde(flatten)]
    pub tally: Tally,
    /// Whether some of it stands in the picture; otherwise newer runs have replaced it.
    pub counts: bool,
}

/// Why runs make no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FleetError {
    /// There is none.
    #[error("no report was given; name at least one report.json")]
    Nothing,
    /// A part of a run.
    #[error("report {number} is a shard of a run; merge its shards first (leadglass exposure merge)")]
    Shard {
        /// Which of the given reports, from 1.
        number: usize,
    },
}

/// Where runs replace one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Slot<'run> {
    owner: &'run str,
    vantage: Vantage,
    labels: &'run Labels,
    trees: bool,
}

/// One system as the picture has it.
#[derive(Clone, Debug)]
struct Seen<'run> {
    labels: &'run Labels,
    product: Option<Name>,
    counted: Counted,
}

/// A host or a file tree of a slot.
type Part<'run> = (Slot<'run>, &'run str, Where);

/// Which part of an asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Where {
    Host(IpAddr),
    Root(u32),
}

/// The runs that count on some day, oldest first: of each host and tree the last that looked at
/// it as well as any before, and those that saw less of it later.
type Counting<'run> = BTreeMap<Part<'run>, Vec<usize>>;

impl Fleet {
    /// Of reports in any order.
    pub fn of(mut reports: Vec<Report>) -> Result<Fleet, FleetError> {
        if reports.is_empty() {
            return Err(FleetError::Nothing);
        }
        if let Some(shard) = reports.iter().position(|report| report.plan.shard.is_some()) {
            return Err(FleetError::Shard { number: shard + 1 });
        }
        reports.sort_by_cached_key(|report| (report.times.ended, report.body_sha256()));
        let counting = counting(&reports, i64::MAX);
        let systems = systems(&reports, &counting);
        let mut total = Tally::default();
        systems.iter().for_each(|seen| total.add(seen.counted));
        let by = |label: fn(&Labels) -> &Option<String>| {
            tally::groups(systems.iter(), |seen: &Seen<'_>| label(seen.labels).as_deref(), |seen| seen.counted)
        };
        let buckets = tally::buckets(systems.iter().map(|seen| seen.counted));
        Ok(Fleet {
            format: FORMAT,
            total,
            buckets: buckets.into_iter().map(|(studies, systems)| BucketRow { studies, systems }).collect(),
            severities: severities(&reports, &counting),
            countries: by(|labels| &labels.country),
            regions: by(|labels| &labels.region),
            sites: by(|labels| &labels.site),
            products: tally::groups(
                systems.iter(),
                |seen: &Seen<'_>| seen.product.map(Name::as_str),
                |seen| seen.counted,
            ),
            trees: trees(&reports, &counting),
            series: series(&reports),
            runs: runs(&reports, &counting),
        })
    }
}

fn slot<'run>(report: &'run Report, labels: &'run Labels, trees: bool) -> Slot<'run> {
    Slot { owner: &report.scope.owner, vantage: report.scope.vantage, labels, trees }
}

/// The runs that count among those that had ended by a second.
fn counting(reports: &[Report], until: i64) -> Counting<'_> {
    let mut slots: BTreeMap<Slot<'_>, (usize, Parts<'_>)> = BTreeMap::new();
    for (index, report) in reports.iter().enumerate().filter(|(_, report)| report.times.ended <= until) {
        for (slot, parts) in parts(report) {
            let (whole, known) = slots.entry(slot).or_insert_with(|| (index, Parts::new()));
            if replaces(report, &reports[*whole], slot.trees) {
                (*whole, *known) = (index, Parts::new());
            }
            for (part, seen_well) in parts {
                let runs = known.entry(part).or_default();
                let deepest = runs.iter().all(|run| reports[*run].plan.depth <= report.plan.depth);
                if seen_well.is_empty() || !deepest {
                    runs.push(index);
                } else {
                    *runs = vec![index];
                }
            }
        }
    }
    let all = slots.into_iter();
    all.flat_map(|(slot, (_, parts))| parts.into_iter().map(move |((label, at), runs)| ((slot, label, at), runs)))
        .collect()
}

/// Hosts and trees of one slot. Of what a report holds: not empty when it was looked at to its end.
type Parts<'run> = BTreeMap<(&'run str, Where), Vec<usize>>;

/// What a report holds, by slot.
fn parts(report: &Report) -> BTreeMap<Slot<'_>, Parts<'_>> {
    let mut slots: BTreeMap<Slot<'_>, Parts<'_>> = BTreeMap::new();
    for system in &report.systems {
        let seen_well = if system.left.is_none() { vec![0] } else { Vec::new() };
        let parts = slots.entry(slot(report, &system.labels, false)).or_default();
        parts.insert((&system.label, Where::Host(system.address)), seen_well);
    }
    for tree in &report.trees {
        let seen_well = if tree.is_walked() { vec![0] } else { Vec::new() };
        let parts = slots.entry(slot(report, &tree.labels, true)).or_default();
        parts.insert((&tree.label, Where::Root(tree.root)), seen_well);
    }
    slots
}

/// Whether a newer run stands for all that an older one knew: it asked for no less, looked no
/// less deep and came as far.
fn replaces(newer: &Report, older: &Report, trees: bool) -> bool {
    let asked = |report: &Report| if trees { report.coverage.trees } else { report.coverage.planned };
    newer.plan.depth >= older.plan.depth
        && newer.coverage.share() >= older.coverage.share()
        && asked(newer) >= asked(older)
}

fn counts(counting: &Counting<'_>, part: &Part<'_>, index: usize) -> bool {
    counting.get(part).is_some_and(|runs| runs.contains(&index))
}

/// All systems that were checked in the runs that count, each once.
fn systems<'run>(reports: &'run [Report], counting: &Counting<'run>) -> Vec<Seen<'run>> {
    let mut seen: BTreeMap<(&str, &str, IpAddr), Seen<'run>> = BTreeMap::new();
    for (index, report) in reports.iter().enumerate() {
        let of_picture = |system: &&System| {
            let part = (slot(report, &system.labels, false), system.label.as_str(), Where::Host(system.address));
            system.is_checked() && counts(counting, &part, index)
        };
        for system in report.systems.iter().filter(of_picture) {
            let counted = Counted { open: system.is_open(), studies: system.studies };
            let first = || Seen { labels: &system.labels, product: system.product, counted };
            let key = (report.scope.owner.as_str(), system.label.as_str(), system.address);
            let known = seen.entry(key).or_insert_with(first);
            known.product = system.product.or(known.product);
            known.counted.open |= counted.open;
            known.counted.studies = known.counted.studies.max(counted.studies);
        }
    }
    seen.into_values().collect()
}

fn trees<'run>(reports: &'run [Report], counting: &Counting<'run>) -> Trees {
    let mut trees: BTreeMap<(&str, &str, u32), &Tree> = BTreeMap::new();
    for (index, report) in reports.iter().enumerate() {
        for tree in &report.trees {
            let part = (slot(report, &tree.labels, true), tree.label.as_str(), Where::Root(tree.root));
            if !counts(counting, &part, index) {
                continue;
            }
            let known = trees.entry((&report.scope.owner, &tree.label, tree.root)).or_insert(tree);
            if tree.is_exposed() || !known.is_exposed() && tree.files >= known.files {
                *known = tree;
            }
        }
    }
    let mut sum = Trees::default();
    trees.into_values().for_each(|tree| sum.add(tree));
    sum
}

/// Findings of the runs that count, each once and as its worst.
fn severities(reports: &[Report], counting: &Counting<'_>) -> Severities {
    let mut worst = BTreeMap::new();
    for (index, report) in reports.iter().enumerate() {
        for (subject, outcome) in report.findings() {
            let at = match (subject.address(), subject.root()) {
                (Some(address), _) => Where::Host(address),
                (None, root) => Where::Root(root.unwrap_or_default()),
            };
            let part = (slot(report, subject.labels, subject.root().is_some()), subject.label, at);
            if counts(counting, &part, index) {
                let severity =
                    worst.entry((part, subject.port(), outcome.check.id, &outcome.facet)).or_insert(Severity::Info);
                *severity = outcome.severity.max(*severity);
            }
        }
    }
    let mut severities = Severities::default();
    worst.into_values().for_each(|severity| severities.add(severity));
    severities
}

/// The picture at the end of each day on which a run ended.
fn series(reports: &[Report]) -> Vec<Day> {
    let days: BTreeSet<i64> = reports.iter().map(|report| report.times.ended.div_euclid(86_400)).collect();
    let skipped = days.len().saturating_sub(MAX_DAYS);
    let at_end = days.into_iter().skip(skipped).map(|day| {
        let end = day.saturating_mul(86_400).saturating_add(86_399);
        let mut tally = Tally::default();
        systems(reports, &counting(reports, end)).iter().for_each(|seen| tally.add(seen.counted));
        Day { date: wording::day(end), tally }
    });
    at_end.collect()
}

fn runs(reports: &[Report], counting: &Counting<'_>) -> Vec<RunRow> {
    let counting: BTreeSet<usize> = counting.values().flatten().copied().collect();
    let row = |(index, report): (usize, &Report)| {
        let mut tally = Tally::default();
        for system in report.systems.iter().filter(|system| system.is_checked()) {
            tally.add(Counted { open: system.is_open(), studies: system.studies });
        }
        RunRow {
            date: wording::day(report.times.ended),
            owner: report.scope.owner.clone(),
            vantage: report.scope.vantage,
            body_sha256: report.body_sha256(),
            coverage: report.coverage.share(),
            tally,
            counts: counting.contains(&index),
        }
    };
    reports.iter().enumerate().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::report::{COUNTRIES, closed_estate, estate, hostile, public_scan};

    fn later(mut report: Report, days: i64) -> Report {
        report.times.ended += days * 86_400;
        report
    }

    #[test]
    fn one_scan_is_the_table_of_2019() {
        let fleet = Fleet::of(vec![public_scan()]).unwrap();
        assert_eq!((fleet.total.checked, fleet.total.open), (2300, 590));
        assert_eq!(fleet.total.share.to_string(), "25.7 %");
        assert_eq!(fleet.total.studies, 24_300_000);
        for (country, checked, open, studies) in COUNTRIES {
            let row = fleet.countries.iter().find(|row| row.name.as_deref() == Some(country)).unwrap();
            assert_eq!((row.tally.checked, row.tally.open, row.tally.studies), (checked, open, studies), "{country}");
        }
    }

    #[test]
    fn the_newest_run_of_each_place_counts_and_the_older_make_the_series() {
        let runs = || vec![estate(), later(closed_estate(), 30), later(public_scan(), 10)];
        let fleet = Fleet::of(runs()).unwrap();
        assert_eq!(fleet.total.open, 590, "the estate was mended");
        let opens: Vec<_> = fleet.series.iter().map(|day| day.tally.open).collect();
        let first = estate().systems.iter().filter(|system| system.is_open()).count() as u64;
        assert_eq!(opens, [first, first + 590, 590]);
        assert_eq!(fleet.runs.iter().map(|run| run.counts).collect::<Vec<_>>(), [false, true, true]);
        let mut turned = runs();
        turned.reverse();
        assert_eq!(Fleet::of(turned).unwrap(), fleet, "the order of the files says nothing");
    }

    #[test]
    fn a_part_takes_nothing_away_from_the_whole() {
        let whole = Fleet::of(vec![estate()]).unwrap();
        let parts: [fn(&mut Report); 5] = [
            // Stopped after one host, which is not the open one.
            |report| {
                report.systems.retain(|system| system.label == "closed");
                report.trees.clear();
                (report.coverage.tried, report.coverage.hosts_done) = (4, 1);
            },
            // A scope of one host.
            |report| {
                report.systems.retain(|system| system.label == "closed");
                report.trees.clear();
                report.coverage = crate::report::Coverage { planned: 4, tried: 4, ..Default::default() };
            },
            |report| report.plan.depth = crate::catalogue::Depth::Handshake,
            |report| {
                report.systems.iter_mut().for_each(|system| system.left = Some(crate::report::Left::Strain));
                report.coverage.hosts_done = 0;
                report.trees.clear();
            },
            |report| {
                report.systems.clear();
                report.trees.clear();
            },
        ];
        for (number, cut) in parts.into_iter().enumerate() {
            let mut part = later(closed_estate(), 1);
            cut(&mut part);
            let fleet = Fleet::of(vec![estate(), part]).unwrap();
            assert_eq!((&fleet.total, fleet.severities), (&whole.total, whole.severities), "{number}");
            assert_eq!(fleet.series.last().unwrap().tally, whole.total, "{number}");
        }
    }

    #[test]
    fn a_part_replaces_the_hosts_that_it_looked_at() {
        let mut part = later(closed_estate(), 1);
        part.systems.retain(|system| system.label == "archive");
        (part.coverage.tried, part.coverage.hosts_done) = (4, 1);
        let (before, after) = (Fleet::of(vec![estate()]).unwrap(), Fleet::of(vec![estate(), part]).unwrap());
        assert_eq!((after.total.checked, after.total.open), (before.total.checked, before.total.open - 1));
    }

    #[test]
    fn two_vantages_are_one_system() {
        let mut outside = estate();
        outside.scope.vantage = Vantage::Internet;
        let fleet = Fleet::of(vec![outside, later(closed_estate(), 1)]).unwrap();
        let alone = Fleet::of(vec![estate()]).unwrap();
        assert_eq!(fleet.total.checked, alone.total.checked);
        assert_eq!(fleet.total.open, alone.total.open, "open from the internet is open");
    }

    #[test]
    fn a_part_is_not_taken_for_the_whole() {
        let mut shard = estate();
        shard.plan.shard = Some("1/2".to_owned());
        assert_eq!(Fleet::of(vec![estate(), shard]), Err(FleetError::Shard { number: 2 }));
        assert_eq!(Fleet::of(Vec::new()), Err(FleetError::Nothing));
    }

    #[test]
    fn labels_cannot_act_in_any_form() {
        let fleet = Fleet::of(vec![hostile(), estate()]).unwrap();
        for format in Format::ALL {
            let mut bytes = Vec::new();
            write(&fleet, format, &mut bytes).unwrap();
            let text = String::from_utf8(bytes).unwrap();
            assert!(!text.chars().any(|c| c != '\n' && c != '\r' && wording::is_unseen(c)), "{format:?}");
            assert!(format != Format::Html || !text.contains("<script"));
        }
    }
}
