//! What a shield may pass on: decided by rights and reach, and recorded before it leaves.

#![expect(clippy::unwrap_used, clippy::panic, reason = "test")]

use futures::future::{BoxFuture, FutureExt as _};
use leadglass_archive::access::{Marked, Marks, Restriction, Scope};
use leadglass_archive::administer::{Alarm, Verb};
use leadglass_archive::brake::Envelope;
use leadglass_archive::relay::{Asked, Ended, Told};
use leadglass_archive::testing::TestArchive;
use leadglass_archive::{Caller, Door, Refused};
use leadglass_dicom::StudyInstanceUid;

fn of(studies: &[&str]) -> Asked {
    let studies = studies.iter().map(|uid| StudyInstanceUid::parse(uid).unwrap()).collect();
    Asked { studies, patient_id: Some("P1".into()), detail: "words".into() }
}

/// An old archive that does not say whose studies are.
fn unknown(_: Vec<StudyInstanceUid>) -> BoxFuture<'static, Option<Vec<Told>>> {
    async { Some(Vec::new()) }.boxed()
}

/// One that does not answer.
fn silent(_: Vec<StudyInstanceUid>) -> BoxFuture<'static, Option<Vec<Told>>> {
    async { None }.boxed()
}

fn asked_in_vain(_: Vec<StudyInstanceUid>) -> BoxFuture<'static, Option<Vec<Told>>> {
    panic!("nothing is asked of the old archive")
}

fn row(number: u32) -> Told {
    Told { patient_id: Some(format!("P{number}")), study: Some(format!("1.2.{number}")), name: None }
}

/// A search of which those rows come back.
async fn list(test: &TestArchive, caller: &Caller, rows: &[Told]) -> Result<(), Refused> {
    let asked = Asked { detail: "/studies".into(), ..Asked::default() };
    let relaying = test.archive().relay_search(caller, asked).await?;
    let told = relaying.tells(rows).await;
    relaying.close(if told.is_ok() { Ended::Done } else { Ended::Refused });
    told
}

fn tiny() -> Envelope {
    Envelope {
        patients_opened_an_hour: 3,
        patients_listed_an_hour: 10,
        bytes_an_hour: 1_000,
        new_patients_a_day: 100,
        hours: None,
    }
}

async fn held(test: &TestArchive, envelope: Envelope) -> Caller {
    let caller = test.caller("viewer", Door::DicomWeb).await;
    test.archive().set_envelope(&test.host().await, caller.name(), Some(envelope)).await.unwrap();
    caller
}

#[tokio::test]
async fn whoever_walks_every_study_of_an_old_archive_is_held_by_rows_and_by_studies() {
    let test = TestArchive::new();
    let walker = held(&test, tiny()).await;
    for number in 1..=10 {
        list(&test, &walker, &[row(number)]).await.unwrap();
    }
    assert!(matches!(list(&test, &walker, &[row(11)]).await, Err(Refused::Braked { .. })), "beyond");
    list(&test, &walker, &[row(1), row(9)]).await.unwrap();
    let trail = test.trail().await;
    let of = |outcome: &str| trail.iter().filter(|row| row.action == "search" && row.outcome == outcome).count();
    assert_eq!((of("done"), of("refused")), (11, 1));
    assert!(trail.iter().any(|row| row.action == "search" && row.count == 2), "rows are counted on the trail");
    assert!(trail.iter().any(|row| row.action == "envelope-exceeded" && row.caller == walker.name()), "told");
    // Rows without a patient are somebody each.
    let other = held(&test, tiny()).await;
    let nameless = vec![Told::default(); 11];
    assert!(matches!(list(&test, &other, &nameless).await, Err(Refused::Braked { .. })));
    // However often the same is asked, and where it asks for nothing that names anybody.
    let patient = held(&test, tiny()).await;
    for _ in 0..10 {
        list(&test, &patient, &[Told::default()]).await.unwrap();
    }
    assert!(matches!(list(&test, &patient, &[Told::default()]).await, Err(Refused::Braked { .. })));
    // Two studies of one patient, as rows told, are one patient opened.
    let opener = held(&test, tiny()).await;
    list(&test, &opener, &[Told { patient_id: Some("P1".into()), ..row(12) }]).await.unwrap();
    let open = async |study: &str| {
        let asked = Asked { patient_id: None, ..of_study(study) };
        test.archive().relay_retrieval(&opener, asked, unknown).await.map(|relaying| relaying.close(Ended::Done))
    };
    for study in ["1.2.1", "1.2.12", "1.2.2", "1.2.3"] {
        open(study).await.unwrap();
    }
    assert!(matches!(open("1.2.4").await, Err(Refused::Braked { .. })));
    let trail = test.trail().await;
    let opened = trail.iter().find(|row| row.study.as_ref().is_some_and(|uid| uid.as_str() == "1.2.12")).unwrap();
    assert_eq!(opened.patient_id.as_deref(), Some("P1"), "whose it is is on the trail");
}

fn of_study(study: &str) -> Asked {
    of(&[study])
}

#[tokio::test]
async fn bytes_beyond_and_rights_that_ended_hold_what_is_under_way() {
    let test = TestArchive::new();
    let archive = test.archive();
    let reader = held(&test, tiny()).await;
    let relaying = archive.relay_retrieval(&reader, of(&["1.2"]), unknown).await.unwrap();
    let holder = relaying.holder();
    relaying.charge(1_000);
    holder.may_go_on().await.unwrap();
    relaying.charge(1);
    assert!(matches!(holder.may_go_on().await, Err(Refused::Braked { .. })), "under way");
    relaying.close(Ended::Refused);
    let again = archive.relay_retrieval(&reader, of(&["1.2"]), unknown).await;
    assert!(matches!(again, Err(Refused::Braked { .. })), "and whatever comes next");
    let peer = test.peer("STATION", &[Verb::Retrieve]).await;
    let relaying = archive.relay_retrieval(&peer, of(&["1.2"]), unknown).await.unwrap();
    relaying.holder().may_go_on().await.unwrap();
    archive.revoke_peer(&test.host().await, &"STATION".parse().unwrap()).await.unwrap();
    assert!(matches!(relaying.holder().may_go_on().await, Err(Refused::NotAllowed)));
}

#[tokio::test]
async fn a_canary_behind_a_shield_sings_for_rows_and_for_studies() {
    let test = TestArchive::new();
    let (archive, host) = (test.archive(), test.host().await);
    let canary = Marks { canary: true, ..Marks::default() };
    archive.mark(&host, Marked::Patient("P3".into()), canary).await.unwrap();
    let sung = async |caller: &Caller| {
        for _ in 0..100 {
            tokio::task::yield_now().await;
            test.pass(std::time::Duration::from_secs(1)).await;
        }
        let reviews = archive.reviews(&host).await.unwrap();
        let of = reviews.iter().filter(|review| review.caller == caller.name());
        of.map(|review| (review.alarm, review.patient_id.clone().unwrap_or_default())).collect::<Vec<_>>()
    };
    let song = vec![(Alarm::Canary, "P3".to_owned())];
    let lister = test.caller("viewer", Door::DicomWeb).await;
    let rows: Vec<Told> = (1..=9).map(row).collect();
    list(&test, &lister, &rows).await.unwrap();
    assert!(sung(&lister).await.is_empty(), "a list of all touches nobody in particular");
    list(&test, &lister, &rows[2..3]).await.unwrap();
    assert_eq!(sung(&lister).await, song, "its row");
    // Whoever asks by its ID for rows that do not say whose they are.
    let finder = test.caller("viewer", Door::DicomWeb).await;
    let asked = Asked { patient_id: Some("P3".into()), ..Asked::default() };
    let relaying = archive.relay_search(&finder, asked).await.unwrap();
    relaying.tells(&[Told { study: Some("9.9".into()), ..Told::default() }]).await.unwrap();
    assert_eq!(sung(&finder).await, song, "it was named");
    // Its study, of which a row told before.
    let opener = test.caller("viewer", Door::DicomWeb).await;
    archive.relay_retrieval(&opener, Asked { patient_id: None, ..of(&["1.2.3"]) }, asked_in_vain).await.unwrap();
    assert_eq!(sung(&opener).await, song, "its study");
    // A study of which nothing is known: the old archive is asked, once it is decided.
    let guesser = test.caller("viewer", Door::DicomWeb).await;
    let whose = |studies: Vec<StudyInstanceUid>| {
        let told = |study: StudyInstanceUid| Told { study: Some(study.to_string()), ..row(3) };
        async move { Some(studies.into_iter().map(told).collect()) }.boxed()
    };
    // An answer that did not come says nothing for the next time.
    archive.relay_retrieval(&test.caller("viewer", Door::DicomWeb).await, of(&["7.7"]), silent).await.unwrap();
    archive.relay_retrieval(&guesser, of(&["7.7"]), whose).await.unwrap();
    assert_eq!(sung(&guesser).await, song, "a study it was not told of");
    let sender = test.peer("SENDER", &[Verb::Store]).await;
    assert!(matches!(archive.relay_retrieval(&sender, of(&["8.8"]), asked_in_vain).await, Err(Refused::NotAllowed)));
}

#[tokio::test]
async fn a_right_is_needed_for_each_kind_and_all_of_it_is_on_record() {
    let test = TestArchive::new();
    let archive = test.archive();
    let finder = test.peer("FINDER", &[Verb::Find]).await;
    archive.relay_search(&finder, of(&[])).await.unwrap().close(Ended::Done);
    assert!(matches!(archive.relay_retrieval(&finder, of(&["1.2"]), unknown).await, Err(Refused::NotAllowed)));
    assert!(matches!(archive.relay_store(&finder, of(&["1.2"])).await, Err(Refused::NotAllowed)));
    let viewer = test.caller("viewer", Door::DicomWeb).await;
    let retrieval = archive.relay_retrieval(&viewer, of(&["1.2"]), unknown).await.unwrap();
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
        archive.relay_retrieval(&caller, of(within), unknown).await.unwrap().close(Ended::Done);
        archive.relay_search(&caller, of(within)).await.unwrap().close(Ended::Done);
    }
    for without in [&[][..], &["1.4"], &["1.2", "1.4"]] {
        assert!(archive.relay_retrieval(&caller, of(without), unknown).await.is_err(), "{without:?}");
        assert!(archive.relay_search(&caller, of(without)).await.is_err(), "{without:?}");
    }
    // What comes back of another study than was asked for goes nowhere.
    let relaying = archive.relay_search(&caller, of(&["1.2"])).await.unwrap();
    let of_study = |study: &str| Told { study: Some(study.into()), ..Told::default() };
    relaying.tells(&[of_study("1.2 "), Told::default()]).await.unwrap();
    assert!(matches!(relaying.tells(&[of_study("1.2"), of_study("1.3")]).await, Err(Refused::NotAllowed)));
    let [inside, outside] = ["1.2", "1.3"].map(|uid| StudyInstanceUid::parse(uid).unwrap());
    assert!(relaying.is_for(&inside) && !relaying.is_for(&outside));
    // Nor does anything once a restriction keeps out who is not cleared.
    let vip = Marks { restrictions: [Restriction::Vip].into(), ..Marks::default() };
    archive.mark(&test.host().await, Marked::study(&outside), vip).await.unwrap();
    assert!(matches!(relaying.tells(&[of_study("1.2")]).await, Err(Refused::NotAllowed)));
    assert!(matches!(relaying.holder().may_go_on().await, Err(Refused::NotAllowed)));
    archive.mark(&test.host().await, Marked::study(&outside), Marks::default()).await.unwrap();
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
    assert!(archive.relay_retrieval(&plain, of(&["1.2"]), unknown).await.is_err());
    archive.relay_retrieval(&cleared, of(&["1.2"]), unknown).await.unwrap().close(Ended::Done);
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
    assert!(archive.relay_retrieval(&viewer, of(&["1.2"]), unknown).await.is_err());
}
