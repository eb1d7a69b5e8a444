//! What people set down about studies and patients: labels, and restrictions.
//!
//! A label sorts; it may be what a scope asks for. A restriction keeps out everybody whose
//! scope does not clear it, whatever their role. Neither changes an instance.

use std::collections::BTreeSet;

use leadglass_dicom::StudyInstanceUid;
use serde::{Deserialize, Serialize};

/// Why a study, or all of a patient's, needs more than a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restriction {
    /// A person whom others are curious about.
    Vip,
    /// One of the staff.
    Staff,
    /// Held for a court or an insurer: kept whole, looked at by few.
    LegalHold,
    /// The patient withdrew consent.
    ConsentWithdrawn,
}

impl Restriction {
    /// All of them.
    pub const ALL: [Restriction; 4] =
        [Restriction::Vip, Restriction::Staff, Restriction::LegalHold, Restriction::ConsentWithdrawn];

    /// The name in requests, the trail and the index.
    pub fn name(self) -> &'static str {
        match self {
            Restriction::Vip => "vip",
            Restriction::Staff => "staff",
            Restriction::LegalHold => "legal-hold",
            Restriction::ConsentWithdrawn => "consent-withdrawn",
        }
    }
}

/// The labels and restrictions of a subject.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Marks {
    /// Labels, of a study alone.
    pub labels: BTreeSet<String>,
    /// Restrictions.
    pub restrictions: BTreeSet<Restriction>,
    /// Whether it is a patient whom nobody has a reason to look at: whoever does raises an alarm.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub canary: bool,
}

impl Marks {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.restrictions.is_empty() && !self.canary
    }

    /// These and those.
    pub(crate) fn and(mut self, others: &Marks) -> Marks {
        self.labels.extend(others.labels.iter().cloned());
        self.restrictions.extend(&others.restrictions);
        self
    }
}

/// What marks are about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Marked {
    /// One study.
    Study(String),
    /// All studies of a Patient ID, those to come too.
    Patient(String),
}

impl Marked {
    /// A study.
    pub fn study(study: &StudyInstanceUid) -> Marked {
        Marked::Study(study.to_string())
    }

    /// The subject in the index: what kind it is, a colon, which one.
    pub(crate) fn key(&self) -> String {
        match self {
            Marked::Study(uid) => format!("study:{uid}"),
            Marked::Patient(id) => format!("patient:{id}"),
        }
    }
}
