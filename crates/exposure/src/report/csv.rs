//! Findings as a table for spreadsheets: RFC 4180, a row for each finding.
//!
//! A cell that a spreadsheet would take for a formula begins with an apostrophe.

use std::io::{self, Write};

use super::Report;
use super::baseline::Accepted;
use super::subject::{Identities, Subject};
use super::wording;
use crate::finding::Outcome;

/// The columns.
pub const COLUMNS: [&str; 24] = [
    "severity",
    "status",
    "check",
    "title",
    "label",
    "address",
    "port",
    "tree",
    "speaks",
    "part",
    "confidence",
    "opens",
    "class",
    "country",
    "region",
    "site",
    "product",
    "studies",
    "evidence",
    "remediation",
    "clauses",
    "accepted_by",
    "accepted_because",
    "fingerprint",
];

/// Writes all findings, accepted ones too.
pub fn write(report: &Report, accepted: &Accepted, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(out);
    writer.write_record(COLUMNS)?;
    let identities = Identities::of(&[report]);
    for (subject, outcome) in report.findings() {
        let row = row(&identities, &subject, outcome, accepted);
        writer.write_record(row.iter().map(|cell| guarded(cell)))?;
    }
    writer.flush()
}

fn row(identities: &Identities<'_>, subject: &Subject<'_>, outcome: &Outcome, accepted: &Accepted) -> [String; 24] {
    let acceptance = accepted.of(&identities.key(subject, outcome));
    let system = subject.system();
    let label = |text: &Option<String>| text.clone().unwrap_or_default();
    let yes = |flag: bool| (if flag { "yes" } else { "no" }).to_owned();
    [
        wording::severity(outcome.severity).to_owned(),
        (if acceptance.is_some() { "accepted" } else { "open" }).to_owned(),
        outcome.check.id.to_owned(),
        outcome.check.title.to_owned(),
        subject.label.to_owned(),
        subject.address().map(|address| address.to_string()).unwrap_or_default(),
        subject.port().map(|port| port.to_string()).unwrap_or_default(),
        subject.root().map(|root| root.to_string()).unwrap_or_default(),
        subject.speaks().to_owned(),
        wording::facet(&outcome.facet),
        wording::confidence(outcome.confidence).to_owned(),
        yes(outcome.check.opens),
        system.map(|system| wording::class(system.class)).unwrap_or("file tree").to_owned(),
        label(&subject.labels.country),
        label(&subject.labels.region),
        label(&subject.labels.site),
        system.and_then(|system| system.product).map(|product| product.to_string()).unwrap_or_default(),
        system.and_then(|system| system.studies).map(|studies| studies.to_string()).unwrap_or_default(),
        wording::evidence(outcome),
        outcome.check.remediation.to_owned(),
        outcome.check.clauses.join("; "),
        acceptance.map(|acceptance| acceptance.owner.clone()).unwrap_or_default(),
        acceptance.map(|acceptance| acceptance.reason.clone()).unwrap_or_default(),
        identities.fingerprint(subject, outcome),
    ]
}

/// A cell that no spreadsheet runs: control characters shown, and an apostrophe before what
/// begins a formula, also in the wide forms that some programs take for the same.
pub fn guarded(cell: &str) -> String {
    let plain = wording::plain(cell);
    let begins = plain.trim_start().chars().next();
    let formula = matches!(begins, Some('=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '|'));
    let controlled = cell.chars().next().is_some_and(wording::is_unseen);
    if formula || controlled { format!("'{plain}") } else { plain.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::report::{estate, hostile};

    fn written(report: &Report) -> Vec<::csv::StringRecord> {
        let mut bytes = Vec::new();
        write(report, &Accepted::default(), &mut bytes).unwrap();
        ::csv::Reader::from_reader(&bytes[..]).records().map(Result::unwrap).collect()
    }

    #[test]
    fn a_row_for_each_finding() {
        let report = estate();
        let rows = written(&report);
        assert_eq!(rows.len(), report.findings().count());
        assert!(rows.iter().all(|row| row.len() == COLUMNS.len()));
        assert!(rows.iter().any(|row| &row[2] == "D-07" && &row[0] == "critical"));
    }

    #[test]
    fn no_cell_is_a_formula() {
        for text in ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "\x1b[31m"] {
            assert!(guarded(text).starts_with('\''), "{text:?}");
        }
        for cell in written(&hostile()).iter().flat_map(|row| row.iter()) {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
            assert!(!cell.chars().any(wording::is_unseen), "{cell:?}");
        }
        assert_eq!(guarded("CT 2"), "CT 2");
    }
}
