//! Charts as inline SVG. Each says in words what it shows; its colours come from the page's style.

use maud::{Markup, html};

use crate::report::summary::Severities;
use crate::report::wording::{self, SEVERITIES, Share, number};

/// Radius of a ring whose circumference is 100.
const RADIUS: f64 = 15.915_494_309_189_533;

/// A ring that is filled as far as a share goes.
pub fn ring(share: Share, caption: &str) -> Markup {
    let percent = share.percent();
    html! {
        svg.ring viewBox="0 0 42 42" role="img" aria-label={ (share) " " (caption) } {
            circle.rail cx="21" cy="21" r=(RADIUS) fill="none" stroke-width="5" {}
            @if share.tenths() > 0 {
                circle.fill cx="21" cy="21" r=(RADIUS) fill="none" stroke-width="5"
                    stroke-dasharray={ (percent) " " (100.0 - percent) } stroke-dashoffset="25" {}
            }
            text x="21" y="21.4" text-anchor="middle" class="big" { (share) }
            text x="21" y="26" text-anchor="middle" class="small" { (caption) }
        }
    }
}

/// A bar that is filled as far as a share goes, for a cell whose number stands beside it.
pub fn bar(share: Share) -> Markup {
    html! {
        svg.bar viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" {
            rect.rail width="100" height="8" {}
            rect.fill width=(share.percent()) height="8" {}
        }
    }
}

/// Findings by severity as one bar of five parts.
pub fn severities(severities: Severities) -> Markup {
    let total = severities.total().max(1) as f64;
    let mut from = 0.0;
    let parts: Vec<_> = SEVERITIES
        .into_iter()
        .map(|severity| {
            let width = severities.of(severity) as f64 * 100.0 / total;
            from += width;
            (wording::severity(severity), from - width, width)
        })
        .collect();
    let said: Vec<_> = SEVERITIES
        .into_iter()
        .map(|severity| format!("{} {}", number(severities.of(severity)), wording::severity(severity)))
        .collect();
    html! {
        svg.stack viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label={ "Findings: " (said.join(", ")) } {
            rect.rail width="100" height="6" {}
            @for (name, from, width) in parts {
                @if width > 0.0 { rect class=(name) x=(rounded(from)) width=(rounded(width)) height="6" {} }
            }
        }
    }
}

/// Shares over time as a line, from the first day to the last; `said` is it in words.
pub fn line(points: &[(String, Share)], said: &str) -> Markup {
    let (width, height, left, bottom) = (640.0, 200.0, 44.0, 26.0);
    let top = points.iter().map(|(_, share)| share.percent()).fold(0.0_f64, f64::max);
    let top = (top / 10.0).ceil().max(1.0) * 10.0;
    let step = (width - left - 16.0) / (points.len().saturating_sub(1).max(1)) as f64;
    let x = |index: usize| rounded(left + step * index as f64);
    let y = |percent: f64| rounded((height - bottom) - (height - bottom - 12.0) * percent / top);
    let path: Vec<_> =
        points.iter().enumerate().map(|(index, (_, share))| format!("{},{}", x(index), y(share.percent()))).collect();
    let each = points.len().div_ceil(8).max(1);
    html! {
        svg.line viewBox={ "0 0 " (width) " " (height) } role="img" aria-label=(said) {
            @for part in 0..=4 {
                @let percent = top * f64::from(part) / 4.0;
                line.grid x1=(left) x2=(width - 8.0) y1=(y(percent)) y2=(y(percent)) {}
                text x=(left - 6.0) y=(y(percent) + 4.0) text-anchor="end" { (rounded(percent)) " %" }
            }
            polyline.fill points=(path.join(" ")) fill="none" {}
            @for (index, (day, share)) in points.iter().enumerate() {
                circle.dot cx=(x(index)) cy=(y(share.percent())) r="4" { title { (day) ": " (share) } }
                @if index % each == 0 {
                    text x=(x(index)) y=(height - 8.0) text-anchor=(anchor(index, points.len())) { (day) }
                }
            }
        }
    }
}

fn anchor(index: usize, of: usize) -> &'static str {
    match index {
        0 => "start",
        last if last + 1 == of => "end",
        _ => "middle",
    }
}

/// Two digits after the point.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
