//! A table of the scope file, read key by key, noting mistakes and reading on.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml::value::Datetime;

use super::faults::{Faults, nearest};

/// Longest text of one value, in characters.
const MAX_TEXT: usize = 1024;

/// A value and where it stands in the file.
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) offset: usize,
}

/// One table of the file.
pub(super) struct Section<'d> {
    pub(super) faults: &'d Faults,
    table: &'d DeTable<'d>,
    /// Where it begins.
    pub(super) offset: usize,
    /// What it is called in messages: `[[asset]]`.
    name: &'static str,
    asked: RefCell<Vec<&'static str>>,
}

impl<'d> Section<'d> {
    pub(super) fn new(name: &'static str, table: &'d DeTable<'d>, offset: usize, faults: &'d Faults) -> Section<'d> {
        Section { faults, table, offset, name, asked: RefCell::default() }
    }

    /// A text that has to be there.
    pub(super) fn required(&self, key: &'static str, mend: &str) -> Option<At<&'d str>> {
        if !self.has(key) {
            self.faults.at(self.offset, format!("{key} is missing{}", self.place()), mend);
        }
        self.text(key, mend)
    }

    /// A text that, when it is there, is not blank.
    pub(super) fn text(&self, key: &'static str, mend: &str) -> Option<At<&'d str>> {
        let value = self.value(key)?;
        let text = self.string(key, value, mend)?;
        if text.value.is_empty() {
            self.faults.at(text.offset, format!("{key} is blank{}", self.place()), mend);
            return None;
        }
        Some(text)
    }

    /// Texts: a list of them, or just one. Those that are blank or no texts are noted.
    pub(super) fn texts(&self, key: &'static str, mend: &str) -> Vec<At<&'d str>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let values = match value.get_ref() {
            DeValue::Array(values) => values.iter().collect(),
            _ => vec![value],
        };
        let texts: Vec<_> = values.into_iter().filter_map(|value| self.string(key, value, mend)).collect();
        for text in texts.iter().filter(|text| text.value.is_empty()) {
            self.faults.at(text.offset, format!("{key} holds a blank{}", self.place()), mend);
        }
        texts.into_iter().filter(|text| !text.value.is_empty()).collect()
    }

    /// Yes or no.
    pub(super) fn flag(&self, key: &'static str) -> Option<bool> {
        let value = self.value(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.faults.at(value.span().start, format!("{key} is no yes or no"), "write true or false");
        }
        flag
    }

    /// A whole number within bounds.
    pub(super) fn number(&self, key: &'static str, bounds: RangeInclusive<u32>, mend: &str) -> Option<At<u32>> {
        let value = self.value(key)?;
        self.whole(key, value, bounds, mend)
    }

    /// A whole number that has to be there.
    pub(super) fn required_number(
        &self,
        key: &'static str,
        bounds: RangeInclusive<u32>,
        mend: &str,
    ) -> Option<At<u32>> {
        if !self.has(key) {
            self.faults.at(self.offset, format!("{key} is missing{}", self.place()), mend);
        }
        self.number(key, bounds, mend)
    }

    /// Whether a key is there, with whatever value.
    pub(super) fn has(&self, key: &'static str) -> bool {
        self.value(key).is_some()
    }

    /// Whether a key is there with a value that was already noted as wrong: anything but an empty list.
    pub(super) fn has_blank(&self, key: &'static str) -> bool {
        self.value(key).is_some_and(|value| value.get_ref().as_array().is_none_or(|values| !values.is_empty()))
    }

    /// Port numbers: a list, or just one; ascending, each once.
    pub(super) fn ports(&self, key: &'static str) -> Vec<u16> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let values = match value.get_ref() {
            DeValue::Array(values) => values.iter().collect(),
            _ => vec![value],
        };
        let mend = "write port numbers from 1 to 65535, as [104, 11112]";
        let numbers = values.into_iter().filter_map(|value| self.whole(key, value, 1..=65_535, mend));
        let mut ports: Vec<u16> = numbers.filter_map(|port| u16::try_from(port.value).ok()).collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    /// Ports with a word each, as `{ 15432 = "postgresql" }`; ascending.
    pub(super) fn words_of_ports(&self, key: &'static str, mend: &str) -> Vec<(u16, At<&'d str>)> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let Some(table) = value.get_ref().as_table() else {
            self.faults.at(value.span().start, format!("{key} is no table of ports"), mend);
            return Vec::new();
        };
        let mut words = Vec::new();
        for (port, word) in table {
            let number = port.get_ref().parse().ok().filter(|number| *number != 0);
            if number.is_none() {
                self.faults.at(port.span().start, format!("{} is no port", quoted(port.get_ref())), mend);
            }
            words.extend(number.zip(self.string(key, word, mend)));
        }
        words.sort_by_key(|(port, _)| *port);
        words
    }

    /// A date or a time, written as TOML has it or as a text.
    pub(super) fn datetime(&self, key: &'static str, mend: &str) -> Option<At<Datetime>> {
        let value = self.value(key)?;
        let offset = value.span().start;
        if let Some(datetime) = value.get_ref().as_datetime() {
            return Some(At { value: *datetime, offset });
        }
        let text = self.text(key, mend)?;
        let datetime = text.value.parse().ok();
        if datetime.is_none() {
            self.faults.at(offset, format!("{key} is no date"), mend);
        }
        datetime.map(|value| At { value, offset })
    }

    /// Tables written `[[key]]`, as many as there are.
    pub(super) fn tables(&self, key: &'static str, name: &'static str) -> Vec<Section<'d>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let DeValue::Array(values) = value.get_ref() else {
            let mend = format!("begin each with {name} in double brackets");
            self.faults.at(value.span().start, format!("{key} is no list of tables"), mend);
            return Vec::new();
        };
        values.iter().filter_map(|value| self.section(value, name)).collect()
    }

    /// A table written `[key]`.
    pub(super) fn table(&self, key: &'static str, name: &'static str) -> Option<Section<'d>> {
        self.value(key).and_then(|value| self.section(value, name))
    }

    /// Notes the keys that nobody asked for, each with the one that was probably meant.
    pub(super) fn finish(self) {
        let known = self.asked.borrow();
        for key in self.table.keys() {
            let written: &str = key.get_ref();
            if known.contains(&written) {
                continue;
            }
            let mend = match nearest(written, known.iter().copied()) {
                Some(meant) => format!("did you mean {meant}?"),
                None => format!("remove it; known are {}", known.join(", ")),
            };
            let mistake = format!("{} is not known{}", quoted(written), self.place());
            self.faults.at(key.span().start, mistake, mend);
        }
    }

    fn value(&self, key: &'static str) -> Option<&'d Spanned<DeValue<'d>>> {
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&key) {
            asked.push(key);
        }
        self.table.get(key)
    }

    fn section(&self, value: &'d Spanned<DeValue<'d>>, name: &'static str) -> Option<Section<'d>> {
        let offset = value.span().start;
        let Some(table) = value.get_ref().as_table() else {
            self.faults.at(offset, "here is no table", format!("begin it with {name}"));
            return None;
        };
        Some(Section::new(name, table, offset, self.faults))
    }

    fn string(&self, key: &'static str, value: &'d Spanned<DeValue<'d>>, mend: &str) -> Option<At<&'d str>> {
        let offset = value.span().start;
        let Some(text) = value.get_ref().as_str() else {
            self.faults.at(
                offset,
                format!("{key} holds no text but a value of type {}", value.get_ref().type_str()),
                mend,
            );
            return None;
        };
        if text.chars().any(char::is_control) || text.chars().count() > MAX_TEXT {
            let mistake = format!("{key} holds control characters or more than {MAX_TEXT} characters");
            self.faults.at(offset, mistake, mend);
            return None;
        }
        Some(At { value: text.trim(), offset })
    }

    fn whole(
        &self,
        key: &'static str,
        value: &Spanned<DeValue<'_>>,
        bounds: RangeInclusive<u32>,
        mend: &str,
    ) -> Option<At<u32>> {
        let offset = value.span().start;
        let integer = value.get_ref().as_integer();
        let number = integer.and_then(|integer| u32::from_str_radix(integer.as_str(), integer.radix()).ok());
        let number = number.filter(|number| bounds.contains(number));
        if number.is_none() {
            let mistake = format!("{key} is no whole number from {} to {}", bounds.start(), bounds.end());
            self.faults.at(offset, mistake, mend);
        }
        number.map(|value| At { value, offset })
    }

    fn place(&self) -> String {
        if self.name.is_empty() { String::new() } else { format!(" in {}", self.name) }
    }
}

/// The owner's own words in a message: in quotes, escaped, not too many.
pub(super) fn quoted(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    format!("{short:?}")
}
