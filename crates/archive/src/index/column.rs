//! Between data sets and columns: what is searched, and the values as they came.

use leadglass_dicom::attribute::{self, Attribute, Level, Matchable};
use leadglass_dicom::datetime::{Date, DateTime, Time, UtcOffset};
use leadglass_dicom::{DataSet, Element, Tag, VR, Value};
use rusqlite::types::Value as Cell;
use serde::{Deserialize, Serialize};

use super::IndexError;

const TIMEZONE_OFFSET_FROM_UTC: Tag = Tag(0x0008, 0x0201);

/// The attributes of a level that have a column.
pub(super) fn columns(level: Level) -> impl Iterator<Item = &'static Attribute> {
    attribute::of_level(level).filter(|attribute| !matches!(attribute.kind, Matchable::Derived(_)))
}

/// What a column holds of a header.
#[derive(Debug, PartialEq)]
pub(super) enum Searched {
    /// The value itself.
    Cell(Cell),
    /// A name or several, divided by backslashes, for the dictionary of names.
    Name(String),
}

/// What the attribute's column holds of a header.
pub(super) fn searched(attribute: &Attribute, header: &DataSet) -> Searched {
    let texts = texts_of(attribute, header);
    if texts.iter().all(|text| text.is_empty()) {
        return Searched::Cell(Cell::Null);
    }
    let first = texts.first().map_or("", String::as_str);
    let text = |text: String| Searched::Cell(Cell::Text(text));
    match attribute.kind {
        Matchable::PersonName => Searched::Name(texts.join("\\")),
        Matchable::Text | Matchable::Uid if attribute.multiple => text(format!("\\{}\\", texts.join("\\"))),
        Matchable::Text | Matchable::Uid => text(first.to_owned()),
        Matchable::Date => Date::parse(first).map_or(Searched::Cell(Cell::Null), |date| text(date.to_string())),
        Matchable::Time => Time::parse(first).map_or(Searched::Cell(Cell::Null), |time| text(time.to_string())),
        Matchable::DateTime => {
            let offset = header.text(TIMEZONE_OFFSET_FROM_UTC).and_then(UtcOffset::parse).unwrap_or_default();
            let moment = DateTime::parse(first, offset);
            Searched::Cell(moment.map_or(Cell::Null, |moment| Cell::Integer(moment.micros())))
        }
        Matchable::Integer => Searched::Cell(first.parse().map_or(Cell::Null, Cell::Integer)),
        Matchable::Derived(_) => Searched::Cell(Cell::Null),
    }
}

/// The attribute's values as texts without padding, those of all items when it is nested.
fn texts_of(attribute: &Attribute, header: &DataSet) -> Vec<String> {
    match attribute.within {
        Some(sequence) => {
            header.items(sequence).iter().filter_map(|item| item.element(attribute.tag)).flat_map(texts).collect()
        }
        None => header.element(attribute.tag).map(texts).unwrap_or_default(),
    }
}

fn texts(element: &Element) -> Vec<String> {
    match &element.value {
        Value::Text(values) => values.iter().map(|value| value.trim_matches([' ', '\0']).to_owned()).collect(),
        Value::Unsigned(values) => values.iter().map(u64::to_string).collect(),
        Value::Signed(values) => values.iter().map(i64::to_string).collect(),
        _ => Vec::new(),
    }
}

/// A stored value: texts, or the items of a sequence.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    Texts(Vec<String>),
    Items(Vec<Vec<(u32, Vec<String>)>>),
}

/// The level's attributes as they came, as JSON.
pub(super) fn encode(level: Level, header: &DataSet) -> String {
    let mut stored: Vec<(u32, Stored)> = Vec::new();
    for attribute in columns(level) {
        match attribute.within {
            None => {
                if let Some(element) = header.element(attribute.tag) {
                    stored.push((number(attribute.tag), Stored::Texts(texts_as_came(element))));
                }
            }
            Some(sequence) => {
                let items = header.items(sequence);
                if !items.is_empty() && !stored.iter().any(|(tag, _)| *tag == number(sequence)) {
                    stored.push((
                        number(sequence),
                        Stored::Items(items.iter().map(|item| encode_item(level, sequence, item)).collect()),
                    ));
                }
            }
        }
    }
    serde_json::to_string(&stored).unwrap_or_else(|_| "[]".into())
}

fn encode_item(level: Level, sequence: Tag, item: &DataSet) -> Vec<(u32, Vec<String>)> {
    let held = columns(level).filter(|attribute| attribute.within == Some(sequence));
    held.filter_map(|attribute| Some((number(attribute.tag), texts_as_came(item.element(attribute.tag)?)))).collect()
}

fn texts_as_came(element: &Element) -> Vec<String> {
    match &element.value {
        Value::Text(values) => values.clone(),
        _ => texts(element),
    }
}

/// Puts the attributes that [`encode`] wrote into a data set.
pub(super) fn decode(json: &str, into: &mut DataSet) -> Result<(), IndexError> {
    let stored: Vec<(u32, Stored)> = serde_json::from_str(json).map_err(|_| IndexError::Damaged("attributes"))?;
    for (number, value) in stored {
        let tag = tag(number);
        match value {
            Stored::Texts(texts) => put(attribute::by_tag(tag), tag, texts, into),
            // An empty list reads as texts; sequences are stored only with items.
            Stored::Items(items) => {
                let items = items.into_iter().map(|item| decode_item(tag, item)).collect();
                into.put(tag, VR::SQ, Value::Sequence(items));
            }
        }
    }
    Ok(())
}

fn decode_item(sequence: Tag, stored: Vec<(u32, Vec<String>)>) -> DataSet {
    let mut item = DataSet::new();
    for (number, texts) in stored {
        let tag = tag(number);
        put(attribute::by_path(&[sequence, tag]), tag, texts, &mut item);
    }
    item
}

fn put(attribute: Option<&Attribute>, tag: Tag, texts: Vec<String>, into: &mut DataSet) {
    let vr = attribute.map_or(VR::UN, |attribute| attribute.vr);
    let value = match vr {
        _ if texts.is_empty() => Value::Empty,
        VR::US | VR::UL | VR::UV => Value::Unsigned(texts.iter().filter_map(|text| text.parse().ok()).collect()),
        VR::SS | VR::SL | VR::SV => Value::Signed(texts.iter().filter_map(|text| text.parse().ok()).collect()),
        _ => Value::Text(texts),
    };
    into.put(tag, vr, value);
}

fn number(tag: Tag) -> u32 {
    u32::from(tag.0) << 16 | u32::from(tag.1)
}

fn tag(number: u32) -> Tag {
    Tag((number >> 16) as u16, (number & 0xFFFF) as u16)
}
