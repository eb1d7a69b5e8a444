//! What survives, and what is noticed.

#![expect(clippy::unwrap_used, reason = "test")]

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use leadglass_archive::administer::Verb;
use leadglass_archive::retrieve::Purpose;
use leadglass_archive::testing::{Sample, TestArchive};
use leadglass_archive::{Archive, Door, OpenError, Refused, Selection};

#[tokio::test]
async fn what_was_acknowledged_survives_a_crash() {
    let test = TestArchive::with(|settings| settings.spill_bytes = 128 * 1024);
    let modality = test.peer("CT1", &[Verb::Store, Verb::Retrieve]).await;
    let samples: Vec<Sample> =
        (1..=20).map(|number| Sample { side: 16 * number as u16, ..Sample::new(1, 1, number) }).collect();
    for (at, sample) in samples.iter().enumerate() {
        test.store(&modality, sample).await.unwrap();
        if at % 7 == 0 {
            let crashed = test.after_crash();
            let administrator = crashed.caller("administrator", Door::DicomWeb).await;
            for kept in &samples[..=at] {
                assert_eq!(crashed.read(&administrator, kept).await.unwrap(), kept.encode());
            }
        }
    }
}

#[tokio::test]
async fn a_deleted_index_is_made_again_with_the_same_answers() {
    let test = TestArchive::new();
    let modality = test.peer("CT1", &[Verb::Store]).await;
    let samples: Vec<Sample> = (1..=5).map(|study| Sample::new(study, 1, 1)).collect();
    for sample in &samples {
        test.store(&modality, sample).await.unwrap();
    }
    test.store(&modality, &Sample { seed: 200, ..samples[0].clone() }).await.unwrap();
    let host = test.host().await;
    let counts = test.archive().statistics(&host).await.unwrap().counts;
    let trail: Vec<_> = test.trail().await.into_iter().rev().take(8).collect();
    let settings = test.settings().clone();
    let test = test
        .meddled(|_| {
            let mut heard = 0;
            let records = Archive::rebuild(&settings, &mut |records| heard = records).unwrap();
            assert!(records >= 8);
        })
        .await;
    let host = test.host().await;
    assert_eq!(test.archive().statistics(&host).await.unwrap().counts, counts);
    assert_eq!(test.trail().await.into_iter().rev().take(8).collect::<Vec<_>>(), trail);
    let test = test.meddled(|data_dir| std::fs::remove_file(data_dir.join("index.db")).unwrap()).await;
    let host = test.host().await;
    assert_eq!(test.archive().statistics(&host).await.unwrap().counts, counts);
    assert_eq!(test.archive().peers(&host).await.unwrap().len(), 1);
    let administrator = test.caller("administrator", Door::DicomWeb).await;
    for sample in &samples {
        assert_eq!(test.read(&administrator, sample).await.unwrap(), sample.encode());
    }
}

#[tokio::test]
async fn damaged_attributes_are_left_out_of_their_study() {
    let test = TestArchive::new();
    let administrator = test.caller("administrator", Door::DicomWeb).await;
    for number in 1..=3 {
        test.store(&administrator, &Sample::new(1, 1, number)).await.unwrap();
    }
    let test = test.meddled(|data_dir| flip_attributes(&data_dir.join("log/00000001.seg"), 1)).await;
    let administrator = test.caller("administrator", Door::DicomWeb).await;
    let selection = Selection { studies: vec![Sample::new(1, 1, 1).study_uid()], ..Selection::default() };
    let retrieval = test.archive().retrieve(&administrator, selection, Purpose::Viewing).await.unwrap();
    let all = retrieval.all_metadata().await.unwrap();
    assert_eq!(all.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true]);
    assert!(matches!(retrieval.metadata(&retrieval.instances()[1]).await, Err(Refused::Damaged(_))));
}

#[tokio::test]
async fn what_is_damaged_for_ever_is_summarized_once() {
    let test = TestArchive::new();
    let administrator = test.caller("administrator", Door::DicomWeb).await;
    for number in 1..=5 {
        test.store(&administrator, &Sample::new(1, 1, number)).await.unwrap();
    }
    let test = test.meddled(|data_dir| flip_attributes(&data_dir.join("log/00000001.seg"), 1)).await;
    let administrator = test.caller("administrator", Door::DicomWeb).await;
    let segment = test.data_dir().join("log/00000001.seg");
    let summaries = || {
        let bytes = std::fs::read(&segment).unwrap();
        bytes.windows(10).filter(|bytes| *bytes == b"LGRECORD\x01\x05").count()
    };
    let mut written = Vec::new();
    for _ in 0..4 {
        let selection = Selection { studies: vec![Sample::new(1, 1, 1).study_uid()], ..Selection::default() };
        let retrieval = test.archive().retrieve(&administrator, selection, Purpose::Viewing).await.unwrap();
        assert_eq!(retrieval.all_metadata().await.unwrap().iter().flatten().count(), 4);
        drop(test.trail().await);
        written.push(summaries());
    }
    assert_eq!(written, [1; 4]);
}

#[tokio::test]
async fn a_flipped_bit_is_refused_and_named_and_hurts_nothing_else() {
    let test = TestArchive::new();
    let modality = test.peer("CT1", &[Verb::Store]).await;
    let samples: Vec<Sample> = (1..=3).map(|number| Sample { side: 200, ..Sample::new(1, 1, number) }).collect();
    for sample in &samples {
        test.store(&modality, sample).await.unwrap();
    }
    // Somewhere in the middle of the second one's sealed pixels.
    let test = test.meddled(|data_dir| flip(&data_dir.join("log/00000001.seg"), 80_000 + 40_000)).await;
    let administrator = test.caller("administrator", Door::DicomWeb).await;
    let mut damaged = 0;
    for sample in &samples {
        match test.read(&administrator, sample).await {
            Ok(bytes) => assert_eq!(bytes, sample.encode()),
            Err(Refused::Damaged(what)) => {
                assert!(what.contains("segment") || what.contains("chunk"), "{what}");
                damaged += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(damaged, 1);
    let report = test.archive().verify(&test.host().await, |_, _| {}).await.unwrap();
    assert_eq!(report.damaged.len(), 1, "{:?}", report.damaged);
    test.store(&administrator, &Sample::new(2, 1, 1)).await.unwrap();
}

#[tokio::test]
async fn verify_finds_a_whole_archive_whole() {
    let test = TestArchive::new();
    let modality = test.peer("CT1", &[Verb::Store]).await;
    for number in 1..=5 {
        test.store(&modality, &Sample::new(1, 1, number)).await.unwrap();
    }
    test.archive().close().await;
    let report = Archive::verify_offline(test.settings(), None, |_, _| {}).unwrap();
    assert!(report.damaged.is_empty(), "{:?}", report.damaged);
    assert!(report.records > 5 && report.checkpoints >= 1);
}

#[tokio::test]
async fn nothing_is_in_clear_on_disk() {
    let test = TestArchive::with(|settings| settings.spill_bytes = 64 * 1024);
    let modality = test.peer("CANARYAE", &[Verb::Store]).await;
    let sample =
        Sample { patient_name: "Canary^Tweety".into(), patient_id: "CANARY-4711".into(), ..Sample::new(1, 1, 1) };
    test.store(&modality, &sample).await.unwrap();
    test.store(&modality, &Sample { side: 400, sop_instance: "1.2.3.4.5.6.7".into(), ..sample.clone() }).await.unwrap();
    let _ = test.read(&test.caller("administrator", Door::DicomWeb).await, &sample).await;
    test.archive().close().await;
    let canaries: [&[u8]; 8] = [
        b"Canary",
        b"canary",
        b"CANARY",
        b"Tweety",
        sample.study.as_bytes(),
        b"1.2.3.4.5.6.7",
        b"Canary Hospital",
        &sample.frame(1)[..64],
    ];
    let files = test.files();
    assert!(files.len() > 4);
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        for canary in canaries {
            assert!(!contains(&bytes, canary), "{} holds a canary", file.display());
        }
    }
}

#[tokio::test]
async fn a_log_cut_back_is_not_served() {
    let test = TestArchive::new();
    let administrator = test.caller("administrator", Door::DicomWeb).await;
    for number in 1..=3 {
        test.store(&administrator, &Sample::new(1, 1, number)).await.unwrap();
    }
    test.archive().close().await;
    let log = test.data_dir().join("log");
    let mut segment = std::fs::read(log.join("00000001.seg")).unwrap();
    let third = instance_record(&segment, 2);
    segment[third..].fill(0);
    std::fs::write(log.join("00000001.seg"), segment).unwrap();
    let refused = || match Archive::open(test.settings().clone()) {
        Err(OpenError::Damaged(what)) => what,
        other => panic!("{:?}", other.map(drop)),
    };
    assert!(refused().contains("checkpoint"));
    std::fs::remove_file(log.join("checkpoint")).unwrap();
    assert!(refused().contains("the index has seen"));
    // Who accepts the loss says so.
    Archive::rebuild(test.settings(), &mut |_| {}).unwrap();
    let test = test.reopened().await;
    let host = test.host().await;
    assert_eq!(test.archive().statistics(&host).await.unwrap().counts.instances, 2);
}

#[tokio::test]
async fn two_processes_do_not_share_a_directory() {
    let test = TestArchive::new();
    assert!(matches!(Archive::open(test.settings().clone()), Err(OpenError::InUse(_))));
    test.archive().close().await;
    Archive::open(test.settings().clone()).unwrap();
}

#[tokio::test]
async fn a_closed_archive_does_nothing_more() {
    let test = TestArchive::new();
    let administrator = test.caller("administrator", Door::DicomWeb).await;
    let sample = Sample::new(1, 1, 1);
    test.store(&administrator, &sample).await.unwrap();
    test.archive().close().await;
    assert!(test.store(&administrator, &Sample::new(1, 1, 2)).await.is_err());
    let archive = test.reopened().await;
    let administrator = archive.caller("administrator", Door::DicomWeb).await;
    assert_eq!(archive.read(&administrator, &sample).await.unwrap(), sample.encode());
}

/// Flips a bit in the first part (the attributes) of the instance record of that number.
fn flip_attributes(segment: &Path, number: usize) {
    // Behind the longest header of three parts.
    flip(segment, instance_record(&std::fs::read(segment).unwrap(), number) as u64 + 400);
}

/// Where the instance record of that number, from 0, begins.
fn instance_record(segment: &[u8], number: usize) -> usize {
    let head = b"LGRECORD\x01\x01";
    segment.windows(head.len()).enumerate().filter(|(_, bytes)| bytes == head).nth(number).unwrap().0
}

fn flip(path: &Path, at: u64) {
    let mut file = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::Start(at)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&[byte[0] ^ 0x10]).unwrap();
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

#[test]
fn verifying_what_is_no_archive_makes_none() {
    let dir = tempfile::tempdir().unwrap();
    let test = TestArchive::new();
    let settings = leadglass_archive::Settings { data_dir: dir.path().join("empty"), ..test.settings().clone() };
    assert!(Archive::verify_offline(&settings, None, |_, _| {}).is_err());
    assert!(!settings.data_dir.exists());
}
