//! SARIF 2.1.0 (OASIS): findings for code-scanning views and CI.
//!
//! A target has no source file, so a result has a logical location only: the URI of the port.
//! Deliberately absent: informationUri and helpUri (3.19.13, 3.49.12), which must be absolute; the
//! manual lies beside the program (`leadglass exposure checks --manual`).

use std::io::{self, Write};

use serde_json::{Value, json};

use super::baseline::Accepted;
use super::diff::{Change, Diff};
use super::json::in_canonical_form;
use super::subject::{Identities, Key, Subject};
use super::told::{Told, told};
use super::{Report, wording};
use crate::catalogue::{Check, checks};
use crate::finding::Severity;

/// Writes the log. With an earlier report each result says whether it is new (3.27.24).
pub fn write(report: &Report, accepted: &Accepted, before: Option<&Report>, out: &mut dyn Write) -> io::Result<()> {
    let rules: Vec<&'static Check> = checks().collect();
    let compared = before.map(|before| Compared::of(before, report, accepted));
    let mut results: Vec<Value> = Vec::new();
    for told in told(report, accepted) {
        let mut result = result(&rules, &told);
        if let Some(compared) = &compared {
            result["baselineState"] = json!(compared.state(&told));
        }
        results.push(result);
    }
    if let (Some(before), Some(compared)) = (before, &compared) {
        results.extend(compared.absent(before, &rules));
    }
    let driver = json!({
        "name": report.tool.name,
        "version": report.tool.version,
        "semanticVersion": report.tool.version,
        "rules": rules.iter().map(|check| rule(check)).collect::<Vec<_>>(),
        "properties": { "rules-date": report.tool.rules },
    });
    let log = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": driver },
            "automationDetails": { "id": format!("exposure/{}/", report.scope.sha256) },
            "invocations": [{
                "executionSuccessful": true,
                "startTimeUtc": wording::timestamp(report.times.started),
                "endTimeUtc": wording::timestamp(report.times.ended),
            }],
            "results": results,
            "columnKind": "unicodeCodePoints",
        }],
    });
    out.write_all(&in_canonical_form(&log))?;
    out.write_all(b"\n")
}

/// A check as a reportingDescriptor (3.49).
fn rule(check: &Check) -> Value {
    let clauses = check.clauses.join("; ");
    json!({
        "id": check.id,
        "name": check.title,
        "shortDescription": { "text": check.title },
        "fullDescription": { "text": check.finding_when },
        "help": {
            "text": format!("{} Clauses: {clauses}.", check.remediation),
            "markdown": format!("{}\n\n*Clauses: {clauses}.*", check.remediation),
        },
        "defaultConfiguration": { "level": level(check.severity) },
        "properties": {
            "security-severity": score(check.severity),
            "opens": check.opens,
            "tags": ["security", "exposure"],
        },
    })
}

fn result(rules: &[&'static Check], told: &Told<'_>) -> Value {
    let outcome = told.outcome;
    let check = outcome.check;
    let mut message = format!("{}: {}.", check.title, told.subject.said());
    for (title, text) in [("Part", &told.part), ("Seen", &told.evidence)] {
        if !text.is_empty() {
            message.push_str(&format!(" {title}: {text}."));
        }
    }
    let mut result = json!({
        "ruleId": check.id,
        "ruleIndex": rules.iter().position(|rule| rule.id == check.id),
        "level": level(outcome.severity),
        "message": { "text": message },
        "locations": [{ "logicalLocations": [location(&told.subject)] }],
        "partialFingerprints": { "exposure/v1": told.fingerprint },
        "properties": {
            "security-severity": score(outcome.severity),
            "severity": wording::severity(outcome.severity),
            "confidence": wording::confidence(outcome.confidence),
            "part": told.part,
        },
    });
    if let Some(justification) = told.accepted_by() {
        result["suppressions"] = json!([{ "kind": "external", "status": "accepted", "justification": justification }]);
    }
    result
}

/// A logicalLocation (3.33).
fn location(subject: &Subject<'_>) -> Value {
    let kind = if subject.port().is_some() { "resource" } else { "namespace" };
    let name = wording::plain(subject.label).into_owned();
    json!({ "name": name, "fullyQualifiedName": subject.uri(), "kind": kind })
}

/// The level (3.27.10) of a severity.
fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// A severity on the scale that code-scanning views know: above 9, 7, 4, 0.
pub(super) fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.5",
        Severity::Info => "0.0",
    }
}

/// An earlier report, to say of each result what it was.
struct Compared<'report> {
    identities: Identities<'report>,
    diff: Diff,
}

impl<'report> Compared<'report> {
    fn of(before: &'report Report, report: &'report Report, accepted: &Accepted) -> Compared<'report> {
        Compared { identities: Identities::of(&[before, report]), diff: Diff::of(before, report, accepted) }
    }

    fn change(&self, key: &Key) -> Option<Change> {
        self.diff.items.iter().find(|item| item.key == *key).map(|item| item.change)
    }

    fn state(&self, told: &Told<'_>) -> &'static str {
        match self.change(&self.identities.key(&told.subject, told.outcome)) {
            None => "unchanged",
            Some(Change::New) => "new",
            Some(_) => "updated",
        }
    }

    /// What was mended. What was not re-checked is not absent, so it does not stand here.
    fn absent(&self, before: &Report, rules: &[&'static Check]) -> Vec<Value> {
        let nobody = Accepted::default();
        let is_resolved =
            |told: &Told<'_>| self.change(&self.identities.key(&told.subject, told.outcome)) == Some(Change::Resolved);
        let absent = told(before, &nobody).filter(is_resolved).map(|told| {
            let mut result = result(rules, &told);
            result["baselineState"] = json!("absent");
            result
        });
        absent.collect()
    }
}
