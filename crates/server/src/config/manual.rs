//! The commented file of `leadglass config generate` and docs/CONFIG.md, from the types.

use std::fmt::Write;

use super::section::Section;
use super::{Data, DicomWeb, Dimse, Identities, Legacy, Limits, Listen, Log, People, Scan, Trail, UnknownSenders};

/// A configuration file with every key at its default, each commented out and explained.
pub fn commented_file() -> String {
    let begin = "# Leadglass configuration. Every key is optional and shown with its default;\n\
                 # an empty file starts an archive that is closed, encrypted and audited.\n";
    commented(begin, &sections())
}

/// These sections as a commented file.
pub(crate) fn commented(begin: &str, sections: &[Described]) -> String {
    let mut text = begin.to_owned();
    for section in sections {
        let _ = write!(text, "\n{}\n[{}]\n", comment(section.about), section.name);
        for field in &section.fields {
            let _ = write!(text, "\n{}\n# {} = {}\n", comment(field.doc), field.name, field.default);
        }
    }
    text
}

/// docs/CONFIG.md.
pub fn markdown() -> String {
    let begin = "# Configuration\n\n\
         Made by `leadglass config manual` (`make docs`) from the types in `crates/server/src/config`; a test keeps it true.\n\n\
         One TOML file, named with `--config FILE`. Every key is optional. Unknown keys are refused.\n\
         No key switches TLS, authentication, sealing or the audit trail off.\n";
    let end = "\nIdentity providers are `[[oidc]]` tables: see [PEOPLE.md](PEOPLE.md).\n";
    tables(begin, &sections()) + end
}

/// These sections as tables.
pub(crate) fn tables(begin: &str, sections: &[Described]) -> String {
    let mut text = begin.to_owned();
    for section in sections {
        let _ = write!(text, "\n## `[{}]`\n\n{}\n\n", section.name, joined(section.about));
        text.push_str("| key | default | meaning |\n|---|---|---|\n");
        for field in &section.fields {
            let meaning = joined(field.doc).replace('|', "\\|");
            let _ = writeln!(text, "| `{}` | `{}` | {meaning} |", field.name, field.default);
        }
    }
    text
}

/// A section with its fields and their defaults.
pub(crate) struct Described {
    name: &'static str,
    about: &'static [&'static str],
    fields: Vec<DescribedField>,
}

struct DescribedField {
    name: &'static str,
    doc: &'static [&'static str],
    default: String,
}

fn sections() -> Vec<Described> {
    vec![
        described::<Listen>("listen"),
        described::<Data>("data"),
        described::<Limits>("limits"),
        described::<Scan>("scan"),
        described::<Dimse>("dimse"),
        described::<UnknownSenders>("dimse.unknown_senders"),
        described::<Legacy>("dimse.legacy"),
        described::<Identities>("identities"),
        described::<DicomWeb>("dicomweb"),
        described::<Trail>("trail"),
        described::<People>("people"),
        described::<Log>("log"),
    ]
}

/// A section under that name.
pub(crate) fn described<S: Section>(name: &'static str) -> Described {
    let defaults = toml::Value::try_from(S::default()).unwrap_or(toml::Value::Boolean(false));
    let default = |key| defaults.get(key).map(ToString::to_string).unwrap_or_default();
    // A section within a section is described by itself.
    let is_key = |f: &&super::section::Field| !defaults.get(f.name).is_some_and(toml::Value::is_table);
    let fields =
        S::FIELDS.iter().filter(is_key).map(|f| DescribedField { name: f.name, doc: f.doc, default: default(f.name) });
    Described { name, about: S::ABOUT, fields: fields.collect() }
}

fn joined(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

fn comment(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("#{line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_commented_file_is_the_default_also_with_its_keys_uncommented() {
        let text = commented_file();
        assert_eq!(Config::parse(&text).unwrap(), Config::default());
        let is_key = |line: &&str| line.starts_with("# ") && line.contains(" = ") && !line.contains('`');
        let live: String = text.lines().map(|l| if is_key(&l) { &l[2..] } else { l }).collect::<Vec<_>>().join("\n");
        assert_eq!(Config::parse(&live).unwrap(), Config::default(), "{live}");
        let keys = sections().iter().map(|s| s.fields.len()).sum::<usize>();
        assert_eq!(text.lines().filter(|l| is_key(l)).count(), keys);
    }

    #[test]
    fn the_committed_manual_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/CONFIG.md");
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(committed == markdown(), "run `make docs`");
    }
}
