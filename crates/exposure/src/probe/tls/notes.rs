//! T-02 to T-05: what the hellos brought to light, as outcomes.

use super::Facts;
use super::exam::{Exam, Group, Verdict, WITHDRAWN};
use super::suites::Weakness;
use crate::catalogue::tls::{T_02, T_03, T_04, T_05};
use crate::catalogue::{Check, Name};
use crate::evidence::Fact;
use crate::finding::{Facet, Notes, Outcome, Severity, State};
use crate::probe::Look;

/// Weaknesses, the parts they are in T-03, and how bad each is.
const PARTS: [(Weakness, &str, Severity); 7] = [
    (Weakness::Null, "null", Severity::Critical),
    (Weakness::Anonymous, "anonymous", Severity::Critical),
    (Weakness::Export, "export", Severity::High),
    (Weakness::Rc4, "rc4", Severity::High),
    (Weakness::TripleDes, "triple-des", Severity::High),
    (Weakness::StaticKey, "static-key", Severity::Medium),
    (Weakness::Cbc, "cbc", Severity::Low),
];
/// Bits of a Diffie-Hellman group that hold, PS3.15 B.13.
const ENOUGH_BITS: u32 = 2048;
/// Bits of a group that was broken for real (Logjam was 512; 1024 is within a state's reach).
const BROKEN_BITS: u32 = 1024;

/// Notes T-02 to T-05.
pub fn examined(look: &mut Look<'_, '_>, exam: &Exam, facts: &Facts) {
    let notes = &mut *look.notes;
    for version in WITHDRAWN {
        let facet = Facet::Code(version.into());
        verdict(notes, &T_02, facet, exam.versions.get(&version), exam.unasked());
    }
    for (weakness, name, severity) in PARTS {
        let facet = Facet::Part(Name::fixed(name));
        let outcome = verdict(notes, &T_03, facet, exam.weak.get(&weakness), exam.unasked());
        if outcome.is_finding() {
            outcome.severity(severity);
        }
    }
    groups(notes, exam, facts);
    mechanisms(notes, exam, facts);
}

fn verdict<'n>(
    notes: &'n mut Notes,
    check: &'static Check,
    facet: Facet,
    verdict: Option<&Verdict>,
    unasked: State,
) -> &'n mut Outcome {
    let outcome = match verdict {
        Some(Verdict::Agreed { suite, version }) => {
            let outcome = notes.finding(check).with("suite", Fact::Code((*suite).into()));
            if check.names.contains(&"version") {
                outcome.with("version", Fact::Code((*version).into()));
            }
            outcome
        }
        Some(Verdict::Refused(alert)) => {
            let outcome = notes.pass(check);
            if let Some(alert) = alert {
                outcome.with("alert", Fact::Code((*alert).into()));
            }
            outcome
        }
        Some(Verdict::Closed) => notes.note(check, State::RefusedBefore),
        None => notes.note(check, unasked),
    };
    outcome.facet(facet)
}

fn groups(notes: &mut Notes, exam: &Exam, facts: &Facts) {
    let unasked = if exam.groups_closed { State::RefusedBefore } else { exam.unasked() };
    let dhe = match exam.dhe {
        Some(Group::Bits { bits, suite }) => {
            let short = bits < ENOUGH_BITS;
            let outcome = notes.note(&T_04, if short { State::Finding } else { State::Pass });
            outcome.with("bits", Fact::Count(bits.into())).with("suite", Fact::Code(suite.into()));
            if bits < BROKEN_BITS {
                outcome.severity(Severity::High);
            }
            outcome
        }
        Some(Group::NotOffered) => notes.note(&T_04, State::NotApplicable),
        None => notes.note(&T_04, unasked),
    };
    dhe.facet(Facet::Part(Name::fixed("dhe")));
    let used = exam.first.as_ref().and_then(|first| first.group);
    let used = used.or(facts.handshake.and_then(|handshake| handshake.group));
    let curve = match exam.short_curve {
        Some(Some(group)) => notes.finding(&T_04).with("group", Fact::Code(group.into())),
        Some(None) => {
            let outcome = notes.pass(&T_04);
            if let Some(group) = used {
                outcome.with("group", Fact::Code(group.into()));
            }
            outcome
        }
        None => notes.note(&T_04, unasked),
    };
    curve.facet(Facet::Part(Name::fixed("curve")));
}

/// Of TLS 1.3 none of them is left.
fn mechanisms(notes: &mut Notes, exam: &Exam, facts: &Facts) {
    let parts = |first: &super::flight::Agreed| {
        [
            ("compression", first.compression != 0, Severity::Medium),
            ("renegotiation", !first.secure_renegotiation, Severity::Medium),
            ("extended-master-secret", !first.extended_master_secret, Severity::Low),
        ]
    };
    match &exam.first {
        Some(first) => {
            for (part, wrong, severity) in parts(first) {
                let outcome = notes.note(&T_05, if wrong { State::Finding } else { State::Pass });
                outcome.with("version", Fact::Code(first.version.into())).facet(Facet::Part(Name::fixed(part)));
                if wrong {
                    outcome.severity(severity);
                }
            }
        }
        None if exam.speaks_1_2 == Some(false) || (facts.handshake.is_some() && !exam.was_stopped()) => {
            notes.note(&T_05, State::NotApplicable);
        }
        None => {
            notes.note(&T_05, exam.unasked());
        }
    }
}
