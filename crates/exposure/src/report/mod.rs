//! The report: one canonical, versioned model, from which every format is made.
//!
//! [`Report`] without [`RunTimes`] is the same for the same systems, scope and options,
//! however often the run was interrupted or into how many shards it was cut.
//!
//! [`format::write`] makes every other form of it; all of them say what [`summary::Summary`]
//! counts, in the words of [`wording`]. Deliberately absent: anything that is not in the model.

pub mod baseline;
pub mod csv;
pub mod defectdojo;
pub mod diff;
pub mod format;
pub mod html;
pub mod json;
pub mod junit;
pub mod ocsf;
pub mod prometheus;
pub mod sarif;
pub mod subject;
pub mod summary;
pub mod table;
pub mod tally;
mod told;
pub mod verdict;
pub mod wording;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::catalogue::{Depth, Name};
use crate::engine::Ended;
use crate::finding::Outcome;
use crate::scope::{AssetClass, Labels, Vantage};

/// The version of the JSON form; its schema is docs/exposure-report.schema.json.
pub const FORMAT: u32 = 1;

/// A whole report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// Which tool with which rules.
    pub tool: Tool,
    /// By whose word.
    pub scope: ScopeSummary,
    /// What was asked for.
    pub plan: Plan,
    /// Hosts, by label and address.
    pub systems: Vec<System>,
    /// File trees, by label and root.
    pub trees: Vec<Tree>,
    /// What was looked at and what not.
    pub coverage: Coverage,
    /// When; not part of the canonical body.
    pub times: RunTimes,
}

/// Which tool with which rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// `leadglass`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The date of the offline rule base, `2026-11-01`.
    pub rules: String,
}

/// By whose word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeSummary {
    /// SHA-256 of the scope file, hex.
    pub sha256: String,
    /// Whose systems.
    pub owner: String,
    /// Who authorised.
    pub authorised_by: String,
    /// Where the authorisation is.
    pub reference: String,
    /// Where the audit stood.
    pub vantage: Vantage,
    /// Public key of the scope's signature, hex, when it was signed and the signature holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The deepest look.
    pub depth: Depth,
    /// The order's seed.
    pub seed: u64,
    /// Which shard of how many, `1/2`; none for all. A merge of all shards has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
    /// Ports looked at where an asset names none.
    pub ports: Vec<u16>,
}

/// One host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// The owner's label for the asset it belongs to.
    pub label: String,
    /// Its address.
    pub address: IpAddr,
    /// What the owner says it is.
    pub class: AssetClass,
    /// Where it is.
    #[serde(default)]
    pub labels: Labels,
    /// Whether the scope lists it by itself rather than in a range: then it counts as checked
    /// even when it does not answer.
    pub listed: bool,
    /// The product, when recognised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<Name>,
    /// Studies that a counter of the host's own told, when it was open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub studies: Option<u64>,
    /// Its ports that answered, ascending.
    pub services: Vec<Service>,
    /// Why the look at it ended early, when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Left>,
}

/// Why the look at a host ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Left {
    /// It showed strain: slower and slower, or resets in a row.
    Strain,
    /// A modality refused: it is not asked a second time.
    Refused,
    /// Its time was up.
    OutOfTime,
    /// The scope's hours ended, or the authorisation did.
    NotPermitted,
    /// The run was stopped.
    Stopped,
    /// The audit itself failed there: a mistake of ours, not a property of the host.
    Fault,
}

/// One port of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The port.
    pub port: u16,
    /// What it speaks: `dicom`, `dicom-tls`, `http`, `https`, `tls`, `postgresql`, … or `unknown`.
    pub speaks: Name,
    /// What the checks came to, in canonical order.
    pub outcomes: Vec<Outcome>,
}

/// One file tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tree {
    /// The owner's label for the asset.
    pub label: String,
    /// Which of the asset's paths, counted from 0.
    pub root: u32,
    /// Where it is.
    #[serde(default)]
    pub labels: Labels,
    /// DICOM files found.
    pub dicom_files: u64,
    /// Files looked at.
    pub files: u64,
    /// Files and folders that could not be read.
    pub unreadable: u64,
    /// What the checks came to.
    pub outcomes: Vec<Outcome>,
}

/// What was looked at and what not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    /// Address and port pairs that the scope asks for.
    pub planned: u64,
    /// Of them, tried.
    pub tried: u64,
    /// Of those, open.
    pub open: u64,
    /// Refused.
    pub refused: u64,
    /// Silent.
    pub silent: u64,
    /// Hosts that were to be looked at.
    pub hosts: u64,
    /// Hosts looked at to the end.
    pub hosts_done: u64,
    /// File trees that the scope names.
    pub trees: u64,
    /// Of them, those that were there and were walked.
    pub trees_done: u64,
    /// Names of hosts, URLs and share links that the scope names.
    pub names: u64,
    /// Of them, those that led to an address of the scope.
    pub names_found: u64,
    /// Rows of imports that the scope does not cover.
    pub dropped: u64,
    /// How the run ended: a part is not to be taken for the whole. Of shards, the worst.
    pub ended: Ended,
    /// What the checks of the run as a whole came to (M-02).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<Outcome>,
}

/// When. Differs between two runs over the same systems, so it is outside of the canonical body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunTimes {
    /// Seconds since 1970 when the run began.
    pub started: i64,
    /// When it ended.
    pub ended: i64,
    /// How often it was resumed.
    pub resumed: u32,
    /// Hash of the last line of the run's log, hex; none for a merge of several runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_head: Option<String>,
    /// AE Titles that the audit used and when, for whoever asks the targets' audit trails (M-01).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub announced: Vec<Announced>,
}

/// One thing that a target's audit trail should hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Announced {
    /// The owner's label of the asset.
    pub label: String,
    /// The host.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// Our calling AE Title.
    pub calling_ae: String,
    /// Seconds since 1970.
    pub at: i64,
    /// The check: D-02, D-07, W-02.
    pub check: String,
}

impl System {
    /// All outcomes with their port.
    pub fn outcomes(&self) -> impl Iterator<Item = (u16, &Outcome)> {
        self.services.iter().flat_map(|service| service.outcomes.iter().map(move |outcome| (service.port, outcome)))
    }

    /// Whether a stranger reads patients' data there.
    pub fn is_open(&self) -> bool {
        self.outcomes().any(|(_, outcome)| outcome.is_finding() && outcome.check.opens)
    }

    /// Whether it counts as checked: it is listed by itself, or it answered.
    pub fn is_checked(&self) -> bool {
        self.listed || !self.services.is_empty()
    }
}
