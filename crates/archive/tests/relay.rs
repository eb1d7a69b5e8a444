//! What a shield may pass on: decided by rights and reach, and recorded before it leaves.

#![expect(clippy::unwrap_used, reason = "test")]

use leadglass_archive::access::{Marked, Marks, Restriction, Scope};
use leadglass_archive::administer::Verb;
use leadglass_archive::relay::{Asked, Ended};
use leadglass_archive::testing::TestArchive;
use leadglass_archive::{Door, Refused};
use leadglass_dicom::StudyInstanceUid;

fn of(studies: &[&str]) -> Asked {
    let studies = studies.iter().map(|uid| StudyInstanceUid::parse(uid).unwrap()).collect();
    Asked { studies, patient_id: Some("P1".into()), detail: "words".into() }
}

#[tokio::test]
async fn a_right_is_needed_for_each_kind_and_all_of_it_is_on_record() {
    let test = TestArchive::new();
    let archive = test.archive();
    let finder = test.peer("FINDER", &[Verb::Find]).await;
    archive.relay_search(&finder, of(&[])).await.unwrap().close(Ended::Done);
    assert!(matches!(archive.relay_retrieval(&finder, of(&["1.2"])).await, Err(Refused::NotAllowed)));
    assert!(matches!(archive.relay_store(&finder, of(&["1.2"])).await, Err(Refused::NotAllowed)));
    let viewer = test.caller("viewer", Door::DicomWeb).await;
    let retrieval = archive.relay_retrieval(&viewer, of(&["1.2"])).await.unwrap();
    let begun = test.trail().await;
    assert!(
        begun.iter().any(|row| row.action == "retrieve" && row.study.as_ref().is_some_and(|it| it.as_str() == "1.2"))
    );
    retrieval.count(3);
    retrieval.close(Ended::Done);
    test.pass(std::time::Duration::from_secs(301)).await;
    let trail = test.trail().await;
    let refused: Vec<&str> =
        trail.iter().filter(|row| row.outcome == "refused").map(|row| row.action.as_str()).collect();
    assert_eq!(refused, ["store", "retrieve"]);
    let row = trail.iter().find(|row| row.action == "retrieve" && row.outcome == "done").unwrap();
    assert_eq!((row.count, row.patient_id.as_deref()), (3, Some("P1")));
    assert!(trail.iter().any(|row| row.action == "search" && row.outcome == "done"));
}

#[tokio::test]
async fn a_limited_reach_passes_only_what_names_studies_within() {
    let test = TestArchive::new();
    let archive = test.archive();
    let studies = Scope { studies: vec!["1.2".into(), "1.3".into()], ..Scope::default() };
    let caller = test.scoped("viewer", Door::DicomWeb, studies).await;
    for within in [&["1.2"][..], &["1.2", "1.3"]] {
        archive.relay_retrieval(&caller, of(within)).await.unwrap().close(Ended::Done);
        archive.relay_search(&caller, of(within)).await.unwrap().close(Ended::Done);
    }
    for without in [&[][..], &["1.4"], &["1.2", "1.4"]] {
        assert!(archive.relay_retrieval(&caller, of(without)).await.is_err(), "{without:?}");
        assert!(archive.relay_search(&caller, of(without)).await.is_err(), "{without:?}");
    }
    let patients = Scope { patient_ids: vec!["P1".into()], ..Scope::default() };
    let caller = test.scoped("viewer", Door::DicomWeb, patients).await;
    assert!(archive.relay_search(&caller, of(&["1.2"])).await.is_err(), "whose a study is nobody here knows");
}

#[tokio::test]
async fn once_something_is_restricted_only_who_is_cleared_of_all_gets_through() {
    let test = TestArchive::new();
    let archive = test.archive();
    let plain = test.caller("viewer", Door::DicomWeb).await;
    let cleared = Scope { cleared: Restriction::ALL.to_vec(), ..Scope::everything() };
    let cleared = test.scoped("viewer", Door::DicomWeb, cleared).await;
    archive.relay_search(&plain, of(&[])).await.unwrap().close(Ended::Done);
    let marks = Marks { restrictions: [Restriction::Vip].into(), ..Marks::default() };
    archive.mark(&test.host().await, Marked::Patient("P9".into()), marks).await.unwrap();
    assert!(archive.relay_search(&plain, of(&[])).await.is_err());
    assert!(archive.relay_retrieval(&plain, of(&["1.2"])).await.is_err());
    archive.relay_retrieval(&cleared, of(&["1.2"])).await.unwrap().close(Ended::Done);
}

#[tokio::test]
async fn given_up_half_way_is_recorded_and_without_a_trail_nothing_passes() {
    let test = TestArchive::new();
    let archive = test.archive();
    let viewer = test.caller("viewer", Door::DicomWeb).await;
    drop(archive.relay_search(&viewer, of(&[])).await.unwrap());
    assert!(test.trail().await.iter().any(|row| row.action == "search" && row.outcome == "interrupted"));
    test.fail_writes();
    assert!(archive.relay_search(&viewer, of(&[])).await.is_err());
    assert!(archive.relay_retrieval(&viewer, of(&["1.2"])).await.is_err());
}
