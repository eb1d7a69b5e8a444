//! Handing out without what identifies: who may, what is recorded, what comes.

#![expect(clippy::unwrap_used, reason = "test")]

use leadglass_archive::access::Scope;
use leadglass_archive::deidentify::Deidentified;
use leadglass_archive::testing::{Sample, TestArchive};
use leadglass_archive::{Caller, Door, Refused, Selection};
use leadglass_dicom::deidentify::{Profile, ProfileOption, Refusal};
use leadglass_dicom::scan::{Limits, scan};
use leadglass_dicom::{DataSet, Tag, TransferSyntax};

fn of_study(sample: &Sample) -> Selection {
    Selection { studies: vec![sample.study_uid()], ..Selection::default() }
}

async fn project(test: &TestArchive, name: &str) {
    test.archive().make_project(&test.host().await, name, Profile::default()).await.unwrap();
}

/// All that is handed out, in one piece each.
async fn bytes_of(deidentified: &Deidentified) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for at in 0..deidentified.len() {
        let outgoing = deidentified.examine(at).await.unwrap().unwrap();
        let mut reader = deidentified.open(&outgoing).await.unwrap();
        let mut bytes = Vec::new();
        while let Some(chunk) = reader.next_chunk().await.unwrap() {
            bytes.extend_from_slice(&chunk);
        }
        assert!(!reader.report().unwrap().is_empty());
        let header = read(&bytes);
        assert_eq!(header.text(Tag(0x0008, 0x0018)), Some(outgoing.sop_instance.as_str()));
        assert_eq!(header.text(Tag(0x0020, 0x000D)), Some(outgoing.study.as_str()));
        assert_eq!(header.text(Tag(0x0020, 0x000E)), Some(outgoing.series.as_str()));
        all.push(bytes);
    }
    all
}

fn read(bytes: &[u8]) -> DataSet {
    scan(bytes, &TransferSyntax::explicit_little_endian(), &Limits::default()).unwrap().data_set
}

async fn retrieved(test: &TestArchive, caller: &Caller, project: &str, sample: &Sample) -> Vec<Vec<u8>> {
    let deidentified = test.archive().retrieve_deidentified(caller, project, of_study(sample)).await.unwrap();
    let bytes = bytes_of(&deidentified).await;
    deidentified.complete().await.unwrap();
    bytes
}

#[tokio::test]
async fn a_researcher_gets_what_is_deidentified_and_nothing_else() {
    let test = TestArchive::new();
    let host = test.host().await;
    for number in 1..=3 {
        test.store(&host, &Sample::new(1, 1, number)).await.unwrap();
    }
    project(&test, "lungs").await;
    let sample = Sample::new(1, 1, 1);
    let researcher = test.caller("researcher", Door::DicomWeb).await;
    let all = retrieved(&test, &researcher, "lungs", &sample).await;
    assert_eq!(all.len(), 3);
    for bytes in &all {
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.contains("Jane") && !text.contains("PAT-1") && !text.contains(&sample.study));
    }
    assert!(matches!(test.read(&researcher, &sample).await, Err(Refused::NotAllowed)));
    assert!(matches!(test.archive().projects(&researcher).await, Err(Refused::NotAllowed)));
    let made = test.archive().make_project(&researcher, "mine", Profile::default()).await;
    assert!(matches!(made, Err(Refused::NotAllowed)));
    let viewer = test.caller("viewer", Door::DicomWeb).await;
    let refused = test.archive().retrieve_deidentified(&viewer, "lungs", of_study(&sample)).await;
    assert!(matches!(refused, Err(Refused::NotAllowed)), "a viewer has other ways");
}

#[tokio::test]
async fn a_scope_and_a_missing_project_read_alike() {
    let test = TestArchive::new();
    let host = test.host().await;
    let (mine, other) = (Sample::new(1, 1, 1), Sample::new(2, 1, 1));
    test.store(&host, &mine).await.unwrap();
    test.store(&host, &other).await.unwrap();
    project(&test, "lungs").await;
    let scope = Scope { studies: vec![mine.study.clone()], ..Scope::default() };
    let researcher = test.scoped("researcher", Door::DicomWeb, scope).await;
    assert_eq!(retrieved(&test, &researcher, "lungs", &mine).await.len(), 1);
    for (project, sample) in [("lungs", &other), ("none", &mine)] {
        let refused = test.archive().retrieve_deidentified(&researcher, project, of_study(sample)).await;
        assert!(matches!(refused, Err(Refused::NotFound)), "{project}");
    }
}

#[tokio::test]
async fn the_trail_names_project_study_and_count() {
    let test = TestArchive::new();
    let host = test.host().await;
    let sample = Sample::new(1, 1, 1);
    test.store(&host, &sample).await.unwrap();
    test.store(&host, &Sample::new(1, 1, 2)).await.unwrap();
    project(&test, "lungs").await;
    let researcher = test.caller("researcher", Door::DicomWeb).await;
    retrieved(&test, &researcher, "lungs", &sample).await;
    let trail = test.trail().await;
    let row = trail.iter().find(|row| row.action == "retrieve-deidentified").unwrap();
    assert_eq!((row.outcome.as_str(), row.count), ("done", 2));
    assert_eq!(row.study.as_ref(), Some(&sample.study_uid()));
    assert!(row.detail.contains("deidentified, project lungs"), "{}", row.detail);
    assert!(trail.iter().any(|row| row.action == "make-project" && row.detail.contains("lungs")));
}

#[tokio::test]
async fn pseudonyms_are_a_projects_and_survive_a_restart() {
    let test = TestArchive::new();
    let sample = Sample::new(1, 1, 1);
    test.store(&test.host().await, &sample).await.unwrap();
    project(&test, "one").await;
    project(&test, "other").await;
    let host = test.host().await;
    let before = retrieved(&test, &host, "one", &sample).await;
    let elsewhere = retrieved(&test, &host, "other", &sample).await;
    let id = |bytes: &[Vec<u8>]| read(&bytes[0]).text(Tag(0x0010, 0x0020)).unwrap().to_owned();
    assert_ne!(id(&before), id(&elsewhere));
    let test = test.reopened().await;
    assert_eq!(retrieved(&test, &test.host().await, "one", &sample).await, before);
    assert_eq!(test.archive().projects(&test.host().await).await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_makes_no_sense_makes_no_project() {
    let test = TestArchive::new();
    let host = test.host().await;
    project(&test, "lungs").await;
    let both = [ProfileOption::RetainFullDates, ProfileOption::RetainModifiedDates].into_iter().collect();
    for (name, profile) in [
        ("lungs", Profile::default()),
        ("../etc", Profile::default()),
        ("", Profile::default()),
        ("dates", Profile { options: both, ..Profile::default() }),
    ] {
        let refused = test.archive().make_project(&host, name, profile).await;
        assert!(matches!(refused, Err(Refused::Invalid(_))), "{name:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_vouched_for_is_not_opened_and_a_rehearsal_hands_nothing_out() {
    let test = TestArchive::new();
    let host = test.host().await;
    let good = Sample::new(1, 1, 1);
    test.store(&host, &good).await.unwrap();
    let ultrasound = Sample { modality: "US".into(), ..Sample::new(1, 2, 1) };
    test.store(&host, &ultrasound).await.unwrap();
    project(&test, "lungs").await;
    let deidentified = test.archive().retrieve_deidentified(&host, "lungs", of_study(&good)).await.unwrap();
    assert_eq!(deidentified.len(), 2);
    let outgoing = deidentified.examine(0).await.unwrap().unwrap();
    assert_eq!(deidentified.examine(1).await.unwrap().unwrap_err(), Refusal::MaybeBurnedIn);
    assert!(matches!(deidentified.examine(2).await, Err(Refused::NotFound)));
    let report = deidentified.rehearse(&outgoing).await.unwrap();
    assert!(report.iter().any(|(tag, _, _)| tag == Tag(0x0010, 0x0010)));
    deidentified.complete().await.unwrap();
    let trail = test.trail().await;
    let row = trail.iter().find(|row| row.action == "retrieve-deidentified").unwrap();
    assert_eq!(row.count, 0, "nothing was handed out");
}
