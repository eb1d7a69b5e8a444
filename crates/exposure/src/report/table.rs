//! The report on a terminal: 80 columns, the most important first, no control characters.
//!
//! Deliberately absent: colours; whoever prints may add them.

use std::fmt::Write as _;

use super::baseline::Accepted;
use super::summary::{CheckSum, HostSum, Summary};
use super::tally::{Group, Tally};
use super::wording::{self, SEVERITIES, Share, counted, number};
use super::{Report, ScopeSummary};

/// Columns of a line.
const WIDTH: usize = 80;
/// Systems that are named; the other forms name all.
const WORST: usize = 15;
/// Checks whose remedy is told.
const REMEDIES: usize = 8;
/// Rows of a group.
const ROWS: usize = 12;

/// The whole text.
pub fn text(report: &Report, accepted: &Accepted) -> String {
    let summary = Summary::of(report, accepted);
    let mut text = String::new();
    heading(&mut text, report);
    picture(&mut text, &summary);
    worst(&mut text, &summary.worst);
    remedies(&mut text, &summary.checks);
    group(&mut text, "COUNTRY", &summary.countries);
    group(&mut text, "SITE", &summary.sites);
    group(&mut text, "PRODUCT", &summary.products);
    trees(&mut text, &summary);
    acceptances(&mut text, accepted);
    limits(&mut text, &summary);
    text
}

fn heading(text: &mut String, report: &Report) {
    let ScopeSummary { sha256, owner, authorised_by, reference, vantage, signed_by } = &report.scope;
    let _ = writeln!(text, "EXPOSURE AUDIT  {}", cut(owner, WIDTH - 16));
    let by = format!("authorised by {} ({})", wording::plain(authorised_by), wording::plain(reference));
    let _ = writeln!(text, "{}", cut(&by, WIDTH));
    let signed = if signed_by.is_some() { "signed" } else { "not signed" };
    let short: String = sha256.chars().take(12).collect();
    let depth = u8::from(report.plan.depth);
    let _ = writeln!(
        text,
        "{}, depth {depth}, {}, scope {} ({signed})",
        wording::moment(report.times.started),
        wording::vantage(*vantage),
        wording::plain(&short)
    );
}

fn picture(text: &mut String, summary: &Summary<'_>) {
    let Tally { checked, open, share, studies, counted: told } = summary.systems;
    let of = counted(checked, "system", "systems");
    let is = if open == 1 { "is" } else { "are" };
    let _ = writeln!(text, "\n  {} of {of} checked {is} OPEN: {share}", number(open));
    let _ = writeln!(text, "  [{}]", bar(share, 60));
    if open > 0 {
        let _ =
            writeln!(text, "  {} within reach on the {} that told", counted(studies, "study", "studies"), number(told));
    }
    if summary.trees.roots > 0 {
        let trees = &summary.trees;
        let roots = counted(trees.roots, "file tree", "file trees");
        let _ = writeln!(
            text,
            "  {} of {roots} exposed, with {}",
            number(trees.exposed_roots),
            counted(trees.dicom_files_in_exposed, "DICOM file", "DICOM files")
        );
    }
    let said: Vec<_> = SEVERITIES
        .into_iter()
        .map(|severity| format!("{} {}", wording::severity(severity), number(summary.severities.of(severity))))
        .collect();
    let accepted =
        if summary.accepted > 0 { format!("   accepted {}", number(summary.accepted)) } else { String::new() };
    let _ = writeln!(text, "\n  findings: {}{accepted}", said.join("  "));
}

fn worst(text: &mut String, worst: &[HostSum<'_>]) {
    if worst.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "\n{:<43}{:>5}{:>5}{:>5}{:>5}{:>5}{:>12}",
        "WORST SYSTEMS", "open", "crit", "high", "med", "low", "studies"
    );
    for host in worst.iter().take(WORST) {
        let name = format!("{} {}", wording::plain(&host.system.label), host.system.address);
        let studies = host.system.studies.map(number).unwrap_or_else(|| "-".to_owned());
        let severities = host.severities;
        let _ = writeln!(
            text,
            "{:<43}{:>5}{:>5}{:>5}{:>5}{:>5}{studies:>12}",
            cut(&name, 42),
            if host.open { "OPEN" } else { "-" },
            severities.critical,
            severities.high,
            severities.medium,
            severities.low
        );
    }
    if worst.len() > WORST {
        let _ = writeln!(
            text,
            "and {} with findings",
            counted((worst.len() - WORST) as u64, "system more", "systems more")
        );
    }
}

fn remedies(text: &mut String, checks: &[CheckSum]) {
    if checks.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{:<66}{:>14}", "WHAT TO DO, IN THIS ORDER", "systems, trees");
    for sum in checks.iter().filter(|sum| sum.findings > 0).take(REMEDIES) {
        let title = format!("{} {} ({})", sum.check.id, sum.check.title, wording::severity(sum.worst));
        let _ = writeln!(text, "{:<70}{:>10}", cut(&title, 69), number(sum.subjects));
        wrapped(text, sum.check.remediation, "     ");
    }
    let more = checks.iter().filter(|sum| sum.findings > 0).count().saturating_sub(REMEDIES);
    if more > 0 {
        let _ =
            writeln!(text, "and {}: the HTML report explains each", counted(more as u64, "check more", "checks more"));
    }
}

fn group(text: &mut String, title: &str, groups: &[Group]) {
    if groups.iter().all(|group| group.name.is_none()) {
        return;
    }
    let _ = writeln!(text, "\n{title:<39}{:>10}{:>8}{:>9}{:>14}", "checked", "open", "share", "studies");
    for Group { name, tally } in groups.iter().take(ROWS) {
        let name = name.as_deref().unwrap_or("not known");
        let share = tally.share.to_string();
        let studies = number(tally.studies);
        let _ = writeln!(
            text,
            "{:<39}{:>10}{:>8}{share:>9}{studies:>14}",
            cut(name, 38),
            number(tally.checked),
            number(tally.open)
        );
    }
    if groups.len() > ROWS {
        let _ = writeln!(text, "and {}", counted((groups.len() - ROWS) as u64, "row more", "rows more"));
    }
}

fn trees(text: &mut String, summary: &Summary<'_>) {
    let trees = &summary.trees;
    if trees.roots > 0 {
        let files = counted(trees.files, "file", "files");
        let _ = writeln!(
            text,
            "\nFILE TREES  {} roots, {files}, {} DICOM, {} unreadable",
            number(trees.roots),
            number(trees.dicom_files),
            number(trees.unreadable)
        );
    }
}

fn acceptances(text: &mut String, accepted: &Accepted) {
    for (title, entries) in [
        ("EXPIRED in the baseline", &accepted.expired),
        (
            "WITHOUT AN ADDRESS in the baseline; the label holds several hosts, so they accept nothing",
            &accepted.unclear,
        ),
        ("Without a finding in the baseline", &accepted.unused),
    ] {
        if !entries.is_empty() {
            let _ = writeln!(text, "\n{title}");
        }
        for entry in entries {
            let said = format!(
                "line {}: {} {}, {}, until {}",
                entry.line, entry.check, entry.label, entry.owner, entry.expires
            );
            let _ = writeln!(text, "  {}", cut(&said, WIDTH - 2));
        }
    }
}

fn limits(text: &mut String, summary: &Summary<'_>) {
    let _ = writeln!(text, "\nCOVERAGE {} AND LIMITS", summary.coverage);
    for limit in &summary.limits {
        wrapped(text, limit, "  ");
    }
}

/// A share as a bar.
fn bar(share: Share, columns: usize) -> String {
    let full = (usize::from(share.tenths()) * columns).div_ceil(1000).min(columns);
    format!("{}{}", "#".repeat(full), "-".repeat(columns - full))
}

/// At most so many characters, without control characters.
fn cut(text: &str, columns: usize) -> String {
    let text = wording::plain(text);
    if text.chars().count() <= columns {
        return text.into_owned();
    }
    text.chars().take(columns.saturating_sub(1)).chain(['…']).collect()
}

/// A sentence over several lines.
fn wrapped(text: &mut String, sentence: &str, indent: &str) {
    let mut line = indent.to_owned();
    for word in sentence.split_whitespace() {
        if line.len() > indent.len() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(text, "{line}");
            line = indent.to_owned();
        }
        if line.len() > indent.len() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::report::{estate, hostile, public_scan};

    #[test]
    fn the_picture_of_2019_fits_a_terminal() {
        let text = text(&public_scan(), &Accepted::default());
        assert!(text.contains("590 of 2,300 systems checked are OPEN: 25.7 %"), "{text}");
        assert!(text.contains("24,300,000 studies within reach"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    }

    #[test]
    fn nothing_in_it_acts_on_the_terminal() {
        for report in [estate(), hostile()] {
            let text = text(&report, &Accepted::default());
            assert!(!text.chars().any(|c| c != '\n' && wording::is_unseen(c)), "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        }
    }
}
