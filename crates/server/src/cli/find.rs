//! `leadglass find`: asks an archive by C-FIND what it has.

use anyhow::{Context, bail};
use clap::ValueEnum;
use comfy_table::Table;
use leadglass_dicom::attribute::{self, Level};
use leadglass_dicom::query::QueryOptions;
use leadglass_dicom::{DataSet, Element, Tag, VR, Value, json};

use super::connection::PeerConnection;
use super::output::{Exit, Output};
use crate::scu::query::{identifier, query};

/// Ask an archive what it has (C-FIND, Study Root, over mutual TLS).
#[derive(clap::Args, Debug)]
pub struct Find {
    #[command(flatten)]
    peer: PeerConnection,
    /// What is asked for.
    #[arg(long, value_enum, default_value_t = FindLevel::Study)]
    level: FindLevel,
    /// A key to match, or an attribute to return: `PatientName=DOE*`, `StudyDate=20240101-`,
    /// `00080020`. Wild cards and ranges as DICOM has them; a backslash separates UIDs of a list.
    #[arg(short = 'k', long = "match", value_name = "ATTRIBUTE[=VALUE]")]
    keys: Vec<String>,
    /// Match names fuzzily, where the archive does.
    #[arg(long)]
    fuzzy: bool,
    /// Stop after so many matches.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// The levels of the Study Root model.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindLevel {
    /// Studies.
    Study,
    /// Series.
    Series,
    /// Instances.
    Image,
}

impl From<FindLevel> for Level {
    fn from(level: FindLevel) -> Level {
        match level {
            FindLevel::Study => Level::Study,
            FindLevel::Series => Level::Series,
            FindLevel::Image => Level::Instance,
        }
    }
}

impl Find {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        let level = Level::from(self.level);
        let mut asked = identifier(level);
        for name in columns(level) {
            put_key(&mut asked, name)?;
        }
        for key in &self.keys {
            put_key(&mut asked, key)?;
        }
        let options = QueryOptions { relational: level != Level::Study, fuzzy: self.fuzzy, ..Default::default() };
        let limit = self.limit.unwrap_or(usize::MAX);
        let mut matches = Vec::new();
        if limit > 0 {
            query(&self.peer.peering()?, options, &asked, |found| {
                matches.push(found);
                matches.len() < limit
            })
            .await?;
        }
        if output.is_json() {
            output.say(&in_json(&matches)?, "")?;
        } else {
            output.say(&(), format!("{}\n{} found", table(&asked, &matches), matches.len()))?;
        }
        Ok(Exit::Done)
    }
}

/// What is returned of each level without being asked for.
fn columns(level: Level) -> &'static [&'static str] {
    match level {
        Level::Patient | Level::Study => &[
            "PatientID",
            "PatientName",
            "StudyDate",
            "ModalitiesInStudy",
            "StudyDescription",
            "AccessionNumber",
            "NumberOfStudyRelatedInstances",
            "StudyInstanceUID",
        ],
        Level::Series => &[
            "Modality",
            "SeriesNumber",
            "SeriesDescription",
            "NumberOfSeriesRelatedInstances",
            "StudyInstanceUID",
            "SeriesInstanceUID",
        ],
        Level::Instance => &["InstanceNumber", "SOPClassUID", "SeriesInstanceUID", "SOPInstanceUID"],
    }
}

/// Puts `Attribute` or `Attribute=value` into an identifier.
fn put_key(identifier: &mut DataSet, key: &str) -> anyhow::Result<()> {
    let (name, value) = key.split_once('=').unwrap_or((key, ""));
    let (tag, vr) = attribute::named(name).with_context(|| format!("{name} names no attribute"))?;
    let value = match (vr, value) {
        (_, "") => Value::Empty,
        (VR::SQ | VR::OB | VR::OW | VR::UN, _) => bail!("{name} is nothing to match"),
        (VR::US | VR::UL, number) => {
            Value::Unsigned(vec![number.parse().with_context(|| format!("{name}: a number"))?])
        }
        (VR::SS | VR::SL, number) => Value::Signed(vec![number.parse().with_context(|| format!("{name}: a number"))?]),
        (_, text) => Value::Text(text.split('\\').map(str::to_owned).collect()),
    };
    identifier.put(tag, vr, value);
    Ok(())
}

/// The matches in the DICOM JSON Model, PS3.18 F.
fn in_json(matches: &[DataSet]) -> anyhow::Result<Vec<serde_json::Value>> {
    let written = matches.iter().map(|found| {
        let mut bytes = Vec::new();
        json::write(found, &mut bytes, &mut |_, _| String::new());
        serde_json::from_slice(&bytes)
    });
    Ok(written.collect::<Result<_, _>>()?)
}

/// One row a match; a column for each attribute asked for, by its keyword where there is one.
fn table(asked: &DataSet, matches: &[DataSet]) -> Table {
    const NOT_SHOWN: [Tag; 2] = [Tag(0x0008, 0x0005), Tag(0x0008, 0x0052)];
    let tags: Vec<Tag> = asked.iter().map(|(tag, _)| tag).filter(|tag| !NOT_SHOWN.contains(tag)).collect();
    let mut table = Table::new();
    table.set_header(tags.iter().map(|tag| {
        attribute::by_tag(*tag).map_or_else(|| format!("{:04X}{:04X}", tag.0, tag.1), |known| known.keyword.to_owned())
    }));
    for found in matches {
        table.add_row(tags.iter().map(|tag| found.element(*tag).map(shown).unwrap_or_default()));
    }
    table
}

/// A value as a cell of a table: nothing in it moves the terminal's cursor.
fn shown(element: &Element) -> String {
    let text = match &element.value {
        Value::Text(values) => values.join("\\"),
        Value::Unsigned(values) => join(values),
        Value::Signed(values) => join(values),
        Value::Float(values) => join(values),
        _ => String::new(),
    };
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn join<T: ToString>(values: &[T]) -> String {
    values.iter().map(T::to_string).collect::<Vec<_>>().join("\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_keywords_or_tags() {
        let mut asked = DataSet::new();
        for key in ["PatientName=DOE*", "(0010,0020)=7", "00080020", "StudyInstanceUID=1.2\\1.3", "Rows=512"] {
            put_key(&mut asked, key).unwrap();
        }
        assert_eq!(asked.text(Tag(0x0010, 0x0010)), Some("DOE*"));
        assert_eq!(asked.text(Tag(0x0010, 0x0020)), Some("7"));
        assert_eq!(asked.element(Tag(0x0008, 0x0020)).unwrap().value, Value::Empty);
        assert_eq!(asked.texts(Tag(0x0020, 0x000D)).len(), 2);
        assert_eq!(asked.integer(Tag(0x0028, 0x0010)), Some(512));
        for bad in ["Nobody=1", "0010=1", "PixelData=1", "Rows=many"] {
            assert!(put_key(&mut asked, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_does_not_move_the_cursor() {
        let element = Element { vr: VR::PN, value: Value::Text(vec!["A\u{1b}[2JB".into()]) };
        assert_eq!(shown(&element), "A [2JB");
    }

    #[test]
    fn every_column_is_an_attribute() {
        for level in [Level::Study, Level::Series, Level::Instance] {
            for name in columns(level) {
                assert!(attribute::named(name).is_some(), "{name}");
            }
        }
    }
}
