//! Many runs as one picture: what a region or a country looks like, now and over time.
//!
//! Of each place (owner, vantage, country, region, site) the newest run counts; a system that
//! was seen from two vantages counts once, and is open when it is open from one of them.
//! Deliberately absent: hosts. The fleet view speaks of places and products.

mod html;
mod said;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::Serialize;

use crate::catalogue::Name;
use crate::evidence::Bucket;
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

/// What the newest run is looked for of.
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

/// The runs that count on some day: the newest of each slot.
type Newest<'run> = BTreeMap<Slot<'run>, usize>;

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
        let newest = newest(&reports, i64::MAX);
        let systems = systems(&reports, &newest);
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
            severities: severities(&reports, &newest),
            countries: by(|labels| &labels.country),
            regions: by(|labels| &labels.region),
            sites: by(|labels| &labels.site),
            products: tally::groups(
                systems.iter(),
                |seen: &Seen<'_>| seen.product.map(Name::as_str),
                |seen| seen.counted,
            ),
            trees: trees(&reports, &newest),
            series: series(&reports),
            runs: runs(&reports, &newest),
        })
    }
}

fn slot<'run>(report: &'run Report, labels: &'run Labels, trees: bool) -> Slot<'run> {
    Slot { owner: &report.scope.owner, vantage: report.scope.vantage, labels, trees }
}

/// The newest run of each slot that had ended by a second.
fn newest(reports: &[Report], until: i64) -> Newest<'_> {
    let mut newest = BTreeMap::new();
    for (index, report) in reports.iter().enumerate().filter(|(_, report)| report.times.ended <= until) {
        for system in &report.systems {
            newest.insert(slot(report, &system.labels, false), index);
        }
        for tree in &report.trees {
            newest.insert(slot(report, &tree.labels, true), index);
        }
    }
    newest
}

/// All systems that were checked in the runs that count, each once.
fn systems<'run>(reports: &'run [Report], newest: &Newest<'run>) -> Vec<Seen<'run>> {
    let mut seen: BTreeMap<(&str, &str, IpAddr), Seen<'run>> = BTreeMap::new();
    for (index, report) in reports.iter().enumerate() {
        let counts =
            |system: &&System| system.is_checked() && newest.get(&slot(report, &system.labels, false)) == Some(&index);
        for system in report.systems.iter().filter(counts) {
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

fn counting_trees<'run>(reports: &'run [Report], newest: &Newest<'run>) -> impl Iterator<Item = &'run Tree> {
    let mut trees: BTreeMap<(&str, &str, u32), &Tree> = BTreeMap::new();
    for (index, report) in reports.iter().enumerate() {
        for tree in &report.trees {
            if newest.get(&slot(report, &tree.labels, true)) == Some(&index) {
                trees.insert((&report.scope.owner, &tree.label, tree.root), tree);
            }
        }
    }
    trees.into_values()
}

fn trees<'run>(reports: &'run [Report], newest: &Newest<'run>) -> Trees {
    let mut sum = Trees::default();
    counting_trees(reports, newest).for_each(|tree| sum.add(tree));
    sum
}

fn severities<'run>(reports: &'run [Report], newest: &Newest<'run>) -> Severities {
    let mut severities = Severities::default();
    for (index, report) in reports.iter().enumerate() {
        for (subject, outcome) in report.findings() {
            if newest.get(&slot(report, subject.labels, subject.root().is_some())) == Some(&index) {
                severities.add(outcome.severity);
            }
        }
    }
    severities
}

/// The picture at the end of each day on which a run ended.
fn series(reports: &[Report]) -> Vec<Day> {
    let days: BTreeSet<i64> = reports.iter().map(|report| report.times.ended.div_euclid(86_400)).collect();
    let skipped = days.len().saturating_sub(MAX_DAYS);
    let at_end = days.into_iter().skip(skipped).map(|day| {
        let end = day.saturating_mul(86_400).saturating_add(86_399);
        let mut tally = Tally::default();
        systems(reports, &newest(reports, end)).iter().for_each(|seen| tally.add(seen.counted));
        Day { date: wording::day(end), tally }
    });
    at_end.collect()
}

fn runs<'run>(reports: &'run [Report], newest: &Newest<'run>) -> Vec<RunRow> {
    let counting: BTreeSet<usize> = newest.values().copied().collect();
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
