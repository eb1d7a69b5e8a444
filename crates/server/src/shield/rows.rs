//! Rows of the old archive's answers, read as far as whom they tell of.
//!
//! Deliberately absent: every other attribute, which is handed on as it came.

use leadglass_archive::relay::Told;
use leadglass_dicom::{DataSet, Tag};
use serde::Deserialize;
use serde::de::IgnoredAny;

const PATIENT_NAME: Tag = Tag(0x0010, 0x0010);
const PATIENT_ID: Tag = Tag(0x0010, 0x0020);
const STUDY_INSTANCE_UID: Tag = Tag(0x0020, 0x000D);

/// A row of PS3.18 F. An attribute that it has twice is an error: readers choose differently.
#[derive(Deserialize)]
struct Row {
    #[serde(rename = "00100020", default)]
    patient_id: Option<Attribute>,
    #[serde(rename = "00100010", default)]
    name: Option<Attribute>,
    #[serde(rename = "0020000D", alias = "0020000d", default)]
    study: Option<Attribute>,
}

#[derive(Deserialize)]
struct Attribute {
    #[serde(rename = "Value", default)]
    value: Option<Vec<Piece>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Piece {
    Text(String),
    Name {
        #[serde(rename = "Alphabetic")]
        alphabetic: String,
    },
    Other(IgnoredAny),
}

/// The rows of a body in JSON; `None` when it is no such body.
pub(super) fn of_json(body: &[u8]) -> Option<Vec<Told>> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Some(Vec::new());
    }
    let rows: Vec<Row> = serde_json::from_slice(body).ok()?;
    let told = |row: Row| Told { patient_id: first(row.patient_id), name: first(row.name), study: first(row.study) };
    Some(rows.into_iter().map(told).collect())
}

/// A row of C-FIND.
pub(super) fn of_data_set(row: &DataSet) -> Told {
    let text = |tag| row.text(tag).map(trimmed);
    Told { patient_id: text(PATIENT_ID), name: text(PATIENT_NAME), study: text(STUDY_INSTANCE_UID) }
}

fn first(attribute: Option<Attribute>) -> Option<String> {
    attribute?.value?.into_iter().find_map(|piece| match piece {
        Piece::Text(text) | Piece::Name { alphabetic: text } => Some(trimmed(&text)),
        Piece::Other(_) => None,
    })
}

/// Without the padding of PS3.5 6.2.
fn trimmed(text: &str) -> String {
    text.trim_matches([' ', '\0']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_rows_tell_of_is_read_and_what_two_could_read_differently_is_refused() {
        let body = br#"[{"00100020":{"vr":"LO","Value":["P1"]},"0020000d":{"vr":"UI","Value":["1.2"]},
            "00100010":{"vr":"PN","Value":[{"Alphabetic":"A^B","Ideographic":"x"}]},"00081199":{"vr":"SQ","Value":[{}]}},
            {"00100020":{"vr":"LO"},"00280010":{"vr":"US","Value":[512]}}]"#;
        let rows = of_json(body).unwrap();
        assert_eq!(rows[0].patient_id.as_deref(), Some("P1"));
        assert_eq!((rows[0].name.as_deref(), rows[0].study.as_deref()), (Some("A^B"), Some("1.2")));
        assert_eq!((rows[1].patient_id.as_deref(), rows[1].study.as_deref()), (None, None));
        assert_eq!(of_json(b" "), Some(Vec::new()));
        for wrong in [
            &br#"{"00100020":{}}"#[..],
            br#"[{"00100020":{"Value":["P1"]},"00100020":{"Value":["P2"]}}]"#,
            br#"[{"0020000D":{"Value":["1"]},"0020000d":{"Value":["2"]}}]"#,
            b"[1]",
            b"<html>",
        ] {
            assert!(of_json(wrong).is_none(), "{}", String::from_utf8_lossy(wrong));
        }
    }

    #[test]
    fn padding_is_not_part_of_what_a_row_tells() {
        let mut row = DataSet::new();
        row.put_text(STUDY_INSTANCE_UID, leadglass_dicom::VR::UI, "1.2.3\0");
        row.put_text(PATIENT_ID, leadglass_dicom::VR::LO, "P1 ");
        let told = of_data_set(&row);
        assert_eq!((told.study.as_deref(), told.patient_id.as_deref()), (Some("1.2.3"), Some("P1")));
        let told = of_json(br#"[{"0020000D":{"vr":"UI","Value":["1.2.3 "]}}]"#).unwrap();
        assert_eq!(told[0].study.as_deref(), Some("1.2.3"));
    }
}
