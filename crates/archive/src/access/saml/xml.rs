//! XML, as little of it as an assertion needs: elements, attributes, namespaces, text.
//!
//! Deliberately absent: DTDs, entities but the five, comments, processing instructions, CDATA,
//! `xml:` attributes. Each has been used to make two readers see two documents. One tree is
//! digested and read; it is bounded in bytes, depth and elements, and built without recursion.

use super::SamlError;

/// Longest document, bytes.
const LONGEST: usize = 64 << 10;
/// Deepest nesting.
const DEEPEST: usize = 32;
/// Most elements, and most attributes of one.
const MOST_ELEMENTS: usize = 2000;
const MOST_ATTRIBUTES: usize = 32;

/// An element's place in its tree.
pub(super) type Id = usize;

/// A document.
pub(super) struct Tree {
    elements: Vec<Element>,
}

/// An element.
pub(super) struct Element {
    pub(super) parent: Option<Id>,
    pub(super) prefix: String,
    pub(super) local: String,
    /// Declarations on it: prefix (empty for the default), namespace.
    pub(super) declares: Vec<(String, String)>,
    pub(super) attributes: Vec<Attribute>,
    pub(super) children: Vec<Child>,
}

/// An attribute that declares no namespace.
pub(super) struct Attribute {
    pub(super) prefix: String,
    pub(super) local: String,
    pub(super) value: String,
}

/// What is in an element.
pub(super) enum Child {
    Element(Id),
    Text(String),
}

impl Tree {
    /// Reads a document.
    pub(super) fn parse(bytes: &[u8]) -> Result<Tree, SamlError> {
        if bytes.len() > LONGEST {
            return Err(SamlError::Malformed);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| SamlError::Malformed)?;
        Reader { rest: without_declaration(text)?, tree: Tree { elements: Vec::new() }, open: Vec::new() }.read()
    }

    /// The outermost element.
    pub(super) const ROOT: Id = 0;

    /// All elements, in the order of the document.
    pub(super) fn ids(&self) -> impl Iterator<Item = Id> {
        0..self.elements.len()
    }

    /// The element of that place; places come from this tree alone.
    pub(super) fn element(&self, id: Id) -> &Element {
        &self.elements[id]
    }

    /// The namespace that a prefix means at an element; the empty prefix may mean none.
    pub(super) fn namespace(&self, at: Id, prefix: &str) -> Option<&str> {
        let mut at = Some(at);
        while let Some(id) = at {
            let element = self.element(id);
            if let Some((_, namespace)) = element.declares.iter().find(|(declared, _)| declared == prefix) {
                return Some(namespace);
            }
            at = element.parent;
        }
        prefix.is_empty().then_some("")
    }

    /// Whether an element has that name.
    pub(super) fn is(&self, id: Id, namespace: &str, local: &str) -> bool {
        let element = self.element(id);
        element.local == local && self.namespace(id, &element.prefix) == Some(namespace)
    }

    /// The elements in an element.
    pub(super) fn children(&self, id: Id) -> impl Iterator<Item = Id> {
        self.element(id).children.iter().filter_map(|child| match child {
            Child::Element(id) => Some(*id),
            Child::Text(_) => None,
        })
    }

    /// The children of that name.
    pub(super) fn named(&self, id: Id, namespace: &str, local: &str) -> Vec<Id> {
        self.children(id).filter(|child| self.is(*child, namespace, local)).collect()
    }

    /// The one child of that name.
    pub(super) fn only(&self, id: Id, namespace: &str, local: &str) -> Result<Id, SamlError> {
        match self.named(id, namespace, local)[..] {
            [only] => Ok(only),
            _ => Err(SamlError::Structure),
        }
    }

    /// The value of an attribute without a prefix.
    pub(super) fn attribute(&self, id: Id, local: &str) -> Option<&str> {
        let mut all = self.element(id).attributes.iter();
        all.find(|attribute| attribute.prefix.is_empty() && attribute.local == local).map(|found| found.value.as_str())
    }

    /// The text of an element that holds nothing else.
    pub(super) fn text(&self, id: Id) -> Result<&str, SamlError> {
        match &self.element(id).children[..] {
            [] => Ok(""),
            [Child::Text(text)] => Ok(text),
            _ => Err(SamlError::Structure),
        }
    }

    /// Whether an element holds elements and white space alone.
    pub(super) fn is_structure(&self, id: Id) -> bool {
        self.element(id).children.iter().all(|child| match child {
            Child::Element(_) => true,
            Child::Text(text) => text.trim_matches([' ', '\t', '\n', '\r']).is_empty(),
        })
    }
}

/// The text behind `<?xml version="1.0" …?>`, which may say UTF-8 and nothing else.
fn without_declaration(text: &str) -> Result<&str, SamlError> {
    let Some(rest) = text.strip_prefix("<?xml ") else { return Ok(text) };
    let (declaration, rest) = rest.split_once("?>").ok_or(SamlError::Malformed)?;
    let plain: String = declaration.replace('\'', "\"").split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    match plain.to_ascii_lowercase().as_str() {
        "version=\"1.0\"" | "version=\"1.0\" encoding=\"utf-8\"" => Ok(rest),
        "version=\"1.0\" encoding=\"utf-8\" standalone=\"no\"" => Ok(rest),
        "version=\"1.0\" encoding=\"utf-8\" standalone=\"yes\"" => Ok(rest),
        _ => Err(SamlError::Malformed),
    }
}

/// What is still to be read, and what of it is open.
struct Reader<'a> {
    rest: &'a str,
    tree: Tree,
    open: Vec<Id>,
}

impl<'a> Reader<'a> {
    fn read(mut self) -> Result<Tree, SamlError> {
        self.rest = self.rest.trim_start_matches(is_space);
        loop {
            if let Some(rest) = self.rest.strip_prefix("</") {
                self.rest = rest;
                self.close()?;
            } else if let Some(rest) = self.rest.strip_prefix('<') {
                self.rest = rest;
                self.element()?;
            } else {
                self.text()?;
            }
            if self.open.is_empty() {
                break;
            }
        }
        let over = self.rest.trim_matches(is_space).is_empty() && !self.tree.elements.is_empty();
        if over { Ok(self.tree) } else { Err(SamlError::Malformed) }
    }

    fn element(&mut self) -> Result<(), SamlError> {
        let (prefix, local) = self.name()?;
        let parent = self.open.last().copied();
        if self.tree.elements.len() >= MOST_ELEMENTS || self.open.len() >= DEEPEST {
            return Err(SamlError::Malformed);
        }
        let id = self.tree.elements.len();
        let (declares, attributes) = (Vec::new(), Vec::new());
        self.tree.elements.push(Element { parent, prefix, local, declares, attributes, children: Vec::new() });
        if let Some(parent) = parent {
            self.tree.elements[parent].children.push(Child::Element(id));
        }
        let is_empty = self.attributes(id)?;
        self.check_names(id)?;
        if !is_empty {
            self.open.push(id);
        }
        Ok(())
    }

    /// Reads attributes up to the tag's end; says whether the element is empty.
    fn attributes(&mut self, id: Id) -> Result<bool, SamlError> {
        loop {
            let before = self.rest.len();
            self.rest = self.rest.trim_start_matches(is_space);
            let spaced = self.rest.len() < before;
            for (end, is_empty) in [("/>", true), (">", false)] {
                if let Some(rest) = self.rest.strip_prefix(end) {
                    self.rest = rest;
                    return Ok(is_empty);
                }
            }
            if !spaced {
                return Err(SamlError::Malformed);
            }
            let (prefix, local) = self.name()?;
            self.rest = self.rest.strip_prefix('=').ok_or(SamlError::Malformed)?;
            let value = self.value()?;
            self.attribute(id, prefix, local, value)?;
        }
    }

    fn attribute(&mut self, id: Id, prefix: String, local: String, value: String) -> Result<(), SamlError> {
        let element = &mut self.tree.elements[id];
        if element.attributes.len() + element.declares.len() >= MOST_ATTRIBUTES {
            return Err(SamlError::Malformed);
        }
        let declared = match (prefix.as_str(), local.as_str()) {
            ("", "xmlns") => Some(String::new()),
            // A prefix cannot be taken back, and these two mean what they mean.
            ("xmlns", name) if !value.is_empty() && name != "xml" && name != "xmlns" => Some(local.clone()),
            ("xmlns" | "xml", _) => return Err(SamlError::Malformed),
            _ => None,
        };
        let Some(declared) = declared else {
            element.attributes.push(Attribute { prefix, local, value });
            return Ok(());
        };
        if element.declares.iter().any(|(there, _)| *there == declared) {
            return Err(SamlError::Malformed);
        }
        element.declares.push((declared, value));
        Ok(())
    }

    /// Every prefix is declared, and no attribute is there twice, by whatever prefix.
    fn check_names(&self, id: Id) -> Result<(), SamlError> {
        let element = self.tree.element(id);
        self.tree.namespace(id, &element.prefix).ok_or(SamlError::Malformed)?;
        let mut seen: Vec<(&str, &str)> = Vec::new();
        for attribute in &element.attributes {
            let namespace = match attribute.prefix.as_str() {
                "" => "",
                prefix => self.tree.namespace(id, prefix).ok_or(SamlError::Malformed)?,
            };
            if seen.contains(&(namespace, &attribute.local)) {
                return Err(SamlError::Malformed);
            }
            seen.push((namespace, &attribute.local));
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), SamlError> {
        let (prefix, local) = self.name()?;
        let id = self.open.pop().ok_or(SamlError::Malformed)?;
        let element = self.tree.element(id);
        self.rest = self.rest.trim_start_matches(is_space).strip_prefix('>').ok_or(SamlError::Malformed)?;
        if element.prefix == prefix && element.local == local { Ok(()) } else { Err(SamlError::Malformed) }
    }

    fn text(&mut self) -> Result<(), SamlError> {
        let end = self.rest.find('<').ok_or(SamlError::Malformed)?;
        let (raw, rest) = self.rest.split_at(end);
        let id = *self.open.last().ok_or(SamlError::Malformed)?;
        // XML 2.11: line ends are one character each.
        let text = unescaped(&raw.replace("\r\n", "\n").replace('\r', "\n"))?;
        self.tree.elements[id].children.push(Child::Text(text));
        self.rest = rest;
        Ok(())
    }

    fn value(&mut self) -> Result<String, SamlError> {
        let quote = self.rest.chars().next().filter(|c| matches!(c, '"' | '\'')).ok_or(SamlError::Malformed)?;
        let (raw, rest) = self.rest[1..].split_once(quote).ok_or(SamlError::Malformed)?;
        self.rest = rest;
        // White space in a value is normalised away by some readers: there is none but blanks.
        match raw.contains(['<', '\t', '\n', '\r']) {
            true => Err(SamlError::Malformed),
            false => unescaped(raw),
        }
    }

    /// A name, its prefix apart. Names of our documents are ASCII.
    fn name(&mut self) -> Result<(String, String), SamlError> {
        let end = self.rest.find(|c: char| !is_name(c) && c != ':').unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let is_one =
            |part: &str| part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && !part.contains(':');
        let prefixed = name.contains(':');
        if !is_one(local) || prefixed && !is_one(prefix) {
            return Err(SamlError::Malformed);
        }
        Ok((prefix.to_owned(), local.to_owned()))
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// Characters and the five entities; references to control characters are refused, and so are
/// control characters themselves.
fn unescaped(raw: &str) -> Result<String, SamlError> {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('&') {
        let (entity, after) = after.split_once(';').ok_or(SamlError::Malformed)?;
        text.push_str(before);
        text.push(match entity {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            _ => referred(entity).ok_or(SamlError::Malformed)?,
        });
        rest = after;
    }
    text.push_str(rest);
    let plain = |c: char| matches!(c, '\t' | '\n') || !c.is_control() && !matches!(c, '\u{FFFE}' | '\u{FFFF}');
    if text.chars().all(plain) { Ok(text) } else { Err(SamlError::Malformed) }
}

fn referred(entity: &str) -> Option<char> {
    let number = entity.strip_prefix('#')?;
    let code = match number.strip_prefix('x') {
        Some(hex) if (1..=6).contains(&hex.len()) && hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
            u32::from_str_radix(hex, 16).ok()?
        }
        None if (1..=7).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit()) => number.parse().ok()?,
        _ => return None,
    };
    char::from_u32(code).filter(|c| !c.is_control())
}
