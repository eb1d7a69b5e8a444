//! The checks: what each asks, when it is a finding, how bad, what to do, and under which clause.
//!
//! One file for each family, in the order of their letters in docs/EXPOSURE.md. Data only.

pub mod dimse;
pub mod files;
pub mod network;
pub mod product;
pub mod tls;
pub mod trail;
pub mod version;
pub mod web;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Deref;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::finding::Severity;

/// How far a look may go. Nothing above [`Depth::Credentials`] exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum Depth {
    /// 0: imported facts only; nothing is sent.
    Import,
    /// 1: connect, and one handshake of each protocol. The default for modalities.
    Handshake,
    /// 2: C-ECHO, canary queries, unauthenticated GETs. The default for servers.
    Canary,
    /// 3: counts, when the owner opted in.
    Counts,
    /// 4: the two credential tries, when the owner opted in.
    Credentials,
}

/// A check.
#[derive(Debug)]
pub struct Check {
    /// `D-07`: stable for ever, the anchor in docs/EXPOSURE.md.
    pub id: &'static str,
    /// What it is about, a few words.
    pub title: &'static str,
    /// When it is a finding, one sentence.
    pub finding_when: &'static str,
    /// Of a finding, unless the probe knows better.
    pub severity: Severity,
    /// How far a look must go to answer it.
    pub depth: Depth,
    /// Whether a finding means that a stranger reads patients' data: what "open" counts.
    pub opens: bool,
    /// What to do, one sentence.
    pub remediation: &'static str,
    /// Clauses it rests on: `DICOM PS3.15 B.12`, `45 CFR 164.312(e)(1)`, `NIST CSF PR.AC-4`, `IHE ATNA ITI-19`.
    pub clauses: &'static [&'static str],
    /// Every name its evidence and facets may have.
    pub names: &'static [&'static str],
}

/// All checks, in the order of their ids' families.
pub fn checks() -> impl Iterator<Item = &'static Check> {
    let families = [
        network::CHECKS,
        dimse::CHECKS,
        tls::CHECKS,
        web::CHECKS,
        product::CHECKS,
        files::CHECKS,
        version::CHECKS,
        trail::CHECKS,
    ];
    families.into_iter().flatten().copied()
}

/// The check with that id.
pub fn check(id: &str) -> Option<&'static Check> {
    checks().find(|check| check.id == id)
}

/// A check, in an outcome; goes into reports as its id.
#[derive(Clone, Copy)]
pub struct CheckRef(pub &'static Check);

impl Deref for CheckRef {
    type Target = Check;

    fn deref(&self) -> &Check {
        self.0
    }
}

impl PartialEq for CheckRef {
    fn eq(&self, other: &CheckRef) -> bool {
        self.id == other.id
    }
}

impl Eq for CheckRef {}

impl fmt::Debug for CheckRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id)
    }
}

impl Serialize for CheckRef {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id)
    }
}

impl<'de> Deserialize<'de> for CheckRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<CheckRef, D::Error> {
        let id = String::deserialize(deserializer)?;
        check(&id).map(CheckRef).ok_or_else(|| serde::de::Error::custom("a check that this version does not know"))
    }
}

/// A fixed name: of a fact, a part, a signature, an attribute. There is no way to make one
/// from bytes of a target: read back from a report, it must be one that is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(&'static str);

impl Name {
    /// From a text in our own source.
    pub const fn fixed(name: &'static str) -> Name {
        Name(name)
    }

    /// The name of an attribute of the data dictionary (PS3.6), by its keyword.
    pub fn of_keyword(keyword: &str) -> Option<Name> {
        use dicom_core::dictionary::DataDictionary as _;
        dicom_dictionary_std::StandardDataDictionary.by_name(keyword).map(|entry| Name(entry.alias))
    }

    /// One that is known here: of a check, or an attribute's keyword.
    pub fn known(text: &str) -> Option<Name> {
        static NAMES: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
            let of_checks = checks().flat_map(|check| check.names.iter().copied());
            of_checks.chain(crate::probe::signature_names()).collect()
        });
        NAMES.get(text).map(|name| Name(name)).or_else(|| Name::of_keyword(text))
    }

    /// The text.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
        let text = String::deserialize(deserializer)?;
        Name::known(&text).ok_or_else(|| serde::de::Error::custom("a name that this version does not know"))
    }
}

impl From<Depth> for u8 {
    fn from(depth: Depth) -> u8 {
        depth as u8
    }
}

impl TryFrom<u8> for Depth {
    type Error = &'static str;

    fn try_from(depth: u8) -> Result<Depth, &'static str> {
        [Depth::Import, Depth::Handshake, Depth::Canary, Depth::Counts, Depth::Credentials]
            .get(usize::from(depth))
            .copied()
            .ok_or("a depth is 0 to 4; nothing deeper exists")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_everything_says_what_to_do() {
        let mut seen = BTreeSet::new();
        for check in checks() {
            assert!(seen.insert(check.id), "{} comes twice", check.id);
            for text in [check.title, check.finding_when, check.remediation] {
                assert!(!text.is_empty(), "{} leaves something unsaid", check.id);
            }
            assert!(!check.clauses.is_empty(), "{} rests on no clause", check.id);
        }
    }
}
