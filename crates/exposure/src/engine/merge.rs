//! Shards of one plan put together again: what one run over all hosts would have said.

use std::collections::BTreeSet;

use super::{Shard, assemble};
use crate::report::Report;

/// Why reports are not shards of one run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// There is none.
    #[error("there is no report to merge")]
    Nothing,
    /// One is of another scope, seed, depth or tool.
    #[error("the reports differ in {0}: they are not shards of one run")]
    Differ(&'static str),
    /// One is not a shard.
    #[error("a report is no shard of a run: it says nothing of `k/n`")]
    NoShard,
    /// A shard comes twice.
    #[error("shard {0} comes twice")]
    Twice(String),
    /// A shard is missing.
    #[error("shard {0} is missing")]
    Missing(String),
    /// Two shards looked at the same host or tree.
    #[error("two shards hold the same host or file tree: they are not shards of one run")]
    Overlap,
}

/// Merges all shards of a run.
pub fn merge(reports: Vec<Report>) -> Result<Report, MergeError> {
    let shards = shards(&reports)?;
    let mut reports = reports.into_iter();
    let mut merged = reports.next().ok_or(MergeError::Nothing)?;
    merged.plan.shard = None;
    merged.times.log_head = None;
    for report in reports {
        same(&merged, &report)?;
        add(&mut merged, report);
    }
    let hosts: BTreeSet<_> = merged.systems.iter().map(|system| system.address).collect();
    let trees: BTreeSet<_> = merged.trees.iter().map(|tree| (&tree.label, tree.root)).collect();
    if hosts.len() != merged.systems.len() || trees.len() != merged.trees.len() {
        return Err(MergeError::Overlap);
    }
    complete(&shards)?;
    assemble::finish(&mut merged);
    Ok(merged)
}

fn shards(reports: &[Report]) -> Result<Vec<Shard>, MergeError> {
    let shard = |report: &Report| report.plan.shard.as_deref().and_then(|shard| shard.parse().ok());
    reports.iter().map(|report| shard(report).ok_or(MergeError::NoShard)).collect()
}

/// Each shard once.
fn complete(shards: &[Shard]) -> Result<(), MergeError> {
    let of = shards.first().map_or(0, |shard| shard.of());
    if shards.iter().any(|shard| shard.of() != of) {
        return Err(MergeError::Differ("the number of shards"));
    }
    for number in 1..=of {
        match shards.iter().filter(|shard| shard.number() == number).count() {
            0 => return Err(MergeError::Missing(format!("{number}/{of}"))),
            1 => {}
            _ => return Err(MergeError::Twice(format!("{number}/{of}"))),
        }
    }
    Ok(())
}

fn same(a: &Report, b: &Report) -> Result<(), MergeError> {
    let same = [
        (a.format == b.format, "their format"),
        (a.tool == b.tool, "tool or rules"),
        (a.scope == b.scope, "scope"),
        (a.plan.seed == b.plan.seed, "seed"),
        (a.plan.depth == b.plan.depth, "depth"),
        (a.plan.ports == b.plan.ports, "ports"),
    ];
    same.into_iter().find(|(same, _)| !same).map_or(Ok(()), |(_, what)| Err(MergeError::Differ(what)))
}

fn add(merged: &mut Report, report: Report) {
    merged.systems.extend(report.systems);
    merged.trees.extend(report.trees);
    let (sum, more) = (&mut merged.coverage, report.coverage);
    let sums = [
        (&mut sum.planned, more.planned),
        (&mut sum.tried, more.tried),
        (&mut sum.open, more.open),
        (&mut sum.refused, more.refused),
        (&mut sum.silent, more.silent),
        (&mut sum.hosts, more.hosts),
        (&mut sum.hosts_done, more.hosts_done),
        (&mut sum.trees, more.trees),
        (&mut sum.trees_done, more.trees_done),
    ];
    for (sum, more) in sums {
        *sum = sum.saturating_add(more);
    }
    // Every shard resolves all names and ended as its own run.
    sum.names = sum.names.max(more.names);
    sum.names_found = sum.names_found.min(more.names_found);
    sum.ended = sum.ended.max(more.ended);
    // Every shard reads the whole import.
    sum.dropped = sum.dropped.max(more.dropped);
    let (times, more) = (&mut merged.times, report.times);
    times.started = times.started.min(more.started);
    times.ended = times.ended.max(more.ended);
    times.resumed = times.resumed.saturating_add(more.resumed);
    times.announced.extend(more.announced);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::format::{Format, Options, write};
    use crate::report::{Coverage, Tree};
    use crate::testing::report::closed_estate;

    /// A shard's report as nobody but a liar would write it.
    fn boundless(number: u32) -> Report {
        let (most, mut report) = (u64::MAX, closed_estate());
        report.plan.shard = Some(format!("{number}/2"));
        report.systems.clear();
        let labels = crate::scope::Labels::default();
        let (dicom_files, files, unreadable) = (most, most, most);
        let tree =
            Tree { label: "tree".into(), root: number, labels, dicom_files, files, unreadable, outcomes: vec![] };
        report.trees = vec![tree];
        report.coverage = Coverage {
            planned: most,
            tried: most,
            open: most,
            refused: most,
            silent: most,
            hosts: most,
            hosts_done: most,
            trees: most,
            trees_done: most,
            names: most,
            names_found: most,
            dropped: most,
            ..Coverage::default()
        };
        report
    }

    #[test]
    fn numbers_without_end_are_added_and_told_all_the_same() {
        let merged = merge(vec![boundless(1), boundless(2)]).unwrap();
        assert_eq!((merged.coverage.planned, merged.trees.len()), (u64::MAX, 2));
        for format in Format::ALL {
            write(&merged, format, &Options { accepted: None, before: Some(&merged) }, &mut std::io::sink()).unwrap();
        }
        crate::report::table::text(&merged, &Default::default());
    }
}
