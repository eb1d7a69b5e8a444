//! One page for management and auditors: one file, no script, nothing fetched.
//!
//! The first page says what is open, how bad, and what to do; then come places, hosts, checks
//! with their clauses, and method and limits. Deliberately absent: anything that leaves the
//! page when it is opened, see [`shell::POLICY`].

pub mod chart;
mod checks;
mod cover;
mod hosts;
mod method;
mod places;
pub mod shell;

use std::io::{self, Write};

use maud::html;

use super::Report;
use super::baseline::Accepted;
use super::subject::Identities;
use super::summary::Summary;
use super::wording;

/// What every part of the page is made from.
struct View<'a> {
    report: &'a Report,
    summary: &'a Summary<'a>,
    accepted: &'a Accepted,
    identities: Identities<'a>,
}

/// Writes the page.
pub fn write(report: &Report, accepted: &Accepted, out: &mut dyn Write) -> io::Result<()> {
    let mut sorted = report.clone();
    sorted.sort();
    let summary = Summary::of(&sorted, accepted);
    let identities = Identities::of(&[&sorted]);
    let view = View { report: &sorted, summary: &summary, accepted, identities };
    let title = format!("Exposure audit: {}", wording::plain(&sorted.scope.owner));
    let contents = contents(&view);
    let body = html! {
        (cover::cover(&view))
        (places::places(&view))
        (hosts::hosts(&view))
        (hosts::trees(&view))
        (checks::acceptances(&view))
        (checks::checks(&view))
        (method::method(&view))
    };
    out.write_all(shell::document(&title, &contents, &body).into_string().as_bytes())
}

/// The parts that this report has, by anchor and title.
fn contents(view: &View<'_>) -> Vec<(&'static str, &'static str)> {
    let summary = view.summary;
    let accepted = summary.accepted > 0 || !view.accepted.expired.is_empty();
    let all = [
        (true, "summary", "Summary"),
        (summary.systems.checked > 0, "places", "Where"),
        (!summary.worst.is_empty(), "hosts", "Systems"),
        (summary.trees.roots > 0, "trees", "File trees"),
        (accepted, "accepted", "Accepted"),
        (!summary.checks.is_empty(), "checks", "What was found, explained"),
        (true, "method", "Method and limits"),
    ];
    all.into_iter().filter(|(there, ..)| *there).map(|(_, anchor, title)| (anchor, title)).collect()
}
