//! DefectDojo's "Generic Findings Import": its importer refuses a file with any key that it
//! does not know, so [`KEYS`] is all that a finding may have.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::baseline::Accepted;
use super::json::in_canonical_form;
use super::told::{Told, told};
use super::{Report, wording};
use crate::evidence::RuleId;
use crate::finding::{Confidence, Facet, Severity};

/// Every key that a finding of ours may have; a part of those that the importer allows.
pub const KEYS: [&str; 19] = [
    "active",
    "component_name",
    "date",
    "description",
    "dynamic_finding",
    "endpoints",
    "impact",
    "mitigation",
    "references",
    "risk_accepted",
    "service",
    "severity",
    "static_finding",
    "tags",
    "title",
    "unique_id_from_tool",
    "verified",
    "vuln_id_from_tool",
    "vulnerability_ids",
];

/// Writes all findings, accepted ones marked so.
pub fn write(report: &Report, accepted: &Accepted, out: &mut dyn Write) -> io::Result<()> {
    let findings: Vec<Value> = told(report, accepted).map(|told| finding(report, &told)).collect();
    out.write_all(&in_canonical_form(&json!({ "findings": findings })))?;
    out.write_all(b"\n")
}

fn finding(report: &Report, told: &Told<'_>) -> Value {
    let Told { subject, outcome, .. } = told;
    let check = outcome.check;
    let mut description = format!("{}\n\nWhere: {}", check.finding_when, subject.said());
    for (title, text) in [("Part", &told.part), ("Seen", &told.evidence)] {
        if !text.is_empty() {
            description.push_str(&format!("\n{title}: {text}"));
        }
    }
    description.push_str(&format!("\nConfidence: {}", wording::confidence(outcome.confidence)));
    if let Some(said) = told.accepted_by() {
        description.push_str(&format!("\nAccepted by {said}"));
    }
    let mut finding = json!({
        "title": told.title,
        "severity": severity(outcome.severity),
        "description": description,
        "mitigation": check.remediation,
        "references": check.clauses.join("\n"),
        "date": wording::day(report.times.started),
        "active": told.acceptance.is_none(),
        "risk_accepted": told.acceptance.is_some(),
        "verified": outcome.confidence == Confidence::Confirmed,
        "static_finding": subject.port().is_none(),
        "dynamic_finding": subject.port().is_some(),
        "unique_id_from_tool": told.fingerprint,
        "vuln_id_from_tool": check.id,
        "tags": ["exposure-audit"],
    });
    if check.opens {
        finding["impact"] = json!("Whoever reaches it reads patients' data without being known.");
    }
    if let Some(port) = subject.port() {
        finding["endpoints"] = json!([subject.uri()]);
        finding["service"] = json!(format!("{} {port}", subject.speaks()));
    }
    if let Some(product) = subject.system().and_then(|system| system.product) {
        finding["component_name"] = json!(product.as_str());
    }
    if let Facet::Rule(rule) = &outcome.facet {
        finding["vulnerability_ids"] = json!([RuleId::as_str(rule)]);
    }
    finding
}

/// Its words for severities.
fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "Info",
        Severity::Low => "Low",
        Severity::Medium => "Medium",
        Severity::High => "High",
        Severity::Critical => "Critical",
    }
}
