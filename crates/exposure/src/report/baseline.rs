//! Findings that somebody answers for: a file with owner, reason and expiry for each.
//!
//! An accepted finding stays in every report, marked as accepted. An expired acceptance fails
//! the run. Deliberately absent: wildcards, and acceptance without an end.

mod parse;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

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
    /// One address of it; needed where the label holds several hosts.
    pub address: Option<IpAddr>,
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
    /// Entries without an address whose label holds several hosts: they accept nothing, for
    /// nobody has said which host is meant.
    pub unclear: Vec<Acceptance>,
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
        let mut hosts: BTreeMap<&str, BTreeSet<IpAddr>> = BTreeMap::new();
        for system in &report.systems {
            hosts.entry(&system.label).or_default().insert(system.address);
        }
        let several = |label: &str| hosts.get(label).is_some_and(|hosts| hosts.len() > 1);
        let (unclear, good): (Vec<_>, Vec<_>) =
            good.into_iter().partition(|entry| entry.address.is_none() && several(&entry.label));
        let identities = Identities::of(&[report]);
        let (mut held, mut used) = (BTreeMap::new(), BTreeSet::new());
        for (subject, outcome) in report.findings() {
            if let Some(entry) = good.iter().find(|entry| entry.is_about(&subject, outcome)) {
                used.insert(entry.line);
                held.insert(identities.key(&subject, outcome), (*entry).clone());
            }
        }
        let unused = good.into_iter().filter(|entry| !used.contains(&entry.line)).cloned().collect();
        let cloned = |entries: Vec<&Acceptance>| entries.into_iter().cloned().collect();
        Accepted { held, expired: cloned(expired), unused, unclear: cloned(unclear) }
    }
}

impl Acceptance {
    fn is_about(&self, subject: &Subject<'_>, outcome: &Outcome) -> bool {
        let facet = || wording::facet(&outcome.facet);
        self.check == outcome.check.id
            && self.label == subject.label
            && self.address.is_none_or(|address| subject.address() == Some(address))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::summary::Summary;
    use crate::testing::NOW;
    use crate::testing::report::estate;

    const GOOD: &str = r#"
# agreed with radiology
[[accept]]
check = "D-05"
label = "CT 2"
port = 104
owner = "M. Muster"
reason = "C-ECHO is how the vendor watches it"
expires = 2027-03-31

[[accept]]
check = "D-07"
label = "nobody"
owner = "M. Muster"
reason = "gone"
expires = "2026-11-22"
"#;

    #[test]
    fn an_accepted_finding_stays_visible() {
        let report = estate();
        let before = Summary::of(&report, &Accepted::default());
        let accepted = Baseline::parse(GOOD).unwrap().apply(&report, NOW);
        let after = Summary::of(&report, &accepted);
        assert_eq!((before.accepted, after.accepted), (0, 1));
        assert_eq!(before.findings(), after.findings() + 1);
        assert_eq!(before.systems, after.systems, "what is open stays open");
        assert_eq!(accepted.unused.len(), 1);
        assert_eq!(accepted.unused[0].label, "nobody");
        assert!(accepted.expired.is_empty(), "it holds on its last day");
    }

    #[test]
    fn an_entry_accepts_one_host_of_several() {
        let mut report = estate();
        let scanner = report.systems.iter().find(|system| system.label == "CT 2").unwrap().clone();
        let (one, other) = (scanner.address, "127.2.0.99".parse().unwrap());
        report.systems.push(crate::report::System { address: other, ..scanner });
        let accepted = Baseline::parse(GOOD).unwrap().apply(&report, NOW);
        assert_eq!(accepted.all().count(), 0, "which of the two was meant nobody said");
        assert_eq!(accepted.unclear.len(), 1);
        let addressed = GOOD.replacen("port = 104", &format!("address = \"{one}\"\nport = 104"), 1);
        let accepted = Baseline::parse(&addressed).unwrap().apply(&report, NOW);
        let at: Vec<_> = accepted.all().map(|(key, _)| key.at.address).collect();
        assert_eq!(at, [Some(one)]);
        assert!(accepted.unclear.is_empty());
        let broken = GOOD.replacen("port = 104", "address = \"everywhere\"", 1);
        assert!(Baseline::parse(&broken).unwrap_err().to_string().contains("address"));
    }

    #[test]
    fn it_ends_with_its_day() {
        let report = estate();
        let accepted = Baseline::parse(GOOD).unwrap().apply(&report, NOW + 200 * 86_400);
        assert_eq!(accepted.expired.len(), 2);
        assert_eq!(accepted.all().count(), 0);
    }

    #[test]
    fn all_mistakes_at_once_with_line_and_mend() {
        let text = r#"
[[accept]]
check = "D-99"
label = "CT 2"
prot = 104
owner = ""
reason = "x"
expires = 2027-13-31

[[accept]]
label = 5
port = 70000
owner = "M"
reason = "y"
expires = "soon"

[other]
"#;
        let mistakes = Baseline::parse(text).unwrap_err().0;
        let lines: Vec<_> = mistakes.iter().map(|mistake| mistake.line).collect();
        assert!(lines.is_sorted());
        for (line, word) in [
            (3, "D-99"),
            (5, "prot"),
            (6, "owner"),
            (8, ""),
            (10, "check"),
            (11, "label"),
            (12, "port"),
            (15, "expires"),
            (17, "other"),
        ] {
            let found = mistakes.iter().find(|mistake| mistake.line == line);
            let said = found.unwrap_or_else(|| panic!("nothing said of line {line}: {mistakes:?}")).to_string();
            assert!(said.contains(word) && said.contains("; "), "{said}");
        }
    }

    #[test]
    fn a_file_that_is_no_toml_is_told_where() {
        let mistakes = Baseline::parse("[[accept]]\ncheck = \n").unwrap_err().0;
        assert!(mistakes.iter().any(|mistake| mistake.line == 2), "{mistakes:?}");
        assert!(Baseline::parse(&" ".repeat(MAX_BYTES + 1)).is_err());
        assert_eq!(Baseline::parse("").unwrap(), Baseline::default());
    }
}
