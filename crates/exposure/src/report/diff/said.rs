//! A comparison for people and for programs.

use std::fmt::Write as _;

use super::{At, CHANGES, Change, Diff, Item};
use crate::catalogue;
use crate::report::json::in_canonical_form;
use crate::report::wording::{self, counted};

/// Most lines of one change in the text; the JSON form has all.
const MAX_LINES: usize = 200;

impl Change {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Change::New => "new",
            Change::Worse => "worse",
            Change::EvidenceChanged => "evidence changed",
            Change::Better => "better",
            Change::NotRechecked => "not re-checked",
            Change::Resolved => "resolved",
        }
    }
}

impl Diff {
    /// For programs: canonical JSON, a line feed at the end.
    pub fn json(&self) -> Vec<u8> {
        let mut bytes = in_canonical_form(self);
        bytes.push(b'\n');
        bytes
    }

    /// For people, at 80 columns, without control characters but line feeds.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let [before, after] = self.share;
        let counts: Vec<_> =
            CHANGES.into_iter().map(|change| format!("{} {}", self.of_change(change).count(), change.word())).collect();
        let _ = writeln!(text, "Open: {before} before, {after} now.");
        let _ = writeln!(text, "Findings: {}, {} unchanged.", counts.join(", "), self.unchanged);
        for change in CHANGES {
            self.section(&mut text, change);
        }
        hosts(&mut text, "Hosts that appeared", &self.appeared);
        hosts(&mut text, "Hosts that vanished: their findings were not re-checked", &self.vanished);
        text
    }

    fn section(&self, text: &mut String, change: Change) {
        let count = self.of_change(change).count();
        if count == 0 {
            return;
        }
        let reason = if change == Change::NotRechecked { ": the later run could not tell" } else { "" };
        let _ = writeln!(text, "\n{} ({count}){reason}", capital(change.word()));
        for item in self.of_change(change).take(MAX_LINES) {
            let _ = writeln!(text, "  {}", item.said());
        }
        more(text, count);
    }
}

impl Item {
    /// One line: severity, check, where, part.
    pub fn said(&self) -> String {
        let severity = match (self.was, self.now) {
            (Some(was), Some(now)) if was != now => format!("{} -> {}", wording::severity(was), wording::severity(now)),
            (was, now) => now.or(was).map(wording::severity).unwrap_or_default().to_owned(),
        };
        let title = catalogue::check(self.key.check).map(|check| check.title).unwrap_or_default();
        let part = match (self.key.facet.is_whole(), matches!(self.key.facet, crate::finding::Facet::Path(_))) {
            (true, _) => String::new(),
            (false, true) => " [a folder]".to_owned(),
            (false, false) => format!(" [{}]", wording::facet(&self.key.facet)),
        };
        let accepted = if self.accepted { " (accepted)" } else { "" };
        format!("{severity:<8} {} {title}{part}{accepted}: {}", self.key.check, self.key.at.said())
    }
}

impl At {
    /// For people. Control characters of the label are shown, not sent.
    pub fn said(&self) -> String {
        let mut said = wording::plain(&self.label).into_owned();
        if let Some(address) = self.address {
            let _ = write!(said, ", {address}");
        }
        if let Some(port) = self.port {
            let _ = write!(said, " port {port}");
        }
        if let Some(root) = self.root {
            let _ = write!(said, ", tree {root}");
        }
        said
    }
}

fn hosts(text: &mut String, title: &str, hosts: &[At]) {
    if hosts.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{title} ({})", hosts.len());
    for host in hosts.iter().take(MAX_LINES) {
        let _ = writeln!(text, "  {}", host.said());
    }
    more(text, hosts.len());
}

fn more(text: &mut String, count: usize) {
    if count > MAX_LINES {
        let rest = (count - MAX_LINES) as u64;
        let _ = writeln!(text, "  and {}: the JSON form has them all", counted(rest, "line more", "lines more"));
    }
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
