//! Storing, as callers see it.

#![expect(clippy::unwrap_used, reason = "test")]

use leadglass_archive::administer::Verb;
use leadglass_archive::store::{Incoming, StoreOutcome, StoreRefused};
use leadglass_archive::testing::{Sample, TestArchive};
use leadglass_archive::{Door, Refused};
use leadglass_dicom::{SopClassUid, SopInstanceUid, StudyInstanceUid, TransferSyntax, Uid};

fn explicit() -> TransferSyntax {
    TransferSyntax::from_uid(Uid::parse("1.2.840.10008.1.2.1").unwrap())
}

#[tokio::test]
async fn an_instance_is_kept_and_the_same_again_is_there_already() {
    let archive = TestArchive::new();
    let modality = archive.peer("CT1", &[Verb::Store]).await;
    let sample = Sample::new(1, 1, 1);
    let stored = archive.store(&modality, &sample).await.unwrap();
    assert_eq!(stored.outcome, StoreOutcome::Kept);
    assert_eq!(stored.study, sample.study_uid());
    assert_eq!(stored.sop_instance, sample.sop_uid());
    assert_eq!(archive.store(&modality, &sample).await.unwrap().outcome, StoreOutcome::AlreadyThere);
    let host = archive.host().await;
    assert_eq!(archive.archive().statistics(&host).await.unwrap().counts.instances, 1);
}

#[tokio::test]
async fn other_bytes_of_the_same_uid_are_set_aside_and_replace_nothing() {
    let archive = TestArchive::new();
    let modality = archive.peer("CT1", &[Verb::Store]).await;
    let (first, second) = (Sample::new(1, 1, 1), Sample { seed: 99, ..Sample::new(1, 1, 1) });
    archive.store(&modality, &first).await.unwrap();
    assert_eq!(archive.store(&modality, &second).await.unwrap().outcome, StoreOutcome::Quarantined);
    assert_eq!(archive.store(&modality, &second).await.unwrap().outcome, StoreOutcome::Quarantined);
    let host = archive.host().await;
    let counts = archive.archive().statistics(&host).await.unwrap().counts;
    assert_eq!((counts.instances, counts.quarantined), (1, 1));
    assert!(archive.trail().await.iter().any(|row| row.action == "store" && row.outcome == "quarantined"));
}

#[tokio::test]
async fn what_is_not_what_was_announced_is_refused() {
    let archive = TestArchive::new();
    let modality = archive.peer("CT1", &[Verb::Store]).await;
    let sample = Sample::new(1, 1, 1);
    let announced = |class: &str, instance: &str| {
        Some((SopClassUid::parse(class).unwrap(), SopInstanceUid::parse(instance).unwrap()))
    };
    let cases = [
        (announced("1.2.3", &sample.sop_instance), None),
        (announced(Sample::SOP_CLASS, "1.2.3"), None),
        (None, Some(StudyInstanceUid::parse("1.2.3").unwrap())),
    ];
    for (announced, expected_study) in cases {
        let incoming = Incoming { transfer_syntax: explicit(), announced, expected_study };
        let mut ingest = archive.archive().store(&modality, incoming).await.unwrap();
        let pushed = ingest.push(&sample.encode()).await;
        let refused = match pushed {
            Err(refused) => refused,
            Ok(()) => ingest.finish().await.unwrap_err(),
        };
        assert!(matches!(refused, StoreRefused::DoesNotMatch(_)), "{refused}");
    }
    let host = archive.host().await;
    assert_eq!(archive.archive().statistics(&host).await.unwrap().counts.instances, 0);
}

#[tokio::test]
async fn bytes_that_are_no_data_set_are_refused_and_recorded() {
    let archive = TestArchive::new();
    let modality = archive.peer("CT1", &[Verb::Store]).await;
    let whole = Sample::new(1, 1, 1).encode();
    for bytes in [&whole[..whole.len() - 5], b"not a data set at all".as_slice(), &[]] {
        let refused = archive.store_bytes(&modality, bytes, "1.2.840.10008.1.2.1").await.unwrap_err();
        assert!(matches!(refused, StoreRefused::CannotUnderstand(_)), "{refused}");
    }
    let refusals = archive.trail().await.iter().filter(|row| row.outcome == "unanswerable").count();
    assert_eq!(refusals, 3);
}

#[tokio::test]
async fn a_sender_that_goes_away_leaves_nothing_but_an_entry() {
    let archive = TestArchive::with(|settings| settings.spill_bytes = 64 * 1024);
    let modality = archive.peer("CT1", &[Verb::Store]).await;
    let bytes = Sample { side: 1024, ..Sample::new(1, 1, 1) }.encode();
    let files = archive.files().len();
    let incoming = Incoming { transfer_syntax: explicit(), announced: None, expected_study: None };
    let mut ingest = archive.archive().store(&modality, incoming).await.unwrap();
    ingest.push(&bytes[..bytes.len() - 10]).await.unwrap();
    assert!(archive.files().len() > files, "a large object spills");
    drop(ingest);
    assert_eq!(archive.files().len(), files);
    assert!(archive.trail().await.iter().any(|row| row.action == "store" && row.outcome == "interrupted"));
}

#[tokio::test]
async fn who_may_not_store_does_not() {
    let archive = TestArchive::new();
    let finder = archive.peer("VIEW1", &[Verb::Find, Verb::Retrieve]).await;
    let refused = archive.store(&finder, &Sample::new(1, 1, 1)).await.unwrap_err();
    assert!(matches!(refused, StoreRefused::Refused(Refused::NotAllowed)));
    let viewer = archive.caller("viewer", Door::DicomWeb).await;
    let refused = archive.store(&viewer, &Sample::new(1, 1, 1)).await.unwrap_err();
    assert!(matches!(refused, StoreRefused::Refused(Refused::NotAllowed)));
}

#[tokio::test]
async fn a_peer_revoked_while_it_sends_is_refused_at_the_end() {
    let archive = TestArchive::new();
    let modality = archive.peer("CT1", &[Verb::Store]).await;
    let incoming = Incoming { transfer_syntax: explicit(), announced: None, expected_study: None };
    let mut ingest = archive.archive().store(&modality, incoming).await.unwrap();
    ingest.push(&Sample::new(1, 1, 1).encode()).await.unwrap();
    let host = archive.host().await;
    archive.archive().revoke_peer(&host, &"CT1".parse().unwrap()).await.unwrap();
    assert!(matches!(ingest.finish().await, Err(StoreRefused::Refused(Refused::NotAllowed))));
}

#[tokio::test]
async fn a_full_disk_refuses_stores_and_nothing_else() {
    let archive = TestArchive::new();
    let administrator = archive.caller("administrator", Door::DicomWeb).await;
    let sample = Sample::new(1, 1, 1);
    archive.store(&administrator, &sample).await.unwrap();
    // The same directory under a reserve no disk has.
    let archive = archive.with_settings(|settings| settings.reserve_bytes = u64::MAX / 2).await;
    let administrator = archive.caller("administrator", Door::DicomWeb).await;
    let refused = archive.store(&administrator, &Sample::new(1, 1, 2)).await.unwrap_err();
    assert!(matches!(refused, StoreRefused::Refused(Refused::OutOfResources(_))), "{refused}");
    assert_eq!(archive.read(&administrator, &sample).await.unwrap(), sample.encode());
    let archive = archive.with_settings(|settings| settings.reserve_bytes = 0).await;
    let administrator = archive.caller("administrator", Door::DicomWeb).await;
    archive.store(&administrator, &Sample::new(1, 1, 2)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn senders_side_by_side_are_all_kept_once() {
    let archive = std::sync::Arc::new(TestArchive::new());
    let modality = archive.peer("CT1", &[Verb::Store]).await;
    let senders: Vec<_> = (0..8u32)
        .map(|sender| {
            let (archive, modality) = (archive.clone(), modality.clone());
            tokio::spawn(async move {
                for number in 0..20 {
                    // Two senders each share a series: half of what they send is there already.
                    archive.store(&modality, &Sample::new(sender / 2, 1, number)).await.unwrap();
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
    let host = archive.host().await;
    let counts = archive.archive().statistics(&host).await.unwrap().counts;
    assert_eq!((counts.studies, counts.instances, counts.quarantined), (4, 80, 0));
}
