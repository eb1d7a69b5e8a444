//! The forms of a report, by name.

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use super::baseline::Accepted;
use super::{Report, csv, defectdojo, html, json, junit, ocsf, prometheus, sarif, table};

/// A form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// The canonical form.
    Json,
    /// One page for management and auditors.
    Html,
    /// A row for each finding, RFC 4180.
    Csv,
    /// SARIF 2.1.0.
    Sarif,
    /// DefectDojo's generic findings.
    DefectDojo,
    /// OCSF 1.8 events, one a line.
    Ocsf,
    /// JUnit XML.
    Junit,
    /// Prometheus textfile.
    Prometheus,
    /// For a terminal.
    Text,
}

/// What a report is shown with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// What a baseline accepts.
    pub accepted: Option<&'a Accepted>,
    /// An earlier report: what it had is not new (SARIF).
    pub before: Option<&'a Report>,
}

/// A name that is no format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a format: write json, html, csv, sarif, defectdojo, ocsf, junit, prometheus or text")]
pub struct NotAFormat;

impl Format {
    /// All of them.
    pub const ALL: [Format; 9] = [
        Format::Json,
        Format::Html,
        Format::Csv,
        Format::Sarif,
        Format::DefectDojo,
        Format::Ocsf,
        Format::Junit,
        Format::Prometheus,
        Format::Text,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Html => "html",
            Format::Csv => "csv",
            Format::Sarif => "sarif",
            Format::DefectDojo => "defectdojo",
            Format::Ocsf => "ocsf",
            Format::Junit => "junit",
            Format::Prometheus => "prometheus",
            Format::Text => "text",
        }
    }

    /// What a report in it is called.
    pub fn file_name(self) -> &'static str {
        match self {
            Format::Json => "report.json",
            Format::Html => "report.html",
            Format::Csv => "report.csv",
            Format::Sarif => "report.sarif",
            Format::DefectDojo => "report.defectdojo.json",
            Format::Ocsf => "report.ocsf.jsonl",
            Format::Junit => "report.junit.xml",
            Format::Prometheus => "report.prom",
            Format::Text => "report.txt",
        }
    }
}

/// Writes a report in a form of it.
pub fn write(report: &Report, format: Format, options: &Options<'_>, out: &mut dyn Write) -> io::Result<()> {
    let nothing = Accepted::default();
    let accepted = options.accepted.unwrap_or(&nothing);
    match format {
        Format::Json => json::write(report, out),
        Format::Html => html::write(report, accepted, out),
        Format::Csv => csv::write(report, accepted, out),
        Format::Sarif => sarif::write(report, accepted, options.before, out),
        Format::DefectDojo => defectdojo::write(report, accepted, out),
        Format::Ocsf => ocsf::write(report, accepted, out),
        Format::Junit => junit::write(report, accepted, out),
        Format::Prometheus => prometheus::write(report, accepted, out),
        Format::Text => out.write_all(table::text(report, accepted).as_bytes()),
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = NotAFormat;

    fn from_str(text: &str) -> Result<Format, NotAFormat> {
        Format::ALL.into_iter().find(|format| format.name() == text).ok_or(NotAFormat)
    }
}
