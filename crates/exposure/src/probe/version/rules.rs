//! The dated offline rule base: built in, or read from a file of the same form.
//!
//! A rule base is the owner's file, not a target's: its mistakes are told with their place.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use time::{Date, Month};

use crate::evidence::{RuleId, Version};
use crate::finding::Severity;
use crate::report::wording;

/// The rule base that is built in.
const BUILT_IN: &str = include_str!("../../../rules/versions.toml");
/// The form of the file.
const FORMAT: u32 = 1;
/// Most characters of a rule's id that a mistake repeats.
const MAX_ID: usize = 64;
/// Most bytes of a rule base.
pub const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// Which versions are vulnerable, which out of support, and as of when that is known.
#[derive(Debug)]
pub struct Rules {
    date: Date,
    vulnerable: Vec<Vulnerable>,
    ended: Vec<Ended>,
}

/// A range of versions with a known vulnerability.
#[derive(Debug)]
pub struct Vulnerable {
    /// Which.
    pub id: RuleId,
    /// In which software, as the audit names it.
    pub software: String,
    /// The first affected version, and the first that is not or the last that is.
    pub range: Range,
    /// CVSS 3.1 base score, in tenths.
    pub cvss_tenths: u16,
    /// Whether sources do not agree that this range is affected.
    pub disputed: bool,
    /// The advisory.
    pub advisory: Option<RuleId>,
}

/// A range of versions out of support.
#[derive(Debug)]
pub struct Ended {
    /// Which.
    pub id: RuleId,
    /// Of which software, as the audit names it.
    pub software: String,
    /// The versions.
    pub range: Range,
    /// Since this day.
    pub ended: Date,
}

/// Versions from one to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    from: Version,
    until: Version,
    until_is_in: bool,
}

/// What is wrong with a rule base.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// It is no TOML, or lacks or has too many fields.
    #[error("the rule base cannot be read: {0}")]
    Form(String),
    /// Of another form.
    #[error("the rule base has format {0}; this version reads format 1")]
    Format(u32),
    /// A rule, counted from 1 within its kind, is wrong.
    #[error("{kind} rule {number} ({id}): {what}")]
    Rule {
        /// `vulnerable` or `ended`.
        kind: &'static str,
        /// Which, from 1.
        number: usize,
        /// Its id, as the file has it.
        id: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The date is none.
    #[error("the rule base has no date of the form 2026-11-01")]
    Date,
}

impl Rules {
    /// The rule base that is built in.
    pub fn built_in() -> Arc<Rules> {
        #[expect(clippy::expect_used, reason = "a file of this crate, which a test reads")]
        Arc::new(Rules::parse(BUILT_IN).expect("the built-in rule base"))
    }

    /// Reads a rule base.
    pub fn parse(text: &str) -> Result<Rules, RulesError> {
        let form = |error: toml::de::Error| RulesError::Form(told(text, &error));
        let file: File = toml::from_str(text).map_err(form)?;
        if file.format != FORMAT {
            return Err(RulesError::Format(file.format));
        }
        let date = date(&file.date).ok_or(RulesError::Date)?;
        let mut seen = BTreeSet::new();
        let mut vulnerable = Vec::with_capacity(file.vulnerable.len());
        for (number, rule) in (1..).zip(file.vulnerable) {
            let id = wording::plain(&rule.id).chars().take(MAX_ID).collect();
            let wrong = |what| RulesError::Rule { kind: "vulnerable", number, id, what };
            let key = (rule.id.clone(), rule.software.clone(), rule.from.clone());
            match (seen.insert(key), rule.checked()) {
                (false, _) => return Err(wrong("comes twice with the same beginning")),
                (true, Err(what)) => return Err(wrong(what)),
                (true, Ok(rule)) => vulnerable.push(rule),
            }
        }
        let mut ended = Vec::with_capacity(file.ended.len());
        for (number, rule) in (1..).zip(file.ended) {
            let id = wording::plain(&rule.id).chars().take(MAX_ID).collect();
            let wrong = |what| RulesError::Rule { kind: "ended", number, id, what };
            match (seen.insert((rule.id.clone(), rule.software.clone(), None)), rule.checked(date)) {
                (false, _) => return Err(wrong("comes twice")),
                (true, Err(what)) => return Err(wrong(what)),
                (true, Ok(rule)) => ended.push(rule),
            }
        }
        Ok(Rules { date, vulnerable, ended })
    }

    /// Up to when advisories were read: `2026-11-01`.
    pub fn date(&self) -> String {
        self.date.to_string()
    }

    /// Vulnerabilities of a version of a software.
    pub fn vulnerable(&self, software: &str, version: Version) -> impl Iterator<Item = &Vulnerable> {
        self.vulnerable.iter().filter(move |rule| rule.software == software && rule.range.holds(version))
    }

    /// Whether a version of a software is out of support, as of the day of each rule.
    pub fn ended(&self, software: &str, version: Version) -> impl Iterator<Item = &Ended> {
        self.ended.iter().filter(move |rule| rule.software == software && rule.range.holds(version))
    }

    /// Whether there is any rule for a software: without one, nothing can be said of it.
    pub fn knows(&self, software: &str) -> bool {
        self.vulnerable.iter().any(|rule| rule.software == software)
    }

    /// Whether there is any rule of support for a software.
    pub fn knows_support_of(&self, software: &str) -> bool {
        self.ended.iter().any(|rule| rule.software == software)
    }
}

impl Vulnerable {
    /// How bad, by the CVSS 3.1 qualitative scale.
    pub fn severity(&self) -> Severity {
        match self.cvss_tenths {
            90.. => Severity::Critical,
            70..=89 => Severity::High,
            40..=69 => Severity::Medium,
            1..=39 => Severity::Low,
            0 => Severity::Info,
        }
    }
}

impl Range {
    /// Whether a version lies in it.
    pub fn holds(&self, version: Version) -> bool {
        version >= self.from && (version < self.until || (self.until_is_in && version == self.until))
    }

    fn new(from: Option<&str>, until: &str, until_is_in: bool) -> Result<Range, &'static str> {
        let from = version(from.unwrap_or("0"))?;
        let range = Range { from, until: version(until)?, until_is_in };
        let empty = range.from > range.until || (range.from == range.until && !until_is_in);
        if empty { Err("its versions are the wrong way round") } else { Ok(range) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    date: String,
    #[serde(default)]
    vulnerable: Vec<VulnerableRule>,
    #[serde(default)]
    ended: Vec<EndedRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VulnerableRule {
    id: String,
    software: String,
    from: Option<String>,
    fixed: Option<String>,
    through: Option<String>,
    cvss: f64,
    #[serde(default)]
    #[expect(dead_code, reason = "for whoever keeps the file")]
    estimated: bool,
    #[serde(default)]
    disputed: bool,
    advisory: Option<String>,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndedRule {
    id: String,
    software: String,
    from: Option<String>,
    before: String,
    ended: String,
    source: String,
}

impl VulnerableRule {
    fn checked(self) -> Result<Vulnerable, &'static str> {
        let range = match (&self.fixed, &self.through) {
            (Some(fixed), None) => Range::new(self.from.as_deref(), fixed, false)?,
            (None, Some(through)) => Range::new(self.from.as_deref(), through, true)?,
            _ => return Err("it needs one of `fixed` and `through`"),
        };
        if !(0.0..=10.0).contains(&self.cvss) {
            return Err("a CVSS score is 0 to 10");
        }
        let advisory = self.advisory.as_deref().map(|id| RuleId::parse(id).ok_or("`advisory` is no advisory's id"));
        Ok(Vulnerable {
            id: RuleId::parse(&self.id)
                .filter(|_| !self.id.starts_with("EOL-"))
                .ok_or("`id` is no CVE-… or ICSMA-…")?,
            software: software(self.software, &self.source)?,
            range,
            cvss_tenths: (self.cvss * 10.0).round() as u16,
            disputed: self.disputed,
            advisory: advisory.transpose()?,
        })
    }
}

impl EndedRule {
    fn checked(self, written: Date) -> Result<Ended, &'static str> {
        let ended = date(&self.ended).ok_or("`ended` is no date of the form 2026-11-01")?;
        if ended > written.saturating_add(time::Duration::days(3650)) {
            return Err("`ended` is more than ten years ahead");
        }
        Ok(Ended {
            id: RuleId::parse(&self.id).filter(|_| self.id.starts_with("EOL-")).ok_or("`id` is no EOL-…")?,
            range: Range::new(self.from.as_deref(), &self.before, false)?,
            software: software(self.software, &self.source)?,
            ended,
        })
    }
}

fn software(name: String, source: &str) -> Result<String, &'static str> {
    let well_formed =
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    match (well_formed, source.is_empty()) {
        (false, _) => Err("`software` is a name in small letters, digits and hyphens"),
        (_, true) => Err("`source` says nothing"),
        _ => Ok(name),
    }
}

fn version(text: &str) -> Result<Version, &'static str> {
    let numbers_only = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    Version::parse(text).filter(|_| numbers_only).ok_or("a version is up to four numbers and dots")
}

/// A day as `2026-11-01`.
/// What is wrong with a file that is no TOML, and on which line: without the file's own line
/// beside it, and nothing in it that acts on a terminal.
fn told(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.as_bytes().get(..span.start)).unwrap_or_default();
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
    let what: String = wording::plain(error.message()).chars().take(400).collect();
    format!("line {line}: {what}")
}

fn date(text: &str) -> Option<Date> {
    let mut parts = text.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
    Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(rules: &Rules, software: &str, version: &str) -> Vec<String> {
        let found = rules.vulnerable(software, Version::parse(version).unwrap());
        found.map(|rule| rule.id.as_str().to_owned()).collect()
    }

    #[test]
    fn mistakes_cannot_act_on_a_terminal() {
        let file = "format = 1\ndate = \"2026-11-01\"\n\"\\u001b[31m\\u202e\" = 1\n";
        let said = Rules::parse(file).unwrap_err();
        assert!(std::error::Error::source(&said).is_none(), "it is told once");
        assert!(said.to_string().contains("line 3"), "{said}");
        let raw = "format = 1\ndate = \x1b[31m\n";
        for said in [said.to_string(), Rules::parse(raw).unwrap_err().to_string()] {
            assert!(!said.chars().any(wording::is_unseen), "{said:?}");
        }
    }

    #[test]
    fn the_built_in_rules_are_sound() {
        let rules = Rules::parse(BUILT_IN).unwrap();
        assert!(rules.vulnerable.len() >= 30);
        assert!(rules.date().as_str() >= "2026-01-01");
        for rule in &rules.vulnerable {
            assert!(rule.cvss_tenths > 0, "{} scores nothing", rule.id.as_str());
        }
        assert!(rules.ended.iter().all(|rule| rule.ended < rules.date));
    }

    #[test]
    fn ranges_end_where_the_mend_is() {
        let rules = Rules::built_in();
        assert!(ids(&rules, "orthanc", "1.5.7").contains(&"CVE-2025-0896".to_owned()));
        assert!(!ids(&rules, "orthanc", "1.5.8").contains(&"CVE-2025-0896".to_owned()));
        assert!(ids(&rules, "orthanc", "1.10.1").contains(&"CVE-2023-33466".to_owned()));
        assert_eq!(ids(&rules, "orthanc", "1.12.11"), Vec::<String>::new());
        assert!(!ids(&rules, "dcmtk", "3.6.7").contains(&"CVE-2022-2119".to_owned()));
        let newest: Vec<_> = rules.vulnerable("dcmtk", Version::parse("3.7.0").unwrap()).collect();
        assert!(newest.iter().any(|rule| rule.id.as_str() == "CVE-2026-50003" && rule.disputed));
        assert!(newest.iter().any(|rule| rule.id.as_str() == "CVE-2026-5663" && !rule.disputed));
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let rule = "[[vulnerable]]\nid = \"CVE-2020-1\"\nsoftware = \"x\"\ncvss = 5.0\nsource = \"s\"\n";
        let told =
            |body: &str| Rules::parse(&format!("format = 1\ndate = \"2026-11-01\"\n{body}")).unwrap_err().to_string();
        assert_eq!(told(rule), "vulnerable rule 1 (CVE-2020-1): it needs one of `fixed` and `through`");
        let backwards = format!("{rule}from = \"2.0\"\nfixed = \"1.0\"\n");
        assert_eq!(told(&backwards), "vulnerable rule 1 (CVE-2020-1): its versions are the wrong way round");
        let twice = format!("{rule}fixed = \"1.0\"\n{rule}fixed = \"2.0\"\n");
        assert!(told(&twice).contains("rule 2 (CVE-2020-1): comes twice"));
        assert!(
            told("[[ended]]\nid = \"EOL-1\"\nsoftware = \"x\"\nbefore = \"1\"\nended = \"soon\"\nsource = \"s\"\n")
                .contains("`ended`")
        );
        assert!(told(&format!("{rule}fixed = \"1.0\"\nseverity = 3\n")).contains("severity"));
        assert!(matches!(Rules::parse("format = 2\ndate = \"2026-11-01\""), Err(RulesError::Format(2))));
        assert!(matches!(Rules::parse("format = 1\ndate = \"2026-13-01\""), Err(RulesError::Date)));
    }
}
