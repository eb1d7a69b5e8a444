//! Each host and each file tree with its findings.

use maud::{Markup, html};

use super::{View, cover};
use crate::finding::{Outcome, State};
use crate::report::subject::{Place, Subject};
use crate::report::summary::HostSum;
use crate::report::wording::{self, counted, number, plain};
use crate::report::{Service, System, Tree};

/// Hosts that get a part of their own, worst first; a page of more is no longer read.
const MAX_HOSTS: usize = 1000;

pub(super) fn hosts(view: &View<'_>) -> Markup {
    let worst = &view.summary.worst;
    if worst.is_empty() {
        return html! {};
    }
    let shown = &worst[..worst.len().min(MAX_HOSTS)];
    html! {
        section.page #hosts aria-labelledby="hosts-title" {
            h2 #hosts-title { "Systems" }
            @if worst.len() > shown.len() {
                p.note {
                    "The " (number(shown.len() as u64)) " worst of " (counted(worst.len() as u64, "system", "systems"))
                    " with findings. The JSON and CSV forms have all."
                }
            }
            (cover::table(view, shown, "All systems with findings, worst first"))
        }
        @for host in shown { (of_host(view, host)) }
    }
}

/// A host's name, as a link to its part if it has one.
pub(super) fn link(view: &View<'_>, system: &System) -> Markup {
    let label = plain(&system.label);
    match anchor(view, system) {
        Some(anchor) => html! { a href={ "#" (anchor) } { (label) } },
        None => html! { (label) },
    }
}

/// The anchor of a host's part: its number in the report.
fn anchor(view: &View<'_>, system: &System) -> Option<String> {
    let shown = view.summary.worst.iter().take(MAX_HOSTS);
    // The model is borrowed, so the same host is the same place in memory.
    let position = shown.enumerate().find(|(_, host)| std::ptr::eq(host.system, system)).map(|(index, _)| index)?;
    Some(format!("host-{position}"))
}

fn of_host(view: &View<'_>, host: &HostSum<'_>) -> Markup {
    let system = host.system;
    let anchor = anchor(view, system).unwrap_or_default();
    html! {
        article.host id=(anchor) aria-labelledby={ (anchor) "-title" } {
            h3 id={ (anchor) "-title" } {
                (plain(&system.label)) " " span.address { (system.address) }
                @if host.open { " " span.badge.critical { "open" } }
            }
            p.facts { (facts(system)) }
            @for service in &system.services { (of_service(view, system, service)) }
        }
    }
}

fn facts(system: &System) -> String {
    let mut facts = vec![wording::class(system.class).to_owned()];
    facts.extend(system.product.map(|product| product.to_string()));
    let labels = [&system.labels.site, &system.labels.region, &system.labels.country];
    facts.extend(labels.into_iter().flatten().map(|label| plain(label).into_owned()));
    facts.extend(system.studies.map(|studies| counted(studies, "study within reach", "studies within reach")));
    facts.extend(system.left.map(|left| wording::left(left).to_owned()));
    facts.join(" · ")
}

fn of_service(view: &View<'_>, system: &System, service: &Service) -> Markup {
    let subject = Subject {
        label: &system.label,
        labels: &system.labels,
        place: Place::Port(system, service.port, service.speaks),
    };
    let caption = format!("Port {}, {}", service.port, service.speaks);
    outcomes(view, &subject, &service.outcomes, &caption)
}

/// Findings as rows, everything else as one line.
fn outcomes(view: &View<'_>, subject: &Subject<'_>, outcomes: &[Outcome], caption: &str) -> Markup {
    let mut findings: Vec<_> = outcomes.iter().filter(|outcome| outcome.is_finding()).collect();
    findings.sort_by_key(|outcome| std::cmp::Reverse(outcome.severity));
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table.findings {
                caption { (caption) }
                @if !findings.is_empty() {
                    thead { tr {
                        th scope="col" { "Severity" } th scope="col" { "Finding" } th scope="col" { "Seen" }
                    } }
                    tbody {
                        @for outcome in findings { (finding(view, subject, outcome)) }
                    }
                }
            }
        }
        (others(outcomes))
    }
}

fn finding(view: &View<'_>, subject: &Subject<'_>, outcome: &Outcome) -> Markup {
    let acceptance = view.accepted.of(&view.identities.key(subject, outcome));
    let part = wording::facet(&outcome.facet);
    html! {
        tr {
            td { (cover::badge(outcome.severity)) @if acceptance.is_some() { " " span.badge.accepted { "accepted" } } }
            th scope="row" {
                a href={ "#check-" (outcome.check.id) } { (outcome.check.id) } " " (outcome.check.title)
                @if !part.is_empty() { " " span.part { (part) } }
            }
            td.seen {
                @for (index, (name, value)) in wording::facts(outcome).enumerate() {
                    @if index > 0 { "; " } span.name { (name) } " " (value)
                }
                @if outcome.confidence != crate::finding::Confidence::Confirmed {
                    " (" (wording::confidence(outcome.confidence)) ")"
                }
            }
        }
    }
}

/// What was no finding, by state.
fn others(outcomes: &[Outcome]) -> Markup {
    let states = [State::Pass, State::RefusedBefore, State::Error, State::SkippedByPolicy, State::NotApplicable];
    html! {
        p.others {
            @for state in states {
                @let ids = ids(outcomes, state);
                @if !ids.is_empty() { span { b { (capital(wording::state(state))) ":" } " " (ids.join(" ")) " " } }
            }
        }
    }
}

fn ids(outcomes: &[Outcome], state: State) -> Vec<&'static str> {
    let mut ids: Vec<_> =
        outcomes.iter().filter(|outcome| outcome.state == state).map(|outcome| outcome.check.id).collect();
    ids.dedup();
    ids
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

pub(super) fn trees(view: &View<'_>) -> Markup {
    if view.report.trees.is_empty() {
        return html! {};
    }
    html! {
        section.page #trees aria-labelledby="trees-title" {
            h2 #trees-title { "File trees" }
            @for tree in &view.report.trees { (of_tree(view, tree)) }
        }
    }
}

fn of_tree(view: &View<'_>, tree: &Tree) -> Markup {
    let subject = Subject { label: &tree.label, labels: &tree.labels, place: Place::Tree(tree.root) };
    let files = counted(tree.files, "file", "files");
    let caption =
        format!("{files}, {} of them DICOM, {} unreadable", number(tree.dicom_files), number(tree.unreadable));
    html! {
        article.host {
            h3 {
                (plain(&tree.label)) " " span.address { "tree " (tree.root) }
                @if tree.is_exposed() { " " span.badge.critical { "exposed" } }
            }
            (outcomes(view, &subject, &tree.outcomes, &caption))
        }
    }
}
