//! Finding, as callers see it. What matches what is the business of `index`; here it is the
//! road: pages, limits, what no column holds.

#![expect(clippy::unwrap_used, reason = "test")]

use leadglass_archive::Door;
use leadglass_archive::search::Search;
use leadglass_archive::testing::{Sample, TestArchive};
use leadglass_dicom::query::{Query, QueryOptions, Root};
use leadglass_dicom::{DataSet, Tag, VR};

const PATIENT_NAME: Tag = Tag(0x0010, 0x0010);
const SOP_INSTANCE_UID: Tag = Tag(0x0008, 0x0018);
const PHOTOMETRIC_INTERPRETATION: Tag = Tag(0x0028, 0x0004);

fn query(level: &str, keys: &[(Tag, VR, &str)]) -> Query {
    let mut identifier = DataSet::new();
    identifier.put_text(Tag(0x0008, 0x0052), VR::CS, level);
    for (tag, vr, value) in keys {
        identifier.put_text(*tag, *vr, *value);
    }
    let options = QueryOptions { relational: true, ..QueryOptions::default() };
    Query::from_identifier(Root::Study, &options, &identifier).unwrap()
}

async fn rows(test: &TestArchive, query: &Query, limit: Option<u64>, offset: u64) -> (Vec<DataSet>, bool) {
    let caller = test.caller("viewer", Door::DicomWeb).await;
    let search = Search { query: query.clone(), limit, offset };
    let mut matches = test.archive().search(&caller, search).await.unwrap();
    let mut rows = Vec::new();
    while let Some(page) = matches.next_page().await.unwrap() {
        rows.extend(page);
    }
    (rows, matches.more_available())
}

#[tokio::test]
async fn pages_and_limits_add_up_to_the_whole() {
    let test = TestArchive::new();
    let administrator = test.caller("administrator", Door::DicomWeb).await;
    for number in 1..=300 {
        test.store(&administrator, &Sample { side: 2, ..Sample::new(1, 1, number) }).await.unwrap();
    }
    let all = query("IMAGE", &[(PATIENT_NAME, VR::PN, "doe*"), (SOP_INSTANCE_UID, VR::UI, "")]);
    let (whole, more) = rows(&test, &all, None, 0).await;
    assert_eq!((whole.len(), more), (300, false));
    let mut pieces = Vec::new();
    for offset in (0..300).step_by(70) {
        let (rows, more) = rows(&test, &all, Some(70), offset).await;
        assert_eq!(more, offset + 70 < 300);
        pieces.extend(rows);
    }
    assert_eq!(pieces, whole);
    let (none, more) = rows(&test, &all, Some(10), 300).await;
    assert!(none.is_empty() && !more);
}

#[tokio::test]
async fn attributes_without_a_column_come_from_the_record() {
    let test = TestArchive::new();
    let administrator = test.caller("administrator", Door::DicomWeb).await;
    test.store(&administrator, &Sample::new(1, 1, 1)).await.unwrap();
    let asked = query("IMAGE", &[(PHOTOMETRIC_INTERPRETATION, VR::CS, ""), (PATIENT_NAME, VR::PN, "Doe*")]);
    let (found, _) = rows(&test, &asked, None, 0).await;
    assert_eq!(found[0].text(PHOTOMETRIC_INTERPRETATION), Some("MONOCHROME2"));
    let matched = query("IMAGE", &[(PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME1")]);
    assert!(rows(&test, &matched, None, 0).await.0.is_empty());
}
