//! Entries as FHIR R4 AuditEvents, after the patterns of IHE BALP (Basic Audit Log Patterns).
//!
//! Reads, searches and stores take the shapes of BALP's Read, Query and Create, with the
//! patient where one is known; everything else is an AuditEvent of the DICOM code. One event a
//! line makes NDJSON.

use leadglass_archive::trail::{Coding, Entry, EventId};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::message::Reporter;

const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const BALP: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.";
const EVENT_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-event-type";
const INTERACTION: &str = "http://hl7.org/fhir/restful-interaction";
const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const OBJECT_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const SOURCE_TYPE: &str = "http://terminology.hl7.org/CodeSystem/security-source-type";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";

/// A pattern of BALP: the profile's name, the interaction, the action.
type Pattern = (&'static str, &'static str, &'static str);

impl Reporter {
    /// The AuditEvent of an entry; `None` for one that another entry, which closes it, tells of.
    pub fn audit_event(&self, number: u64, entry: &Entry) -> Option<Value> {
        let coding = entry.coding().filter(|_| entry.is_told())?;
        let pattern = pattern(coding);
        let (code, display) = coding.id.code();
        let dicom = json!({ "system": DCM, "code": code, "display": display });
        let kind = coding.kind.map(|kind| json!({ "system": DCM, "code": kind.0, "display": kind.1 }));
        let (of_type, subtypes) = match pattern {
            Some((_, interaction, _)) => (
                json!({ "system": EVENT_TYPE, "code": "rest", "display": "Restful Operation" }),
                vec![json!({ "system": INTERACTION, "code": interaction, "display": interaction }), dicom],
            ),
            None => (dicom, kind.into_iter().collect()),
        };
        let mut event = json!({
            "resourceType": "AuditEvent",
            "id": format!("{}", number),
            "type": of_type,
            "action": pattern.map_or(coding.action.code(), |(_, _, action)| action),
            "recorded": instant(entry.time_ns),
            "outcome": entry.outcome.indicator().to_string(),
            "outcomeDesc": entry.outcome.name(),
            "agent": self.agents(entry, coding),
            "source": {
                "site": self.host,
                "observer": { "display": self.source },
                "type": [{ "system": SOURCE_TYPE, "code": "4", "display": "Application Server" }],
            },
        });
        if !subtypes.is_empty() {
            event["subtype"] = subtypes.into();
        }
        let entities = entities(entry, coding);
        if let Some((profile, ..)) = pattern
            && entry.outcome.indicator() == 0
            && (profile != "Query" || entry.subject.query.is_some())
            && (profile == "Query" || entry.subject.study.is_some())
        {
            let patient = if entry.subject.patient_id.is_some() { "Patient" } else { "" };
            event["meta"] = json!({ "profile": [format!("{BALP}{patient}{profile}")] });
        }
        if !entities.is_empty() {
            event["entity"] = entities.into();
        }
        Some(event)
    }

    fn agents(&self, entry: &Entry, coding: Coding) -> Vec<Value> {
        let role =
            |code: &str, display: &str| json!({ "coding": [{ "system": DCM, "code": code, "display": display }] });
        let (source, destination) = (role("110153", "Source Role ID"), role("110152", "Destination Role ID"));
        let mut agents = Vec::new();
        let is_known = !entry.caller.is_empty();
        let is_anyone = is_known || entry.address.is_some();
        if is_anyone {
            let name = if is_known { entry.caller.as_str() } else { "unknown" };
            // BALP: one agent for the machine, one for the person on it.
            let mut machine = json!({
                "type": source,
                "who": { "display": entry.peer.as_deref().unwrap_or(name) },
                "requestor": entry.person.is_none(),
            });
            if let Some(address) = entry.address {
                machine["network"] = json!({ "address": address.to_string(), "type": "2" });
            }
            agents.push(machine);
        }
        if let Some(person) = &entry.person {
            agents.push(json!({
                "type": { "coding": [{ "system": PARTICIPATION, "code": "IRCP", "display": "information recipient" }] },
                "who": { "display": person, "identifier": { "value": person } },
                "name": person,
                "requestor": true,
            }));
        }
        let ours = match coding.id {
            EventId::ApplicationActivity => role("110150", "Application"),
            _ => destination,
        };
        agents.push(json!({ "type": ours, "who": { "display": self.ae_title }, "requestor": false }));
        agents
    }
}

fn pattern(coding: Coding) -> Option<Pattern> {
    match coding.id {
        EventId::Query => Some(("Query", "search", "E")),
        EventId::InstancesAccessed => Some(("Read", "read", "R")),
        EventId::InstancesTransferred if coding.action == leadglass_archive::trail::Action::Create => {
            Some(("Create", "create", "C"))
        }
        EventId::InstancesTransferred => Some(("Read", "read", "R")),
        _ => None,
    }
}

fn entities(entry: &Entry, coding: Coding) -> Vec<Value> {
    let subject = &entry.subject;
    let kind = |code: &str, display: &str| json!({ "system": ENTITY_TYPE, "code": code, "display": display });
    let role = |code: &str, display: &str| json!({ "system": OBJECT_ROLE, "code": code, "display": display });
    let mut entities = Vec::new();
    if let Some(patient) = &subject.patient_id {
        let mut what = json!({ "type": "Patient", "identifier": { "value": patient } });
        if let Some(name) = &subject.patient_name {
            what["display"] = json!(name);
        }
        entities.push(json!({ "what": what, "type": kind("1", "Person"), "role": role("1", "Patient") }));
    }
    if let Some(study) = &subject.study {
        entities.push(json!({
            "what": {
                "type": "ImagingStudy",
                "identifier": { "system": "urn:dicom:uid", "value": format!("urn:oid:{study}") },
            },
            "type": kind("2", "System Object"),
            "role": role("4", "Domain Resource"),
            "detail": [{ "type": "NumberOfInstances", "valueString": subject.count.to_string() }],
        }));
    }
    if coding.id == EventId::Query
        && let Some(query) = &subject.query
    {
        entities.push(json!({
            "type": kind("2", "System Object"),
            "role": role("24", "Query"),
            "query": query,
            "detail": [{ "type": "TransferSyntax", "valueString": "1.2.840.10008.1.2.1" }],
        }));
    } else if let Some(detail) = &subject.detail {
        let role = role("13", "Security Resource");
        entities.push(json!({ "type": kind("2", "System Object"), "role": role, "name": entry.act.name(), "description": detail }));
    }
    entities
}

/// A FHIR instant.
pub fn instant(time_ns: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(time_ns)).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| "1970-01-01T00:00:00Z".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_at_a_patient_is_a_patient_read() {
        let [source, site, ae_title, host] = ["LEADGLASS", "", "LG1", "pacs"].map(str::to_owned);
        let reporter = Reporter { source, site, ae_title, host };
        let entry = serde_json::from_str(
            r#"{"time_ns":1767225600000000000,"caller":"ada","person":"ada","address":"192.0.2.7","door":"dicom-web",
                "operation":"retrieve","outcome":"done","purpose":"viewing","count":3,"patient_id":"P1","study":"1.2"}"#,
        );
        let event = reporter.audit_event(7, &entry.unwrap()).unwrap();
        assert_eq!(event["meta"]["profile"][0], format!("{BALP}PatientRead"));
        assert_eq!(event["subtype"][0]["code"], "read");
        assert_eq!(event["recorded"], "2026-01-01T00:00:00Z");
        let requestors = event["agent"].as_array().unwrap().iter().filter(|agent| agent["requestor"] == true).count();
        assert_eq!(requestors, 1);
        assert_eq!(event["entity"][0]["what"]["identifier"]["value"], "P1");
    }
}
