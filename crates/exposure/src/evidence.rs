//! What a probe may keep of what it saw: codes, counts, buckets, keywords, hashes.
//!
//! No variant can hold text or bytes of a target. Names are fixed in the catalogue, keywords
//! come from the data dictionary, UIDs from our own tables. A value that a target chose is at
//! most a number within bounds.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::catalogue::Name;

/// Most entries of a list in one fact: more says nothing more.
const MAX_ENTRIES: usize = 1024;
/// Counts from here on are kept to two figures: eight digits have room for a date of birth.
const COARSE_FROM: u64 = 10_000_000;
/// No count is larger.
const MOST: u64 = 1_000_000_000_000;
/// Most that a code of a protocol is, when it is none of Windows' (MS-ERREF 2.3).
const MAX_CODE: u32 = 0xffff;
/// What is kept in place of a code that no protocol has.
const NO_CODE: u32 = u32::MAX;

/// One thing seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// Yes or no.
    Flag(bool),
    /// How many.
    Count(u64),
    /// How many, about.
    Bucket(Bucket),
    /// A code of a protocol: a status, a PDU type, a TLS version or suite.
    Code(u32),
    /// Several codes.
    Codes(Vec<u32>),
    /// Days until, negative when past.
    Days(i32),
    /// A length in bytes.
    Bytes(u64),
    /// A version of software, numbers only.
    Version(Version),
    /// A fixed name: a signature, a product, a protocol, a class.
    Known(Name),
    /// Several fixed names.
    Names(Vec<Name>),
    /// Fixed names or attribute keywords, each with a count.
    Tally(BTreeMap<Name, u64>),
    /// Permission bits, each with a count.
    Modes(BTreeMap<u16, u64>),
    /// A hash of a path, a subject, a key.
    Hash(Hash),
    /// A rule of the offline rule base.
    Rule(RuleId),
}

/// A count, coarsely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Bucket {
    /// None.
    #[serde(rename = "0")]
    None,
    /// 1 to 9.
    #[serde(rename = "1-9")]
    Ones,
    /// 10 to 99.
    #[serde(rename = "10-99")]
    Tens,
    /// 100 to 999.
    #[serde(rename = "100-999")]
    Hundreds,
    /// 1,000 to 9,999.
    #[serde(rename = "1000-9999")]
    Thousands,
    /// 10,000 to 99,999.
    #[serde(rename = "10000-99999")]
    TenThousands,
    /// 100,000 to 999,999.
    #[serde(rename = "100000-999999")]
    HundredThousands,
    /// A million and more.
    #[serde(rename = ">=1000000")]
    Millions,
}

/// A version: up to four numbers, each below 1,000, and together no date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version([u16; 4]);

/// A hash of something of a target's: 16 bytes. Keyed with the run's key unless it must be
/// comparable between hosts (a public key).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 16]);

/// The name of a rule of the offline rule base: `CVE-2023-33466`, `ICSMA-25-037-02`, `EOL-0007`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RuleId(Box<str>);

/// What was seen, by the names that the catalogue gives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Evidence(BTreeMap<Name, Fact>);

impl Evidence {
    /// Keeps a fact. Lists are cut at a bound; numbers that a target chose are made coarse
    /// where they could be more than numbers.
    pub fn set(&mut self, name: &'static str, mut fact: Fact) {
        match &mut fact {
            Fact::Codes(codes) => {
                codes.truncate(MAX_ENTRIES);
                codes.iter_mut().for_each(|code| *code = known_code(*code));
            }
            Fact::Code(code) => *code = known_code(*code),
            Fact::Count(count) | Fact::Bytes(count) => *count = coarse(*count),
            Fact::Names(names) => names.truncate(MAX_ENTRIES),
            _ => {}
        }
        self.0.insert(Name::fixed(name), fact);
    }

    /// A fact by its name.
    pub fn fact(&self, name: &str) -> Option<&Fact> {
        self.0.iter().find(|(known, _)| known.as_str() == name).map(|(_, fact)| fact)
    }

    /// A count by its name; 0 when there is none.
    pub fn count(&self, name: &str) -> u64 {
        match self.fact(name) {
            Some(Fact::Count(count)) => *count,
            _ => 0,
        }
    }

    /// All facts in the order of their names.
    pub fn facts(&self) -> impl Iterator<Item = (Name, &Fact)> {
        self.0.iter().map(|(name, fact)| (*name, fact))
    }

    /// Whether nothing was kept.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A count as it is kept: whole below ten million, two figures above.
pub fn coarse(count: u64) -> u64 {
    let count = count.min(MOST);
    if count < COARSE_FROM {
        return count;
    }
    let unit = 10_u64.pow(count.ilog10() - 1);
    count / unit * unit
}

/// A code that a protocol may have: of 16 bits, or a warning or error of Windows'.
fn known_code(code: u32) -> u32 {
    let of_windows = matches!(code >> 16, 0x8000 | 0xc000);
    if code <= MAX_CODE || of_windows { code } else { NO_CODE }
}

impl Bucket {
    /// The bucket a count falls into.
    pub fn of(count: u64) -> Bucket {
        match count {
            0 => Bucket::None,
            1..10 => Bucket::Ones,
            10..100 => Bucket::Tens,
            100..1_000 => Bucket::Hundreds,
            1_000..10_000 => Bucket::Thousands,
            10_000..100_000 => Bucket::TenThousands,
            100_000..1_000_000 => Bucket::HundredThousands,
            _ => Bucket::Millions,
        }
    }
}

impl Version {
    /// From numbers; `None` when one has four digits, as a year has, or when they are a date cut in four.
    pub fn new(numbers: [u16; 4]) -> Option<Version> {
        let is_date = matches!(numbers, [19 | 20, 0..=99, 1..=12, 1..=31]);
        (!is_date && numbers.iter().all(|number| *number < 1_000)).then_some(Version(numbers))
    }

    /// Reads `1.10.1` at the start of a text: digits and dots, up to four numbers, nothing else is kept.
    pub fn parse(text: &str) -> Option<Version> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let mut numbers = [0; 4];
        let mut parts = text.get(..end)?.trim_matches('.').split('.');
        for number in &mut numbers {
            match parts.next() {
                Some(part) => *number = part.parse().ok()?,
                None => break,
            }
        }
        Version::new(numbers).filter(|_| end > 0)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.0;
        write!(f, "{a}.{b}.{c}")?;
        if d == 0 { Ok(()) } else { write!(f, ".{d}") }
    }
}

impl Serialize for Version {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Version, D::Error> {
        let text = String::deserialize(deserializer)?;
        Version::parse(&text).ok_or_else(|| serde::de::Error::custom("not a version: up to four numbers and dots"))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Hash, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; 16];
        hex::decode_to_slice(&text, &mut bytes).map_err(|_| serde::de::Error::custom("not a hash: 32 hex digits"))?;
        Ok(Hash(bytes))
    }
}

impl RuleId {
    /// A rule's name: capital letters, digits and hyphens, at most 24, with one of the known beginnings.
    pub fn parse(text: &str) -> Option<RuleId> {
        let known = ["CVE-", "ICSMA-", "EOL-"].iter().find_map(|start| text.strip_prefix(start))?;
        let well_formed =
            text.len() <= 24 && !known.is_empty() && known.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        well_formed.then(|| RuleId(text.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RuleId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<RuleId, &'static str> {
        RuleId::parse(&text).ok_or("not a rule: CVE-…, ICSMA-… or EOL-… and digits")
    }
}

impl From<RuleId> for String {
    fn from(rule: RuleId) -> String {
        rule.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_keeps_numbers_only() {
        assert_eq!(Version::parse("1.10.1 DOE^JANE").unwrap().to_string(), "1.10.1");
        assert_eq!(Version::parse("3.6.7"), Version::new([3, 6, 7, 0]));
        assert_eq!(Version::parse("19601231"), None);
        assert_eq!(Version::parse("DOE"), None);
        for date in ["1960.12.31.4711", "1960.12.31", "19.60.12.31", "31.12.1960", "1.1960"] {
            assert_eq!(Version::parse(date), None, "{date}");
        }
        assert!(Version::parse("20.4.0").is_some() && Version::parse("1.12.11").is_some());
    }

    #[test]
    fn a_number_has_no_room_for_a_date_of_birth() {
        let mut evidence = Evidence::default();
        let born = 19_601_231;
        evidence.set("studies", Fact::Count(born));
        evidence.set("length", Fact::Bytes(born));
        evidence.set("status", Fact::Code(born as u32));
        evidence.set("reason", Fact::Codes(vec![born as u32, 0xc000_0022, 0x0122]));
        let text = serde_json::to_string(&evidence).unwrap();
        assert!(!text.contains("19601231"), "{text}");
        assert_eq!(evidence.count("studies"), 19_000_000);
        assert_eq!(evidence.fact("reason"), Some(&Fact::Codes(vec![NO_CODE, 0xc000_0022, 0x0122])));
        assert_eq!(
            [9_999_999, 10_000_000, 123_456_789, u64::MAX].map(coarse),
            [9_999_999, 10_000_000, 120_000_000, MOST]
        );
    }

    #[test]
    fn a_rule_has_no_room_for_a_name() {
        assert!(RuleId::parse("CVE-2023-33466").is_some());
        assert!(RuleId::parse("CVE-DOE^JANE").is_none());
        assert!(RuleId::parse("DOE").is_none());
    }
}
