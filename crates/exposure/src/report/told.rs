//! A finding as the forms for other systems tell it: where and what, by which fingerprint it is
//! found again, and who answers for it.

use super::baseline::{Acceptance, Accepted};
use super::subject::{Identities, Subject};
use super::{Report, wording};
use crate::finding::Outcome;

/// A finding.
pub(super) struct Told<'report> {
    /// The port or tree.
    pub subject: Subject<'report>,
    /// What was found.
    pub outcome: &'report Outcome,
    /// Check and place in one line.
    pub title: String,
    /// Which part of the subject; empty when it is the whole.
    pub part: String,
    /// What was seen, in words.
    pub evidence: String,
    /// By what it is found again in another report.
    pub fingerprint: String,
    /// Who accepts it, if somebody does.
    pub acceptance: Option<&'report Acceptance>,
}

/// All findings of a report, in its order.
pub(super) fn told<'report>(
    report: &'report Report,
    accepted: &'report Accepted,
) -> impl Iterator<Item = Told<'report>> {
    let identities = Identities::of(&[report]);
    report.findings().map(move |(subject, outcome)| Told {
        title: format!("{} {}: {}", outcome.check.id, outcome.check.title, subject.said()),
        part: wording::facet(&outcome.facet),
        evidence: wording::evidence(outcome),
        fingerprint: identities.fingerprint(&subject, outcome),
        acceptance: accepted.of(&identities.key(&subject, outcome)),
        subject,
        outcome,
    })
}

impl Told<'_> {
    /// Who accepts it, until when and why, fit for a terminal.
    pub(super) fn accepted_by(&self) -> Option<String> {
        let Acceptance { owner, expires, reason, .. } = self.acceptance?;
        Some(wording::plain(&format!("{owner} until {expires}: {reason}")).into_owned())
    }
}
