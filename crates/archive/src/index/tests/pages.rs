//! What rows hold.

use leadglass_dicom::attribute::Level;
use leadglass_dicom::query::Include;
use leadglass_dicom::{DataSet, Tag, VR, Value};

use super::agreement::{found, query};
use super::model::*;
use crate::access::scope::Scope;

fn one() -> DataSet {
    let mut header = DataSet::new();
    header.put_text(PATIENT_NAME, VR::PN, "Yamada^Tarou=山田^太郎");
    header.put_text(PATIENT_ID, VR::LO, "P1");
    header.put_text(STUDY_UID, VR::UI, "1.1");
    header.put_text(SERIES_UID, VR::UI, "1.1.1");
    header.put_text(SOP_UID, VR::UI, "1.1.1.1");
    header.put_text(SOP_CLASS, VR::UI, CLASSES[0]);
    header.put_text(MODALITY, VR::CS, "CT");
    header.put(Tag(0x0028, 0x0010), VR::US, Value::Unsigned(vec![512]));
    header.put_text(UNINDEXED, VR::DS, "2.5");
    header
}

#[test]
fn rows_hold_what_was_asked_and_the_unique_keys() {
    let headers = [one()];
    let directory = tempfile::tempdir().unwrap();
    let (index, _writer) = indexed(&directory, &headers);
    let mut query = query(Level::Study, Vec::new());
    query.include = Include::Listed(vec![vec![PATIENT_NAME], vec![Tag(0x0008, 0x0061)], vec![Tag(0x0020, 0x1208)]]);
    let rows = found(&index, &headers, &query, &Scope::everything().into(), 10);
    let row = rows.first().unwrap();
    assert_eq!(row.text(PATIENT_NAME), Some("Yamada^Tarou=山田^太郎"));
    assert_eq!((row.text(STUDY_UID), row.text(PATIENT_ID)), (Some("1.1"), Some("P1")));
    assert_eq!((row.text(Tag(0x0008, 0x0061)), row.text(Tag(0x0020, 0x1208))), (Some("CT"), Some("1")));
    assert_eq!((row.len(), crate::index::needs_attributes(&query)), (5, false));
}

#[test]
fn stored_attributes_complete_rows() {
    let headers = [one()];
    let directory = tempfile::tempdir().unwrap();
    let (index, _writer) = indexed(&directory, &headers);
    let mut of_series = query(Level::Series, Vec::new());
    of_series.include = Include::Listed(vec![vec![UNINDEXED]]);
    let rows = found(&index, &headers, &of_series, &Scope::everything().into(), 10);
    assert_eq!(rows.first().unwrap().text(UNINDEXED), Some("2.5"));
    let mut of_instance = query(Level::Instance, Vec::new());
    of_instance.include = Include::All;
    let rows = found(&index, &headers, &of_instance, &Scope::everything().into(), 10);
    for (tag, element) in headers[0].iter() {
        assert_eq!(rows.first().unwrap().element(tag), Some(element), "{tag}");
    }
}
