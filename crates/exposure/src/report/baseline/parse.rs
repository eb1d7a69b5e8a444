//! Reading a baseline file: every mistake with its line and how to mend it.

use std::fmt;
use std::net::IpAddr;
use std::ops::Range;

use time::macros::format_description;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Acceptance;
use crate::catalogue;
use crate::report::wording;

/// Most bytes of a baseline file.
pub const MAX_BYTES: usize = 1024 * 1024;
/// Most mistakes that are told of at once.
const MAX_MISTAKES: usize = 100;
/// Most characters of a text in it.
const MAX_TEXT: usize = 400;
/// The keys of an entry.
const KEYS: [&str; 8] = ["check", "label", "address", "port", "facet", "owner", "reason", "expires"];

/// One mistake in a baseline file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// Its line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub mend: String,
}

/// All mistakes of a baseline file, by line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}; {}", self.line, self.what, self.mend)
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            write!(f, "{}{mistake}", if index == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

/// Reads all entries, or tells all mistakes.
pub(super) fn parse(text: &str) -> Result<Vec<Acceptance>, Mistakes> {
    let mut reader = Reader { text, mistakes: Vec::new() };
    if text.len() > MAX_BYTES {
        reader.mistake(0..0, "the file is longer than 1 MiB", "take out what has expired");
        return Err(Mistakes(reader.mistakes));
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let what = wording::plain(error.message()).into_owned();
        reader.mistake(error.span().unwrap_or(0..0), what, "write it as TOML 1.0 demands");
    }
    let broken: Vec<_> = reader.mistakes.iter().map(|mistake| mistake.line).collect();
    let entries = reader.file(table.get_ref());
    let Reader { mut mistakes, .. } = reader;
    // What follows from a slip of the pen is not told twice.
    let syntax = broken.len();
    let mut index = 0;
    mistakes.retain(|mistake| {
        index += 1;
        index <= syntax || !broken.contains(&mistake.line)
    });
    if mistakes.is_empty() {
        return Ok(entries);
    }
    mistakes.sort();
    mistakes.truncate(MAX_MISTAKES);
    Err(Mistakes(mistakes))
}

struct Reader<'text> {
    text: &'text str,
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    fn mistake(&mut self, at: Range<usize>, what: impl Into<String>, mend: impl Into<String>) {
        let line = self.line(at.start);
        self.mistakes.push(Mistake { line, what: what.into(), mend: mend.into() });
    }

    /// The line of a byte, from 1.
    fn line(&self, byte: usize) -> usize {
        let before = self.text.as_bytes().get(..byte).unwrap_or(self.text.as_bytes());
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    fn file(&mut self, table: &DeTable<'_>) -> Vec<Acceptance> {
        let mut entries = Vec::new();
        for (key, value) in table {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("accept", DeValue::Array(array)) => {
                    for entry in array.iter() {
                        match entry.get_ref() {
                            DeValue::Table(fields) => entries.extend(self.entry(entry.span(), fields)),
                            _ => self.mistake(
                                entry.span(),
                                "accept holds something else than tables",
                                "begin each entry with [[accept]]",
                            ),
                        }
                    }
                }
                ("accept", _) => self.mistake(value.span(), "accept is not a list", "begin each entry with [[accept]]"),
                (other, _) => {
                    let what = format!("{} is not known", wording::plain(other));
                    self.mistake(key.span(), what, "a baseline holds [[accept]] entries only");
                }
            }
        }
        entries
    }

    fn entry(&mut self, at: Range<usize>, fields: &DeTable<'_>) -> Option<Acceptance> {
        for key in fields.keys().filter(|key| !KEYS.contains(&key.get_ref().as_ref())) {
            let what = format!("{} is not known", wording::plain(key.get_ref()));
            self.mistake(key.span(), what, format!("an entry has {}", KEYS.join(", ")));
        }
        let line = self.line(at.start);
        // All are read before the first is missed, so that every mistake is told.
        let check = self.check(&at, fields);
        let label = self.text(&at, fields, "label", "the asset's label in the scope");
        let owner = self.text(&at, fields, "owner", "who answers for it");
        let reason = self.text(&at, fields, "reason", "why it is accepted");
        let expires = self.expires(&at, fields);
        let (address, port, facet) = (self.address(fields), self.port(fields), self.facet(fields));
        Some(Acceptance {
            line,
            check: check?,
            label: label?,
            address: address?,
            port: port?,
            facet: facet?,
            owner: owner?,
            reason: reason?,
            expires: expires?,
        })
    }

    fn check(&mut self, at: &Range<usize>, fields: &DeTable<'_>) -> Option<&'static str> {
        let id = self.text(at, fields, "check", "a check's id, as D-05")?;
        let known = catalogue::check(&id).map(|check| check.id);
        if known.is_none() {
            let span = fields.get("check").map_or(at.clone(), Spanned::span);
            let what = format!("there is no check {}", wording::plain(&id));
            self.mistake(span, what, "write the id as reports show it, as D-05");
        }
        known
    }

    /// A text that must be there.
    fn text(&mut self, at: &Range<usize>, fields: &DeTable<'_>, key: &str, wanted: &str) -> Option<String> {
        let Some(value) = fields.get(key) else {
            self.mistake(at.clone(), format!("{key} is missing"), format!("add {key} = \"…\": {wanted}"));
            return None;
        };
        let text = match value.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() && text.chars().count() <= MAX_TEXT => text,
            DeValue::String(_) => {
                let what = format!("{key} is empty or longer than {MAX_TEXT} characters");
                self.mistake(value.span(), what, format!("write {wanted}"));
                return None;
            }
            _ => {
                self.mistake(value.span(), format!("{key} is not a text"), format!("write {wanted} in quotes"));
                return None;
            }
        };
        Some(text.clone().into_owned())
    }

    fn address(&mut self, fields: &DeTable<'_>) -> Option<Option<IpAddr>> {
        let Some(value) = fields.get("address") else { return Some(None) };
        let address = match value.get_ref() {
            DeValue::String(text) => text.parse::<IpAddr>().ok().map(|address| address.to_canonical()),
            _ => None,
        };
        if address.is_none() {
            let mend = "write one host's address in quotes, as reports show it";
            self.mistake(value.span(), "address is not an address", mend);
        }
        address.map(Some)
    }

    fn port(&mut self, fields: &DeTable<'_>) -> Option<Option<u16>> {
        let Some(value) = fields.get("port") else { return Some(None) };
        let number = match value.get_ref() {
            DeValue::Integer(number) => u16::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        let port = number.filter(|port| *port > 0);
        if port.is_none() {
            self.mistake(value.span(), "port is not a port", "write 1 to 65535, or leave it out for all ports");
        }
        port.map(Some)
    }

    fn facet(&mut self, fields: &DeTable<'_>) -> Option<Option<String>> {
        let Some(value) = fields.get("facet") else { return Some(None) };
        if let DeValue::String(text) = value.get_ref() {
            return Some(Some(text.clone().into_owned()));
        }
        self.mistake(value.span(), "facet is not a text", "write the part as reports show it, in quotes");
        None
    }

    /// A day, as TOML's own date or as a text.
    fn expires(&mut self, at: &Range<usize>, fields: &DeTable<'_>) -> Option<time::Date> {
        let Some(value) = fields.get("expires") else {
            self.mistake(at.clone(), "expires is missing", "add expires = 2027-03-31: the last day on which it holds");
            return None;
        };
        let text = match value.get_ref() {
            DeValue::Datetime(day) if day.time.is_none() => day.to_string(),
            DeValue::String(day) => day.clone().into_owned(),
            _ => String::new(),
        };
        let day = time::Date::parse(&text, format_description!("[year]-[month]-[day]")).ok();
        if day.is_none() {
            self.mistake(value.span(), "expires is not a day", "write it as 2027-03-31");
        }
        day
    }
}
