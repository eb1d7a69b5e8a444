//! Numbers for monitoring: the text format that a node exporter's textfile collector reads.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::Report;
use super::baseline::Accepted;
use super::summary::Summary;
use super::tally::Group;
use super::wording::{self, SEVERITIES};

/// Writes the metrics.
pub fn write(report: &Report, accepted: &Accepted, out: &mut dyn Write) -> io::Result<()> {
    let summary = Summary::of(report, accepted);
    let mut text = Text(String::new());
    let systems = &summary.systems;
    text.one("systems_checked", "Systems that were checked.", systems.checked);
    text.one("systems_open", "Systems on which a stranger reads patients' data.", systems.open);
    text.one("studies_within_reach", "Studies on open systems that told how many they hold.", systems.studies);
    text.family("findings", "Findings that no baseline accepts, by severity.");
    for severity in SEVERITIES {
        let labels = [("severity", wording::severity(severity))];
        text.sample("findings", &labels, summary.severities.of(severity));
    }
    text.family("check_findings", "Findings that no baseline accepts, by check.");
    for sum in &summary.checks {
        text.sample("check_findings", &[("check", sum.check.id)], sum.findings);
    }
    text.one("findings_accepted", "Findings that a baseline accepts.", summary.accepted);
    text.one(
        "acceptances_expired",
        "Acceptances in the baseline that are past their day.",
        accepted.expired.len() as u64,
    );
    text.groups("country", &summary.countries);
    text.groups("site", &summary.sites);
    text.one("trees", "File trees that were walked.", summary.trees.roots);
    text.one("trees_exposed", "File trees from which a stranger reads patients' data.", summary.trees.exposed_roots);
    text.one("dicom_files", "DICOM files in the trees.", summary.trees.dicom_files);
    text.family("coverage_ratio", "How much of the scope was looked at, 0 to 1.");
    let _ = writeln!(text.0, "leadglass_exposure_coverage_ratio {}", f64::from(summary.coverage.tenths()) / 1000.0);
    text.family("run_ended_timestamp_seconds", "When the run ended, seconds since 1970.");
    let _ = writeln!(text.0, "leadglass_exposure_run_ended_timestamp_seconds {}", report.times.ended);
    out.write_all(text.0.as_bytes())
}

struct Text(String);

impl Text {
    fn family(&mut self, name: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP leadglass_exposure_{name} {help}\n# TYPE leadglass_exposure_{name} gauge");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let _ = writeln!(self.0, "leadglass_exposure_{name}{{{}}} {value}", labels.join(","));
    }

    fn one(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, help);
        let _ = writeln!(self.0, "leadglass_exposure_{name} {value}");
    }

    fn groups(&mut self, label: &str, groups: &[Group]) {
        type Value = fn(&Group) -> u64;
        let families: [(&str, Value); 2] =
            [("checked", |group| group.tally.checked), ("open", |group| group.tally.open)];
        for (what, value) in families {
            let name = format!("{label}_systems_{what}");
            self.family(&name, &format!("Systems {what}, by {label}."));
            for group in groups {
                self.sample(&name, &[(label, group.name.as_deref().unwrap_or(""))], value(group));
            }
        }
    }
}

/// A label's value: backslash, quotation mark and line feed escaped, other control characters shown.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").chars().fold(String::new(), |mut text, c| {
        if wording::is_unseen(c) {
            let _ = write!(text, "\\\\u{{{:x}}}", u32::from(c));
        } else {
            text.push(c);
        }
        text
    })
}
