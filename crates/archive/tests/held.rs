//! What unknown senders send waits: found by nobody, lost by nobody.

#![expect(clippy::unwrap_used, reason = "test")]

use std::time::Duration;

use leadglass_archive::access::Scope;
use leadglass_archive::administer::{NewLegacyPeer, Peer, Verb};
use leadglass_archive::brake::Envelope;
use leadglass_archive::held::{Arriving, Enrolment, TakenIn};
use leadglass_archive::search::Search;
use leadglass_archive::spool::Shown;
use leadglass_archive::store::StoreRefused;
use leadglass_archive::testing::{Sample, TestArchive};
use leadglass_archive::{Archive, Caller, Credential, Door, Refused, Source, UserIdentity};
use leadglass_dicom::query::{Query, QueryOptions, Root};
use leadglass_dicom::{DataSet, SopClassUid, Tag, TransferSyntax, Uid, VR};

const DAY: Duration = Duration::from_secs(24 * 3600);
const REASON: &str = "sent by mistake, as its owner says";

fn waiting() -> TestArchive {
    TestArchive::with(|settings| settings.held.admits = true)
}

fn shown(ae: &str, certificate: &str) -> Credential {
    let (certificate_der, calling_ae) = (certificate.as_bytes().to_vec(), ae.parse().unwrap());
    Credential::Peer { certificate_der, calling_ae, user_identity: None }
}

fn network(door: Door) -> Source {
    Source { address: Some([192, 0, 2, 9].into()), door }
}

async fn stranger(archive: &Archive, ae: &str) -> Caller {
    archive.authenticate(network(Door::Dimse), shown(ae, &format!("device {ae}"))).await.unwrap()
}

fn arriving(sample: &Sample) -> Arriving {
    let syntax = Uid::parse(leadglass_dicom::transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN).unwrap();
    Arriving {
        transfer_syntax: TransferSyntax::from_uid(syntax),
        sop_class: SopClassUid::parse(Sample::SOP_CLASS).unwrap(),
        sop_instance: sample.sop_uid(),
        shown: Shown { subject: "CN=a device".into(), ..Shown::default() },
    }
}

async fn send(archive: &Archive, caller: &Caller, sample: &Sample) -> Result<(), StoreRefused> {
    let mut hold = archive.hold(caller, arriving(sample)).await?;
    for piece in sample.encode().chunks(4096) {
        hold.push(piece).await?;
    }
    hold.finish().await
}

fn samples(study: u32) -> Vec<Sample> {
    (1..=3).map(|number| Sample::new(study, 1, number)).collect()
}

/// An archive in which three objects of one unknown sender wait, and what that sender is called.
async fn with_three(test: TestArchive) -> (TestArchive, String) {
    let sender = stranger(test.archive(), "NEW1").await;
    for sample in samples(1) {
        send(test.archive(), &sender, &sample).await.unwrap();
    }
    let id = test.archive().held(&test.host().await).await.unwrap()[0].sender.clone();
    (test, id)
}

async fn found(test: &TestArchive) -> usize {
    let host = test.host().await;
    let mut identifier = DataSet::new();
    identifier.put_text(Tag(0x0008, 0x0052), VR::CS, "STUDY");
    let query = Query::from_identifier(Root::Study, &QueryOptions::default(), &identifier).unwrap();
    let mut matches = test.archive().search(&host, Search { query, limit: None, offset: 0 }).await.unwrap();
    let mut rows = 0;
    while let Some(page) = matches.next_page().await.unwrap() {
        rows += page.len();
    }
    rows
}

async fn objects_that_wait(test: &TestArchive) -> u64 {
    test.archive().held(&test.host().await).await.unwrap().iter().map(|sender| sender.objects).sum()
}

#[tokio::test]
async fn unknown_senders_are_refused_unless_they_may_wait() {
    let test = TestArchive::new();
    let refused = test.archive().authenticate(network(Door::Dimse), shown("NEW1", "device NEW1")).await.unwrap_err();
    assert!(refused.calling_ae_unknown);
    assert_eq!(refused.reason, "unknown AE title");
    assert!(test.archive().held(&test.host().await).await.unwrap().is_empty());
    assert!(!test.data_dir().join("held").exists(), "nothing is made for what nobody may do");
}

#[tokio::test]
async fn who_was_ever_a_peer_and_who_takes_a_peer_s_title_is_no_unknown_sender() {
    let test = waiting();
    test.peer("CT1", &[Verb::Store]).await;
    test.peer("CT2", &[Verb::Store]).await;
    test.archive().revoke_peer(&test.host().await, &"CT2".parse().unwrap()).await.unwrap();
    let legacy = NewLegacyPeer {
        ae: "US1".into(),
        address: [10, 0, 0, 7].into(),
        lifetime: Duration::from_secs(86_400),
        scope: Scope::everything(),
        label: None,
        contact: None,
    };
    test.archive().add_legacy_peer(&test.host().await, legacy).await.unwrap();
    let refused = async |credential, door| test.archive().authenticate(network(door), credential).await.unwrap_err();
    for (ae, certificate) in [
        ("CT1", "another"),
        ("CT2", "certificate of CT2"),
        ("CT2", "another"),
        ("US1", "another"),
        ("NEW1", "certificate of CT1"),
        ("NEW1", "certificate of CT2"),
    ] {
        let rejected = refused(shown(ae, certificate), Door::Dimse).await;
        assert!(rejected.calling_ae_unknown, "{ae} with {certificate}");
    }
    refused(shown("NEW1", "another"), Door::Admin).await;
    let tries = Credential::Peer {
        certificate_der: b"another".to_vec(),
        calling_ae: "NEW1".parse().unwrap(),
        user_identity: Some(UserIdentity::UsernamePasscode("ada".into(), "guess".into())),
    };
    assert!(refused(tries, Door::Dimse).await.calling_ae_unknown, "no passphrase is tried through a stranger");
}

#[tokio::test]
async fn an_unknown_sender_may_do_nothing_but_have_its_objects_wait() {
    let test = waiting();
    let sender = stranger(test.archive(), "NEW1").await;
    let may: Vec<_> = leadglass_archive::Operation::ALL.iter().filter(|operation| sender.may(**operation)).collect();
    assert_eq!(may, [&leadglass_archive::Operation::Hold]);
    let refused = test.store(&sender, &Sample::new(1, 1, 1)).await.unwrap_err();
    assert!(matches!(refused, StoreRefused::Refused(Refused::NotAllowed)));
    assert!(test.read(&sender, &Sample::new(1, 1, 1)).await.is_err());
    assert!(test.archive().held(&sender).await.is_err());
    let peer = test.peer("CT1", &[Verb::Store]).await;
    assert!(send(test.archive(), &peer, &Sample::new(1, 1, 1)).await.is_err(), "a peer does not wait");
}

#[tokio::test]
async fn what_waits_is_found_by_nobody_and_nothing_of_it_is_in_clear() {
    let test = waiting();
    let sender = stranger(test.archive(), "CANARYAE").await;
    let sample = Sample {
        patient_name: "Canary^Tweety".into(),
        patient_id: "CANARY-4711".into(),
        sop_instance: "1.2.3.4.5.6.7".into(),
        ..Sample::new(1, 1, 1)
    };
    send(test.archive(), &sender, &sample).await.unwrap();
    let host = test.host().await;
    assert_eq!(found(&test).await, 0);
    assert!(matches!(test.read(&host, &sample).await, Err(Refused::NotFound)));
    let counts = test.archive().statistics(&host).await.unwrap().counts;
    assert_eq!(test.archive().statistics(&host).await.unwrap().held_senders, 1);
    assert_eq!((counts.patients, counts.studies, counts.instances, counts.quarantined), (0, 0, 0, 0));
    assert!(test.archive().quarantine(&host, None, 10).await.unwrap().is_empty());
    let rows = test.archive().held(&host).await.unwrap();
    let listed = serde_json::to_string(&rows).unwrap();
    assert!(listed.contains("CANARYAE") && !listed.contains("Tweety") && !listed.contains("4711"), "{listed}");
    test.archive().close().await;
    for file in test.files() {
        let bytes = std::fs::read(&file).unwrap();
        for canary in [&b"Tweety"[..], b"CANARY-4711", b"1.2.3.4.5.6.7", &sample.frame(1)[..64]] {
            let holds = bytes.windows(canary.len()).any(|window| window == canary);
            assert!(!holds, "{} holds a canary", file.display());
        }
    }
}

#[tokio::test]
async fn accepted_is_as_if_it_had_been_stored_and_the_sender_stays_unknown() {
    let (test, id) = with_three(waiting()).await;
    let taken = test.archive().accept_held(&test.host().await, &id).await.unwrap();
    assert_eq!(taken, TakenIn { kept: 3, ..TakenIn::default() });
    let reader = test.caller("reader", Door::DicomWeb).await;
    for sample in samples(1) {
        assert!(test.read(&reader, &sample).await.unwrap() == sample.encode());
    }
    assert_eq!((found(&test).await, objects_that_wait(&test).await), (1, 0));
    let again = test.archive().accept_held(&test.host().await, &id).await;
    assert!(matches!(again, Err(Refused::NotFound)));
    // The sender goes on waiting with what comes next, and what is known is not taken twice.
    let sender = stranger(test.archive(), "NEW1").await;
    send(test.archive(), &sender, &samples(1)[0]).await.unwrap();
    let other = Sample { seed: 99, ..samples(1)[1].clone() };
    send(test.archive(), &sender, &other).await.unwrap();
    assert_eq!(objects_that_wait(&test).await, 2);
    let taken = test.archive().accept_held(&test.host().await, &id).await.unwrap();
    assert_eq!(taken, TakenIn { already_there: 1, quarantined: 1, ..TakenIn::default() });
    assert!(test.read(&reader, &samples(1)[1]).await.unwrap() == samples(1)[1].encode());
    let trail = test.trail().await;
    let stored = trail.iter().find(|row| row.action == "store" && row.outcome == "done").unwrap();
    assert!(stored.detail.contains("unknown sender NEW1, accepted by host operator"), "{}", stored.detail);
}

#[tokio::test]
async fn an_enrolled_sender_is_a_peer_and_what_is_out_of_its_scope_waits_on() {
    let (test, id) = with_three(waiting()).await;
    let before = stranger(test.archive(), "NEW1").await;
    send(test.archive(), &before, &Sample { modality: "MR".into(), ..Sample::new(2, 1, 1) }).await.unwrap();
    let enrolment = |verbs: &[Verb]| Enrolment {
        verbs: verbs.to_vec(),
        scope: Scope { modalities: vec!["CT".into()], ..Scope::default() },
        address: None,
        label: Some("Radiology 2".into()),
        contact: None,
    };
    let host = test.host().await;
    let refused = test.archive().enrol_held(&host, &id, enrolment(&[Verb::Find])).await;
    assert!(matches!(refused, Err(Refused::Invalid(_))));
    let taken = test.archive().enrol_held(&host, &id, enrolment(&[Verb::Store])).await.unwrap();
    assert_eq!(taken, TakenIn { kept: 3, left: 1, ..TakenIn::default() });
    assert!(!test.archive().is_current(&before), "its associations as nobody end");
    let peer = test.archive().authenticate(network(Door::Dimse), shown("NEW1", "device NEW1")).await.unwrap();
    test.store(&peer, &Sample::new(1, 1, 9)).await.unwrap();
    assert!(send(test.archive(), &peer, &Sample::new(1, 1, 8)).await.is_err());
    let discarded = test.archive().discard_held(&host, &id, REASON).await.unwrap();
    assert_eq!(discarded, TakenIn { discarded: 1, ..TakenIn::default() });
    let trail = test.trail().await;
    assert!(trail.iter().any(|row| row.action == "enrol-held" && row.detail.contains("NEW1")));
}

#[tokio::test]
async fn discarded_is_destroyed_with_its_keys_and_nobody_else_s() {
    let (test, id) = with_three(waiting()).await;
    let other = stranger(test.archive(), "NEW2").await;
    send(test.archive(), &other, &Sample::new(2, 1, 1)).await.unwrap();
    let first = stranger(test.archive(), "NEW1").await;
    let mut late = test.archive().hold(&first, arriving(&Sample::new(1, 1, 7))).await.unwrap();
    late.push(&Sample::new(1, 1, 7).encode()).await.unwrap();
    let before: Vec<_> = objects(&test).into_iter().map(|path| std::fs::read(path).unwrap()).collect();
    let host = test.host().await;
    assert!(matches!(test.archive().discard_held(&host, &id, "no").await, Err(Refused::Invalid(_))));
    let discarded = test.archive().discard_held(&host, &id, REASON).await.unwrap();
    assert_eq!(discarded, TakenIn { discarded: 3, ..TakenIn::default() });
    let refused = late.finish().await.unwrap_err();
    assert!(matches!(refused, StoreRefused::Refused(Refused::OutOfResources(_))), "{refused}");
    assert_eq!(objects(&test).len(), 1);
    // Whoever kept a copy of the files and has the master key has nothing of it.
    let paths: Vec<_> =
        (0..before.len()).map(|n| test.data_dir().join("held/spool").join(format!("{:016x}.obj", n + 1))).collect();
    test.archive().close().await;
    for (path, bytes) in paths.iter().zip(&before) {
        std::fs::write(path, bytes).unwrap();
    }
    let listed =
        leadglass_archive::spool::SpoolDirectory::list(&test.data_dir().join("held"), &test.settings().key_source);
    let Err(error) = listed else { panic!("a discarded object opens again") };
    assert!(error.to_string().contains("key"), "{error}");
    let rows = test.trail().await;
    let about = rows.iter().filter(|row| row.action == "held-ends" && row.detail.contains("PAT-1"));
    assert_eq!(about.count(), 1, "whose it was is on record");
}

fn objects(test: &TestArchive) -> Vec<std::path::PathBuf> {
    let mut paths: Vec<_> =
        test.files().into_iter().filter(|path| path.extension().is_some_and(|e| e == "obj")).collect();
    paths.sort();
    paths
}

#[tokio::test]
async fn what_waits_survives_restarts_crashes_and_the_index_s_loss() {
    let (test, id) = with_three(waiting()).await;
    let test = test.after_crash();
    assert_eq!(objects_that_wait(&test).await, 3);
    let test = test
        .meddled(|data_dir| {
            for name in ["index.db", "index.db-wal", "index.db-shm"] {
                let _ = std::fs::remove_file(data_dir.join(name));
            }
        })
        .await;
    assert_eq!((objects_that_wait(&test).await, found(&test).await), (3, 0));
    // Where unknown senders are refused again, what waits goes on waiting.
    let test = test.with_settings(|settings| settings.held.admits = false).await;
    assert_eq!(objects_that_wait(&test).await, 3);
    assert!(test.archive().authenticate(network(Door::Dimse), shown("NEW1", "device NEW1")).await.is_err());
    let taken = test.archive().accept_held(&test.host().await, &id).await.unwrap();
    assert_eq!(taken.kept, 3);
    let test = test.with_settings(|settings| settings.held.admits = true).await;
    // Numbers that were decided about are not given again: what comes now is not discarded.
    let sender = stranger(test.archive(), "NEW1").await;
    send(test.archive(), &sender, &Sample::new(3, 1, 1)).await.unwrap();
    let test = test.reopened().await;
    test.archive().carry_on_held().await;
    assert_eq!(objects_that_wait(&test).await, 1);
}

#[tokio::test]
async fn a_decision_that_a_crash_cut_off_is_carried_out() {
    for discard in [false, true] {
        let (test, id) = with_three(waiting()).await;
        let before: Vec<_> = objects(&test).into_iter().map(|path| (std::fs::read(&path).unwrap(), path)).collect();
        let keyring = test.data_dir().join("held/keyring");
        let keys: Vec<_> = std::fs::read_dir(&keyring)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (std::fs::read(&path).unwrap(), path))
            .collect();
        let host = test.host().await;
        let change_at_hand = match discard {
            true => test.archive().discard_held(&host, &id, REASON).await.unwrap(),
            false => test.archive().accept_held(&host, &id).await.unwrap(),
        };
        assert_eq!(change_at_hand.kept + change_at_hand.discarded, 3);
        // As if nothing of it had reached the disk but the record of the decision.
        let test = test
            .meddled(|_| {
                for (bytes, path) in before.iter().chain(&keys) {
                    std::fs::write(path, bytes).unwrap();
                }
            })
            .await;
        test.forget_that_it_was_carried_out(&id).await;
        test.archive().carry_on_held().await;
        assert_eq!(objects_that_wait(&test).await, 0);
        assert_eq!(found(&test).await, usize::from(!discard), "taken in once, or not at all");
    }
}

#[tokio::test]
async fn a_full_queue_says_so_and_loses_nothing() {
    let test = TestArchive::with(|settings| {
        settings.held.admits = true;
        settings.held.objects_per_sender = 2;
        settings.held.senders = 2;
        settings.held.bytes_per_sender = 40_000;
    });
    let sender = stranger(test.archive(), "NEW1").await;
    let full = |refused: StoreRefused| matches!(refused, StoreRefused::Refused(Refused::OutOfResources(_)));
    for sample in &samples(1)[..2] {
        send(test.archive(), &sender, sample).await.unwrap();
    }
    assert!(full(send(test.archive(), &sender, &samples(1)[2]).await.unwrap_err()));
    let large = Sample { side: 300, ..Sample::new(2, 1, 1) };
    assert!(full(send(test.archive(), &stranger(test.archive(), "NEW2").await, &large).await.unwrap_err()));
    send(test.archive(), &stranger(test.archive(), "NEW2").await, &Sample::new(2, 1, 1)).await.unwrap();
    assert!(full(
        send(test.archive(), &stranger(test.archive(), "NEW3").await, &Sample::new(3, 1, 1)).await.unwrap_err()
    ));
    assert_eq!(objects_that_wait(&test).await, 3);
    test.pass(Duration::from_secs(61)).await;
    let told = test.trail().await.into_iter().filter(|row| row.action == "sender-waits" && row.outcome == "failed");
    assert_eq!(told.count(), 2, "the first at once, the rest of the minute as one");
}

#[tokio::test]
async fn whoever_looks_at_what_waits_is_on_record_by_study() {
    let (test, id) = with_three(waiting()).await;
    let officer = test.caller("privacy-officer", Door::Admin).await;
    let objects = test.archive().held_objects(&officer, &id, 0, 2).await.unwrap();
    assert_eq!(objects.iter().map(|object| object.number).collect::<Vec<_>>(), [1, 2]);
    let about = objects[0].about.clone().unwrap();
    assert_eq!((about.patient_id.as_deref(), about.patient_name.as_deref()), (Some("PAT-1"), Some("Doe^Jane1")));
    let rows = test.trail().await;
    let seen = rows.iter().filter(|row| row.action == "instances-accessed" && row.detail.contains("PAT-1"));
    assert_eq!(seen.count(), 1);
    assert!(matches!(test.archive().accept_held(&officer, &id).await, Err(Refused::NotAllowed)));
    assert!(matches!(test.archive().discard_held(&officer, &id, REASON).await, Err(Refused::NotAllowed)));
    let auditor = test.caller("auditor", Door::Admin).await;
    assert_eq!(test.archive().held(&auditor).await.unwrap()[0].subject, "CN=a device");
    assert!(matches!(test.archive().held_objects(&auditor, &id, 0, 2).await, Err(Refused::NotAllowed)));
}

#[tokio::test]
async fn nothing_waits_that_is_not_on_record() {
    let test = waiting();
    let sender = stranger(test.archive(), "NEW1").await;
    let sample = Sample::new(1, 1, 1);
    let mut hold = test.archive().hold(&sender, arriving(&sample)).await.unwrap();
    hold.push(&sample.encode()).await.unwrap();
    test.fail_writes();
    assert!(matches!(hold.finish().await, Err(StoreRefused::Refused(Refused::ReadOnly(_)))));
    assert!(objects(&test).is_empty());
}

#[tokio::test]
async fn a_title_that_became_a_peer_s_meanwhile_is_not_enrolled_over_it() {
    let (test, id) = with_three(waiting()).await;
    let host = test.host().await;
    let peer =
        Peer { ae: "NEW1".into(), certificate_sha256: "a".repeat(64), scope: Scope::everything(), ..Peer::default() };
    test.archive().add_peer(&host, peer).await.unwrap();
    let enrolment =
        Enrolment { verbs: vec![Verb::Store], scope: Scope::everything(), address: None, label: None, contact: None };
    assert!(matches!(test.archive().enrol_held(&host, &id, enrolment).await, Err(Refused::Invalid(_))));
    assert_eq!(test.archive().accept_held(&host, &id).await.unwrap().kept, 3);
}

#[tokio::test]
async fn what_does_not_open_is_set_aside_and_stops_nobody() {
    let (test, id) = with_three(waiting()).await;
    let hurt = objects(&test)[2].clone();
    let aside = hurt.with_extension("damaged");
    let flip = |path: &std::path::Path| {
        let mut bytes = std::fs::read(path).unwrap();
        bytes[100] ^= 1;
        std::fs::write(path, bytes).unwrap();
    };
    let test = test.meddled(|_| flip(&hurt)).await;
    assert_eq!((objects_that_wait(&test).await, aside.exists()), (2, true));
    let told = test.trail().await.into_iter().filter(|row| row.action == "integrity-broken");
    assert_eq!(told.count(), 1);
    let sender = stranger(test.archive(), "NEW1").await;
    send(test.archive(), &sender, &Sample::new(1, 1, 4)).await.unwrap();
    assert!(!hurt.exists(), "its number is not given again");
    // Its key stays when nothing else needs it: somebody may mend the file.
    let host = test.host().await;
    assert_eq!(test.archive().accept_held(&host, &id).await.unwrap().kept, 3);
    let test = test
        .reopened()
        .await
        .meddled(|_| {
            flip(&aside);
            std::fs::rename(&aside, &hurt).unwrap();
        })
        .await;
    assert_eq!(test.archive().accept_held(&test.host().await, &id).await.unwrap().kept, 1);
}

#[tokio::test]
async fn a_copy_whose_keys_went_while_it_was_made_opens() {
    let (test, id) = with_three(waiting()).await;
    let copied: Vec<_> = objects(&test).into_iter().map(|path| (std::fs::read(&path).unwrap(), path)).collect();
    test.archive().accept_held(&test.host().await, &id).await.unwrap();
    let put_back = |_: &std::path::Path| copied.iter().for_each(|(bytes, path)| std::fs::write(path, bytes).unwrap());
    let test = test.meddled(put_back).await;
    assert_eq!((objects_that_wait(&test).await, found(&test).await), (0, 1));
    send(test.archive(), &stranger(test.archive(), "NEW1").await, &Sample::new(2, 1, 1)).await.unwrap();
    let test = test.reopened().await;
    assert_eq!(objects_that_wait(&test).await, 1);
}

/// The begin of a data set whose header takes that many bytes.
fn header_of(bytes: u32) -> Vec<u8> {
    let mut header = vec![0x09, 0, 0x01, 0x10, b'U', b'T', 0, 0];
    header.extend(bytes.to_le_bytes());
    header.extend(vec![b'x'; bytes as usize]);
    header
}

#[tokio::test]
async fn unknown_senders_take_bounded_memory_and_none_of_peers() {
    let test = TestArchive::with(|settings| {
        settings.held.admits = true;
        settings.held.memory_bytes = 1 << 20;
    });
    let (sender, sample) = (stranger(test.archive(), "NEW1").await, Sample::new(1, 1, 1));
    let mut stalled = Vec::new();
    let refused = loop {
        assert!(stalled.len() < 10, "nothing bounds what waits to go on");
        let mut hold = test.archive().hold(&sender, arriving(&sample)).await.unwrap();
        match hold.push(&header_of(300_000)).await {
            Ok(()) => stalled.push(hold),
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, StoreRefused::Refused(Refused::OutOfResources(_))), "{refused}");
    assert!(!stalled.is_empty());
    let peer = test.peer("CT1", &[Verb::Store]).await;
    test.store(&peer, &Sample::new(2, 1, 1)).await.unwrap();
    drop(stalled);
    send(test.archive(), &sender, &sample).await.unwrap();
}

#[tokio::test]
async fn a_decision_that_fails_midway_is_tried_again() {
    let (test, id) = with_three(TestArchive::with(|settings| {
        settings.held.admits = true;
        settings.held.objects_per_sender = 3;
    }))
    .await;
    // One of the files cannot be removed for a while.
    let stuck = objects(&test)[1].clone();
    std::fs::remove_file(&stuck).unwrap();
    std::fs::create_dir(&stuck).unwrap();
    assert!(test.archive().discard_held(&test.host().await, &id, REASON).await.is_err());
    assert_ne!(objects_that_wait(&test).await, 0);
    std::fs::remove_dir(&stuck).unwrap();
    // What comes is refused until the decision is carried out, which is a little after the last file is gone.
    let comes_anew = async || {
        let sender = stranger(test.archive(), "NEW1").await;
        objects_that_wait(&test).await == 0 && send(test.archive(), &sender, &samples(1)[0]).await.is_ok()
    };
    let mut passed = Duration::ZERO;
    while !comes_anew().await {
        assert!(passed < DAY, "it is not tried again");
        test.pass(Duration::from_secs(61)).await;
        passed += Duration::from_secs(61);
    }
    let sender = stranger(test.archive(), "NEW1").await;
    for sample in &samples(1)[1..] {
        send(test.archive(), &sender, sample).await.unwrap();
    }
}

#[tokio::test]
async fn an_object_that_came_is_on_record_though_its_sender_has_gone() {
    let test = waiting();
    let (sender, sample) = (stranger(test.archive(), "NEW1").await, Sample::new(1, 1, 1));
    let mut hold = test.archive().hold(&sender, arriving(&sample)).await.unwrap();
    hold.push(&sample.encode()).await.unwrap();
    let mut finishing = Box::pin(hold.finish());
    assert!(futures::poll!(&mut finishing).is_pending());
    drop(finishing);
    let recorded = async {
        while !test.trail().await.iter().any(|row| row.action == "hold" && row.outcome == "done") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), recorded).await.expect("what came is on record");
    assert_eq!(objects_that_wait(&test).await, 1);
}

#[tokio::test]
async fn what_a_stranger_writes_at_length_is_told_in_short() {
    let test = waiting();
    let sender = stranger(test.archive(), "NEW1").await;
    let long = Sample { patient_id: "I".repeat(60_000), patient_name: "N".repeat(60_000), ..Sample::new(1, 1, 1) };
    send(test.archive(), &sender, &long).await.unwrap();
    let host = test.host().await;
    let id = test.archive().held(&host).await.unwrap()[0].sender.clone();
    let about = test.archive().held_objects(&host, &id, 0, 1).await.unwrap()[0].about.clone().unwrap();
    assert!(about.patient_name.unwrap().len() < 200 && about.patient_id.unwrap().len() < 200);
    assert!(test.trail().await.iter().all(|row| row.detail.len() < 10_000));
    assert_eq!(test.archive().accept_held(&host, &id).await.unwrap().kept, 1);
    let reader = test.caller("reader", Door::DicomWeb).await;
    assert!(test.read(&reader, &long).await.unwrap() == long.encode(), "and kept as it came");
}

#[tokio::test]
async fn looking_at_what_waits_counts_like_a_search() {
    let test = waiting();
    let sender = stranger(test.archive(), "NEW1").await;
    for study in 1..=4 {
        send(test.archive(), &sender, &Sample::new(study, 1, 1)).await.unwrap();
    }
    let (host, officer) = (test.host().await, test.caller("privacy-officer", Door::Admin).await);
    let id = test.archive().held(&host).await.unwrap()[0].sender.clone();
    let envelope = Envelope {
        patients_opened_an_hour: 100,
        patients_listed_an_hour: 3,
        bytes_an_hour: 1 << 30,
        new_patients_a_day: 100,
        hours: None,
    };
    test.archive().set_envelope(&host, officer.name(), Some(envelope)).await.unwrap();
    assert_eq!(test.archive().held_objects(&officer, &id, 0, 2).await.unwrap().len(), 2);
    let beyond = test.archive().held_objects(&officer, &id, 0, 4).await;
    assert!(matches!(beyond, Err(Refused::Braked { .. })));
    let seen = test.trail().await.iter().filter(|row| row.action == "instances-accessed").count();
    assert_eq!(seen, 2, "of whom nothing was told nobody is on record as looked at");
}
