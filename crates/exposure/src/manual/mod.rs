//! docs/EXPOSURE.md: the preface, and every check with its anchor, made from the catalogue.

use std::fmt::Write as _;

use crate::catalogue::{Check, checks};

/// The whole manual, Markdown.
pub fn manual() -> String {
    let mut text = String::from(include_str!("preface.md"));
    let opens = checks().filter(|check| check.opens).count();
    let _ = writeln!(text, "\n{} checks, of which {opens} tell whether a system is open.", checks().count());
    checks().for_each(|check| describe(check, &mut text));
    text
}

fn describe(check: &Check, text: &mut String) {
    let opens = if check.opens { ", opens" } else { "" };
    let _ = writeln!(
        text,
        "\n### {id}\n\n**{title}** (severity {severity}, depth {depth}{opens})\n\n\
         - Finding when: {finding_when}\n- What to do: {remediation}\n- Clauses: {clauses}",
        id = check.id,
        title = check.title,
        severity = format!("{:?}", check.severity).to_lowercase(),
        depth = u8::from(check.depth),
        finding_when = check.finding_when,
        remediation = check.remediation,
        clauses = check.clauses.join("; "),
    );
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_page_is_the_manual() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/EXPOSURE.md");
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(committed == super::manual(), "docs/EXPOSURE.md is not what the catalogue says: run `make docs`");
    }

    #[test]
    fn every_check_has_its_anchor() {
        let manual = super::manual();
        for check in crate::catalogue::checks() {
            assert!(manual.contains(&format!("\n### {}\n", check.id)), "{}", check.id);
        }
    }
}
