//! How it was found out, how far it can be relied on, and by whose word.

use maud::{Markup, html};

use super::View;
use crate::finding::State;
use crate::report::wording::{self, number, plain};

pub(super) fn method(view: &View<'_>) -> Markup {
    html! {
        section.page #method aria-labelledby="method-title" {
            h2 #method-title { "Method and limits" }
            (manners())
            h3 { "What this report cannot say" }
            ul { @for limit in &view.summary.limits { li { (limit) } } }
            h3 { "How the checks ended" }
            (states(view))
            h3 { "Coverage" }
            (coverage(view))
            h3 { "By whose word, with what" }
            (origin(view))
        }
    }
}

fn manners() -> Markup {
    html! {
        p {
            "Every address, port and path was in a scope that its owner authorised, and was checked against it at each "
            "connection. Each host was asked over one connection at a time. Whether an archive serves a stranger was asked "
            "with the identifier of a study that does not exist: an open archive answers that it has none, and no patient’s "
            "data travels. Nothing was stored, moved, fetched or deleted."
        }
        p {
            "What was seen is kept as codes, counts and fixed words. Text that a system sent is not in this report, "
            "and could not be: the audit has no place to put it. A system counts as "
            strong { "open" } " when at least one check found that a stranger is served; a door that was only offered, "
            "and refused when asked, does not count. Only checks that passed or found something count as answered."
        }
    }
}

fn states(view: &View<'_>) -> Markup {
    let rows = [
        (State::Pass, "looked at, and closed"),
        (State::Finding, "looked at, and open"),
        (State::RefusedBefore, "refused before the question could be asked: it cannot be told"),
        (State::NotApplicable, "the question makes no sense there"),
        (State::Error, "no answer that the protocol allows, or none in time"),
        (State::SkippedByPolicy, "depth, class or scope forbid to ask"),
    ];
    html! {
        div.scroll tabindex="0" role="region" aria-label="How the checks ended" {
            table {
                caption.unseen { "Outcomes by state" }
                thead { tr { th scope="col" { "State" } th.number scope="col" { "Outcomes" } th scope="col" { "Meaning" } } }
                tbody {
                    @for (state, meaning) in rows {
                        tr {
                            th scope="row" { (wording::state(state)) }
                            td.number { (number(view.summary.state(state))) } td { (meaning) }
                        }
                    }
                }
            }
        }
    }
}

fn coverage(view: &View<'_>) -> Markup {
    let coverage = &view.report.coverage;
    let rows = [
        ("ports of addresses asked for", coverage.planned),
        ("tried", coverage.tried),
        ("open", coverage.open),
        ("refused", coverage.refused),
        ("silent", coverage.silent),
        ("hosts to be looked at", coverage.hosts),
        ("hosts looked at to the end", coverage.hosts_done),
        ("rows of imports outside of the scope, dropped", coverage.dropped),
    ];
    html! {
        div.scroll tabindex="0" role="region" aria-label="Coverage" {
            table {
                caption.unseen { "Coverage" }
                thead { tr { th scope="col" { "What" } th.number scope="col" { "Count" } } }
                tbody { @for (what, count) in rows { tr { th scope="row" { (what) } td.number { (number(count)) } } } }
            }
        }
    }
}

fn origin(view: &View<'_>) -> Markup {
    let report = view.report;
    let (scope, tool, times) = (&report.scope, &report.tool, &report.times);
    let ports: Vec<_> = report.plan.ports.iter().map(u16::to_string).collect();
    html! {
        dl.explained {
            dt { "Owner" } dd { (plain(&scope.owner)) }
            dt { "Authorised by" } dd { (plain(&scope.authorised_by)) ", " (plain(&scope.reference)) }
            dt { "Scope file" } dd.hash { "SHA-256 " (plain(&scope.sha256)) }
            dt { "Signature of the scope" }
            dd.hash { @if let Some(key) = &scope.signed_by { "holds, key " (plain(key)) } @else { "none" } }
            dt { "Tool" } dd { (plain(&tool.name)) " " (plain(&tool.version)) ", rules of " (plain(&tool.rules)) }
            dt { "Depth" } dd { (u8::from(report.plan.depth)) " of 4" }
            dt { "Usual ports" } dd { (ports.join(", ")) }
            dt { "Seed" } dd { (report.plan.seed) }
            dt { "Began and ended" }
            dd { (wording::moment(times.started)) ", " (wording::moment(times.ended)) ", resumed " (wording::counted(u64::from(times.resumed), "time", "times")) }
            dt { "Report" } dd.hash { "SHA-256 of the canonical body " (report.body_sha256()) }
        }
    }
}
