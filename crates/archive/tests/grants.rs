//! Rights for a time: shared studies, emergencies, and a second look at who one is.

#![expect(clippy::unwrap_used, clippy::panic, reason = "test")]

use std::time::Duration;

use leadglass_archive::access::people::{NewSession, SignIn};
use leadglass_archive::access::{Marked, Marks, Restriction, Right, Scope};
use leadglass_archive::administer::{Alarm, Ground, NewUser, UserChange};
use leadglass_archive::brake::Envelope;
use leadglass_archive::retrieve::Purpose;
use leadglass_archive::testing::{Sample, TestArchive};
use leadglass_archive::{Caller, Credential, Door, Refused, Selection, Source};
use leadglass_dicom::clock::Clock as _;

const PASSPHRASE: &str = "a lead apron in the attic";
const MINUTE: Duration = Duration::from_secs(60);
const REASON: &str = "unconscious in the emergency room, allergies unknown";

fn source(door: Door) -> Source {
    Source { address: Some([192, 0, 2, 1].into()), door }
}

fn right(json: serde_json::Value) -> Right {
    serde_json::from_value(json).unwrap()
}

/// Somebody with these rights and a second factor; what their app is made from.
async fn strong_person(test: &TestArchive, name: &str, rights: Vec<Right>) -> String {
    let new = NewUser { name: name.into(), display: None, service: false, rights, patients: Vec::new() };
    let archive = test.archive();
    let invitation = archive.add_user(&test.host().await, new).await.unwrap().unwrap();
    let begun = archive.accept_invitation(&source(Door::Admin), name, &invitation, PASSPHRASE).await.unwrap();
    let account = caller(test, &begun, Door::Admin).await;
    let totp = archive.begin_totp(&account).await.unwrap();
    archive.confirm_totp(&account, &totp.ticket, &code(test, &totp.secret)).await.unwrap();
    totp.secret
}

fn code(test: &TestArchive, secret: &str) -> String {
    leadglass_archive::testing::totp_code(secret, test.clock().now())
}

async fn signed_in(test: &TestArchive, name: &str, secret: &str) -> NewSession {
    test.pass(MINUTE).await;
    let SignIn::SecondFactor { ticket, .. } =
        test.archive().sign_in(&source(Door::Admin), name, PASSPHRASE).await.unwrap()
    else {
        panic!("two factors are due")
    };
    test.archive().sign_in_second(&source(Door::Admin), &ticket, &code(test, secret)).await.unwrap()
}

async fn caller(test: &TestArchive, session: &NewSession, door: Door) -> Caller {
    let credential = Credential::Session(session.secret.to_string());
    test.archive().authenticate(source(door), credential).await.unwrap()
}

async fn opens(test: &TestArchive, caller: &Caller, study: u32) -> bool {
    let selection = Selection { studies: vec![Sample::new(study, 1, 1).study_uid()], ..Selection::default() };
    match test.archive().retrieve(caller, selection, Purpose::ToCaller).await {
        Ok(_) => true,
        Err(Refused::NotFound | Refused::NotAllowed) => false,
        Err(other) => panic!("{other}"),
    }
}

async fn archive_of(many: u32) -> TestArchive {
    let test = TestArchive::new();
    let host = test.host().await;
    for study in 1..=many {
        test.store(&host, &Sample::new(study, 1, 1)).await.unwrap();
    }
    test
}

#[tokio::test]
async fn an_emergency_opens_one_patient_for_an_hour_at_most_and_somebody_else_looks_at_it() {
    let test = archive_of(3).await;
    let host = test.host().await;
    let vip = Marks { restrictions: [Restriction::Vip].into(), ..Marks::default() };
    test.archive().mark(&host, Marked::Patient("PAT-2".into()), vip).await.unwrap();
    let own = right(serde_json::json!({ "role": "viewer", "scope": { "patient_ids": ["PAT-1"] } }));
    let emergency = right(serde_json::json!({ "role": "emergency" }));
    let secret = strong_person(&test, "ada", vec![own, emergency]).await;
    let session = signed_in(&test, "ada", &secret).await;
    let (ada, looks) = (caller(&test, &session, Door::Admin).await, caller(&test, &session, Door::DicomWeb).await);
    assert_eq!((opens(&test, &looks, 1).await, opens(&test, &looks, 2).await), (true, false));
    let archive = test.archive();
    let take = async |minutes: u32, reason: &str| archive.break_glass(&ada, "PAT-2", reason, minutes * MINUTE).await;
    assert!(matches!(take(10, "urgent").await, Err(Refused::Invalid(_))), "a reason says something");
    assert!(matches!(take(61, REASON).await, Err(Refused::Invalid(_))), "an hour at most");
    // Nobody but a person, and none without that right.
    let program = test.caller("administrator", Door::Admin).await;
    assert!(matches!(archive.break_glass(&program, "PAT-2", REASON, MINUTE).await, Err(Refused::NotAllowed)));
    let grant = take(10, REASON).await.unwrap();
    assert_eq!(grant.ground, Ground::BreakGlass { reason: REASON.into() });
    assert_eq!((opens(&test, &looks, 2).await, opens(&test, &looks, 3).await), (true, false), "restricted or not");
    let review = archive.reviews(&host).await.unwrap().remove(0);
    assert_eq!((review.alarm, review.caller.as_str()), (Alarm::BreakGlass, "ada"));
    assert_eq!(review.patient_id.as_deref(), Some("PAT-2"));
    let told = |trail: &[leadglass_archive::index::TrailRow], code: &str| {
        trail.iter().any(|row| row.event.as_deref() == Some(code))
    };
    assert!(told(&test.trail().await, "110127"), "emergency override started");
    test.pass(10 * MINUTE).await;
    assert!(!opens(&test, &looks, 2).await, "it ends by itself");
    assert!(archive.grants(&host).await.unwrap().is_empty());
    let trail = test.trail().await;
    assert!(told(&trail, "110138"), "emergency override stopped");
    // It nags until somebody closes it.
    assert!(!trail.iter().any(|row| row.action == "review-due"));
    test.pass(24 * 60 * MINUTE).await;
    let due =
        |trail: &[leadglass_archive::index::TrailRow]| trail.iter().filter(|row| row.action == "review-due").count();
    assert_eq!(due(&test.trail().await), 1);
    // An archive that was down when the day began nags when it starts.
    let test = test.reopened().await;
    test.pass(Duration::from_secs(1)).await;
    assert_eq!(due(&test.trail().await), 2);
}

#[tokio::test]
async fn an_emergency_can_be_ended_and_ends_with_the_user() {
    let test = archive_of(2).await;
    let host = test.host().await;
    let secret = strong_person(&test, "ada", vec![right(serde_json::json!({ "role": "emergency" }))]).await;
    let session = signed_in(&test, "ada", &secret).await;
    let (ada, looks) = (caller(&test, &session, Door::Admin).await, caller(&test, &session, Door::DicomWeb).await);
    let archive = test.archive();
    let grant = archive.break_glass(&ada, "PAT-2", REASON, 60 * MINUTE).await.unwrap();
    assert!(opens(&test, &looks, 2).await);
    archive.end_grant(&host, &grant.id).await.unwrap();
    assert!(!opens(&test, &looks, 2).await);
    assert!(matches!(archive.end_grant(&host, &grant.id).await, Err(Refused::NotFound)));
    let test = test.reopened().await;
    assert!(test.archive().grants(&test.host().await).await.unwrap().is_empty(), "ended is in the log");
}

#[tokio::test]
async fn an_emergency_that_ends_while_the_archive_is_down_is_told_once_when_it_starts() {
    let test = archive_of(2).await;
    let secret = strong_person(&test, "ada", vec![right(serde_json::json!({ "role": "emergency" }))]).await;
    let ada = caller(&test, &signed_in(&test, "ada", &secret).await, Door::Admin).await;
    test.archive().break_glass(&ada, "PAT-2", REASON, 10 * MINUTE).await.unwrap();
    test.clock().advance(20 * MINUTE);
    let mut test = test.reopened().await;
    for _ in 0..2 {
        for _ in 0..2 {
            test.pass(Duration::from_secs(1)).await;
            assert_eq!(stopped(&test).await, ["PAT-2"]);
        }
        test = test.reopened().await;
    }
}

#[tokio::test]
async fn an_emergency_whose_user_may_take_none_any_longer_does_not_come_back() {
    let test = archive_of(2).await;
    let host = test.host().await;
    let may = right(serde_json::json!({ "role": "emergency" }));
    let secret = strong_person(&test, "ada", vec![may.clone()]).await;
    let change = async |change: UserChange| test.archive().change_user(&host, "ada", change).await.unwrap();
    let rights = |rights| UserChange { rights: Some(rights), ..UserChange::default() };
    let disabled = |disabled| UserChange { disabled: Some(disabled), ..UserChange::default() };
    let ways = [(rights(vec![]), rights(vec![may])), (disabled(true), disabled(false))];
    for (number, (away, back)) in ways.into_iter().enumerate() {
        let ada = caller(&test, &signed_in(&test, "ada", &secret).await, Door::Admin).await;
        test.archive().break_glass(&ada, "PAT-2", REASON, 10 * MINUTE).await.unwrap();
        change(away).await;
        assert_eq!(stopped(&test).await.len(), number + 1);
        change(back).await;
        test.clock().advance(MINUTE);
        let looks = caller(&test, &signed_in(&test, "ada", &secret).await, Door::DicomWeb).await;
        assert!(!opens(&test, &looks, 2).await, "the role is back, the emergency is not");
    }
}

/// The patients of emergencies that the trail says are over.
async fn stopped(test: &TestArchive) -> Vec<String> {
    let trail = test.trail().await;
    let stopped = trail.into_iter().filter(|row| row.event.as_deref() == Some("110138"));
    stopped.filter_map(|row| row.patient_id).collect()
}

#[tokio::test]
async fn a_study_is_shared_by_whoever_reaches_it_and_for_a_time() {
    let test = archive_of(3).await;
    let host = test.host().await;
    let archive = test.archive();
    let reader = right(serde_json::json!({ "role": "reader", "scope": { "patient_ids": ["PAT-1", "PAT-2"] } }));
    let ada = strong_person(&test, "ada", vec![reader]).await;
    let eve = strong_person(&test, "eve", Vec::new()).await;
    let ada = caller(&test, &signed_in(&test, "ada", &ada).await, Door::Admin).await;
    let eve = caller(&test, &signed_in(&test, "eve", &eve).await, Door::DicomWeb).await;
    assert!(!opens(&test, &eve, 1).await);
    let study = |study| Sample::new(study, 1, 1).study_uid();
    let share = async |number, with: &str, hours: u32| {
        archive.share(&ada, &study(number), with, hours * 60 * MINUTE).await.map(drop)
    };
    assert!(matches!(share(3, "eve", 1).await, Err(Refused::NotFound)), "out of the sharer's reach");
    assert!(matches!(share(1, "nobody", 1).await, Err(Refused::NotFound)));
    assert!(matches!(share(1, "eve", 31 * 24).await, Err(Refused::Invalid(_))));
    let scope = Scope { patient_ids: vec!["PAT-1".into()], ..Scope::default() };
    let program = archive.create_token_of(&host, Some("ada"), "script", "reader", 60 * MINUTE, scope).await.unwrap();
    let program = archive.authenticate(source(Door::Admin), Credential::ApiToken(program)).await.unwrap();
    let shared = archive.share(&program, &study(1), "eve", 60 * MINUTE).await;
    assert!(matches!(shared, Err(Refused::NotAllowed)), "a program shares nothing in its owner's name");
    share(1, "eve", 2).await.unwrap();
    assert_eq!((opens(&test, &eve, 1).await, opens(&test, &eve, 2).await), (true, false));
    let staff = Marks { restrictions: [Restriction::Staff].into(), ..Marks::default() };
    archive.mark(&host, Marked::study(&study(1)), staff).await.unwrap();
    assert!(!opens(&test, &eve, 1).await, "a share clears nothing");
    assert!(matches!(share(1, "eve", 1).await, Err(Refused::NotFound)), "nor can it be shared");
    archive.mark(&host, Marked::study(&study(1)), Marks::default()).await.unwrap();
    assert!(opens(&test, &eve, 1).await);
    test.pass(121 * MINUTE).await;
    let eve = archive.is_current(&eve);
    assert!(!eve, "the session was idle for too long, and the share is over");
    assert!(archive.grants(&host).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_under_way_ends_with_the_right_it_was_granted_by() {
    let test = archive_of(3).await;
    let host = test.host().await;
    let archive = test.archive();
    let own = serde_json::json!({ "role": "reader", "scope": { "patient_ids": ["PAT-2"] } });
    let ada = strong_person(&test, "ada", vec![right(serde_json::json!({ "role": "reader" }))]).await;
    let eve = strong_person(&test, "eve", vec![right(own)]).await;
    let session = signed_in(&test, "ada", &ada).await;
    let (ada, reads) = (caller(&test, &session, Door::Admin).await, caller(&test, &session, Door::DicomWeb).await);
    let eve = caller(&test, &signed_in(&test, "eve", &eve).await, Door::DicomWeb).await;
    let study = |study| Sample::new(study, 1, 1).study_uid();
    let open = async |caller: &Caller, number| {
        let selection = Selection { studies: vec![study(number)], ..Selection::default() };
        archive.retrieve(caller, selection, Purpose::ToCaller).await.unwrap()
    };
    let mark = async |number, restrictions: &[Restriction]| {
        let marks = Marks { restrictions: restrictions.iter().copied().collect(), ..Marks::default() };
        archive.mark(&host, Marked::study(&study(number)), marks).await.unwrap();
    };

    let (before, of_another) = (open(&eve, 2).await, open(&reads, 2).await);
    archive.share(&ada, &study(1), "eve", 10 * MINUTE).await.unwrap();
    assert!(before.is_current(), "a right more ends nothing");
    let (shared, own_study) = (open(&eve, 1).await, open(&eve, 2).await);
    mark(3, &[Restriction::Staff]).await;
    assert!(shared.is_current() && own_study.is_current(), "another study is restricted");
    mark(2, &[Restriction::Vip]).await;
    assert!(!own_study.is_current() && !before.is_current() && !of_another.is_current() && shared.is_current());
    mark(2, &[]).await;
    assert!(own_study.is_current());
    test.pass(11 * MINUTE).await;
    assert!(archive.is_current(&eve) && !shared.is_current(), "the share is over, the session is not");
    assert!(before.is_current() && open(&eve, 2).await.is_current(), "what is one's own goes on");
    let patient = Marked::Patient("PAT-2".into());
    let vip = Marks { restrictions: [Restriction::Vip].into(), ..Marks::default() };
    archive.mark(&host, patient, vip).await.unwrap();
    assert!(!before.is_current(), "a patient is restricted with all studies");
}

#[tokio::test]
async fn who_is_held_may_say_again_who_they_are() {
    let test = archive_of(9).await;
    let host = test.host().await;
    let secret = strong_person(&test, "ada", vec![right(serde_json::json!({ "role": "reader" }))]).await;
    let envelope = Envelope {
        patients_opened_an_hour: 3,
        patients_listed_an_hour: 100,
        bytes_an_hour: 1 << 30,
        new_patients_a_day: 100,
        hours: None,
    };
    test.archive().set_envelope(&host, "ada", Some(envelope)).await.unwrap();
    let ada = caller(&test, &signed_in(&test, "ada", &secret).await, Door::DicomWeb).await;
    let open = async |caller: &Caller, study: u32| {
        let selection = Selection { studies: vec![Sample::new(study, 1, 1).study_uid()], ..Selection::default() };
        test.archive().retrieve(caller, selection, Purpose::ToCaller).await.map(drop)
    };
    for study in 1..=3 {
        open(&ada, study).await.unwrap();
    }
    assert!(matches!(open(&ada, 4).await, Err(Refused::Braked { step_up: true, .. })));
    // The old session is no proof; a fresh sign-in with both factors is.
    assert!(matches!(open(&ada, 4).await, Err(Refused::Braked { step_up: true, .. })));
    let again = caller(&test, &signed_in(&test, "ada", &secret).await, Door::DicomWeb).await;
    for study in 4..=6 {
        open(&again, study).await.unwrap();
    }
    assert!(matches!(open(&again, 7).await, Err(Refused::Braked { step_up: false, .. })), "twice as much, not more");
}
