//! The query string taken apart: percent encoding, names, and what may occur how often.

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;

use super::{MAX_QUERY_BYTES, add};
use crate::attribute;
use crate::query::{MAX_DEPTH, MAX_KEYS, QueryError, TagPath};

/// The parameters of PS3.18 8.3.4.
#[derive(Default)]
pub(super) struct Parameters {
    pub(super) attributes: Vec<AttributeParameter>,
    pub(super) include: Vec<TagPath>,
    pub(super) include_all: bool,
    pub(super) fuzzy: Option<bool>,
    pub(super) empty_value: Option<bool>,
    /// Read for its form alone: lists match whether asked for or not.
    multiple_values: Option<bool>,
    pub(super) limit: Option<u64>,
    pub(super) offset: Option<u64>,
}

/// An attribute and what it has to match.
pub(super) struct AttributeParameter {
    pub(super) path: TagPath,
    pub(super) value: String,
}

impl Parameters {
    pub(super) fn parse(query_string: &str) -> Result<Parameters, QueryError> {
        if query_string.len() > MAX_QUERY_BYTES {
            return Err(QueryError::QueryTooLong);
        }
        let mut parameters = Parameters::default();
        let parts = query_string.split('&').filter(|part| !part.is_empty());
        for (position, part) in (1..).zip(parts) {
            if parameters.attributes.len() + parameters.include.len() >= MAX_KEYS || position > 2 * MAX_KEYS {
                return Err(QueryError::TooManyKeys);
            }
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let name = percent_decode(name, true).ok_or(QueryError::BadEncoding(position))?;
            parameters.take(position, &name, value)?;
        }
        Ok(parameters)
    }

    fn take(&mut self, position: usize, name: &str, raw: &str) -> Result<(), QueryError> {
        let value = || percent_decode(raw, true).ok_or(QueryError::BadEncoding(position));
        match name {
            "fuzzymatching" => once(&mut self.fuzzy, position, flag(position, "fuzzymatching", &value()?)?),
            "emptyvaluematching" => {
                once(&mut self.empty_value, position, flag(position, "emptyvaluematching", &value()?)?)
            }
            "multiplevaluematching" => {
                once(&mut self.multiple_values, position, flag(position, "multiplevaluematching", &value()?)?)
            }
            "limit" => once(&mut self.limit, position, number(position, "limit", &value()?)?),
            "offset" => once(&mut self.offset, position, number(position, "offset", &value()?)?),
            "includefield" => self.include_fields(position, &value()?),
            "accept" | "charset" => Ok(()),
            _ => {
                let path = path_of(name).ok_or(QueryError::UnknownParameter(position))?;
                // In a moment, a plus sign begins an offset from UTC, encoded or not.
                let is_moment = path.last().is_some_and(|tag| dictionary_vr(*tag) == Some(VR::DT));
                let value = percent_decode(raw, !is_moment).ok_or(QueryError::BadEncoding(position))?;
                self.attribute(position, path, value)
            }
        }
    }

    fn attribute(&mut self, position: usize, path: TagPath, value: String) -> Result<(), QueryError> {
        match self.attributes.iter().find(|other| other.path == path) {
            Some(other) if other.value == value => Ok(()),
            Some(_) => Err(QueryError::RepeatedParameter(position)),
            None => {
                self.attributes.push(AttributeParameter { path, value });
                Ok(())
            }
        }
    }

    fn include_fields(&mut self, position: usize, value: &str) -> Result<(), QueryError> {
        for field in value.split(',').map(str::trim).filter(|field| !field.is_empty()) {
            if field == "all" {
                self.include_all = true;
                continue;
            }
            let path = path_of(field).ok_or(QueryError::InvalidParameter { position, name: "includefield" })?;
            add(&mut self.include, path);
            if self.include.len() > MAX_KEYS {
                return Err(QueryError::TooManyKeys);
            }
        }
        Ok(())
    }
}

fn once<T: PartialEq>(place: &mut Option<T>, position: usize, value: T) -> Result<(), QueryError> {
    match place {
        Some(earlier) if *earlier != value => Err(QueryError::RepeatedParameter(position)),
        _ => {
            *place = Some(value);
            Ok(())
        }
    }
}

fn flag(position: usize, name: &'static str, value: &str) -> Result<bool, QueryError> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(QueryError::InvalidParameter { position, name }),
    }
}

fn number(position: usize, name: &'static str, value: &str) -> Result<u64, QueryError> {
    let number = value.bytes().all(|b| b.is_ascii_digit()).then(|| value.parse::<u32>().ok()).flatten();
    number.map(u64::from).ok_or(QueryError::InvalidParameter { position, name })
}

/// The path that keywords or tags separated by dots name.
fn path_of(text: &str) -> Option<TagPath> {
    let parts: Vec<&str> = text.split('.').take(MAX_DEPTH + 2).collect();
    if parts.len() > MAX_DEPTH + 1 {
        return None;
    }
    let path: TagPath = parts.iter().map(|part| tag_of(part)).collect::<Option<_>>()?;
    let sequences = path.split_last().map_or(&[][..], |(_, sequences)| sequences);
    let all_sequences = sequences.iter().all(|tag| matches!(dictionary_vr(*tag), Some(VR::SQ) | None));
    all_sequences.then_some(path)
}

fn tag_of(text: &str) -> Option<Tag> {
    hexadecimal_tag(text).or_else(|| {
        let known = attribute::by_keyword(text).map(|attribute| attribute.tag);
        known.or_else(|| StandardDataDictionary.by_name(text).map(|entry| entry.tag()))
    })
}

/// Eight hexadecimal digits; command and file meta elements are no attributes of a data set.
pub(super) fn hexadecimal_tag(text: &str) -> Option<Tag> {
    if text.len() != 8 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let number = u32::from_str_radix(text, 16).ok()?;
    let tag = Tag((number >> 16) as u16, (number & 0xFFFF) as u16);
    (tag.group() > 0x0002).then_some(tag)
}

/// The representation of a known attribute.
pub(super) fn dictionary_vr(tag: Tag) -> Option<VR> {
    StandardDataDictionary.by_tag(tag).map(|entry| entry.vr().relaxed()).filter(|vr| *vr != VR::UN)
}

/// Percent decoding of UTF-8; `plus_is_space` as HTML forms encode.
fn percent_decode(text: &str, plus_is_space: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hexadecimal(rest.next()?)? << 4 | hexadecimal(rest.next()?)?,
            b'+' if plus_is_space => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}
