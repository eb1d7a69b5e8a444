//! Software whose version is known (V): vulnerable, or out of support.

use super::{Check, Depth};
use crate::finding::Severity;

/// The family, in the order of its ids.
pub static CHECKS: &[&Check] = &[&V_01, &V_02];

/// Known vulnerabilities.
pub static V_01: Check = Check {
    id: "V-01",
    title: "A version with a known vulnerability",
    finding_when: "The version that the target tells of itself lies in a range of the dated rule base.",
    severity: Severity::High,
    depth: Depth::Handshake,
    opens: false,
    remediation: "Update to a version in which it is fixed; where a distribution mends old versions itself, check its package.",
    clauses: &["NIST CSF ID.RA-1", "NIST CSF ID.RA-2", "45 CFR 164.308(a)(1)(ii)(A)"],
    names: &["rule", "software", "version", "cvss-tenths", "advisory"],
};

/// Out of support.
pub static V_02: Check = Check {
    id: "V-02",
    title: "A version out of support",
    finding_when: "The rule base knows a day, now past, after which this line of versions gets no more mends.",
    severity: Severity::Medium,
    depth: Depth::Handshake,
    opens: false,
    remediation: "Plan its replacement.",
    clauses: &["NIST CSF ID.AM-2"],
    names: &["rule", "software", "version", "ended-days-ago"],
};
