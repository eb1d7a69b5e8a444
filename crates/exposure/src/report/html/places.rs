//! Where: by country, region, site and product, and how much is within reach.

use maud::{Markup, html};

use super::{View, chart};
use crate::report::tally::Group;
use crate::report::wording::{self, Share, counted, number, plain};

pub(super) fn places(view: &View<'_>) -> Markup {
    let summary = view.summary;
    if summary.systems.checked == 0 {
        return html! {};
    }
    html! {
        section.page #places aria-labelledby="places-title" {
            h2 #places-title { "Where" }
            (groups("By country", "Country", &summary.countries))
            (groups("By region", "Region", &summary.regions))
            (groups("By site", "Site", &summary.sites))
            (groups("By product", "Product", &summary.products))
            (buckets(&summary.buckets))
        }
    }
}

/// A table of groups with their share drawn; nothing when none of them has a name.
pub(crate) fn groups(title: &str, column: &str, groups: &[Group]) -> Markup {
    if groups.iter().all(|group| group.name.is_none()) {
        return html! {};
    }
    html! {
        h3 { (title) }
        div.scroll tabindex="0" role="region" aria-label=(title) {
            table {
                caption.unseen { "Systems checked, open and studies, " (title.to_lowercase()) }
                thead { tr {
                    th scope="col" { (column) } th.number scope="col" { "Checked" } th.number scope="col" { "Open" }
                    th.number scope="col" { "Share" } th.chart scope="col" { span.unseen { "Share, drawn" } }
                    th.number scope="col" { "Studies within reach" }
                } }
                tbody {
                    @for Group { name, tally } in groups {
                        tr {
                            th scope="row" { @if let Some(name) = name { (plain(name)) } @else { em { "not known" } } }
                            td.number { (number(tally.checked)) } td.number { (number(tally.open)) }
                            td.number { (tally.share) } td.chart { (chart::bar(tally.share)) }
                            td.number { @if tally.counted > 0 { (number(tally.studies)) } @else { "–" } }
                        }
                    }
                }
            }
        }
    }
}

/// Open systems by how many studies they hold.
pub(crate) fn buckets(buckets: &[(Option<crate::evidence::Bucket>, u64)]) -> Markup {
    let open: u64 = buckets.iter().map(|(_, count)| count).sum();
    if open == 0 {
        return html! {};
    }
    html! {
        h3 { "Open systems by studies within reach" }
        div.scroll tabindex="0" role="region" aria-label="Open systems by studies within reach" {
            table {
                caption.unseen { "Open systems by how many studies they hold" }
                thead { tr {
                    th scope="col" { "Studies" } th.number scope="col" { "Open systems" }
                    th.chart scope="col" { span.unseen { "Share of open systems, drawn" } }
                } }
                tbody {
                    @for (bucket, count) in buckets {
                        tr {
                            th scope="row" { @if let Some(bucket) = bucket { (wording::bucket(*bucket)) } @else { em { "did not tell" } } }
                            td.number { (number(*count)) } td.chart { (chart::bar(Share::of(*count, open))) }
                        }
                    }
                }
            }
        }
        p.note { "Of " (counted(open, "open system", "open systems")) "." }
    }
}
