//! What is recorded, in the words of PS3.15 A.5: every event driven once, through its doors
//! where an operation brings it about, raised where none does; and handed on, all of it, in order.

#![expect(clippy::unwrap_used, reason = "test")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use leadglass_archive::access::Scope;
use leadglass_archive::administer::Verb;
use leadglass_archive::retrieve::{Purpose, SopReference};
use leadglass_archive::review::TrailQuery;
use leadglass_archive::search::Search;
use leadglass_archive::testing::{Sample, TestArchive};
use leadglass_archive::trail::{Alert, Delivered, Event, EventId, Outcome, Subject};
use leadglass_archive::{Archive, Caller, Credential, Door, Selection, Source};
use leadglass_dicom::query::{Query, QueryOptions, Root};
use leadglass_dicom::{DataSet, SopClassUid, Tag, VR};

const STRANGER: [u8; 4] = [198, 51, 100, 7];

async fn search(archive: &Archive, caller: &Caller, patient_id: &str) {
    let mut identifier = DataSet::new();
    identifier.put_text(Tag(0x0008, 0x0052), VR::CS, "STUDY");
    identifier.put_text(Tag(0x0010, 0x0020), VR::LO, patient_id);
    let query = Query::from_identifier(Root::Study, &QueryOptions::default(), &identifier).unwrap();
    let mut matches = archive.search(caller, Search { query, limit: None, offset: 0 }).await.unwrap();
    while matches.next_page().await.unwrap().is_some() {}
}

async fn retrieve(archive: &Archive, caller: &Caller, sample: &Sample, purpose: Purpose) {
    let selection = Selection { studies: vec![sample.study_uid()], ..Selection::default() };
    let retrieval = archive.retrieve(caller, selection, purpose).await.unwrap();
    let mut reader = retrieval.open(&retrieval.instances()[0]).await.unwrap();
    while reader.next_chunk().await.unwrap().is_some() {}
    retrieval.complete().await.unwrap();
}

/// Everything that operations can bring about, once.
async fn lived(test: &TestArchive) {
    let archive = test.archive();
    let host = test.host().await;
    let sample = Sample::new(1, 1, 1);
    let modality = test.peer("CT1", &[Verb::Store, Verb::Find, Verb::Retrieve, Verb::Commit]).await;
    test.store(&modality, &sample).await.unwrap();
    test.store(&modality, &Sample { seed: 99, ..Sample::new(1, 1, 1) }).await.unwrap();
    test.store(&host, &Sample::new(2, 1, 1)).await.unwrap();
    search(archive, &modality, "PAT-1").await;
    retrieve(archive, &modality, &sample, Purpose::ToPeer("CT1".into())).await;
    let viewer = test.caller("viewer", Door::DicomWeb).await;
    retrieve(archive, &viewer, &sample, Purpose::Viewing).await;
    retrieve(archive, &host, &sample, Purpose::ToCaller).await;
    let sop_class = SopClassUid::parse(Sample::SOP_CLASS).unwrap();
    archive.commit(&modality, vec![SopReference { sop_class, sop_instance: sample.sop_uid() }]).await.unwrap();
    let stranger = |door| Source { address: Some(STRANGER.into()), door };
    let peer =
        Credential::Peer { certificate_der: vec![1], calling_ae: "NOBODY".parse().unwrap(), user_identity: None };
    let _ = archive.authenticate(stranger(Door::Dimse), peer).await;
    let _ = archive.authenticate(stranger(Door::DicomWeb), Credential::ApiToken("guess".into())).await;
    let _ = archive.statistics(&viewer).await;
    let administrator = test.caller("administrator", Door::Admin).await;
    archive.create_token(&administrator, "t", "viewer", Duration::from_secs(60), Scope::everything()).await.unwrap();
    archive.trail(&administrator, TrailQuery { limit: 1, ..TrailQuery::default() }).await.unwrap();
    test.pass(Duration::from_secs(301)).await;
}

#[tokio::test]
async fn every_event_that_operations_bring_about_has_its_code_and_outcome() {
    let test = TestArchive::new();
    lived(&test).await;
    let trail = test.trail().await;
    let told: BTreeSet<(&str, &str, u64)> = trail
        .iter()
        .filter_map(|row| Some((row.event.as_deref()?, &*row.outcome, u64::from(row.patient_id.is_some()))))
        .collect();
    for (code, outcome, patients) in [
        ("110101", "done", 0),
        ("110103", "done", 1),
        ("110104", "done", 1),
        ("110106", "done", 1),
        ("110107", "done", 1),
        ("110112", "done", 1),
        ("110114", "done", 0),
        ("110114", "refused", 0),
        ("110126", "refused", 0),
        ("110128", "done", 0),
        ("110132", "refused", 0),
        ("110135", "quarantined", 1),
        ("110137", "done", 0),
    ] {
        assert!(told.contains(&(code, outcome, patients)), "{code} {outcome}: {told:?}");
    }
    assert!(
        trail.iter().any(|row| row.event.is_none() && row.action == "read-statistics")
            || told.contains(&("110132", "refused", 0))
    );
}

#[tokio::test]
async fn every_event_can_be_raised_and_is_told_as_what_it_is() {
    let test = TestArchive::new();
    let administrator = test.caller("administrator", Door::Admin).await;
    for event in Event::ALL {
        let subject = Subject { patient_id: Some("PAT-1".into()), ..Subject::default() };
        test.archive().alert(Alert::of(*event).by(&administrator).about(subject).saying("a test"));
    }
    test.archive().alert_durably(Alert::of(Event::EmergencyOverrideStarted).ended(Outcome::Refused)).await.unwrap();
    let trail = test.trail().await;
    let mut ids = BTreeSet::new();
    for event in Event::ALL {
        let row = trail.iter().find(|row| row.action == event.name() && row.patient_id.is_some()).unwrap();
        let coding = event.coding();
        let kind = coding.kind.filter(|_| coding.id == EventId::SecurityAlert);
        assert_eq!(row.event.as_deref(), Some(kind.map_or(coding.id.code().0, |kind| kind.0)));
        assert_eq!((row.caller.as_str(), row.door.as_str()), (administrator.name(), "admin"));
        ids.insert(coding.id);
    }
    assert_eq!(ids.len(), 15, "all of PS3.15 A.5.3");
    assert!(trail.iter().any(|row| row.action == "emergency-override-started" && row.outcome == "refused"));
    let looks = TrailQuery { event: Some("110127".into()), limit: 10, ..TrailQuery::default() };
    assert_eq!(test.archive().trail(&administrator, looks).await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_cannot_be_read_is_handed_on_as_that_and_told() {
    let test = TestArchive::new();
    lived(&test).await;
    let segment = |dir: &std::path::Path| dir.join("log/00000001.seg");
    let records = |bytes: &[u8]| -> Vec<usize> {
        bytes.windows(10).enumerate().filter(|(_, at)| at.starts_with(b"LGRECORD")).map(|(at, _)| at).collect()
    };
    let test = test
        .meddled(|dir| {
            let mut bytes = std::fs::read(segment(dir)).unwrap();
            let at = records(&bytes);
            let entry = at.iter().position(|at| bytes[*at..].starts_with(b"LGRECORD\x01\x03")).unwrap();
            // The last byte of the entry's last part.
            let used = bytes[at[entry]..at[entry + 1]].iter().rposition(|byte| *byte != 0).unwrap();
            bytes[at[entry] + used] ^= 1;
            std::fs::write(segment(dir), bytes).unwrap();
        })
        .await;
    let host = test.host().await;
    let mut delivery = test.archive().deliver_trail(&host, "entries to a test").await.unwrap();
    let mut lost = Vec::new();
    for _ in 0..2 {
        let batch = delivery.after(0, 10_000).await.unwrap();
        lost = batch
            .items
            .into_iter()
            .filter_map(|item| match item {
                Delivered::Entry(number, entry) if entry.act == Event::IntegrityBroken.into() => Some((number, entry)),
                _ => None,
            })
            .collect();
    }
    let said = lost[0].1.subject.detail.clone().unwrap();
    assert!(said.contains("cannot be read"), "{said}");
    assert!(lost[0].1.is_alert() && lost[0].1.outcome == Outcome::Failed);
    delivery.end();
    let told = test.trail().await.iter().filter(|row| row.action == "integrity-broken").count();
    assert_eq!(told, 1, "once, however often it is asked for");
}

#[tokio::test]
async fn what_is_handed_on_is_all_in_order_and_goes_on_where_it_was_left() {
    let test = TestArchive::with(|settings| settings.segment_bytes = 64 << 10);
    lived(&test).await;
    let host = test.host().await;
    let mut delivery = test.archive().deliver_trail(&host, "entries to a test").await.unwrap();
    let (mut at, mut numbers, mut entries) = (0, Vec::new(), BTreeMap::new());
    loop {
        // What did not arrive is asked for again, and is the same.
        let missed = delivery.after(at, 3).await.unwrap();
        let batch = delivery.after(at, 3).await.unwrap();
        assert_eq!((missed.upto, missed.items.len()), (batch.upto, batch.items.len()));
        assert!(batch.items.len() <= 3);
        for item in batch.items {
            match item {
                Delivered::Entry(number, entry) => {
                    numbers.push(number);
                    entries.insert(entry.closes.unwrap_or(number), entry);
                }
                Delivered::Checkpoint(number, checkpoint) => {
                    numbers.push(number);
                    assert_eq!(checkpoint.size, number - 1);
                }
            }
        }
        if batch.upto == at {
            break;
        }
        at = batch.upto;
    }
    assert!(numbers.is_sorted() && numbers.windows(2).all(|pair| pair[0] < pair[1]));
    delivery.end();
    // What was handed on last of each entry is what the index shows.
    let shown = test.trail().await;
    assert!(shown.len() > 15);
    for row in shown.iter().filter(|row| row.action != "deliver-trail") {
        let entry = entries.get(&row.entry).unwrap_or_else(|| panic!("entry {} was not handed on", row.entry));
        assert_eq!(
            (entry.outcome.name(), entry.subject.patient_id.as_deref()),
            (row.outcome.as_str(), row.patient_id.as_deref())
        );
    }
    // Somebody else begins where the first left off, also after a restart.
    let test = test.reopened().await;
    search(test.archive(), &test.host().await, "PAT-2").await;
    test.trail().await;
    let mut delivery = test.archive().deliver_trail(&test.host().await, "entries to a test").await.unwrap();
    let batch = delivery.after(at, 100).await.unwrap();
    let searched = |item: &Delivered| matches!(item, Delivered::Entry(number, entry) if *number > at && entry.subject.patient_id.as_deref() == Some("PAT-2"));
    assert!(batch.items.iter().any(searched));
}

#[tokio::test]
async fn what_a_crash_left_open_is_closed_as_interrupted() {
    let test = TestArchive::new();
    let modality = test.peer("CT1", &[Verb::Store, Verb::Retrieve]).await;
    let sample = Sample::new(1, 1, 1);
    test.store(&modality, &sample).await.unwrap();
    let selection = Selection { studies: vec![sample.study_uid()], ..Selection::default() };
    let retrieval = test.archive().retrieve(&modality, selection, Purpose::ToCaller).await.unwrap();
    let crashed = test.after_crash();
    drop(retrieval);
    let row = crashed.trail().await.into_iter().find(|row| row.action == "retrieve").unwrap();
    assert_eq!((row.outcome.as_str(), row.patient_id.as_deref()), ("interrupted", Some("PAT-1")));
}

#[tokio::test]
async fn a_look_costs_one_commit_and_a_thousand_frames_no_more() {
    let test = TestArchive::new();
    let viewer = test.caller("viewer", Door::DicomWeb).await;
    let sample = Sample { frames: 40, ..Sample::new(1, 1, 1) };
    test.store(&test.host().await, &sample).await.unwrap();
    let host = test.host().await;
    test.trail().await;
    let before = test.archive().statistics(&host).await.unwrap().last_sequence;
    for frame in 1..=40 {
        let selection = Selection { studies: vec![sample.study_uid()], ..Selection::default() };
        let retrieval = test.archive().retrieve(&viewer, selection, Purpose::Viewing).await.unwrap();
        retrieval.frame(&retrieval.instances()[0], frame).await.unwrap();
    }
    test.trail().await;
    let after = test.archive().statistics(&host).await.unwrap().last_sequence;
    // The end of the first reading of the figures, the look, the beginning of the second.
    assert!(after - before <= 4, "{} records for 40 frames", after - before);
}
