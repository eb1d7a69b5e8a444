//! The commented file of `leadglass edge config generate` and docs/EDGE-CONFIG.md.

use super::config::{EdgeArchive, EdgeLimits, EdgeListen, EdgeSpool};
use crate::config::manual::{Described, commented, described, tables};
use crate::config::{Log, Scan};
use crate::shield::config::EdgeShield;

/// Where the shield's own doors are configured.
const SERVE: &str = "\n# The shield's own doors: every section of docs/CONFIG.md under `serve`.\n\
                     # [serve.data]\n\
                     # dir = \"/var/lib/leadglass/shield\"\n";

/// What [`super::config::Modality`] is, as text: it has no defaults.
const MODALITY: &str = "\n# One for each modality. Address and both titles have to be exactly these; none of them\n\
                        # proves who sends, so the interface has to be theirs alone.\n\
                        # [[modality]]\n\
                        # ae_title = \"CT1\"            # its own title, the calling one; the archive sees it\n\
                        # address = \"192.168.20.11\"   # its one private address\n\
                        # called = \"ARCHIVE\"          # the title it calls\n\
                        # verbs = [\"store\"]           # store, find, retrieve\n";

/// A configuration file with every key at its default, each commented out and explained.
pub fn commented_file() -> String {
    let begin = "# Leadglass edge configuration: `leadglass edge run --config FILE`. A modality and the\n\
                 # archive have to be named; every other key is optional and shown with its default.\n";
    // A shield that is not wanted must not be named.
    let text = commented(begin, &sections()).replace("\n[shield]\n", "\n# [shield]\n");
    format!("{text}{SERVE}{MODALITY}")
}

/// docs/EDGE-CONFIG.md.
pub fn markdown() -> String {
    let begin = "# Configuration of the edge\n\n\
         Made by `leadglass edge config manual` (`make docs`) from the types in `crates/server/src/edge/config.rs`; a test \
         keeps it true. What an edge is for and how to set one up: [EDGE.md](EDGE.md).\n\n\
         One TOML file, named with `--config FILE`. Unknown keys are refused. No key switches TLS, sealing or durability \
         off, and none names an address to listen on.\n";
    let mut text = tables(begin, &sections());
    text.push_str(
        "\n## `[serve.*]`\n\nWith a `[shield]` alone: its own doors, data directory and bounds, every section of \
         [CONFIG.md](CONFIG.md) under `serve`. `[serve.data] dir` has to be named.\n\
         \n## `[[modality]]`\n\nOne for each modality; at least one, or a `[shield]`. All keys are required.\n\n\
         | key | example | meaning |\n|---|---|---|\n\
         | `ae_title` | `\"CT1\"` | Its own AE title, the calling one. The archive sees it. |\n\
         | `address` | `\"192.168.20.11\"` | The one address it comes from: private (RFC 1918, RFC 4193) or loopback, no range. |\n\
         | `called` | `\"ARCHIVE\"` | The AE title it calls. |\n\
         | `verbs` | `[\"store\"]` | What it may do: `store` into the spool; `find` (C-FIND) and `retrieve` (C-GET), passed through. |\n",
    );
    text
}

fn sections() -> Vec<Described> {
    vec![
        described::<EdgeListen>("listen"),
        described::<EdgeArchive>("archive"),
        described::<EdgeSpool>("spool"),
        described::<EdgeLimits>("limits"),
        described::<Scan>("scan"),
        described::<Log>("log"),
        described::<EdgeShield>("shield"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::config::EdgeConfig;

    #[test]
    fn the_commented_file_is_the_default_and_says_what_is_missing() {
        let config = EdgeConfig::parse(&commented_file()).unwrap();
        assert_eq!(config, EdgeConfig::default());
        assert!(config.check().unwrap_err().to_string().starts_with("modality"));
    }

    #[test]
    fn no_key_is_a_switch_and_unknown_ones_are_refused() {
        let tree = toml::Value::try_from(EdgeConfig::default()).unwrap();
        let sections = tree.as_table().unwrap().values().filter_map(toml::Value::as_table);
        assert_eq!(sections.flat_map(|section| section.values()).filter(|value| value.is_bool()).count(), 0);
        for text in
            ["tls = false", "[listen]\naddress = \"0.0.0.0\"", "[archive]\nplain = 1", "[[modality]]\nae_title = \"X\""]
        {
            assert!(EdgeConfig::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_modality_is_one_private_address() {
        let of = |address: &str| {
            let text = format!(
                "[archive]\naddress = \"127.0.0.1:1\"\nae_title = \"A\"\n\
                 [[modality]]\nae_title = \"CT1\"\naddress = \"{address}\"\ncalled = \"B\"\nverbs = [\"store\"]\n"
            );
            EdgeConfig::parse(&text).map_err(|error| error.to_string())?.check().map_err(|error| error.to_string())
        };
        for address in ["192.168.1.7", "127.0.0.1", "fd00::1"] {
            assert_eq!(of(address), Ok(()), "{address}");
        }
        for address in ["8.8.8.8", "0.0.0.0", "192.168.1.0/24", "::", "2001:db8::1", "any", "169.254.1.1"] {
            assert!(of(address).is_err(), "{address}");
        }
    }

    #[test]
    fn the_committed_manual_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/EDGE-CONFIG.md");
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(committed == markdown(), "run `make docs`");
    }
}
