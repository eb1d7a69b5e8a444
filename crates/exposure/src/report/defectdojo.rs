//! DefectDojo's "Generic Findings Import": its importer refuses a file with any key that it
//! does not know, so [`KEYS`] is all that a finding may have.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::baseline::Accepted;
use super::json::in_canonical_form;
use super::subject::{Identities, Subject};
use super::{Report, wording};
use crate::evidence::RuleId;
use crate::finding::{Confidence, Facet, Outcome, Severity};

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
    let identities = Identities::of(&[report]);
    let findings: Vec<Value> =
        report.findings().map(|(subject, outcome)| finding(report, &identities, &subject, outcome, accepted)).collect();
    out.write_all(&in_canonical_form(&json!({ "findings": findings })))?;
    out.write_all(b"\n")
}

fn finding(
    report: &Report,
    identities: &Identities<'_>,
    subject: &Subject<'_>,
    outcome: &Outcome,
    accepted: &Accepted,
) -> Value {
    let check = outcome.check;
    let acceptance = accepted.of(&identities.key(subject, outcome));
    let part = wording::facet(&outcome.facet);
    let mut description = format!("{}\n\nWhere: {}", check.finding_when, subject.said());
    for (title, text) in [("Part", part), ("Seen", wording::evidence(outcome))] {
        if !text.is_empty() {
            description.push_str(&format!("\n{title}: {text}"));
        }
    }
    description.push_str(&format!("\nConfidence: {}", wording::confidence(outcome.confidence)));
    if let Some(acceptance) = acceptance {
        let said = format!("{} until {}: {}", acceptance.owner, acceptance.expires, acceptance.reason);
        description.push_str(&format!("\nAccepted by {}", wording::plain(&said)));
    }
    let mut finding = json!({
        "title": format!("{} {}: {}", check.id, check.title, subject.said()),
        "severity": severity(outcome.severity),
        "description": description,
        "mitigation": check.remediation,
        "references": check.clauses.join("\n"),
        "date": wording::day(report.times.started),
        "active": acceptance.is_none(),
        "risk_accepted": acceptance.is_some(),
        "verified": outcome.confidence == Confidence::Confirmed,
        "static_finding": subject.port().is_none(),
        "dynamic_finding": subject.port().is_some(),
        "unique_id_from_tool": identities.fingerprint(subject, outcome),
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
