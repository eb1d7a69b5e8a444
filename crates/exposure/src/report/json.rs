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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::report::{estate, hostile};

    #[test]
    fn what_is_written_is_read_and_written_the_same() {
        for report in [estate(), hostile()] {
            let bytes = canonical(&report);
            let mut sorted = report.clone();
            sorted.sort();
            let read = parse(&bytes).unwrap();
            assert_eq!(read, sorted);
            assert_eq!(canonical(&read), bytes);
        }
    }

    #[test]
    fn order_and_times_do_not_change_the_body() {
        let report = estate();
        let mut other = report.clone();
        other.systems.reverse();
        other.plan.ports.reverse();
        other.trees.reverse();
        other.systems.iter_mut().for_each(|system| {
            system.services.reverse();
            system.services.iter_mut().for_each(|service| service.outcomes.reverse());
        });
        assert_eq!(canonical(&report), canonical(&other));
        other.times.started += 4711;
        other.times.resumed = 3;
        assert_ne!(canonical(&report), canonical(&other));
        assert_eq!(report.body_sha256(), other.body_sha256());
        other.coverage.tried += 1;
        assert_ne!(report.body_sha256(), other.body_sha256());
    }

    #[test]
    fn the_unknown_is_refused_with_its_place() {
        let good = String::from_utf8(canonical(&estate())).unwrap();
        let wrong = |from: &str, to: &str| {
            assert!(good.contains(from), "{from}");
            parse(good.replacen(from, to, 1).as_bytes()).unwrap_err().to_string()
        };
        assert!(wrong("\"format\":1", "\"format\":2").contains("format 2"));
        assert!(wrong("\"tool\":", "\"tuul\":").contains("unknown field `tuul`"));
        assert!(wrong("\"D-07\"", "\"Q-99\"").contains("a check that this version does not know"));
        assert!(wrong("\"speaks\":\"dicom\"", "\"speaks\":\"DOE^JANE\"").contains("a name that this version"));
        assert!(!wrong("\"tool\":", "\"\\u001b[31m\":").contains('\x1b'));
        assert!(parse(b"").is_err());
        assert!(parse(&good.as_bytes()[..good.len() / 2]).unwrap_err().to_string().starts_with("line 1"));
    }

    #[test]
    fn reading_is_bounded() {
        let endless = io::repeat(b' ');
        assert!(matches!(read_at_most(endless, 1024), Err(ReadError::TooLong(1024))));
        let nested = format!("{{\"format\":1,\"tool\":{}", "[".repeat(100_000));
        assert!(parse(nested.as_bytes()).is_err());
    }

    #[test]
    fn a_label_stays_what_it_is_and_cannot_act() {
        let bytes = canonical(&hostile());
        assert!(!bytes.iter().any(|byte| *byte < b' ' && *byte != b'\n'));
        assert!(!String::from_utf8(bytes).unwrap().chars().any(|c| c != '\n' && wording::is_unseen(c)));
    }
}
