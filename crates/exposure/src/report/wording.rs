//! How numbers, shares, places and evidence are said: the same in every format.
//!
//! Deliberately absent: colours and escaping for a format. Those belong to the format; what
//! belongs here is that no control character of a label reaches a terminal, [`plain`].

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::engine::Ended;
use crate::evidence::{Bucket, Fact};
use crate::finding::{Confidence, Facet, Outcome, Severity, State};
use crate::report::Left;
use crate::scope::{AssetClass, Vantage};

/// All severities, worst first.
pub const SEVERITIES: [Severity; 5] =
    [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::Info];

/// A share in tenths of a percent. All is 100.0 and none is 0.0; nothing else is rounded to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u16);

impl Share {
    /// So many of so many. Of nothing, nothing.
    pub fn of(part: u64, whole: u64) -> Share {
        if whole == 0 || part == 0 {
            return Share(0);
        }
        if part >= whole {
            return Share(1000);
        }
        let tenths = (u128::from(part) * 1000 + u128::from(whole) / 2) / u128::from(whole);
        Share(u16::try_from(tenths).unwrap_or(1000).clamp(1, 999))
    }

    /// All of it, or all of nothing.
    pub const WHOLE: Share = Share(1000);

    /// In percent.
    pub fn percent(self) -> f64 {
        f64::from(self.0) / 10.0
    }

    /// In tenths of a percent.
    pub fn tenths(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{} %", self.0 / 10, self.0 % 10))
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.percent())
    }
}

/// `24300000` as `24,300,000`.
pub fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut said = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            said.push(',');
        }
        said.push(digit);
    }
    said
}

/// A noun with its number: `1 system`, `2,300 systems`.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// A text of the scope's owner without control characters and without characters that turn
/// the direction of writing: each stands as `\u{1b}`. Nothing else is changed.
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unseen) {
        return Cow::Borrowed(text);
    }
    let seen = |c: char| if is_unseen(c) { format!("\\u{{{:x}}}", u32::from(c)) } else { c.to_string() };
    Cow::Owned(text.chars().map(seen).collect())
}

/// Whether a character acts on a terminal or on the order of a line instead of being seen in it.
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A second since 1970 as `2026-11-22 12:00 UTC`.
pub fn moment(seconds: i64) -> String {
    formatted(seconds, format_description!("[year]-[month]-[day] [hour]:[minute] UTC"))
}

/// A second since 1970 as `2026-11-22T12:00:00Z` (RFC 3339).
pub fn timestamp(seconds: i64) -> String {
    formatted(seconds, format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z"))
}

/// A second since 1970 as `2026-11-22`.
pub fn day(seconds: i64) -> String {
    formatted(seconds, format_description!("[year]-[month]-[day]"))
}

fn formatted(seconds: i64, form: &[BorrowedFormatItem<'_>]) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    moment.format(form).unwrap_or_default()
}

/// A severity in lower case.
pub fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

/// A state as reports say it.
pub fn state(state: State) -> &'static str {
    match state {
        State::Pass => "pass",
        State::Finding => "finding",
        State::RefusedBefore => "refused before",
        State::NotApplicable => "not applicable",
        State::Error => "error",
        State::SkippedByPolicy => "skipped by policy",
    }
}

/// A confidence as reports say it.
pub fn confidence(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Imported => "imported",
        Confidence::RangeDisputed => "range disputed",
        Confidence::Toolkit => "toolkit",
        Confidence::Offered => "offered",
        Confidence::Confirmed => "confirmed",
    }
}

/// Where the audit stood.
pub fn vantage(vantage: Vantage) -> &'static str {
    match vantage {
        Vantage::Internet => "the internet",
        Vantage::UserVlan => "the user VLAN",
        Vantage::ServerVlan => "the server VLAN",
        Vantage::ImagingVlan => "the imaging VLAN",
        Vantage::Host => "the host itself",
    }
}

/// What an asset is.
pub fn class(class: AssetClass) -> &'static str {
    match class {
        AssetClass::Server => "server",
        AssetClass::Modality => "modality",
        AssetClass::Portal => "portal",
        AssetClass::Share => "file share",
        AssetClass::Network => "network",
    }
}

/// Why the look at a host ended early.
pub fn left(left: Left) -> &'static str {
    match left {
        Left::Strain => "left alone because it showed strain",
        Left::Refused => "a modality that refused is not asked twice",
        Left::OutOfTime => "its time was up",
        Left::NotPermitted => "the agreed hours or the authorisation ended",
        Left::Stopped => "the run was stopped",
        Left::Fault => "the audit itself failed there",
    }
}

/// How a run ended, in a sentence.
pub fn ended(ended: Ended) -> &'static str {
    match ended {
        Ended::Complete => "The run came to its end.",
        Ended::Stopped => "The run was stopped before its end: this is a part of what was asked for.",
        Ended::Breaker => "The run ended itself because hosts stopped answering: this is a part of what was asked for.",
        Ended::NotPermitted => "The agreed hours or the authorisation ended: this is a part of what was asked for.",
    }
}

/// A bucket of a count.
pub fn bucket(bucket: Bucket) -> &'static str {
    match bucket {
        Bucket::None => "0",
        Bucket::Ones => "1-9",
        Bucket::Tens => "10-99",
        Bucket::Hundreds => "100-999",
        Bucket::Thousands => "1,000-9,999",
        Bucket::TenThousands => "10,000-99,999",
        Bucket::HundredThousands => "100,000-999,999",
        Bucket::Millions => "1,000,000 and more",
    }
}

/// The part of its subject that an outcome is about, as baselines write it; empty for the whole.
pub fn facet(facet: &Facet) -> String {
    match facet {
        Facet::Whole => String::new(),
        Facet::Part(name) => name.to_string(),
        Facet::Code(code) => format!("0x{code:04x}"),
        Facet::Rule(rule) => rule.as_str().to_owned(),
        Facet::Path(hash) => format!("folder {hash}"),
    }
}

/// What was seen, in one line: `status: 0; pendings: 0`.
pub fn evidence(outcome: &Outcome) -> String {
    let said: Vec<_> = facts(outcome).map(|(name, fact)| format!("{name}: {fact}")).collect();
    said.join("; ")
}

/// What was seen, a name and a value at a time.
pub fn facts(outcome: &Outcome) -> impl Iterator<Item = (&'static str, String)> {
    let hexadecimal = outcome.check.id.starts_with(['D', 'T']);
    outcome.evidence.facts().map(move |(name, value)| (name.as_str(), fact(value, hexadecimal)))
}

/// One fact. Codes of DICOM and TLS are said in hexadecimal as their standards do.
fn fact(fact: &Fact, hexadecimal: bool) -> String {
    let code = |code: &u32| if hexadecimal && *code > 9 { format!("0x{code:04x}") } else { code.to_string() };
    match fact {
        Fact::Flag(flag) => (if *flag { "yes" } else { "no" }).to_owned(),
        Fact::Count(count) => number(*count),
        Fact::Bucket(count) => bucket(*count).to_owned(),
        Fact::Code(one) => code(one),
        Fact::Codes(codes) => joined(codes.iter().map(code)),
        Fact::Days(days) if *days < 0 => format!("{} days ago", days.unsigned_abs()),
        Fact::Days(days) => format!("in {days} days"),
        Fact::Bytes(bytes) => format!("{} bytes", number(*bytes)),
        Fact::Version(version) => version.to_string(),
        Fact::Known(name) => name.to_string(),
        Fact::Names(names) => joined(names.iter().map(ToString::to_string)),
        Fact::Tally(tally) => joined(tally.iter().map(|(name, count)| format!("{name} {}", number(*count)))),
        Fact::Modes(modes) => joined(modes.iter().map(|(mode, count)| format!("{mode:04o} {}", number(*count)))),
        Fact::Hash(hash) => hash.to_string(),
        Fact::Rule(rule) => rule.as_str().to_owned(),
    }
}

/// At most 16 entries of a list, and how many more there are.
fn joined(mut entries: impl Iterator<Item = String>) -> String {
    let mut said: Vec<_> = entries.by_ref().take(16).collect();
    let more = entries.count();
    if more > 0 {
        said.push(format!("and {more} more"));
    }
    said.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_2019() {
        assert_eq!(Share::of(590, 2300).to_string(), "25.7 %");
        assert_eq!(Share::of(0, 0).to_string(), "0.0 %");
        assert_eq!(Share::of(1, 1_000_000).to_string(), "0.1 %", "one open door is not none");
        assert_eq!(Share::of(999_999, 1_000_000).to_string(), "99.9 %", "one closed door is not all");
        assert_eq!(Share::of(7, 7), Share::WHOLE);
    }

    #[test]
    fn numbers_are_read_in_threes() {
        assert_eq!(number(24_300_000), "24,300,000");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_000), "1,000");
    }

    #[test]
    fn a_label_cannot_speak_to_a_terminal() {
        assert_eq!(plain("\x1b[31mCT\u{9b}2\u{202e}"), "\\u{1b}[31mCT\\u{9b}2\\u{202e}");
        assert!(matches!(plain("Röntgen 1"), Cow::Borrowed(_)));
    }

    #[test]
    fn moments_are_utc() {
        assert_eq!(moment(1_795_348_800), "2026-11-22 12:00 UTC");
        assert_eq!(timestamp(0), "1970-01-01T00:00:00Z");
        assert_eq!(day(i64::MAX), "1970-01-01", "a nonsense second is said as the first");
    }
}
