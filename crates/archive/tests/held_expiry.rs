//! What nobody decides on expires, and not before somebody could have.

#![expect(clippy::unwrap_used, reason = "test")]

use std::time::Duration;

use leadglass_archive::held::Arriving;
use leadglass_archive::spool::Shown;
use leadglass_archive::testing::{Sample, TestArchive};
use leadglass_archive::{Credential, Door, Source};
use leadglass_dicom::clock::Clock;
use leadglass_dicom::{SopClassUid, TransferSyntax, Uid};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// An object of an unknown sender waits.
async fn send(test: &TestArchive, sample: &Sample) {
    let source = Source { address: Some([192, 0, 2, 9].into()), door: Door::Dimse };
    let (certificate_der, calling_ae) = (b"a device".to_vec(), "NEW1".parse().unwrap());
    let credential = Credential::Peer { certificate_der, calling_ae, user_identity: None };
    let sender = test.archive().authenticate(source, credential).await.unwrap();
    let syntax = Uid::parse(leadglass_dicom::transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN).unwrap();
    let arriving = Arriving {
        transfer_syntax: TransferSyntax::from_uid(syntax),
        sop_class: SopClassUid::parse(Sample::SOP_CLASS).unwrap(),
        sop_instance: sample.sop_uid(),
        shown: Shown::default(),
    };
    let mut hold = test.archive().hold(&sender, arriving).await.unwrap();
    hold.push(&sample.encode()).await.unwrap();
    hold.finish().await.unwrap();
}

async fn with_three() -> TestArchive {
    let test = TestArchive::with(|settings| settings.held.admits = true);
    for number in 1..=3 {
        send(&test, &Sample::new(1, 1, number)).await;
    }
    test
}

async fn objects_that_wait(test: &TestArchive) -> u64 {
    test.archive().held(&test.host().await).await.unwrap().iter().map(|sender| sender.objects).sum()
}

fn files(test: &TestArchive) -> usize {
    test.files().into_iter().filter(|path| path.extension().is_some_and(|e| e == "obj")).count()
}

async fn said(test: &TestArchive, what: &str) -> usize {
    test.trail().await.iter().filter(|row| row.detail.contains(what)).count()
}

#[tokio::test]
async fn what_nobody_decides_on_expires_with_warning_and_on_record() {
    let test = with_three().await;
    test.pass(Duration::from_secs(1)).await;
    assert_eq!(said(&test, "waits for approval").await, 1, "once a day, not once an object");
    test.pass(22 * DAY).await;
    assert_eq!(said(&test, "expire within").await, 0);
    for _ in 0..3 {
        test.pass(DAY / 2).await;
    }
    assert_eq!(said(&test, "3 objects of unknown sender NEW1").await, 1, "a week before");
    test.pass(5 * DAY + DAY / 2).await;
    assert_eq!(said(&test, "expire within 1 day ").await, 1);
    assert_eq!(objects_that_wait(&test).await, 3);
    test.pass(DAY).await;
    assert_eq!((objects_that_wait(&test).await, files(&test)), (0, 0));
    assert_eq!(said(&test, "expired unapproved").await, 2, "of the sender, and of the study");
    let test = test.reopened().await;
    assert_eq!(objects_that_wait(&test).await, 0);
}

#[tokio::test]
async fn what_expired_while_the_archive_was_off_is_told_of_first() {
    let test = with_three().await;
    test.pass(Duration::ZERO).await;
    let later = test.clock().now() + 400 * DAY;
    test.clock().set(later);
    let test = test.reopened().await;
    test.pass(2 * MINUTE).await;
    assert_eq!((objects_that_wait(&test).await, said(&test, "expire within 1 day ").await), (3, 1));
    test.pass(DAY - 10 * MINUTE).await;
    assert_eq!(objects_that_wait(&test).await, 3, "a day of being on, for somebody to decide");
    test.pass(10 * MINUTE).await;
    assert_eq!((objects_that_wait(&test).await, files(&test)), (0, 0));
}

#[tokio::test]
async fn a_wrong_hour_destroys_nothing() {
    let test = with_three().await;
    let right = test.clock().now();
    test.clock().set(right + 400 * DAY);
    test.pass(2 * MINUTE).await;
    assert_eq!(said(&test, "expire within 1 day ").await, 1);
    test.clock().set(right);
    test.pass(28 * DAY).await;
    assert_eq!(objects_that_wait(&test).await, 3);
    test.pass(DAY + 2 * MINUTE).await;
    assert_eq!(said(&test, "expire within 1 day ").await, 2, "what was told by the wrong hour was no warning");
    test.clock().set(right + 400 * DAY);
    test.pass(2 * MINUTE).await;
    assert_eq!(objects_that_wait(&test).await, 3, "a day after the warning, and not at a leap of the hour");
}

#[tokio::test]
async fn who_keeps_sending_is_told_of_each_time_and_once_an_hour() {
    let test = with_three().await;
    test.pass(5 * DAY).await;
    for number in 4..=6 {
        send(&test, &Sample::new(1, 1, number)).await;
        test.pass(10 * MINUTE).await;
    }
    test.pass(24 * DAY - 20 * MINUTE).await;
    assert_eq!(said(&test, "3 objects of unknown sender NEW1").await, 1, "the first ones: a day before");
    test.pass(DAY + MINUTE).await;
    assert_eq!(objects_that_wait(&test).await, 3);
    test.pass(4 * DAY - 15 * MINUTE).await;
    let before = said(&test, "expire within 1 day ").await;
    for _ in 0..10 {
        test.pass(10 * MINUTE).await;
    }
    assert_eq!(said(&test, "expire within 1 day ").await - before, 2, "the first of the later ones, then the others");
    test.pass(DAY).await;
    assert_eq!((objects_that_wait(&test).await, files(&test)), (0, 0));
}
