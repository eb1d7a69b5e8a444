//! The canonical form: JSON with a fixed order of keys and sorted lists, the same bytes for
//! the same report. docs/exposure-report.schema.json describes it.
//!
//! What is read back is believed only as far as it is known: another format, an unknown field,
//! check or name is refused. Deliberately absent: a lenient reader.

use std::io::{self, Read, Write};

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use super::{Coverage, FORMAT, Plan, Report, RunTimes, ScopeSummary, System, Tool, Tree, wording};

/// Most bytes of a report that is read: some 500,000 hosts.
pub const MAX_BYTES: u64 = 512 * 1024 * 1024;

/// Why a text is no report of this version.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It could not be read at all.
    #[error("the report could not be read")]
    Unreadable(#[from] io::Error),
    /// It is too long.
    #[error("the report is longer than {} MiB; a run cut into shards makes smaller ones", .0 >> 20)]
    TooLong(u64),
    /// It has another format than this version's.
    #[error("the report has format {found}; this version reads format {FORMAT}: use the version that wrote it")]
    Format {
        /// What it says.
        found: u64,
    },
    /// It is not JSON, or not a report.
    #[error("line {line}, column {column}: {why}")]
    Malformed {
        /// Its line, from 1.
        line: usize,
        /// Its column.
        column: usize,
        /// What is wrong there.
        why: String,
    },
}

/// Everything of a report but its times.
#[derive(Serialize)]
struct Body<'report> {
    format: u32,
    tool: &'report Tool,
    scope: &'report ScopeSummary,
    plan: &'report Plan,
    systems: &'report [System],
    trees: &'report [Tree],
    coverage: &'report Coverage,
}

/// The canonical bytes of a report, a line feed at the end.
pub fn canonical(report: &Report) -> Vec<u8> {
    let mut sorted = report.clone();
    sorted.sort();
    let mut bytes = in_canonical_form(&sorted);
    bytes.push(b'\n');
    bytes
}

/// Writes the canonical bytes.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&canonical(report))
}

/// Reads a report, at most [`MAX_BYTES`] of it.
pub fn read(from: impl Read) -> Result<Report, ReadError> {
    read_at_most(from, MAX_BYTES)
}

fn read_at_most(from: impl Read, limit: u64) -> Result<Report, ReadError> {
    let mut bytes = Vec::new();
    from.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(ReadError::TooLong(limit));
    }
    parse(&bytes)
}

/// Reads a report from bytes.
pub fn parse(bytes: &[u8]) -> Result<Report, ReadError> {
    #[derive(Deserialize)]
    struct Versioned {
        format: u64,
    }
    let versioned: Versioned = serde_json::from_slice(bytes)?;
    if versioned.format != u64::from(FORMAT) {
        return Err(ReadError::Format { found: versioned.format });
    }
    Ok(serde_json::from_slice(bytes)?)
}

impl From<serde_json::Error> for ReadError {
    fn from(error: serde_json::Error) -> ReadError {
        let said = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let why = wording::plain(said.strip_suffix(&place).unwrap_or(&said)).chars().take(400).collect();
        ReadError::Malformed { line: error.line(), column: error.column(), why }
    }
}

impl Report {
    /// SHA-256 over the canonical bytes of everything but [`RunTimes`], hex: equal for equal
    /// systems, scope and options.
    pub fn body_sha256(&self) -> String {
        let mut sorted = Report { times: RunTimes::default(), ..self.clone() };
        sorted.sort();
        let Report { format, tool, scope, plan, systems, trees, coverage, times: _ } = &sorted;
        let bytes = in_canonical_form(&Body { format: *format, tool, scope, plan, systems, trees, coverage });
        hex::encode(digest::digest(&digest::SHA256, &bytes))
    }
}

/// A value of ours as compact JSON in ASCII-safe form: control characters of every kind are
/// escaped, so that the text can be shown on a terminal as it is.
pub(crate) fn in_canonical_form(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Canonical);
    #[expect(clippy::expect_used, reason = "writing our own types, with names for keys, into memory")]
    value.serialize(&mut serializer).expect("a report is JSON");
    bytes
}

/// Compact, with unseen characters escaped beyond what JSON demands.
struct Canonical;

impl serde_json::ser::Formatter for Canonical {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if !fragment.chars().any(wording::is_unseen) {
            return writer.write_all(fragment.as_bytes());
        }
        for c in fragment.chars() {
            if wording::is_unseen(c) {
                // All of them lie in the basic plane: one escape each.
                write!(writer, "\\u{:04x}", u32::from(c))?;
            } else {
                write!(writer, "{c}")?;
            }
        }
        Ok(())
    }
}
