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
pub(crate) mod places;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::report::{ATTACKS, estate, hostile, public_scan};

    fn page(report: &Report) -> String {
        let mut bytes = Vec::new();
        write(report, &Accepted::default(), &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn it_says_what_the_scan_of_2019_said() {
        let page = page(&public_scan());
        for said in ["590", "2,300", "25.7 %", "24,300,000", "13,700,000", "4,924,141"] {
            assert!(page.contains(said), "{said}");
        }
    }

    #[test]
    fn nothing_is_fetched_and_nothing_runs() {
        for report in [estate(), hostile()] {
            let page = page(&report);
            assert!(page.contains(shell::POLICY));
            for outside in
                ["<script", "url(", "@import", "href=\"http", "onload=\"", "<img", "javascript:", "<link", "<iframe"]
            {
                assert!(!page.contains(outside), "{outside}");
            }
        }
    }

    #[test]
    fn labels_are_text() {
        let page = page(&hostile());
        for attack in ATTACKS {
            assert!(attack == "=cmd|' /C calc'!A0" || !page.contains(attack), "{attack:?}");
        }
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
        assert!(!page.chars().any(|c| c != '\n' && wording::is_unseen(c)));
    }

    #[test]
    fn every_anchor_leads_somewhere() {
        let page = page(&estate());
        for link in page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(page.contains(&format!("id=\"{link}\"")), "#{link}");
        }
    }
}
