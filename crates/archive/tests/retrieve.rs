//! Handing out, as callers see it.

use leadglass_archive::administer::Verb;
use leadglass_archive::retrieve::{Commitment, Purpose, SopReference};
use leadglass_archive::testing::{Sample, TestArchive};
use leadglass_archive::{Door, Refused, Selection};
use leadglass_dicom::{SopClassUid, SopInstanceUid};

fn of_study(sample: &Sample) -> Selection {
    Selection { studies: vec![sample.study_uid()], ..Selection::default() }
}

#[tokio::test]
async fn what_went_in_comes_out() {
    let archive = TestArchive::with(|settings| settings.spill_bytes = 256 * 1024);
    let administrator = archive.caller("administrator", Door::DicomWeb).await;
    let (small, large) = (Sample::new(1, 1, 1), Sample { side: 600, ..Sample::new(1, 1, 2) });
    for sample in [&small, &large] {
        archive.store(&administrator, sample).await.unwrap();
        assert_eq!(archive.read(&administrator, sample).await.unwrap(), sample.encode());
    }
    let archive = archive.reopened().await;
    let administrator = archive.caller("administrator", Door::DicomWeb).await;
    for sample in [&small, &large] {
        assert_eq!(archive.read(&administrator, sample).await.unwrap(), sample.encode());
    }
}

#[tokio::test]
async fn reading_goes_on_anywhere() {
    let archive = TestArchive::new();
    let administrator = archive.caller("administrator", Door::DicomWeb).await;
    let sample = Sample { side: 512, ..Sample::new(1, 1, 1) };
    archive.store(&administrator, &sample).await.unwrap();
    let retrieval = archive.archive().retrieve(&administrator, of_study(&sample), Purpose::ToCaller).await.unwrap();
    let mut reader = retrieval.open(&retrieval.instances()[0]).await.unwrap();
    let whole = sample.encode();
    for offset in [70_000, 1, whole.len() as u64 - 3, whole.len() as u64] {
        reader.seek(offset).await.unwrap();
        let mut rest = Vec::new();
        while let Some(chunk) = reader.next_chunk().await.unwrap() {
            rest.extend_from_slice(&chunk);
        }
        assert_eq!(rest, whole[offset as usize..]);
    }
    assert!(reader.seek(whole.len() as u64 + 1).await.is_err());
}

#[tokio::test]
async fn frames_are_the_bytes_that_were_stored() {
    let archive = TestArchive::new();
    let administrator = archive.caller("administrator", Door::DicomWeb).await;
    let sample = Sample { frames: 40, ..Sample::new(1, 1, 1) };
    archive.store(&administrator, &sample).await.unwrap();
    let retrieval = archive.archive().retrieve(&administrator, of_study(&sample), Purpose::Viewing).await.unwrap();
    let instance = &retrieval.instances()[0];
    assert_eq!(instance.frames, 40);
    for number in [1, 2, 40] {
        assert_eq!(retrieval.frame(instance, number).await.unwrap(), sample.frame(number));
    }
    for number in [0, 41, u32::MAX] {
        assert!(matches!(retrieval.frame(instance, number).await, Err(Refused::NotFound)));
    }
    let (offset, length) = retrieval.bulk(instance, "7FE00010").await.unwrap();
    assert_eq!(length, 40 * 64 * 64 * 2);
    assert_eq!(offset + length, instance.data_set_bytes);
    let mut value = retrieval.open_bulk(instance, "7FE00010").await.unwrap();
    assert_eq!(value.next_chunk().await.unwrap().unwrap()[..8192], sample.frame(1));
    assert!(matches!(retrieval.bulk(instance, "00100010").await, Err(Refused::NotFound)));
}

#[tokio::test]
async fn metadata_is_the_same_with_and_without_a_summary() {
    let archive = TestArchive::new();
    let administrator = archive.caller("administrator", Door::DicomWeb).await;
    let samples: Vec<Sample> = (1..=12).map(|number| Sample::new(1, 1, number)).collect();
    for sample in &samples {
        archive.store(&administrator, sample).await.unwrap();
    }
    let metadata = async || {
        let retrieval =
            archive.archive().retrieve(&administrator, of_study(&samples[0]), Purpose::ToCaller).await.unwrap();
        let mut single = Vec::new();
        for instance in retrieval.instances() {
            single.push(Some(retrieval.metadata(instance).await.unwrap()));
        }
        let all = retrieval.all_metadata().await.unwrap();
        retrieval.complete().await.unwrap();
        assert_eq!(all, single);
        all
    };
    let first = metadata().await;
    assert_eq!(first.len(), 12);
    archive.pass(std::time::Duration::from_secs(60)).await;
    assert_eq!(metadata().await, first);
    assert!(first[0].as_ref().unwrap().windows(11).any(|bytes| bytes == b"lg:7FE00010"), "bulk data is named");
    // One more makes the summary stale, not wrong.
    archive.store(&administrator, &Sample::new(1, 1, 13)).await.unwrap();
    assert_eq!(metadata().await.len(), 13);
}

#[tokio::test]
async fn nothing_is_found_where_nothing_is() {
    let archive = TestArchive::new();
    let viewer = archive.caller("viewer", Door::DicomWeb).await;
    for selection in [of_study(&Sample::new(9, 1, 1)), Selection::default()] {
        let refused = archive.archive().retrieve(&viewer, selection, Purpose::ToCaller).await;
        assert!(matches!(refused, Err(Refused::NotFound)));
    }
}

#[tokio::test]
async fn an_instance_of_another_retrieval_is_not_found() {
    let archive = TestArchive::new();
    let administrator = archive.caller("administrator", Door::DicomWeb).await;
    let (one, other) = (Sample::new(1, 1, 1), Sample::new(2, 1, 1));
    archive.store(&administrator, &one).await.unwrap();
    archive.store(&administrator, &other).await.unwrap();
    let first = archive.archive().retrieve(&administrator, of_study(&one), Purpose::ToCaller).await.unwrap();
    let second = archive.archive().retrieve(&administrator, of_study(&other), Purpose::ToCaller).await.unwrap();
    assert!(matches!(first.open(&second.instances()[0]).await, Err(Refused::NotFound)));
}

#[tokio::test]
async fn commitment_is_said_of_what_is_there_and_whole() {
    let archive = TestArchive::new();
    let peer = archive.peer("CT1", &[Verb::Store, Verb::Commit]).await;
    let sample = Sample::new(1, 1, 1);
    archive.store(&peer, &sample).await.unwrap();
    let reference = |class: &str, instance: &str| SopReference {
        sop_class: SopClassUid::parse(class).unwrap(),
        sop_instance: SopInstanceUid::parse(instance).unwrap(),
    };
    let references = vec![
        reference(Sample::SOP_CLASS, &sample.sop_instance),
        reference(Sample::SOP_CLASS, "1.2.3"),
        reference("1.2.840.10008.5.1.4.1.1.4", &sample.sop_instance),
    ];
    let answers = archive.archive().commit(&peer, references).await.unwrap();
    assert_eq!(answers, [Commitment::Committed, Commitment::NoSuchObjectInstance, Commitment::ClassInstanceConflict]);
}

#[tokio::test]
async fn a_deflated_object_comes_out_as_it_came_and_its_frames_inflated() {
    use std::io::Write as _;
    let archive = TestArchive::new();
    let administrator = archive.caller("administrator", Door::DicomWeb).await;
    let sample = Sample { frames: 3, side: 300, ..Sample::new(1, 1, 1) };
    let mut deflated = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    deflated.write_all(&sample.encode()).unwrap();
    let deflated = deflated.finish().unwrap();
    archive.store_bytes(&administrator, &deflated, "1.2.840.10008.1.2.1.99").await.unwrap();
    assert_eq!(archive.read(&administrator, &sample).await.unwrap(), deflated);
    let retrieval = archive.archive().retrieve(&administrator, of_study(&sample), Purpose::Viewing).await.unwrap();
    assert_eq!(retrieval.frame(&retrieval.instances()[0], 3).await.unwrap(), sample.frame(3));
}
