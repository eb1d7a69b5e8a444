//! The first page: how much is open, how bad it is, what to do first.

use maud::{Markup, html};

use super::{View, chart};
use crate::finding::Severity;
use crate::report::summary::HostSum;
use crate::report::wording::{self, SEVERITIES, counted, number, plain};

/// Remedies on the first page.
const REMEDIES: usize = 5;
/// Systems on the first page.
const WORST: usize = 10;

pub(super) fn cover(view: &View<'_>) -> Markup {
    let scope = &view.report.scope;
    html! {
        header.cover #summary {
            p.kind { "Exposure audit" }
            h1 { (plain(&scope.owner)) }
            p.by {
                (wording::moment(view.report.times.started)) ", seen from " (wording::vantage(scope.vantage))
                ". Authorised by " (plain(&scope.authorised_by)) " (" (plain(&scope.reference)) ")."
            }
        }
        section.picture aria-label="The picture" {
            (chart::ring(view.summary.systems.share, "open"))
            div.words { (verdict(view)) (numbers(view)) }
        }
        (severities(view))
        @if !view.summary.checks.is_empty() { (remedies(view)) }
        @if !view.summary.worst.is_empty() { (worst(view)) }
        (certainty(view))
    }
}

/// The one sentence that must be read.
fn verdict(view: &View<'_>) -> Markup {
    let systems = &view.summary.systems;
    let checked = counted(systems.checked, "system", "systems");
    html! {
        @if systems.checked == 0 {
            p.verdict { "No system was checked." }
        } @else if systems.open == 0 {
            p.verdict.good { "None of " (checked) " checked was found open." }
        } @else {
            p.verdict {
                strong { (number(systems.open)) " of " (checked) } @if systems.open == 1 { " is" } @else { " are" }
                " open: whoever reaches " @if systems.open == 1 { "it" } @else { "them" }
                " reads patients’ data without being known."
            }
        }
    }
}

fn numbers(view: &View<'_>) -> Markup {
    let (systems, trees) = (&view.summary.systems, &view.summary.trees);
    html! {
        dl.numbers {
            div { dt { "systems checked" } dd { (number(systems.checked)) } }
            div { dt { "open" } dd { (number(systems.open)) } }
            @if systems.counted > 0 {
                div { dt { "studies within reach, at least" } dd { (number(systems.studies)) } }
            }
            @if trees.roots > 0 {
                div { dt { "file trees exposed" } dd { (number(trees.exposed_roots)) " of " (number(trees.roots)) } }
                div { dt { "DICOM files in them" } dd { (number(trees.dicom_files_in_exposed)) } }
            }
            div { dt { "coverage" } dd { (view.summary.coverage) } }
        }
    }
}

fn severities(view: &View<'_>) -> Markup {
    let severities = view.summary.severities;
    html! {
        section aria-labelledby="severity" {
            h2 #severity { (counted(severities.total(), "finding", "findings")) }
            (chart::severities(severities))
            ul.legend {
                @for severity in SEVERITIES {
                    li { (badge(severity)) " " (number(severities.of(severity))) }
                }
                @if view.summary.accepted > 0 {
                    li { a href="#accepted" { "accepted" } " " (number(view.summary.accepted)) }
                }
            }
        }
    }
}

fn remedies(view: &View<'_>) -> Markup {
    let first = view.summary.checks.iter().filter(|sum| sum.findings > 0);
    html! {
        section.remedies aria-labelledby="remedies" {
            h2 #remedies { "What to do first" }
            ol {
                @for sum in first.take(REMEDIES) {
                    li {
                        p.do { (sum.check.remediation) }
                        p.why {
                            (badge(sum.worst)) " " a href={ "#check-" (sum.check.id) } { (sum.check.id) " " (sum.check.title) }
                            ", on " (counted(sum.subjects, "system or tree", "systems or trees"))
                            @if sum.check.opens { ": " strong { "an open door" } }
                        }
                    }
                }
            }
        }
    }
}

fn worst(view: &View<'_>) -> Markup {
    let worst = &view.summary.worst;
    html! {
        section aria-labelledby="worst" {
            h2 #worst { "Worst systems" }
            (table(view, &worst[..worst.len().min(WORST)], "The worst systems"))
            @if worst.len() > WORST {
                p { a href="#hosts" { "All " (counted(worst.len() as u64, "system", "systems")) " with findings" } }
            }
        }
    }
}

/// Systems with what was found on them, each linked to its own part.
pub(super) fn table(view: &View<'_>, hosts: &[HostSum<'_>], caption: &str) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table {
                caption.unseen { (caption) }
                thead { tr {
                    th scope="col" { "System" } th scope="col" { "Address" } th scope="col" { "State" }
                    @for severity in &SEVERITIES[..4] { th.number scope="col" { (wording::severity(*severity)) } }
                    th.number scope="col" { "Studies" }
                } }
                tbody {
                    @for host in hosts {
                        tr {
                            th scope="row" { (super::hosts::link(view, host.system)) }
                            td { (host.system.address) }
                            td { @if host.open { span.badge.critical { "open" } } @else { "not open" } }
                            @for severity in &SEVERITIES[..4] { td.number { (zero(host.severities.of(*severity))) } }
                            td.number { @if let Some(studies) = host.system.studies { (number(studies)) } @else { "–" } }
                        }
                    }
                }
            }
        }
    }
}

fn certainty(view: &View<'_>) -> Markup {
    html! {
        section aria-labelledby="certainty" {
            h2 #certainty { "How sure this is" }
            p {
                (view.summary.coverage) " of what was asked for was looked at. "
                @for limit in view.summary.limits.iter().take(3) { (limit) " " }
                a href="#method" { "All limits" } "."
            }
        }
    }
}

/// A severity as a word on its colour.
pub(super) fn badge(severity: Severity) -> Markup {
    let word = wording::severity(severity);
    html! { span class={ "badge " (word) } { (word) } }
}

fn zero(count: u64) -> String {
    if count == 0 { "–".to_owned() } else { number(count) }
}
