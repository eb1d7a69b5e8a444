//! OCSF 1.8 for SIEMs, one event a line: Compliance Finding (2003) for checks, Vulnerability
//! Finding (2002) for rules of the version base (V-01), Data Security Finding (2006) for files.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::baseline::Accepted;
use super::json::in_canonical_form;
use super::subject::Subject;
use super::told::{Told, told};
use super::{Report, wording};
use crate::finding::{Confidence, Facet, Outcome, Severity};

/// The version of the schema.
pub const VERSION: &str = "1.8.0";

/// Category "Findings".
const CATEGORY: u32 = 2;
/// Activity "Create".
const CREATE: u32 = 1;

/// Which class of event a finding is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Vulnerability = 2002,
    Compliance = 2003,
    DataSecurity = 2006,
}

/// Writes an event for each finding.
pub fn write(report: &Report, accepted: &Accepted, out: &mut dyn Write) -> io::Result<()> {
    for told in told(report, accepted) {
        out.write_all(&in_canonical_form(&event(report, &told)))?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn event(report: &Report, told: &Told<'_>) -> Value {
    let Told { subject, outcome, .. } = told;
    let check = outcome.check;
    let class = Class::of(outcome);
    let (severity_id, severity) = severity(outcome.severity);
    let (status_id, status) = if told.acceptance.is_some() { (3, "Suppressed") } else { (1, "New") };
    let mut event = json!({
        "activity_id": CREATE,
        "activity_name": "Create",
        "category_uid": CATEGORY,
        "category_name": "Findings",
        "class_uid": class as u32,
        "class_name": class.name(),
        "type_uid": class as u32 * 100 + CREATE,
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "time": report.times.ended.saturating_mul(1000),
        "message": told.title,
        "metadata": {
            "version": VERSION,
            "product": { "name": report.tool.name, "vendor_name": "Leadglass", "version": report.tool.version },
        },
        "finding_info": {
            "uid": told.fingerprint,
            "title": check.title,
            "desc": check.finding_when,
            "types": [check.id],
            "created_time": report.times.ended.saturating_mul(1000),
        },
    });
    let remediation = json!({ "desc": check.remediation });
    let confidence = json!(confidence(outcome.confidence));
    match class {
        Class::Compliance => {
            event["compliance"] = compliance(outcome);
            event["remediation"] = remediation;
            event["resources"] = json!([resource(subject)]);
        }
        Class::Vulnerability => {
            event["vulnerabilities"] = json!([vulnerability(outcome, severity, &remediation)]);
            event["resources"] = json!([resource(subject)]);
        }
        Class::DataSecurity => {
            event["data_security"] = json!({ "category": "Personal", "category_id": 1, "data_lifecycle_state": "Data at-Rest", "data_lifecycle_state_id": 1 });
            event["confidence_id"] = confidence;
            event["resources"] = json!([resource(subject)]);
        }
    }
    if !told.evidence.is_empty() {
        event["unmapped"] = json!({ "evidence": told.evidence, "part": told.part });
    }
    event
}

impl Class {
    fn of(outcome: &Outcome) -> Class {
        match (outcome.check.id, &outcome.facet) {
            (id, _) if id.starts_with('F') => Class::DataSecurity,
            ("V-01", Facet::Rule(_)) => Class::Vulnerability,
            _ => Class::Compliance,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Class::Vulnerability => "Vulnerability Finding",
            Class::Compliance => "Compliance Finding",
            Class::DataSecurity => "Data Security Finding",
        }
    }
}

fn compliance(outcome: &Outcome) -> Value {
    json!({
        "control": outcome.check.id,
        "standards": outcome.check.clauses,
        "status": "Fail",
        "status_id": 3,
    })
}

fn vulnerability(outcome: &Outcome, severity: &str, remediation: &Value) -> Value {
    let mut vulnerability = json!({
        "title": outcome.check.title,
        "desc": outcome.check.finding_when,
        "severity": severity,
        "remediation": remediation,
    });
    if let Facet::Rule(rule) = &outcome.facet {
        let uid = rule.as_str();
        if uid.starts_with("CVE-") {
            vulnerability["cve"] = json!({ "uid": uid });
        } else {
            vulnerability["advisory"] = json!({ "uid": uid });
        }
    }
    vulnerability
}

fn resource(subject: &Subject<'_>) -> Value {
    let label = wording::plain(subject.label).into_owned();
    let mut resource = json!({ "name": label, "uid": subject.uri(), "type": if subject.port().is_some() { "host" } else { "file tree" } });
    let labels =
        [("country", &subject.labels.country), ("region", &subject.labels.region), ("site", &subject.labels.site)];
    let labels: Vec<_> = labels
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}:{}", wording::plain(value.as_deref()?))))
        .collect();
    if !labels.is_empty() {
        resource["labels"] = json!(labels);
    }
    resource
}

fn severity(severity: Severity) -> (u32, &'static str) {
    match severity {
        Severity::Info => (1, "Informational"),
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    }
}

/// Low, medium or high.
fn confidence(confidence: Confidence) -> u32 {
    match confidence {
        Confidence::Imported | Confidence::RangeDisputed => 1,
        Confidence::Toolkit | Confidence::Offered => 2,
        Confidence::Confirmed => 3,
    }
}
