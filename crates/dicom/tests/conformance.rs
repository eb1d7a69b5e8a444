//! The table of keys in docs/CONFORMANCE.md is the table of indexed attributes.
//!
//! `LEADGLASS_UPDATE=1 cargo test -p leadglass-dicom --test conformance` writes it anew.

use leadglass_dicom::attribute::{ALL, Attribute, Derived, Level, Matchable, of_level};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/CONFORMANCE.md");
const BEGIN: &str = "<!-- keys: made by crates/dicom/tests/conformance.rs -->\n";
const END: &str = "<!-- /keys -->\n";

fn matching(kind: Matchable) -> &'static str {
    match kind {
        Matchable::Text => "single value, wild card",
        Matchable::PersonName => "name",
        Matchable::Uid => "list of UID",
        Matchable::Date | Matchable::Time | Matchable::DateTime => "single value, range",
        Matchable::Integer => "number",
        Matchable::Derived(Derived::ModalitiesInStudy) => "single value, wild card; computed",
        Matchable::Derived(Derived::SopClassesInStudy) => "list of UID; computed",
        Matchable::Derived(Derived::Count(_)) => "number; computed",
    }
}

fn row(attribute: &Attribute) -> String {
    let tag = |tag: leadglass_dicom::Tag| format!("({:04X},{:04X})", tag.group(), tag.element());
    let way: Vec<String> = attribute.path().into_iter().map(tag).collect();
    let kind = if attribute.tag == attribute.level.unique_key() {
        "U"
    } else if attribute.required {
        "R"
    } else {
        "O"
    };
    let several = if attribute.multiple { "; any of several" } else { "" };
    let (keyword, vr) = (attribute.keyword, attribute.vr.to_string());
    format!("| {keyword} | {} | {vr} | {kind} | {}{several} |\n", way.join(" > "), matching(attribute.kind))
}

fn tables() -> String {
    let mut out = String::new();
    for level in Level::ALL {
        out.push_str(&format!(
            "\n**{}**\n\n| attribute | tag | VR | type | matching |\n|---|---|---|---|---|\n",
            level.as_str()
        ));
        of_level(level).for_each(|attribute| out.push_str(&row(attribute)));
    }
    out.push('\n');
    out
}

#[test]
fn the_conformance_statement_lists_every_indexed_attribute() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (found, after) = rest.split_once(END).unwrap();
    let wanted = tables();
    assert_eq!(wanted.matches("\n| ").count(), ALL.len() + Level::ALL.len());
    if std::env::var_os("LEADGLASS_UPDATE").is_some() {
        std::fs::write(PAGE, format!("{before}{BEGIN}{wanted}{END}{after}")).unwrap();
    } else {
        assert_eq!(found, wanted, "docs/CONFORMANCE.md is out of step: see the top of this test");
    }
}
