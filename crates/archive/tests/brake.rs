//! Whoever takes more than somebody like them does is held; whoever does their work is not.

#![expect(clippy::unwrap_used, reason = "test")]

use std::time::Duration;

use leadglass_archive::access::{Marked, Marks, Scope};
use leadglass_archive::administer::{Alarm, Verb};
use leadglass_archive::brake::{Envelope, Hours};
use leadglass_archive::retrieve::Purpose;
use leadglass_archive::search::Search;
use leadglass_archive::testing::{Sample, TestArchive};
use leadglass_archive::{Caller, Door, Refused, Selection};
use leadglass_dicom::deidentify::Profile;
use leadglass_dicom::query::{Include, Query, QueryOptions, Root};
use leadglass_dicom::{DataSet, Tag, VR};

/// What a token may open within an hour when nothing was set or learnt.
const OPENED: usize = 300;

fn studies(patient_id: &str) -> Search {
    let mut identifier = DataSet::new();
    identifier.put_text(Tag(0x0008, 0x0052), VR::CS, "STUDY");
    identifier.put_text(Tag(0x0010, 0x0020), VR::LO, patient_id);
    let query = Query::from_identifier(Root::Study, &QueryOptions::default(), &identifier).unwrap();
    Search { query, limit: None, offset: 0 }
}

fn small(study: u32) -> Sample {
    Sample { side: 2, ..Sample::new(study, 1, 1) }
}

/// An archive of that many studies, each of a patient of its own.
async fn archive_of(many: u32) -> TestArchive {
    let test = TestArchive::new();
    let host = test.host().await;
    for study in 1..=many {
        test.store(&host, &small(study)).await.unwrap();
    }
    test
}

async fn open(test: &TestArchive, caller: &Caller, study: u32) -> Result<(), Refused> {
    let selection = Selection { studies: vec![small(study).study_uid()], ..Selection::default() };
    test.archive().retrieve(caller, selection, Purpose::ToCaller).await.map(drop)
}

async fn list(test: &TestArchive, caller: &Caller, search: Search) -> Result<usize, Refused> {
    let mut matches = test.archive().search(caller, search).await?;
    let mut rows = 0;
    while let Some(page) = matches.next_page().await? {
        rows += page.len();
    }
    Ok(rows)
}

fn tiny() -> Envelope {
    Envelope {
        patients_opened_an_hour: 5,
        patients_listed_an_hour: 20,
        bytes_an_hour: 1 << 30,
        new_patients_a_day: 100,
        hours: None,
    }
}

#[tokio::test]
async fn walking_every_study_in_order_is_stopped_told_and_on_the_trail() {
    let test = archive_of(OPENED as u32 + 20).await;
    let (host, walker) = (test.host().await, test.caller("reader", Door::DicomWeb).await);
    let mut opened = 0;
    let refused = loop {
        match open(&test, &walker, opened as u32 + 1).await {
            Ok(()) => opened += 1,
            Err(refused) => break refused,
        }
    };
    assert_eq!(opened, OPENED);
    assert!(matches!(refused, Refused::Braked { step_up: false, .. }), "{refused}");
    assert!(matches!(open(&test, &walker, OPENED as u32 + 2).await, Err(Refused::Braked { .. })));
    open(&test, &walker, 1).await.unwrap();
    let trail = test.trail().await;
    assert!(trail.iter().any(|row| row.action == "envelope-exceeded" && row.caller == walker.name()), "told");
    assert!(trail.iter().any(|row| row.action == "retrieve" && row.outcome == "refused"), "on the trail");
    let reviews = test.archive().reviews(&host).await.unwrap();
    assert_eq!(reviews.len(), 1, "told once within the hour");
    assert_eq!((reviews[0].alarm, reviews[0].caller.as_str()), (Alarm::Envelope, walker.name()));
    // A restart forgets nothing: what was opened is read from the trail.
    let name = walker.name().to_owned();
    let test = test.reopened().await;
    let host = test.host().await;
    test.archive().release_brake(&host, &name).await.unwrap();
    assert_eq!(test.archive().open_reviews(), 1);
    let officer = test.caller("privacy-officer", Door::Admin).await;
    let close = |reason: &'static str| test.archive().close_review(&officer, &reviews[0].id, reason);
    assert!(matches!(close("ok").await, Err(Refused::Invalid(_))));
    close("a copy of the list was found; the token is revoked").await.unwrap();
    assert!(matches!(close("a second time, for nothing").await, Err(Refused::NotFound)));
    assert_eq!(test.archive().open_reviews(), 0);
}

#[tokio::test]
async fn rows_beyond_the_envelope_do_not_leave() {
    let test = archive_of(30).await;
    let (host, lister) = (test.host().await, test.caller("reader", Door::DicomWeb).await);
    test.archive().set_envelope(&host, lister.name(), Some(tiny())).await.unwrap();
    assert_eq!(list(&test, &lister, studies("PAT-1")).await.unwrap(), 1);
    assert!(matches!(list(&test, &lister, studies("PAT-*")).await, Err(Refused::Braked { .. })));
    for study in 2..=20 {
        assert_eq!(list(&test, &lister, studies(&format!("PAT-{study}"))).await.unwrap(), 1);
    }
    assert!(matches!(list(&test, &lister, studies("PAT-21")).await, Err(Refused::Braked { .. })));
    assert_eq!(list(&test, &lister, studies("PAT-2")).await.unwrap(), 1, "known ones are no more");
    test.pass(Duration::from_secs(3601)).await;
    assert_eq!(list(&test, &lister, studies("PAT-21")).await.unwrap(), 1);
    assert_eq!(test.archive().envelopes(&host).await.unwrap()[0].envelope, tiny());
}

#[tokio::test]
async fn what_is_opened_at_once_counts_at_once_and_the_host_is_not_counted() {
    let test = archive_of(12).await;
    let (host, reader) = (test.host().await, test.caller("reader", Door::DicomWeb).await);
    test.archive().set_envelope(&host, reader.name(), Some(tiny())).await.unwrap();
    let all = Selection { studies: (1..=12).map(|study| small(study).study_uid()).collect(), ..Selection::default() };
    let refused = test.archive().retrieve(&reader, all.clone(), Purpose::ToCaller).await.err().unwrap();
    assert!(matches!(refused, Refused::Braked { .. }));
    assert!(test.trail().await.iter().all(|row| row.action != "retrieve" || row.outcome == "refused"), "nothing began");
    assert!(test.archive().retrieve(&host, all, Purpose::ToCaller).await.is_ok());
    let few = Envelope { bytes_an_hour: 1, ..tiny() };
    test.archive().set_envelope(&host, reader.name(), Some(few)).await.unwrap();
    assert!(matches!(open(&test, &reader, 1).await, Err(Refused::Braked { .. })), "bytes count");
}

#[tokio::test]
async fn a_normal_day_is_not_disturbed() {
    let test = archive_of(110).await;
    let reader = test.caller("reader", Door::DicomWeb).await;
    // Eight hours: the list every few minutes, twelve studies an hour with an earlier one each.
    for hour in 0..8u32 {
        for study in 0..12 {
            assert!(list(&test, &reader, studies("PAT-*")).await.unwrap() >= 100);
            open(&test, &reader, hour * 12 + study + 1).await.unwrap();
            open(&test, &reader, study + 1).await.unwrap();
            test.pass(Duration::from_secs(300)).await;
        }
    }
    assert_eq!(test.archive().open_reviews(), 0);
}

#[tokio::test]
async fn a_habit_is_learnt_as_days_go_by_from_days_of_work() {
    let test = archive_of(40).await;
    let [daily, seldom] = [test.peer("DAILY", &[Verb::Retrieve]).await, test.peer("SELDOM", &[Verb::Retrieve]).await];
    let at_once = async |caller: &Caller| {
        let mut opened = 0;
        while opened < 40 && open(&test, caller, opened + 1).await.is_ok() {
            opened += 1;
        }
        opened
    };
    open(&test, &seldom, 1).await.unwrap();
    for day in 0..8 {
        open(&test, &daily, day % 2 + 1).await.unwrap();
        test.pass(Duration::from_secs(24 * 3600)).await;
    }
    assert_eq!(at_once(&daily).await, 20, "two patients in eight days: twenty are room enough");
    assert_eq!(at_once(&seldom).await, 40, "one day of work, eight days ago, is no habit");
}

/// Four hours of work by who takes up so many new patients an hour, and looks at yesterday's again.
async fn a_day(test: &TestArchive, caller: &Caller, next: &mut u32, an_hour: u32) -> Result<(), Refused> {
    let yesterday = next.saturating_sub(4 * an_hour).max(1);
    for _ in 0..4 {
        for number in 0..an_hour {
            open(test, caller, *next).await?;
            open(test, caller, yesterday + number).await?;
            *next += 1;
        }
        test.pass(Duration::from_secs(3600)).await;
    }
    test.pass(Duration::from_secs(20 * 3600)).await;
    Ok(())
}

#[tokio::test]
async fn with_a_learnt_habit_a_day_like_others_is_not_disturbed_and_a_walk_ends_sooner() {
    for (an_hour, room) in [(1, 20), (4, 48)] {
        let test = archive_of(12 * 4 * an_hour + 120).await;
        let reader = test.peer("READER", &[Verb::Retrieve]).await;
        let mut next = 1;
        for day in 0..10 {
            a_day(&test, &reader, &mut next, an_hour).await.unwrap_or_else(|refused| panic!("day {day}: {refused}"));
        }
        a_day(&test, &reader, &mut next, an_hour * 2)
            .await
            .unwrap_or_else(|refused| panic!("twice as busy: {refused}"));
        assert_eq!(test.archive().open_reviews(), 0);
        test.pass(Duration::from_secs(24 * 3600)).await;
        let walked = next;
        while open(&test, &reader, next).await.is_ok() {
            next += 1;
        }
        assert_eq!(next - walked, room, "three times the busiest hour, or twenty");
        assert_eq!(test.archive().open_reviews(), 1);
    }
}

#[tokio::test]
async fn a_canary_sings_and_whoever_touched_it_hears_nothing() {
    let test = archive_of(8).await;
    let (host, reader) = (test.host().await, test.caller("reader", Door::DicomWeb).await);
    let canary = Marks { canary: true, ..Marks::default() };
    test.archive().mark(&host, Marked::Patient("PAT-3".into()), canary).await.unwrap();
    list(&test, &reader, studies("PAT-*")).await.unwrap();
    open(&test, &reader, 2).await.unwrap();
    test.pass(Duration::from_secs(1)).await;
    assert_eq!(test.archive().open_reviews(), 0, "a list of all touches nobody in particular");
    open(&test, &reader, 3).await.unwrap();
    for _ in 0..100 {
        tokio::task::yield_now().await;
        if test.archive().open_reviews() > 0 {
            break;
        }
        test.pass(Duration::from_secs(1)).await;
    }
    let review = test.archive().reviews(&host).await.unwrap().remove(0);
    assert_eq!((review.alarm, review.patient_id.as_deref()), (Alarm::Canary, Some("PAT-3")));
    assert!(test.trail().await.iter().any(|row| row.action == "canary-touched"));
    // Instances of one patient are one patient, however many rows; what is repeated is one review.
    for number in 2..=9 {
        test.store(&host, &Sample { side: 2, ..Sample::new(3, 1, number) }).await.unwrap();
    }
    let lister = test.caller("reader", Door::DicomWeb).await;
    let sung = async |caller: &Caller| {
        tokio::task::yield_now().await;
        test.pass(Duration::from_secs(1)).await;
        let reviews = test.archive().reviews(&host).await.unwrap();
        reviews.into_iter().filter(|review| review.caller == caller.name()).collect::<Vec<_>>()
    };
    for _ in 0..25 {
        assert_eq!(list(&test, &lister, instances("PAT-3", Include::Listed(Vec::new()))).await.unwrap(), 9);
        sung(&lister).await;
    }
    let told = sung(&lister).await;
    assert_eq!((told.len(), told[0].detail.as_str()), (1, "a canary patient was touched, 10 times that day"));
    let alerts =
        test.trail().await.iter().filter(|row| row.action == "canary-touched" && row.caller == lister.name()).count();
    assert_eq!(alerts, 2, "the first and the tenth");
    let officer = test.caller("privacy-officer", Door::Admin).await;
    test.archive().close_review(&officer, &told[0].id, "looked at and found in order").await.unwrap();
    list(&test, &lister, studies("PAT-3")).await.unwrap();
    assert_eq!(sung(&lister).await.len(), 2, "what is closed is closed");
}

fn instances(patient_id: &str, include: Include) -> Search {
    let mut identifier = DataSet::new();
    identifier.put_text(Tag(0x0008, 0x0052), VR::CS, "IMAGE");
    identifier.put_text(Tag(0x0010, 0x0020), VR::LO, patient_id);
    let options = QueryOptions { relational: true, ..QueryOptions::default() };
    let mut query = Query::from_identifier(Root::Patient, &options, &identifier).unwrap();
    query.include = include;
    Search { query, limit: None, offset: 0 }
}

#[tokio::test]
async fn attributes_of_instances_are_no_list_of_names() {
    let test = archive_of(8).await;
    let (archive, host) = (test.archive(), test.host().await);
    let finder = test.peer("FIND1", &[Verb::Find]).await;
    assert_eq!(list(&test, &finder, instances("PAT-1", Include::Listed(Vec::new()))).await.unwrap(), 1);
    let all = list(&test, &finder, instances("PAT-1", Include::All)).await;
    assert!(matches!(all, Err(Refused::NotAllowed)), "whoever may not fetch gets no attributes");
    let reader = test.caller("reader", Door::DicomWeb).await;
    archive.set_envelope(&host, reader.name(), Some(tiny())).await.unwrap();
    for attributes in [Include::All, Include::Listed(vec![vec![Tag(0x0028, 0x0004)]])] {
        for study in 1..=5 {
            let search = instances(&format!("PAT-{study}"), attributes.clone());
            assert_eq!(list(&test, &reader, search).await.unwrap(), 1);
        }
        let more = list(&test, &reader, instances("PAT-6", attributes)).await;
        assert!(matches!(more, Err(Refused::Braked { .. })), "they are opened");
    }
    assert_eq!(list(&test, &reader, studies("PAT-6")).await.unwrap(), 1, "names are still listed");
    assert!(test.trail().await.iter().any(|row| row.action == "search" && row.detail.contains("all attributes")));
}

#[tokio::test]
async fn a_restart_forgets_neither_rows_nor_what_left_without_names() {
    let test = archive_of(30).await;
    let host = test.host().await;
    let archive = test.archive();
    let (lister, researcher) =
        (test.caller("reader", Door::DicomWeb).await, test.caller("researcher", Door::DicomWeb).await);
    archive.make_project(&host, "p", Profile::default()).await.unwrap();
    let nameless = Sample { side: 2, patient_id: String::new(), ..Sample::new(40, 1, 1) };
    test.store(&host, &nameless).await.unwrap();
    for caller in [&lister, &researcher] {
        archive.set_envelope(&host, caller.name(), Some(tiny())).await.unwrap();
    }
    for study in 1..=19 {
        list(&test, &lister, studies(&format!("PAT-{study}"))).await.unwrap();
    }
    let one = |study: String| Selection { studies: vec![study.parse().unwrap()], ..Selection::default() };
    let uids = (1..=4).map(|study| small(study).study).chain([nameless.study.clone()]);
    for study in uids {
        drop(archive.retrieve_deidentified(&researcher, "p", one(study)).await.unwrap());
    }
    let more = |test: &TestArchive| {
        let (archive, lister, researcher) = (test.archive().clone(), lister.clone(), researcher.clone());
        async move {
            let mut matches = archive.search(&lister, studies("PAT-2*")).await.unwrap();
            let rows = matches.next_page().await.map(drop);
            let fetched = archive.retrieve_deidentified(&researcher, "p", one(small(9).study)).await.map(drop);
            (rows, fetched)
        }
    };
    assert!(matches!(more(&test).await, (Err(Refused::Braked { .. }), Err(Refused::Braked { .. }))));
    let test = test.reopened().await;
    assert!(matches!(more(&test).await, (Err(Refused::Braked { .. }), Err(Refused::Braked { .. }))));
}

#[tokio::test]
async fn nobody_lets_themselves_go_and_envelopes_are_numbers() {
    let test = archive_of(1).await;
    let (archive, host) = (test.archive(), test.host().await);
    let officer = test.scoped("privacy-officer", Door::Admin, Scope::everything()).await;
    assert!(matches!(archive.release_brake(&officer, officer.name()).await, Err(Refused::NotAllowed)));
    let endless = Envelope { bytes_an_hour: u64::MAX, ..tiny() };
    assert!(matches!(archive.set_envelope(&host, "x", Some(endless)).await, Err(Refused::Invalid(_))));
    let never = Envelope { hours: Some(Hours { from: 3, to: 3, utc_offset_minutes: 0 }), ..tiny() };
    assert!(matches!(archive.set_envelope(&host, "x", Some(never)).await, Err(Refused::Invalid(_))));
    archive.set_envelope(&host, "x", Some(tiny())).await.unwrap();
    archive.set_envelope(&host, "x", None).await.unwrap();
    assert!(archive.envelopes(&host).await.unwrap().is_empty());
}
