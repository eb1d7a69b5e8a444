//! Entries as DICOM audit messages: the XML of PS3.15 A.5.1.
//!
//! At most one participant is the requestor, one patient is in a message, what was searched
//! for is a base64 data set with its transfer syntax, and words of ours go into details as
//! base64, as the schema wants. Deliberately absent: any text that is not escaped.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use leadglass_archive::trail::{Act, Coding, Entry, Event, EventId, Outcome};
use leadglass_archive::{Door, Operation};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Study Root Query/Retrieve Information Model, FIND: what searches of both doors are.
const STUDY_ROOT_FIND: &str = "1.2.840.10008.5.1.4.1.2.2.1";
/// Explicit VR Little Endian.
const EXPLICIT_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2.1";
/// Longest value of an attribute, in characters: everything has room in 32,768 octets.
const LONGEST: usize = 1024;

/// Who reports: the same in every message of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reporter {
    /// AuditSourceID.
    pub source: String,
    /// AuditEnterpriseSiteID; empty for none.
    pub site: String,
    /// Our AE title.
    pub ae_title: String,
    /// Our host's name.
    pub host: String,
}

impl Reporter {
    /// The message of an entry; `None` for one that PS3.15 has no message for, or that another
    /// entry, which closes it, tells of.
    pub fn message(&self, entry: &Entry) -> Option<String> {
        let coding = entry.coding().filter(|_| entry.is_told())?;
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?><AuditMessage>");
        identification(&mut xml, entry, coding);
        self.participants(&mut xml, entry, coding);
        let site = if self.site.is_empty() { String::new() } else { attribute("AuditEnterpriseSiteID", &self.site) };
        let source = attribute("AuditSourceID", &self.source);
        let _ = write!(
            xml,
            "<AuditSourceIdentification{site}{source}><AuditSourceTypeCode csd-code=\"4\"/></AuditSourceIdentification>"
        );
        self.objects(&mut xml, entry, coding);
        xml.push_str("</AuditMessage>");
        Some(xml)
    }

    fn participants(&self, xml: &mut String, entry: &Entry, coding: Coding) {
        let us = |role| Participant {
            id: &self.ae_title,
            name: None,
            ae: Some(&self.ae_title),
            is_requestor: false,
            address: Some(Address::Name(&self.host)),
            role,
        };
        let address = entry.address.map(|address| address.to_string());
        let who = |role| Participant {
            id: if entry.caller.is_empty() { "unknown" } else { &entry.caller },
            name: entry.person.as_deref(),
            ae: entry.peer.as_deref(),
            is_requestor: true,
            address: address.as_deref().map(Address::Ip),
            role,
        };
        let is_anyone = !entry.caller.is_empty() || address.is_some();
        match coding.id {
            EventId::ApplicationActivity => {
                us(Some(APPLICATION)).write(xml);
                if is_anyone {
                    who(Some(LAUNCHER)).write(xml);
                }
            }
            EventId::BeginTransferring | EventId::InstancesTransferred if is_incoming(entry) => {
                who(Some(SOURCE)).write(xml);
                us(Some(DESTINATION)).write(xml);
            }
            EventId::BeginTransferring | EventId::InstancesTransferred | EventId::Export => {
                us(Some(SOURCE)).write(xml);
                match destination(entry) {
                    Some(peer) => {
                        let there = Participant {
                            id: peer,
                            name: None,
                            ae: Some(peer),
                            is_requestor: false,
                            address: None,
                            role: Some(DESTINATION),
                        };
                        there.write(xml);
                        who(None).write(xml);
                    }
                    None => who(Some(DESTINATION)).write(xml),
                }
            }
            EventId::Import | EventId::Query => {
                who(Some(SOURCE)).write(xml);
                us(Some(DESTINATION)).write(xml);
            }
            EventId::SecurityAlert if !is_anyone => us(Some(APPLICATION)).write(xml),
            _ => {
                if is_anyone {
                    who(None).write(xml);
                }
                us(None).write(xml);
            }
        }
    }

    fn objects(&self, xml: &mut String, entry: &Entry, coding: Coding) {
        let subject = &entry.subject;
        if let Some(study) = &subject.study {
            let counted = format!(
                "<ParticipantObjectDescription><SOPClass NumberOfInstances=\"{}\"/></ParticipantObjectDescription>",
                subject.count
            );
            object(
                xml,
                Object {
                    kind: "2",
                    role: "3",
                    code: ("110180", "DCM", "Study Instance UID"),
                    id: study,
                    name: Some(study),
                    query: None,
                    more: &counted,
                },
            );
        }
        if let Some(patient) = &subject.patient_id {
            let name = subject.patient_name.as_deref().unwrap_or(patient);
            object(
                xml,
                Object {
                    kind: "1",
                    role: "1",
                    code: ("2", "RFC-3881", "Patient Number"),
                    id: patient,
                    name: Some(name),
                    query: None,
                    more: "",
                },
            );
        }
        match coding.id {
            EventId::Query => {
                let syntax = detail("TransferSyntax", EXPLICIT_LITTLE_ENDIAN);
                let query = subject.query.as_deref().unwrap_or("");
                object(
                    xml,
                    Object {
                        kind: "2",
                        role: "3",
                        code: ("110181", "DCM", "SOP Class UID"),
                        id: STUDY_ROOT_FIND,
                        name: None,
                        query: Some(query),
                        more: &syntax,
                    },
                );
            }
            EventId::AuditLogUsed => {
                let uri = format!("urn:leadglass:{}:trail", self.source.replace(' ', "-"));
                let said = subject.detail.as_deref().map(|text| detail("Description", text)).unwrap_or_default();
                object(
                    xml,
                    Object {
                        kind: "2",
                        role: "13",
                        code: ("12", "RFC-3881", "URI"),
                        id: &uri,
                        name: Some("Security Audit Log"),
                        query: None,
                        more: &said,
                    },
                );
            }
            EventId::SecurityAlert => {
                let what = entry.act.name();
                let said = subject.detail.as_deref().unwrap_or(what);
                let said = detail("Alert Description", said);
                let id = match entry.address {
                    Some(address) => address.to_string(),
                    None => self.ae_title.clone(),
                };
                object(
                    xml,
                    Object {
                        kind: "2",
                        role: "13",
                        code: ("110182", "DCM", "Node ID"),
                        id: &id,
                        name: Some(what),
                        query: None,
                        more: &said,
                    },
                );
            }
            _ => {}
        }
    }
}

fn identification(xml: &mut String, entry: &Entry, coding: Coding) {
    let (code, meaning) = coding.id.code();
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(entry.time_ns)).ok();
    let time = time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| "1970-01-01T00:00:00Z".into());
    let _ = write!(
        xml,
        "<EventIdentification EventActionCode=\"{}\" EventDateTime=\"{time}\" EventOutcomeIndicator=\"{}\">{}",
        coding.action.code(),
        entry.outcome.indicator(),
        coded("EventID", (code, "DCM", meaning)),
    );
    if let Some(kind) = coding.kind {
        xml.push_str(&coded("EventTypeCode", (kind.0, "DCM", kind.1)));
    }
    if !matches!(entry.outcome, Outcome::Done | Outcome::Begun) {
        let _ = write!(xml, "<EventOutcomeDescription>{}</EventOutcomeDescription>", entry.outcome.name());
    }
    xml.push_str("</EventIdentification>");
}

type Code = (&'static str, &'static str, &'static str);

const APPLICATION: Code = ("110150", "DCM", "Application");
const LAUNCHER: Code = ("110151", "DCM", "Application Launcher");
const DESTINATION: Code = ("110152", "DCM", "Destination Role ID");
const SOURCE: Code = ("110153", "DCM", "Source Role ID");

/// Where a participant is.
enum Address<'a> {
    /// NetworkAccessPointTypeCode 1.
    Name(&'a str),
    /// NetworkAccessPointTypeCode 2.
    Ip(&'a str),
}

struct Participant<'a> {
    id: &'a str,
    name: Option<&'a str>,
    ae: Option<&'a str>,
    is_requestor: bool,
    address: Option<Address<'a>>,
    role: Option<Code>,
}

impl Participant<'_> {
    fn write(&self, xml: &mut String) {
        let _ = write!(xml, "<ActiveParticipant{}", attribute("UserID", self.id));
        if let Some(ae) = self.ae {
            xml.push_str(&attribute("AlternativeUserID", &format!("AETITLES={ae}")));
        }
        if let Some(name) = self.name {
            xml.push_str(&attribute("UserName", name));
        }
        let _ = write!(xml, " UserIsRequestor=\"{}\"", self.is_requestor);
        match self.address {
            Some(Address::Name(name)) if !name.is_empty() => {
                let _ = write!(xml, "{} NetworkAccessPointTypeCode=\"1\"", attribute("NetworkAccessPointID", name));
            }
            Some(Address::Ip(ip)) => {
                let _ = write!(xml, "{} NetworkAccessPointTypeCode=\"2\"", attribute("NetworkAccessPointID", ip));
            }
            _ => {}
        }
        xml.push('>');
        xml.push_str(&self.role.map(|role| coded("RoleIDCode", role)).unwrap_or_default());
        xml.push_str("</ActiveParticipant>");
    }
}

struct Object<'a> {
    kind: &'static str,
    role: &'static str,
    code: Code,
    id: &'a str,
    name: Option<&'a str>,
    query: Option<&'a str>,
    /// Details and descriptions, as XML, in the order of the schema.
    more: &'a str,
}

fn object(xml: &mut String, object: Object<'_>) {
    let _ = write!(
        xml,
        "<ParticipantObjectIdentification{} ParticipantObjectTypeCode=\"{}\" ParticipantObjectTypeCodeRole=\"{}\">{}",
        attribute("ParticipantObjectID", object.id),
        object.kind,
        object.role,
        coded("ParticipantObjectIDTypeCode", object.code),
    );
    match object.query {
        Some(query) => {
            let _ = write!(xml, "<ParticipantObjectQuery>{query}</ParticipantObjectQuery>");
        }
        None => {
            let name = text(object.name.unwrap_or(object.id));
            let _ = write!(xml, "<ParticipantObjectName>{name}</ParticipantObjectName>");
        }
    }
    let _ = write!(xml, "{}</ParticipantObjectIdentification>", object.more);
}

fn detail(kind: &str, value: &str) -> String {
    format!("<ParticipantObjectDetail type=\"{kind}\" value=\"{}\"/>", STANDARD.encode(value))
}

fn coded(element: &str, (code, scheme, meaning): Code) -> String {
    format!("<{element} csd-code=\"{code}\" codeSystemName=\"{scheme}\" originalText=\"{meaning}\"/>")
}

fn attribute(name: &str, value: &str) -> String {
    format!(" {name}=\"{}\"", text(value))
}

/// Escaped, without what XML 1.0 cannot hold, and not longer than has room.
fn text(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars().take(LONGEST) {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push(' '),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Whether instances came to us.
fn is_incoming(entry: &Entry) -> bool {
    matches!(entry.act, Act::Operation(Operation::Store) | Act::Event(Event::InstancesReceived | Event::Imported))
}

/// The AE that instances went to, when it was not who asked.
fn destination(entry: &Entry) -> Option<&str> {
    if entry.door != Door::Dimse {
        return None;
    }
    entry.subject.purpose.as_deref()?.strip_prefix("to ").filter(|to| *to != "the caller")
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn reporter() -> Reporter {
        let [source, site, ae_title, host] = ["LEADGLASS", "", "LG1", "pacs"].map(str::to_owned);
        Reporter { source, site, ae_title, host }
    }

    fn entry(json: &str) -> Entry {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_search_carries_its_data_set_and_one_requestor() {
        let xml = reporter().message(&entry(
            r#"{"time_ns":1767225600000000000,"caller":"CT1 (ada)","person":"ada","peer":"CT1","address":"192.0.2.7",
                "door":"dimse","operation":"search","outcome":"done","count":3,"query":"CAA=","patient_id":"P<1>"}"#,
        ));
        let xml = xml.unwrap();
        assert!(xml.contains("<ParticipantObjectQuery>CAA=</ParticipantObjectQuery>"), "{xml}");
        assert!(xml.contains("type=\"TransferSyntax\" value=\"MS4yLjg0MC4xMDAwOC4xLjIuMQ==\""), "{xml}");
        assert!(xml.contains("EventDateTime=\"2026-01-01T00:00:00Z\""), "{xml}");
        assert!(xml.contains("ParticipantObjectID=\"P&lt;1&gt;\""), "{xml}");
        assert_eq!(xml.matches("UserIsRequestor=\"true\"").count(), 1);
    }

    #[test]
    fn no_text_breaks_out_of_its_place() {
        let hostile = "\"><x>\u{1b}[31m\u{0}&\n\u{ffff}";
        let quoted = serde_json::to_string(hostile).unwrap();
        let xml = reporter()
            .message(&entry(&format!(
                r#"{{"time_ns":1,"caller":{quoted},"person":{quoted},"door":"dicom-web","operation":"retrieve",
                    "outcome":"failed","purpose":"viewing","patient_id":{quoted},"patient_name":{quoted},"study":"1.2"}}"#
            )))
            .unwrap();
        assert!(!xml.contains("<x>") && !xml.chars().any(|c| c < ' '), "{xml}");
        assert!(xml.contains("EventOutcomeIndicator=\"12\""));
    }

    #[test]
    fn long_texts_leave_the_message_below_what_every_repository_takes() {
        let long = "€".repeat(20_000);
        let json = format!(
            r#"{{"time_ns":1,"caller":"{long}","person":"{long}","peer":"{long}","door":"dimse","operation":"retrieve",
                "outcome":"done","purpose":"to {long}","patient_id":"{long}","patient_name":"{long}","study":"{long}"}}"#
        );
        assert!(reporter().message(&entry(&json)).unwrap().len() < 65_536);
    }

    #[test]
    fn beginnings_are_told_for_transfers_alone() {
        let begun = |operation: &str| {
            let json = format!(
                r#"{{"time_ns":1,"caller":"a","door":"dimse","operation":"{operation}","outcome":"begun","purpose":"to B"}}"#
            );
            reporter().message(&entry(&json))
        };
        assert!(begun("retrieve").unwrap().contains("110102"));
        assert_eq!(begun("search"), None);
    }
}
