//! Exclusive XML canonicalization, without comments: the bytes that are digested and signed.
//! <https://www.w3.org/TR/xml-exc-c14n/>. Deliberately absent: inclusive prefixes.

use std::collections::BTreeMap;

use super::xml::{Child, Id, Tree};

/// What is to be written, last first.
enum Step<'a> {
    Begin(Id, BTreeMap<&'a str, &'a str>),
    Text(&'a str),
    End(Id),
}

/// An element as canonical bytes, without the one left out.
pub(super) fn canonical(tree: &Tree, apex: Id, without: Option<Id>) -> Vec<u8> {
    let mut out = String::new();
    let mut steps = vec![Step::Begin(apex, BTreeMap::new())];
    while let Some(step) = steps.pop() {
        match step {
            Step::Text(text) => push_text(text, &mut out),
            Step::End(id) => {
                out.push_str("</");
                push_name(&tree.element(id).prefix, &tree.element(id).local, &mut out);
                out.push('>');
            }
            Step::Begin(id, rendered) => {
                let rendered = begin(tree, id, rendered, &mut out);
                steps.push(Step::End(id));
                for child in tree.element(id).children.iter().rev() {
                    match child {
                        Child::Text(text) => steps.push(Step::Text(text)),
                        Child::Element(child) if Some(*child) == without => {}
                        Child::Element(child) => steps.push(Step::Begin(*child, rendered.clone())),
                    }
                }
            }
        }
    }
    out.into_bytes()
}

/// The start tag: declarations of the prefixes it uses itself, unless an element around it has
/// written them; then its attributes by namespace and name.
fn begin<'a>(
    tree: &'a Tree,
    id: Id,
    mut rendered: BTreeMap<&'a str, &'a str>,
    out: &mut String,
) -> BTreeMap<&'a str, &'a str> {
    let element = tree.element(id);
    let used = element.attributes.iter().map(|attribute| attribute.prefix.as_str()).filter(|prefix| !prefix.is_empty());
    let used: BTreeMap<&str, &str> = used
        .chain([element.prefix.as_str()])
        .map(|prefix| (prefix, tree.namespace(id, prefix).unwrap_or_default()))
        .collect();
    out.push('<');
    push_name(&element.prefix, &element.local, out);
    for (prefix, namespace) in used {
        if rendered.get(prefix).copied().unwrap_or_default() == namespace {
            continue;
        }
        out.push_str(if prefix.is_empty() { " xmlns" } else { " xmlns:" });
        out.push_str(prefix);
        push_value(namespace, out);
        rendered.insert(prefix, namespace);
    }
    let mut attributes: Vec<_> = element
        .attributes
        .iter()
        .map(|attribute| {
            let namespace = match attribute.prefix.as_str() {
                "" => "",
                prefix => tree.namespace(id, prefix).unwrap_or_default(),
            };
            ((namespace, attribute.local.as_str()), attribute)
        })
        .collect();
    attributes.sort_by_key(|(key, _)| *key);
    for (_, attribute) in attributes {
        out.push(' ');
        push_name(&attribute.prefix, &attribute.local, out);
        push_value(&attribute.value, out);
    }
    out.push('>');
    rendered
}

fn push_name(prefix: &str, local: &str, out: &mut String) {
    if !prefix.is_empty() {
        out.push_str(prefix);
        out.push(':');
    }
    out.push_str(local);
}

fn push_value(value: &str, out: &mut String) {
    out.push_str("=\"");
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#x9;"),
            '\n' => out.push_str("&#xA;"),
            '\r' => out.push_str("&#xD;"),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn push_text(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#xD;"),
            c => out.push(c),
        }
    }
}
