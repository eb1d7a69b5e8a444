//! Counting systems: how many were checked, how many are open, how much lies within reach.

use std::collections::BTreeMap;

use serde::Serialize;

use super::wording::Share;
use crate::evidence::Bucket;

/// What the two public surveys printed a row of: systems, open, share, records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Systems checked.
    pub checked: u64,
    /// Of them open to a stranger.
    pub open: u64,
    /// Open of checked, in percent.
    pub share: Share,
    /// Studies within reach on the open systems that a counter told of: the least there is.
    pub studies: u64,
    /// Open systems whose counter told.
    pub counted: u64,
}

/// A [`Tally`] of those that have something in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// What they have in common; none where it is not known.
    pub name: Option<String>,
    /// How many.
    #[serde(flatten)]
    pub tally: Tally,
}

/// One system, as far as it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Whether a stranger reads patients' data there.
    pub open: bool,
    /// Studies that a counter of its own told.
    pub studies: Option<u64>,
}

impl Tally {
    /// Counts one system.
    pub fn add(&mut self, system: Counted) {
        self.checked += 1;
        if system.open {
            self.open += 1;
            if let Some(studies) = system.studies {
                self.studies = self.studies.saturating_add(studies);
                self.counted += 1;
            }
        }
        self.share = Share::of(self.open, self.checked);
    }
}

/// Groups systems by what `name` says of them: most open first, then most checked, then by name.
pub fn groups<'a, T: 'a>(
    systems: impl Iterator<Item = &'a T>,
    name: impl Fn(&T) -> Option<&str>,
    counted: impl Fn(&T) -> Counted,
) -> Vec<Group> {
    let mut tallies: BTreeMap<Option<String>, Tally> = BTreeMap::new();
    for system in systems {
        tallies.entry(name(system).map(ToOwned::to_owned)).or_default().add(counted(system));
    }
    let mut groups: Vec<_> = tallies.into_iter().map(|(name, tally)| Group { name, tally }).collect();
    groups.sort_by(|a, b| {
        let of = |group: &Group| (group.tally.open, group.tally.checked);
        of(b).cmp(&of(a)).then_with(|| (a.name.is_none(), &a.name).cmp(&(b.name.is_none(), &b.name)))
    });
    groups
}

/// Open systems by how many studies they hold, fullest first; none for those that did not tell.
pub fn buckets(systems: impl Iterator<Item = Counted>) -> Vec<(Option<Bucket>, u64)> {
    let mut buckets: BTreeMap<Option<Bucket>, u64> = BTreeMap::new();
    for system in systems.filter(|system| system.open) {
        *buckets.entry(system.studies.map(Bucket::of)).or_default() += 1;
    }
    buckets.into_iter().rev().collect()
}
