//! A report as a test run: each check on each subject is a test case, for CI systems.
//!
//! Finding is a failure, accepted finding and "skipped by policy" are skipped, "error" is an
//! error. What could not be told (refused before, not applicable) is skipped with the reason.

use std::collections::BTreeMap;
use std::io::{self, Write};

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::Report;
use super::baseline::Accepted;
use super::subject::{Identities, Subject};
use super::wording;
use crate::finding::{Outcome, State};

/// Writes the test run.
pub fn write(report: &Report, accepted: &Accepted, out: &mut dyn Write) -> io::Result<()> {
    let identities = Identities::of(&[report]);
    let mut suites: BTreeMap<String, Vec<Case<'_>>> = BTreeMap::new();
    for (subject, outcome) in report.seen() {
        let verdict = Case::of(&identities, subject, outcome, accepted);
        suites.entry(subject.said()).or_default().push(verdict);
    }
    let mut writer = Writer::new_with_indent(&mut *out, b' ', 1);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let all = Counts::of(suites.values().flatten());
    writer.write_event(Event::Start(all.on(BytesStart::new("testsuites"), "exposure audit")))?;
    for (name, cases) in &suites {
        let start = Counts::of(cases.iter()).on(BytesStart::new("testsuite"), name);
        writer.write_event(Event::Start(start))?;
        for case in cases {
            case.write(&mut writer, name)?;
        }
        writer.write_event(Event::End(BytesEnd::new("testsuite")))?;
    }
    writer.write_event(Event::End(BytesEnd::new("testsuites")))?;
    out.write_all(b"\n")
}

struct Case<'report> {
    outcome: &'report Outcome,
    /// `failure`, `error` or `skipped` with its reason.
    result: Option<(&'static str, String)>,
}

impl<'report> Case<'report> {
    fn of(
        identities: &Identities<'_>,
        subject: Subject<'report>,
        outcome: &'report Outcome,
        accepted: &Accepted,
    ) -> Case<'report> {
        let acceptance = accepted.of(&identities.key(&subject, outcome));
        let result = match (outcome.state, acceptance) {
            (State::Pass, _) => None,
            (State::Finding, None) => Some(("failure", outcome.check.finding_when.to_owned())),
            (State::Finding, Some(acceptance)) => {
                let day = acceptance.expires;
                Some(("skipped", format!("accepted by {} until {day}: {}", acceptance.owner, acceptance.reason)))
            }
            (State::Error, _) => Some(("error", wording::state(outcome.state).to_owned())),
            (state, _) => Some(("skipped", wording::state(state).to_owned())),
        };
        Case { outcome, result }
    }

    fn write<W: Write>(&self, writer: &mut Writer<W>, suite: &str) -> io::Result<()> {
        let check = self.outcome.check;
        let part = wording::facet(&self.outcome.facet);
        let part = if part.is_empty() { String::new() } else { format!(" [{part}]") };
        let mut start = BytesStart::new("testcase");
        attribute(&mut start, "name", &format!("{} {}{part}", check.id, check.title));
        attribute(&mut start, "classname", suite);
        attribute(&mut start, "time", "0");
        let Some((kind, reason)) = &self.result else {
            return writer.write_event(Event::Empty(start));
        };
        writer.write_event(Event::Start(start))?;
        let mut result = BytesStart::new(*kind);
        attribute(&mut result, "message", reason);
        if *kind == "skipped" {
            writer.write_event(Event::Empty(result))?;
        } else {
            attribute(&mut result, "type", wording::severity(self.outcome.severity));
            writer.write_event(Event::Start(result))?;
            let text =
                format!("{}\n{}\n{}", wording::evidence(self.outcome), check.remediation, check.clauses.join("; "));
            writer.write_event(Event::Text(BytesText::new(&text)))?;
            writer.write_event(Event::End(BytesEnd::new(*kind)))?;
        }
        writer.write_event(Event::End(BytesEnd::new("testcase")))
    }
}

#[derive(Default)]
struct Counts {
    tests: u64,
    failures: u64,
    errors: u64,
    skipped: u64,
}

impl Counts {
    fn of<'a>(cases: impl Iterator<Item = &'a Case<'a>>) -> Counts {
        let mut counts = Counts::default();
        for case in cases {
            counts.tests += 1;
            match &case.result {
                Some(("failure", _)) => counts.failures += 1,
                Some(("error", _)) => counts.errors += 1,
                Some(_) => counts.skipped += 1,
                None => {}
            }
        }
        counts
    }

    fn on(&self, mut element: BytesStart<'static>, name: &str) -> BytesStart<'static> {
        let Counts { tests, failures, errors, skipped } = self;
        attribute(&mut element, "name", name);
        for (name, count) in [("tests", tests), ("failures", failures), ("errors", errors), ("skipped", skipped)] {
            attribute(&mut element, name, &count.to_string());
        }
        attribute(&mut element, "time", "0");
        element
    }
}

/// An attribute without characters that XML 1.0 does not know.
fn attribute(element: &mut BytesStart<'_>, name: &str, value: &str) {
    element.push_attribute((name, wording::plain(value).as_ref()));
}
