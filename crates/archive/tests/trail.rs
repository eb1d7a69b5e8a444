//! What is recorded, and that nothing happens without it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "test")]

use std::time::{Duration, SystemTime};

use leadglass_archive::access::people::SignIn;
use leadglass_archive::access::{Marked, Marks, Scope};
use leadglass_archive::administer::{Certified, NewInvitation, NewLegacyPeer, NewUser, Peer, UserChange, Verb};
use leadglass_archive::brake::Envelope;
use leadglass_archive::held::{Arriving, Enrolment};
use leadglass_archive::retrieve::{Purpose, SopReference};
use leadglass_archive::review::TrailQuery;
use leadglass_archive::search::Search;
use leadglass_archive::spool::Shown;
use leadglass_archive::store::StoreRefused;
use leadglass_archive::testing::{Sample, TestArchive};
use leadglass_archive::{Caller, Credential, Door, Operation, Refused, Selection, Source};
use leadglass_dicom::clock::Clock as _;
use leadglass_dicom::deidentify::Profile;
use leadglass_dicom::query::{Query, QueryOptions, Root};
use leadglass_dicom::{AeTitle, DataSet, SopClassUid, Tag, VR};

fn by_name(name: &str) -> Search {
    let mut identifier = DataSet::new();
    identifier.put_text(Tag(0x0008, 0x0052), VR::CS, "STUDY");
    identifier.put_text(Tag(0x0010, 0x0010), VR::PN, name);
    let query = Query::from_identifier(Root::Study, &QueryOptions::default(), &identifier).unwrap();
    Search { query, limit: None, offset: 0 }
}

fn of_study(sample: &Sample) -> Selection {
    Selection { studies: vec![sample.study_uid()], ..Selection::default() }
}

/// Does everything that can be asked for; what it is refused does not matter.
async fn everything(test: &TestArchive, caller: &Caller) {
    let archive = test.archive();
    let sample = Sample::new(1, 1, 1);
    let title = "CT9".parse().unwrap();
    let _ = test.store(caller, &sample).await;
    if let Ok(mut matches) = archive.search(caller, by_name("Doe*")).await {
        while let Ok(Some(_)) = matches.next_page().await {}
    }
    let _ = test.read(caller, &sample).await;
    let sop_class = SopClassUid::parse(Sample::SOP_CLASS).unwrap();
    let _ = archive.commit(caller, vec![SopReference { sop_class, sop_instance: sample.sop_uid() }]).await;
    let _ = archive.complete_setup(caller, "Ada").await;
    let _ = archive.new_setup_code(caller).await;
    let peer = Peer {
        ae: "CT9".into(),
        certificate_sha256: "0".repeat(64),
        verbs: vec![],
        scope: Scope::everything(),
        address: Some("127.0.0.1:104".into()),
        ..Default::default()
    };
    let _ = archive.add_peer(caller, peer.clone()).await;
    let new = NewInvitation { peer, lifetime: Duration::from_secs(60) };
    let invited = archive.invite_peer(caller, new).await;
    let _ = archive.invitations(caller).await;
    let id = invited.map(|(_, invitation)| invitation.id).unwrap_or_default();
    let _ = archive.withdraw_invitation(caller, &id).await;
    let certified = async |_: &AeTitle| Ok(Certified { sha256: "1".repeat(64), expires: SystemTime::UNIX_EPOCH });
    let _ = archive.enrol(caller, certified).await;
    let _ = archive.renew_peer(caller, certified).await;
    let _ = archive.destination(caller, &title).await;
    let _ = archive.revoke_peer(caller, &title).await;
    let _ = archive.add_legacy_peer(caller, legacy()).await;
    let _ = archive.revoke_legacy_peer(caller, &"US9".parse().unwrap()).await;
    let _ = archive.peers(caller).await;
    let _ = archive.create_token(caller, "t", "viewer", Duration::from_secs(60), Scope::everything()).await;
    let _ = archive.revoke_token(caller, "t").await;
    let _ = archive.tokens(caller).await;
    let _ = archive.define_role(caller, "night", [Operation::Search].into()).await;
    let _ = archive.roles(caller).await;
    let _ = archive.explain(caller).await;
    let _ = archive.break_glass(caller, "PAT-1", "unconscious, allergies unknown", Duration::from_secs(60)).await;
    let _ = archive.share(caller, &Sample::new(1, 1, 1).study_uid(), "eve", Duration::from_secs(60)).await;
    let grants = archive.grants(caller).await.unwrap_or_default();
    let _ = archive.end_grant(caller, grants.first().map_or("none", |grant| &grant.id)).await;
    let _ = archive.set_envelope(caller, "CT9", None).await;
    let _ = archive.envelopes(caller).await;
    let _ = archive.release_brake(caller, "CT9").await;
    let reviews = archive.reviews(caller).await.unwrap_or_default();
    let review = reviews.first().map_or("none", |review| review.id.as_str());
    let _ = archive.close_review(caller, review, "looked at and found in order").await;
    let eve = serde_json::from_value(serde_json::json!({ "name": "eve" })).unwrap();
    let _ = archive.add_user(caller, eve).await;
    let _ = archive.change_user(caller, "eve", UserChange::default()).await;
    let _ = archive.reset_user(caller, "eve").await;
    let _ = archive.end_sessions(caller, "eve").await;
    let _ = archive.users(caller).await;
    let _ = archive.account(caller).await;
    let _ = archive.end_other_sessions(caller).await;
    let _ = archive.sign_out(caller).await;
    let subject = Marked::Patient("PAT-9".into());
    let _ = archive.mark(caller, subject.clone(), Marks::default()).await;
    let _ = archive.marks(caller, subject).await;
    let _ = archive.make_project(caller, "study", Profile::default()).await;
    let _ = archive.projects(caller).await;
    if let Ok(deidentified) = archive.retrieve_deidentified(caller, "study", of_study(&sample)).await {
        deidentified.complete().await.unwrap();
    }
    let _ = archive.hold(caller, arriving(&sample)).await;
    let senders = archive.held(caller).await.unwrap_or_default();
    let waits = |number: usize| senders.get(number).map_or("none", |sender| sender.sender.as_str());
    let _ = archive.held_objects(caller, waits(0), 0, 10).await;
    let _ = archive.accept_held(caller, waits(0)).await;
    let enrolment =
        Enrolment { verbs: vec![Verb::Store], scope: Scope::everything(), address: None, label: None, contact: None };
    let _ = archive.enrol_held(caller, waits(1), enrolment).await;
    let _ = archive.discard_held(caller, waits(2), "sent by mistake, as its owner says").await;
    let _ = archive.host_secret(caller, "s", &|| vec![1]).await;
    let _ = archive.put_host_secret(caller, "s", &[2]).await;
    let _ = archive.statistics(caller).await;
    let _ = archive.trail(caller, TrailQuery { limit: 1, ..TrailQuery::default() }).await;
    let _ = archive.quarantine(caller, None, 1).await;
    if let Ok(delivery) = archive.deliver_trail(caller, "repository").await {
        delivery.end();
    }
    let _ = archive.erase_from_trail(caller, "PAT-9").await;
    let _ = archive.verify(caller, |_, _| {}).await;
}

fn legacy() -> NewLegacyPeer {
    NewLegacyPeer {
        ae: "US9".into(),
        address: [10, 0, 0, 9].into(),
        lifetime: Duration::from_secs(60),
        scope: Scope::everything(),
        label: None,
        contact: None,
    }
}

/// So that there is a review to close.
async fn somebody_is_held(test: &TestArchive) {
    let (host, reader) = (test.host().await, test.caller("reader", Door::DicomWeb).await);
    let sample = Sample::new(5, 1, 1);
    test.store(&host, &sample).await.unwrap();
    let nothing = Envelope {
        patients_opened_an_hour: 0,
        patients_listed_an_hour: 0,
        bytes_an_hour: 0,
        new_patients_a_day: 0,
        hours: None,
    };
    test.archive().set_envelope(&host, reader.name(), Some(nothing)).await.unwrap();
    assert!(matches!(test.read(&reader, &sample).await, Err(Refused::Braked { .. })));
}

/// What nobody but a person with two factors can do.
async fn everything_for_people(test: &TestArchive) {
    let (archive, source) = (test.archive(), Source { address: Some([192, 0, 2, 1].into()), door: Door::Admin });
    let right = |role: &str| serde_json::from_value(serde_json::json!({ "role": role })).unwrap();
    let rights = vec![right("reader"), right("emergency")];
    let new = NewUser { name: "joy".into(), display: None, service: false, rights, patients: Vec::new() };
    let invitation = archive.add_user(&test.host().await, new).await.unwrap().unwrap();
    let passphrase = "a lead apron in the attic";
    let begun = archive.accept_invitation(&source, "joy", &invitation, passphrase).await.unwrap();
    let caller = async |session: &str| {
        archive.authenticate(source.clone(), Credential::Session(session.to_owned())).await.unwrap()
    };
    let joy = caller(&begun.secret).await;
    let totp = archive.begin_totp(&joy).await.unwrap();
    let code = || leadglass_archive::testing::totp_code(&totp.secret, test.clock().now());
    archive.confirm_totp(&joy, &totp.ticket, &code()).await.unwrap();
    test.pass(Duration::from_secs(60)).await;
    let SignIn::SecondFactor { ticket, .. } = archive.sign_in(&source, "joy", passphrase).await.unwrap() else {
        panic!("two factors are due")
    };
    let session = archive.sign_in_second(&source, &ticket, &code()).await.unwrap();
    let joy = caller(&session.secret).await;
    let hour = Duration::from_secs(3600);
    archive.break_glass(&joy, "PAT-1", "unconscious, allergies unknown", hour).await.unwrap();
    let grant = archive.share(&joy, &Sample::new(1, 1, 1).study_uid(), "eve", hour).await.unwrap();
    archive.end_grant(&test.host().await, &grant.id).await.unwrap();
}

#[tokio::test]
async fn every_operation_writes_its_entry_allowed_or_not() {
    let test = TestArchive::with(|settings| settings.held.admits = true);
    let stranger = Source { address: Some([192, 0, 2, 1].into()), door: Door::DicomWeb };
    let _ = test.archive().authenticate(stranger, Credential::ApiToken("guess".into())).await;
    let monitor = test.caller("monitor", Door::DicomWeb).await;
    let before = test.trail().await.len();
    everything(&test, &monitor).await;
    let trail = test.trail().await;
    let refused: Vec<&str> =
        trail[..trail.len() - before].iter().filter(|row| row.outcome == "refused").map(|row| &*row.action).collect();
    // Nobody asks to sign in who is somebody already.
    let asked = |operation: &&Operation| !matches!(operation, Operation::Authenticate | Operation::SignIn);
    for operation in Operation::ALL.iter().filter(asked) {
        assert!(refused.contains(&operation.name()), "{} was refused and not recorded", operation.name());
    }
    somebody_is_held(&test).await;
    unknown_senders_wait(&test).await;
    everything(&test, &test.host().await).await;
    let code = test.archive().new_setup_code(&test.host().await).await.unwrap();
    let source = Source { address: None, door: Door::Host };
    let setup = test.archive().authenticate(source, Credential::SetupCode(code)).await.unwrap();
    test.archive().complete_setup(&setup, "Ada").await.unwrap();
    let invitation = test.archive().reset_user(&test.host().await, "eve").await.unwrap();
    let at_admin = Source { address: Some([192, 0, 2, 1].into()), door: Door::Admin };
    let passphrase = "a lead apron in the attic";
    let session = test.archive().accept_invitation(&at_admin, "eve", &invitation, passphrase).await.unwrap();
    let shown = Credential::Session(session.secret.to_string());
    let eve = test.archive().authenticate(at_admin, shown).await.unwrap();
    everything(&test, &eve).await;
    everything_for_people(&test).await;
    enrolled_and_renewed(&test).await;
    let trail = test.trail().await;
    for operation in Operation::ALL {
        let done = if *operation == Operation::Authenticate { "refused" } else { "done" };
        let written = trail.iter().any(|row| row.action == operation.name() && row.outcome == done);
        assert!(written, "{} was done and not recorded", operation.name());
    }
}

fn arriving(sample: &Sample) -> Arriving {
    let syntax = leadglass_dicom::transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN;
    Arriving {
        transfer_syntax: leadglass_dicom::TransferSyntax::from_uid(leadglass_dicom::Uid::parse(syntax).unwrap()),
        sop_class: SopClassUid::parse(Sample::SOP_CLASS).unwrap(),
        sop_instance: sample.sop_uid(),
        shown: Shown::default(),
    }
}

/// Three unknown senders, each with an object that waits.
async fn unknown_senders_wait(test: &TestArchive) {
    for title in ["NEW1", "NEW2", "NEW3"] {
        let source = Source { address: Some([192, 0, 2, 9].into()), door: Door::Dimse };
        let (certificate_der, calling_ae) = (title.as_bytes().to_vec(), title.parse().unwrap());
        let shown = Credential::Peer { certificate_der, calling_ae, user_identity: None };
        let stranger = test.archive().authenticate(source, shown).await.unwrap();
        let sample = Sample::new(9, 1, 1);
        let mut hold = test.archive().hold(&stranger, arriving(&sample)).await.unwrap();
        hold.push(&sample.encode()).await.unwrap();
        hold.finish().await.unwrap();
    }
}

/// What only an invitation and a certificate open.
async fn enrolled_and_renewed(test: &TestArchive) {
    let archive = test.archive();
    let peer = Peer { ae: "CT7".into(), scope: Scope::everything(), ..Peer::default() };
    let new = NewInvitation { peer, lifetime: Duration::from_secs(60) };
    let (token, _) = archive.invite_peer(&test.host().await, new).await.unwrap();
    let source = Source { address: Some([192, 0, 2, 1].into()), door: Door::Admin };
    let caller = archive.authenticate(source.clone(), Credential::Invitation(token)).await.unwrap();
    let certified = |der: &[u8]| {
        let sha256 = hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der));
        Certified { sha256, expires: SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000) }
    };
    let first = archive.enrol(&caller, async |_| Ok(certified(b"first"))).await.unwrap();
    assert!(archive.enrol(&caller, async |_| Ok(certified(b"again"))).await.is_err(), "used");
    let (certificate_der, calling_ae) = (b"first".to_vec(), first.ae.parse().unwrap());
    let shown = Credential::Peer { certificate_der, calling_ae, user_identity: None };
    let caller = archive.authenticate(source, shown).await.unwrap();
    archive.renew_peer(&caller, async |_| Ok(certified(b"second"))).await.unwrap();
    assert!(archive.is_current(&caller), "the one before is good for a while");
    test.pass(Duration::from_secs(15 * 24 * 3600)).await;
    assert!(!archive.is_current(&caller));
}

#[tokio::test]
async fn nothing_is_handed_out_when_the_trail_cannot_be_written() {
    let test = TestArchive::new();
    let administrator = test.caller("administrator", Door::DicomWeb).await;
    let sample = Sample::new(1, 1, 1);
    test.store(&administrator, &sample).await.unwrap();
    // A look that is on record does not open the way for another.
    let look = test.archive().retrieve(&administrator, of_study(&sample), Purpose::Viewing).await.unwrap();
    test.fail_writes();
    let again = test.archive().retrieve(&administrator, of_study(&sample), Purpose::Viewing).await;
    assert!(matches!(again, Err(Refused::ReadOnly(_))));
    drop(look);
    assert!(matches!(test.read(&administrator, &sample).await, Err(Refused::ReadOnly(_))));
    assert!(matches!(test.archive().search(&administrator, by_name("Doe*")).await, Err(Refused::ReadOnly(_))));
    assert!(matches!(test.archive().tokens(&test.host().await).await, Err(Refused::ReadOnly(_))));
    let stored = test.store(&administrator, &Sample::new(1, 1, 2)).await;
    assert!(matches!(stored, Err(StoreRefused::Refused(Refused::ReadOnly(_)))));
    assert!(test.archive().read_only().is_some());
}

#[tokio::test]
async fn looking_at_a_study_is_one_entry_with_its_counts() {
    let test = TestArchive::new();
    let administrator = test.caller("administrator", Door::DicomWeb).await;
    let sample = Sample { frames: 30, ..Sample::new(1, 1, 1) };
    test.store(&administrator, &sample).await.unwrap();
    for frame in 1..=30 {
        let retrieval = test.archive().retrieve(&administrator, of_study(&sample), Purpose::Viewing).await.unwrap();
        retrieval.frame(&retrieval.instances()[0], frame).await.unwrap();
    }
    let looks = |trail: &[leadglass_archive::index::TrailRow]| -> Vec<(String, u64)> {
        let rows = trail.iter().filter(|row| row.action == "retrieve");
        rows.map(|row| (row.outcome.clone(), row.count)).collect()
    };
    assert_eq!(looks(&test.trail().await), [("begun".to_owned(), 0)]);
    test.pass(Duration::from_secs(301)).await;
    assert_eq!(looks(&test.trail().await), [("done".to_owned(), 30)]);
    let retrieval = test.archive().retrieve(&administrator, of_study(&sample), Purpose::Viewing).await.unwrap();
    drop(retrieval);
    assert_eq!(looks(&test.trail().await).len(), 2, "five minutes on it is another look");
    // However slowly somebody reads: what comes later is on record by itself, and each is counted.
    let slow = test.archive().retrieve(&administrator, of_study(&sample), Purpose::Viewing).await.unwrap();
    slow.frame(&slow.instances()[0], 1).await.unwrap();
    test.pass(Duration::from_secs(3600)).await;
    let later = test.archive().retrieve(&administrator, of_study(&sample), Purpose::Viewing).await.unwrap();
    assert_eq!(looks(&test.trail().await).len(), 3);
    later.frame(&later.instances()[0], 1).await.unwrap();
    later.frame(&later.instances()[0], 2).await.unwrap();
    drop((slow, later));
    test.pass(Duration::from_secs(301)).await;
    let mut counts: Vec<u64> = looks(&test.trail().await).into_iter().map(|(_, count)| count).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 2, 30], "newest last: the look at nothing shares the slow one's");
}

#[tokio::test]
async fn a_search_is_recorded_with_its_keys_and_rows() {
    let test = TestArchive::new();
    let administrator = test.caller("administrator", Door::DicomWeb).await;
    test.store(&administrator, &Sample::new(1, 1, 1)).await.unwrap();
    let mut matches = test.archive().search(&administrator, by_name("Doe*")).await.unwrap();
    assert_eq!(matches.next_page().await.unwrap().unwrap().len(), 1);
    assert!(matches.next_page().await.unwrap().is_none());
    drop(test.archive().search(&administrator, by_name("Doe*")).await.unwrap());
    let trail = test.trail().await;
    let searches: Vec<_> = trail.iter().filter(|row| row.action == "search").collect();
    assert_eq!(searches.len(), 2);
    assert_eq!((searches[1].outcome.as_str(), searches[1].count), ("done", 1));
    assert!(searches[1].detail.to_lowercase().contains("doe"));
    assert_eq!(searches[0].outcome, "interrupted");
}

#[tokio::test]
async fn stores_of_one_sender_into_one_study_share_an_entry() {
    let test = TestArchive::new();
    let modality = test.peer("CT1", &[Verb::Store]).await;
    for number in 1..=7 {
        test.store(&modality, &Sample::new(1, 1, number)).await.unwrap();
    }
    test.store(&modality, &Sample::new(2, 1, 1)).await.unwrap();
    let trail = test.trail().await;
    let mut stores: Vec<_> = trail.iter().filter(|row| row.action == "store").collect();
    stores.sort_by_key(|row| row.count);
    assert_eq!(stores.iter().map(|row| row.count).collect::<Vec<_>>(), [1, 7]);
    assert_eq!(stores[1].patient_id.as_deref(), Some("PAT-1"));
    assert_eq!(stores[1].caller, "CT1");
    test.pass(Duration::from_secs(301)).await;
    test.store(&modality, &Sample::new(1, 1, 8)).await.unwrap();
    assert_eq!(test.trail().await.iter().filter(|row| row.action == "store").count(), 3);
}

#[tokio::test]
async fn an_interrupted_retrieval_says_so() {
    let test = TestArchive::new();
    let administrator = test.caller("administrator", Door::DicomWeb).await;
    let sample = Sample::new(1, 1, 1);
    test.store(&administrator, &sample).await.unwrap();
    let retrieval = test.archive().retrieve(&administrator, of_study(&sample), Purpose::ToCaller).await.unwrap();
    let mut reader = retrieval.open(&retrieval.instances()[0]).await.unwrap();
    reader.next_chunk().await.unwrap();
    drop(retrieval);
    let trail = test.trail().await;
    let row = trail.iter().find(|row| row.action == "retrieve").unwrap();
    assert_eq!((row.outcome.as_str(), row.count), ("interrupted", 1));
    assert_eq!(row.study.as_ref(), Some(&sample.study_uid()));
}

#[tokio::test]
async fn a_flood_of_strangers_is_few_entries() {
    let test = TestArchive::new();
    let source = Source { address: Some([192, 0, 2, 1].into()), door: Door::DicomWeb };
    for _ in 0..1000 {
        let _ = test.archive().authenticate(source.clone(), Credential::ApiToken("guess".into())).await;
    }
    test.pass(Duration::from_secs(61)).await;
    let trail = test.trail().await;
    let strangers: Vec<_> = trail.iter().filter(|row| row.action == "authenticate").collect();
    assert_eq!(strangers.len(), 2);
    assert_eq!(strangers.iter().map(|row| row.count).sum::<u64>(), 1000);
    assert!(!strangers.iter().any(|row| row.detail.contains("guess")));
}

#[tokio::test]
async fn who_came_in_is_recorded_once_a_visit_and_each_association() {
    let test = TestArchive::new();
    let host = test.host().await;
    let secret = test
        .archive()
        .create_token(&host, "ada", "viewer", Duration::from_secs(3600), Scope::everything())
        .await
        .unwrap();
    let ada = async |address: [u8; 4]| {
        let source = Source { address: Some(address.into()), door: Door::DicomWeb };
        test.archive().authenticate(source, Credential::ApiToken(secret.clone())).await.unwrap()
    };
    for _ in 0..10 {
        ada([192, 0, 2, 1]).await;
    }
    ada([192, 0, 2, 2]).await;
    test.pass(Duration::from_secs(301)).await;
    ada([192, 0, 2, 1]).await;
    for _ in 0..2 {
        test.peer("CT1", &[Verb::Store]).await;
    }
    let trail = test.trail().await;
    let came = |name: &str| {
        let of = |row: &&leadglass_archive::index::TrailRow| row.action == "authenticate" && row.caller == name;
        trail.iter().filter(of).map(|row| row.outcome.as_str()).collect::<Vec<_>>()
    };
    assert_eq!((came("ada"), came("CT1")), (vec!["done"; 3], vec!["done"; 2]));
}

#[tokio::test]
async fn a_name_that_is_only_claimed_is_recorded_as_that() {
    let test = TestArchive::new();
    test.peer("CT1", &[Verb::Store]).await;
    let credential = Credential::Peer {
        certificate_der: b"certificate of CT1".to_vec(),
        calling_ae: "CT1".parse().unwrap(),
        user_identity: Some(leadglass_archive::access::UserIdentity::Username("Ada\n\u{1b}[31m".repeat(100))),
    };
    let source = Source { address: Some([192, 0, 2, 1].into()), door: Door::Dimse };
    test.archive().authenticate(source, credential).await.unwrap();
    let row = test.trail().await.remove(0);
    assert_eq!((row.action.as_str(), row.caller.as_str()), ("authenticate", "CT1"));
    assert!(row.detail.contains("not verified") && row.detail.contains("Ada") && row.detail.len() < 1000);
}

#[tokio::test]
async fn auditors_read_the_trail_in_pages_and_leave_a_trace() {
    let test = TestArchive::new();
    let administrator = test.caller("administrator", Door::DicomWeb).await;
    test.store(&administrator, &Sample::new(1, 1, 1)).await.unwrap();
    let stored = test.store(&administrator, &Sample { seed: 99, ..Sample::new(1, 1, 1) }).await.unwrap();
    assert_eq!(stored.outcome, leadglass_archive::store::StoreOutcome::Quarantined);
    let auditor = test.caller("auditor", Door::Admin).await;
    let whole = test.trail().await;
    let (mut pages, mut query) = (Vec::new(), TrailQuery { limit: 2, ..TrailQuery::default() });
    query.before_ns = Some(i64::MAX);
    loop {
        let page = test.archive().trail(&auditor, query.clone()).await.unwrap();
        let Some(last) = page.last() else { break };
        query.after = Some((last.time_ns, last.entry));
        pages.extend(page);
    }
    pages.retain(|row| row.action != "read-trail");
    assert_eq!(pages, whole);
    let objects = test.archive().quarantine(&auditor, None, 10).await.unwrap();
    assert_eq!(objects.len(), 1);
    assert_eq!(objects[0].sop_instance, Sample::new(1, 1, 1).sop_uid());
    assert!(test.archive().quarantine(&auditor, Some(objects[0].number), 10).await.unwrap().is_empty());
    let trail = test.trail().await;
    for action in ["read-trail", "read-quarantine"] {
        assert!(trail.iter().any(|row| row.action == action && row.outcome == "done" && row.caller == auditor.name()));
    }
    let viewer = test.caller("viewer", Door::Admin).await;
    assert!(matches!(test.archive().trail(&viewer, query).await, Err(Refused::NotAllowed)));
}
