//! The spool as its users see it: on disk, over restarts, full, damaged.

use std::time::Duration;

use leadglass_dicom::charset::SpecificCharacterSet;
use leadglass_dicom::clock::ManualClock;
use leadglass_dicom::{DataSet, Encoding, Tag, VR, Value};

use super::*;

const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
const EXPLICIT: &str = "1.2.840.10008.1.2.1";
const NAME: &str = "SPOOLED^CANARY";

fn settings(dir: &std::path::Path) -> SpoolSettings {
    SpoolSettings {
        data_dir: dir.join("edge"),
        key_source: KeySource::File(dir.join("edge.key")),
        max_bytes: 64 << 20,
        reserve_bytes: 0,
        scan: Limits::default(),
        clock: Arc::new(ManualClock::new(std::time::UNIX_EPOCH + Duration::from_secs(1_800_000_000))),
    }
}

fn open(dir: &std::path::Path) -> Spool {
    Spool::open(settings(dir)).unwrap()
}

/// The directory's lock is given back by the spool's thread, which ends a moment after the last clone.
async fn reopen(dir: &std::path::Path) -> Spool {
    loop {
        match Spool::open(settings(dir)) {
            Err(OpenError::InUse(_)) => tokio::task::yield_now().await,
            opened => return opened.unwrap(),
        }
    }
}

fn sheet(instance: &str, calling: &str) -> Sheet {
    Sheet {
        calling_ae: calling.into(),
        sop_class: CT.into(),
        sop_instance: instance.into(),
        transfer_syntax: EXPLICIT.into(),
        received_ns: 0,
        shown: None,
    }
}

fn object(instance: &str, pixel_bytes: usize) -> Vec<u8> {
    let mut image = DataSet::new();
    for (tag, vr, value) in [
        (Tag(0x0008, 0x0016), VR::UI, CT),
        (Tag(0x0008, 0x0018), VR::UI, instance),
        (Tag(0x0010, 0x0010), VR::PN, NAME),
        (Tag(0x0020, 0x000D), VR::UI, "1.2.3"),
        (Tag(0x0020, 0x000E), VR::UI, "1.2.3.4"),
    ] {
        image.put_text(tag, vr, value);
    }
    image.put(Tag(0x7FE0, 0x0010), VR::OB, Value::Bytes(vec![7; pixel_bytes]));
    image.encode(Encoding::ExplicitLittleEndian, &SpecificCharacterSet::default()).unwrap()
}

async fn take(spool: &Spool, instance: &str, calling: &str, bytes: &[u8]) -> Result<u64, SpoolRefused> {
    let mut arrival = spool.begin(sheet(instance, calling))?;
    for chunk in bytes.chunks(10_000) {
        arrival.push(chunk).await?;
    }
    arrival.finish().await
}

async fn whole(spool: &Spool, number: u64) -> Vec<u8> {
    let mut reader = spool.read(number).await.unwrap();
    let mut bytes = Vec::new();
    while let Some(chunk) = reader.next().await.unwrap() {
        bytes.extend_from_slice(&chunk);
    }
    bytes
}

fn title(text: &str) -> AeTitle {
    AeTitle::parse(text).unwrap()
}

#[tokio::test]
async fn what_was_acknowledged_comes_back_after_a_restart_in_order_and_equal() {
    let dir = tempfile::tempdir().unwrap();
    let objects: Vec<(String, Vec<u8>)> =
        (0..5).map(|n| (format!("1.2.3.4.{n}"), object(&format!("1.2.3.4.{n}"), 700_000 * n))).collect();
    {
        let spool = open(dir.path());
        for (instance, bytes) in &objects {
            take(&spool, instance, "CT1", bytes).await.unwrap();
        }
        take(&spool, "1.9", "MR1", &object("1.9", 10)).await.unwrap();
    }
    let spool = reopen(dir.path()).await;
    assert_eq!(spool.senders(), ["CT1", "MR1"]);
    let waiting = spool.waiting(&title("CT1"), 10);
    assert_eq!(waiting.len(), 5);
    for (waiting, (instance, bytes)) in waiting.iter().zip(&objects) {
        assert_eq!(&waiting.sheet.sop_instance, instance);
        assert!(whole(&spool, waiting.number).await == *bytes, "{instance}");
        spool.forget(waiting.number).await.unwrap();
    }
    assert_eq!(spool.filling().waiting, 1);
    assert!(take(&spool, "1.10", "CT1", &object("1.10", 1)).await.unwrap() > waiting[4].number);
}

#[tokio::test]
async fn nothing_is_in_clear_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    let number = take(&spool, "1.2.3.4.5", "CT1", &object("1.2.3.4.5", 200_000)).await.unwrap();
    spool.set_apart(number, format!("refused: {NAME}")).await.unwrap();
    for entry in std::fs::read_dir(dir.path().join("edge/spool")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for canary in [NAME.as_bytes(), b"1.2.3.4.5", b"CT1", &[7; 32]] {
            assert!(!bytes.windows(canary.len()).any(|window| window == canary));
        }
    }
}

#[tokio::test]
async fn what_is_no_instance_or_another_one_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    let good = object("1.2.3.4.5", 5_000_000);
    let cut = take(&spool, "1.2.3.4.5", "CT1", &good[..good.len() - 1]).await.unwrap_err();
    assert!(matches!(cut, SpoolRefused::CannotUnderstand(_)), "{cut}");
    let other = take(&spool, "1.2.3.4.6", "CT1", &good).await.unwrap_err();
    assert!(matches!(other, SpoolRefused::DoesNotMatch(_)), "{other}");
    let mut dropped = spool.begin(sheet("1.2.3.4.5", "CT1")).unwrap();
    dropped.push(&good[..4_000_000]).await.unwrap();
    drop(dropped);
    assert_eq!(spool.filling(), Filling::default());
    assert_eq!(std::fs::read_dir(dir.path().join("edge/spool")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_full_spool_refuses_until_objects_have_gone() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(SpoolSettings { max_bytes: 3_000_000, ..settings(dir.path()) }).unwrap();
    let first = take(&spool, "1.1", "CT1", &object("1.1", 2_000_000)).await.unwrap();
    let full = take(&spool, "1.2", "CT1", &object("1.2", 2_000_000)).await.unwrap_err();
    assert!(matches!(full, SpoolRefused::Full(_)), "{full}");
    spool.forget(first).await.unwrap();
    take(&spool, "1.2", "CT1", &object("1.2", 2_000_000)).await.unwrap();
}

#[tokio::test]
async fn objects_set_apart_are_listed_with_the_reason_and_retried_or_discarded() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    for instance in ["1.1", "1.2", "1.3"] {
        let number = take(&spool, instance, "CT1", &object(instance, 1)).await.unwrap();
        spool.set_apart(number, "0xA900".into()).await.unwrap();
    }
    let data_dir = dir.path().join("edge");
    let listed = SpoolDirectory::list(&data_dir, &settings(dir.path()).key_source).unwrap();
    assert_eq!(listed.iter().map(|it| it.reason.as_deref()).collect::<Vec<_>>(), [Some("0xA900"); 3]);
    let directory = SpoolDirectory::of(&data_dir);
    assert!(directory.retry(1).unwrap() && directory.discard(2).unwrap());
    assert!(!directory.retry(1).unwrap() && !directory.discard(9).unwrap());
    let mut arrivals = spool.arrivals();
    spool.refresh().await;
    arrivals.changed().await.unwrap();
    assert_eq!(spool.waiting(&title("CT1"), 9)[0].sheet.sop_instance, "1.1");
    assert_eq!((spool.filling().waiting, spool.filling().apart), (1, 1));
}

#[tokio::test]
async fn a_changed_byte_is_told_and_not_handed_out() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    let number = take(&spool, "1.1", "CT1", &object("1.1", 300_000)).await.unwrap();
    let path = spool.shared.directory().path(number, look::FileKind::Waiting);
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.len() - 40;
    bytes[at] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let mut reader = spool.read(number).await.unwrap();
    let told = loop {
        match reader.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("read to its end"),
            Err(error) => break error,
        }
    };
    assert!(matches!(told, SpoolRefused::Damaged(_)), "{told}");
}

#[tokio::test]
async fn keys_go_with_the_last_object_they_sealed_and_a_lost_keyring_is_told() {
    let dir = tempfile::tempdir().unwrap();
    {
        let spool = open(dir.path());
        let number = take(&spool, "1.1", "CT1", &object("1.1", 1)).await.unwrap();
        take(&spool, "1.2", "CT1", &object("1.2", 1)).await.unwrap();
        spool.forget(number).await.unwrap();
    }
    {
        let spool = reopen(dir.path()).await;
        assert_eq!(spool.shared.keyring.key_ids().len(), 1, "the key of what still waits");
        let number = spool.waiting(&title("CT1"), 1)[0].number;
        assert!(!whole(&spool, number).await.is_empty());
        spool.forget(number).await.unwrap();
        spool.refresh().await;
        assert!(spool.shared.keyring.key_ids().is_empty(), "nothing waits, nothing can be opened");
        take(&spool, "1.3", "CT1", &object("1.3", 1)).await.unwrap();
    }
    drop(reopen(dir.path()).await);
    std::fs::remove_file(dir.path().join("edge/keyring/keyring")).unwrap();
    let refused = loop {
        match Spool::open(settings(dir.path())) {
            Err(OpenError::InUse(_)) => tokio::task::yield_now().await,
            other => break other.err().unwrap(),
        }
    };
    assert!(matches!(refused, OpenError::Damaged(_)), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_share_their_syncs_and_all_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    let senders = (0..32).map(|n| {
        let spool = spool.clone();
        tokio::spawn(
            async move { take(&spool, &format!("1.{n}"), "CT1", &object(&format!("1.{n}"), 1)).await.unwrap() },
        )
    });
    let mut numbers: Vec<u64> = futures::future::join_all(senders).await.into_iter().map(Result::unwrap).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=32).collect::<Vec<u64>>());
    assert_eq!(spool.waiting(&title("CT1"), 100).len(), 32);
}
