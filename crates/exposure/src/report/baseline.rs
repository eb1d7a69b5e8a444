//! Findings that somebody answers for: a file with owner, reason and expiry for each.
//!
//! An accepted finding stays in every report, marked as accepted. An expired acceptance fails
//! the run. Deliberately absent: wildcards, and acceptance without an end.

mod parse;

use std::collections::{BTreeMap, BTreeSet};

use super::Report;
use super::subject::{Identities, Key, Subject};
use super::wording;
use crate::finding::Outcome;

pub use parse::{MAX_BYTES, Mistake, Mistakes};

/// A baseline file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    entries: Vec<Acceptance>,
}

/// One `[[accept]]` of a baseline file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// The line in the file on which it begins, from 1.
    pub line: usize,
    /// The check.
    pub check: &'static str,
    /// The owner's label of the asset.
    pub label: String,
    /// One port of it; none for all.
    pub port: Option<u16>,
    /// One part, as reports write it; none for all.
    pub facet: Option<String>,
    /// Who answers for it.
    pub owner: String,
    /// Why it is accepted.
    pub reason: String,
    /// The last day on which it holds.
    pub expires: time::Date,
}

/// What a baseline accepts of one report.
#[derive(Clone, Debug, Default)]
pub struct Accepted {
    held: BTreeMap<Key, Acceptance>,
    /// Entries past their day: they accept nothing, and fail the run.
    pub expired: Vec<Acceptance>,
    /// Entries that met no finding: to be taken out of the file.
    pub unused: Vec<Acceptance>,
}

impl Baseline {
    /// Reads a baseline file; all its mistakes come at once.
    pub fn parse(text: &str) -> Result<Baseline, Mistakes> {
        parse::parse(text).map(|entries| Baseline { entries })
    }

    /// Its entries, in the order of the file.
    pub fn entries(&self) -> &[Acceptance] {
        &self.entries
    }

    /// What it accepts of a report on a day. `now` is seconds since 1970, the day is UTC's.
    pub fn apply(&self, report: &Report, now: i64) -> Accepted {
        let today = time::OffsetDateTime::from_unix_timestamp(now).map_or(time::Date::MAX, |moment| moment.date());
        let (good, expired): (Vec<_>, Vec<_>) = self.entries.iter().partition(|entry| entry.expires >= today);
        let identities = Identities::of(&[report]);
        let (mut held, mut used) = (BTreeMap::new(), BTreeSet::new());
        for (subject, outcome) in report.findings() {
            if let Some(entry) = good.iter().find(|entry| entry.is_about(&subject, outcome)) {
                used.insert(entry.line);
                held.insert(identities.key(&subject, outcome), (*entry).clone());
            }
        }
        let unused = good.into_iter().filter(|entry| !used.contains(&entry.line)).cloned().collect();
        Accepted { held, expired: expired.into_iter().cloned().collect(), unused }
    }
}

impl Acceptance {
    fn is_about(&self, subject: &Subject<'_>, outcome: &Outcome) -> bool {
        let facet = || wording::facet(&outcome.facet);
        self.check == outcome.check.id
            && self.label == subject.label
            && self.port.is_none_or(|port| subject.port() == Some(port))
            && self.facet.as_ref().is_none_or(|wanted| *wanted == facet())
    }
}

impl Accepted {
    /// Whether a finding is accepted.
    pub fn holds(&self, key: &Key) -> bool {
        self.held.contains_key(key)
    }

    /// Who accepts a finding and why.
    pub fn of(&self, key: &Key) -> Option<&Acceptance> {
        self.held.get(key)
    }

    /// What is accepted, by key.
    pub fn all(&self) -> impl Iterator<Item = (&Key, &Acceptance)> {
        self.held.iter()
    }
}
