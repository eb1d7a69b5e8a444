//! Each check that found something: when it is a finding, why it matters, what to do, which
//! clause it rests on; and what a baseline accepts.

use maud::{Markup, html};

use super::{View, cover};
use crate::report::baseline::Acceptance;
use crate::report::summary::CheckSum;
use crate::report::wording::{counted, number, plain};

pub(super) fn checks(view: &View<'_>) -> Markup {
    if view.summary.checks.is_empty() {
        return html! {};
    }
    html! {
        section.page #checks aria-labelledby="checks-title" {
            h2 #checks-title { "What was found, explained" }
            @for sum in &view.summary.checks { (of_check(sum)) }
        }
    }
}

fn of_check(sum: &CheckSum) -> Markup {
    let check = sum.check;
    html! {
        article.check id={ "check-" (check.id) } {
            h3 { (check.id) " " (check.title) " " (cover::badge(sum.worst)) }
            p {
                (counted(sum.findings, "finding", "findings")) " on " (counted(sum.subjects, "system or tree", "systems or trees"))
                @if sum.accepted > 0 { ", " (number(sum.accepted)) " accepted" }
                @if sum.passed > 0 { ", passed " (counted(sum.passed, "time", "times")) }
                "."
                @if check.opens { " " strong { "A finding means that a stranger reads patients’ data." } }
            }
            dl.explained {
                dt { "Finding when" } dd { (check.finding_when) }
                dt { "What to do" } dd { (check.remediation) }
                dt { "Rests on" } dd { (check.clauses.join("; ")) }
            }
        }
    }
}

pub(super) fn acceptances(view: &View<'_>) -> Markup {
    let accepted = view.accepted;
    if view.summary.accepted == 0 && accepted.expired.is_empty() {
        return html! {};
    }
    html! {
        section.page #accepted aria-labelledby="accepted-title" {
            h2 #accepted-title { "Accepted findings" }
            @if !accepted.expired.is_empty() {
                p { strong { (counted(accepted.expired.len() as u64, "acceptance", "acceptances")) " past the day: these findings count again." } }
                (table("Expired acceptances", accepted.expired.iter().map(|entry| (entry, of_entry(entry)))))
            }
            (table("Accepted findings", accepted.all().map(|(key, entry)| (entry, key.at.said()))))
        }
    }
}

fn of_entry(entry: &Acceptance) -> String {
    let port = entry.port.map(|port| format!(" port {port}")).unwrap_or_default();
    format!("{}{port}", plain(&entry.label))
}

fn table<'a>(caption: &str, rows: impl Iterator<Item = (&'a Acceptance, String)>) -> Markup {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return html! {};
    }
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { tr {
                    th scope="col" { "Check" } th scope="col" { "Where" } th scope="col" { "Owner" }
                    th scope="col" { "Reason" } th scope="col" { "Until" }
                } }
                tbody {
                    @for (entry, place) in rows {
                        tr {
                            th scope="row" { (entry.check) } td { (place) } td { (plain(&entry.owner)) }
                            td { (plain(&entry.reason)) } td { (entry.expires) }
                        }
                    }
                }
            }
        }
    }
}
