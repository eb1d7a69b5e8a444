//! Did the targets see us, and what did we not see (M).

use super::{Check, Depth};
use crate::finding::Severity;

/// The family, in the order of its ids.
pub static CHECKS: &[&Check] = &[&M_01, &M_02];

/// The target's own trail.
pub static M_01: Check = Check {
    id: "M-01",
    title: "The target's audit trail did not see the audit",
    finding_when: "The owner looked for the announced canaries in the target's audit trail and found none.",
    severity: Severity::Medium,
    depth: Depth::Canary,
    opens: false,
    remediation: "Send ATNA audit messages for access that succeeds and for access that fails.",
    clauses: &["45 CFR 164.312(b)", "IHE ATNA ITI-20", "DICOM PS3.15 A.5", "NIST CSF PR.PT-1"],
    names: &["announced", "for", "D-02", "D-03", "D-04", "D-07", "D-08", "D-13", "W-02", "W-03", "W-04", "W-06"],
};

/// What was not looked at.
pub static M_02: Check = Check {
    id: "M-02",
    title: "Not all of the scope was looked at",
    finding_when: "Ports of the scope were not tried, hosts not looked at to their end, or imported rows dropped.",
    severity: Severity::Info,
    depth: Depth::Import,
    opens: false,
    remediation: "Mend routing, hours or time, and run the rest.",
    clauses: &["NIST CSF ID.AM-1"],
    names: &["planned", "tried", "hosts", "hosts-done", "dropped", "left-early"],
};
