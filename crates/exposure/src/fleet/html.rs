//! The picture as a page, with the look of a report.

use maud::{Markup, html};

use super::Fleet;
use crate::report::html::{chart, places, shell};
use crate::report::wording::{self, SEVERITIES, counted, number, plain};

pub(super) fn page(fleet: &Fleet) -> Markup {
    let body = html! {
        (cover(fleet))
        section.page #places aria-labelledby="places-title" {
            h2 #places-title { "Where" }
            (places::groups("By country", "Country", &fleet.countries))
            (places::groups("By region", "Region", &fleet.regions))
            (places::groups("By site", "Site", &fleet.sites))
            (places::groups("By product", "Product", &fleet.products))
            (places::buckets(&fleet.buckets.iter().map(|row| (row.studies, row.systems)).collect::<Vec<_>>()))
        }
        (series(fleet))
        (runs(fleet))
    };
    let contents = [("summary", "Summary"), ("places", "Where"), ("series", "Over time"), ("runs", "Runs")];
    shell::document("Exposure of the fleet", &contents, &body)
}

fn cover(fleet: &Fleet) -> Markup {
    let (total, trees) = (&fleet.total, &fleet.trees);
    let systems = counted(total.checked, "system", "systems");
    html! {
        header.cover #summary {
            p.kind { "Exposure of the fleet" }
            h1 { (number(total.open)) " of " (systems) " open" }
            p.by {
                "The newest run of each place, of " (counted(fleet.runs.len() as u64, "run", "runs"))
                @if let Some(last) = fleet.runs.last() { ", the last of " (last.date) } "."
            }
        }
        section.picture aria-label="The picture" {
            (chart::ring(total.share, "open"))
            div.words {
                p.verdict {
                    @if total.open == 0 { "No system checked was found open." } @else {
                        strong { (total.share) } " of the systems checked serve whoever reaches them."
                    }
                }
                dl.numbers {
                    div { dt { "systems checked" } dd { (number(total.checked)) } }
                    div { dt { "open" } dd { (number(total.open)) } }
                    @if total.counted > 0 {
                        div { dt { "studies within reach, at least" } dd { (number(total.studies)) } }
                    }
                    @if trees.roots > 0 {
                        div { dt { "file trees exposed" } dd { (number(trees.exposed_roots)) " of " (number(trees.roots)) } }
                        div { dt { "DICOM files in them" } dd { (number(trees.dicom_files_in_exposed)) } }
                    }
                }
            }
        }
        section aria-labelledby="severity" {
            h2 #severity { (counted(fleet.severities.total(), "finding", "findings")) }
            (chart::severities(fleet.severities))
            ul.legend {
                @for severity in SEVERITIES {
                    li {
                        span class={ "badge " (wording::severity(severity)) } { (wording::severity(severity)) } " "
                        (number(fleet.severities.of(severity)))
                    }
                }
            }
        }
    }
}

fn series(fleet: &Fleet) -> Markup {
    let points: Vec<_> = fleet.series.iter().map(|day| (day.date.clone(), day.tally.share)).collect();
    let said = match (points.first(), points.last()) {
        (Some((first, before)), Some((last, now))) => {
            format!("Share of open systems: {before} on {first}, {now} on {last}")
        }
        _ => String::new(),
    };
    html! {
        section #series aria-labelledby="series-title" {
            h2 #series-title { "Over time" }
            @if points.len() > 1 {
                p { (said) "." }
                (chart::line(&points, &said))
            }
            div.scroll tabindex="0" role="region" aria-label="Over time" {
                table {
                    caption.unseen { "The picture at the end of each day with a run" }
                    thead { tr {
                        th scope="col" { "Day" } th.number scope="col" { "Checked" } th.number scope="col" { "Open" }
                        th.number scope="col" { "Share" } th.number scope="col" { "Studies within reach" }
                    } }
                    tbody {
                        @for day in &fleet.series {
                            tr {
                                th scope="row" { (day.date) } td.number { (number(day.tally.checked)) }
                                td.number { (number(day.tally.open)) } td.number { (day.tally.share) }
                                td.number { (number(day.tally.studies)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn runs(fleet: &Fleet) -> Markup {
    html! {
        section.page #runs aria-labelledby="runs-title" {
            h2 #runs-title { "Runs" }
            p { "Of each owner, vantage, country, region and site the newest run counts. A system seen from two vantages counts once." }
            div.scroll tabindex="0" role="region" aria-label="Runs" {
                table {
                    caption.unseen { "The runs this picture is made of" }
                    thead { tr {
                        th scope="col" { "Ended" } th scope="col" { "Owner" } th scope="col" { "Seen from" }
                        th.number scope="col" { "Coverage" } th.number scope="col" { "Checked" }
                        th.number scope="col" { "Open" } th scope="col" { "In the picture" }
                    } }
                    tbody {
                        @for run in &fleet.runs {
                            tr {
                                th scope="row" { (run.date) } td { (plain(&run.owner)) } td { (wording::vantage(run.vantage)) }
                                td.number { (run.coverage) } td.number { (number(run.tally.checked)) }
                                td.number { (number(run.tally.open)) } td { @if run.counts { "yes" } @else { "replaced" } }
                            }
                        }
                    }
                }
            }
        }
    }
}
