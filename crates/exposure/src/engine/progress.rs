//! Where a run stands, for a terminal to look at whenever it likes.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

use crate::finding::{Outcome, Severity};

/// Where a run stands. Counters only grow; a resumed run begins with what was done before.
#[derive(Debug, Default)]
pub struct Progress {
    phase: AtomicU8,
    probes: AtomicU64,
    probes_planned: AtomicU64,
    hosts: AtomicU64,
    hosts_planned: AtomicU64,
    trees: AtomicU64,
    trees_planned: AtomicU64,
    open: AtomicU64,
    files: AtomicU64,
    pauses: AtomicU64,
    findings: [AtomicU64; 5],
}

/// What a run is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Reading its log, resolving names.
    #[default]
    Preparing,
    /// Finding open ports.
    Sweep,
    /// Looking at hosts and walking file trees.
    Hosts,
    /// Making the report.
    Report,
    /// Over.
    Ended,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What the run is doing.
    pub phase: Phase,
    /// Connects of the sweep that have an answer.
    pub probes: u64,
    /// Connects of the sweep in all.
    pub probes_planned: u64,
    /// Hosts looked at.
    pub hosts: u64,
    /// Hosts to be looked at, as far as known.
    pub hosts_planned: u64,
    /// File trees walked.
    pub trees: u64,
    /// File trees to be walked.
    pub trees_planned: u64,
    /// Open ports found.
    pub open: u64,
    /// Files looked at.
    pub files: u64,
    /// How often the sweep waited because this machine ran out of descriptors or ports.
    pub pauses: u64,
    /// Findings, from [`Severity::Info`] to [`Severity::Critical`].
    pub findings: [u64; 5],
}

impl Progress {
    /// The counters now.
    pub fn now(&self) -> Standing {
        Standing {
            phase: match self.phase.load(Relaxed) {
                0 => Phase::Preparing,
                1 => Phase::Sweep,
                2 => Phase::Hosts,
                3 => Phase::Report,
                _ => Phase::Ended,
            },
            probes: self.probes.load(Relaxed),
            probes_planned: self.probes_planned.load(Relaxed),
            hosts: self.hosts.load(Relaxed),
            hosts_planned: self.hosts_planned.load(Relaxed),
            trees: self.trees.load(Relaxed),
            trees_planned: self.trees_planned.load(Relaxed),
            open: self.open.load(Relaxed),
            files: self.files.load(Relaxed),
            pauses: self.pauses.load(Relaxed),
            findings: std::array::from_fn(|at| self.findings[at].load(Relaxed)),
        }
    }

    pub(super) fn begin(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
    }

    pub(super) fn plan_probes(&self, done: u64, planned: u64) {
        self.probes.store(done, Relaxed);
        self.probes_planned.store(planned, Relaxed);
    }

    pub(super) fn plan_hosts(&self, planned: u64) {
        self.hosts_planned.store(planned, Relaxed);
    }

    pub(super) fn plan_trees(&self, planned: u64) {
        self.trees_planned.store(planned, Relaxed);
    }

    pub(super) fn found_open(&self, ports: u64) {
        self.open.fetch_add(ports, Relaxed);
    }

    pub(super) fn paused(&self) {
        self.pauses.fetch_add(1, Relaxed);
    }

    pub(super) fn host_done<'a>(&self, outcomes: impl Iterator<Item = &'a Outcome>) {
        self.hosts.fetch_add(1, Relaxed);
        self.count(outcomes);
    }

    pub(super) fn tree_done<'a>(&self, outcomes: impl Iterator<Item = &'a Outcome>) {
        self.trees.fetch_add(1, Relaxed);
        self.count(outcomes);
    }

    /// Counts files, wherever they are walked.
    pub(super) fn files(&self) -> &AtomicU64 {
        &self.files
    }

    fn count<'a>(&self, outcomes: impl Iterator<Item = &'a Outcome>) {
        for outcome in outcomes.filter(|outcome| outcome.is_finding()) {
            self.findings[outcome.severity as usize].fetch_add(1, Relaxed);
        }
    }
}

impl Standing {
    /// Findings of a severity.
    pub fn findings_of(&self, severity: Severity) -> u64 {
        self.findings[severity as usize]
    }
}
