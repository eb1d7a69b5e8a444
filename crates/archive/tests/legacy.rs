//! Legacy peers: what a device in clear text may do (store, and nothing else), for how long, and
//! what the trail says of it.

#![expect(clippy::unwrap_used, reason = "test")]

use std::net::IpAddr;
use std::time::Duration;

use leadglass_archive::access::Scope;
use leadglass_archive::administer::{Certified, NewInvitation, NewLegacyPeer, Peer, Verb};
use leadglass_archive::brake::Envelope;
use leadglass_archive::retrieve::Purpose;
use leadglass_archive::store::{StoreOutcome, StoreRefused};
use leadglass_archive::testing::{Sample, TestArchive};
use leadglass_archive::{Caller, Credential, Door, Operation, Refused, Rejected, Selection, Source};
use leadglass_dicom::AeTitle;
use leadglass_dicom::clock::Clock;

const DAY: Duration = Duration::from_secs(86_400);
const HERE: [u8; 4] = [10, 0, 0, 7];

fn declared(days: u32) -> NewLegacyPeer {
    NewLegacyPeer {
        ae: "US1".into(),
        address: HERE.into(),
        lifetime: DAY * days,
        scope: Scope::everything(),
        label: Some("Ultrasound 2".into()),
        contact: None,
    }
}

async fn calling(test: &TestArchive, ae: &str, address: impl Into<IpAddr>, door: Door) -> Result<Caller, Rejected> {
    let source = Source { address: Some(address.into()), door };
    test.archive().authenticate(source, Credential::Legacy { calling_ae: ae.parse().unwrap() }).await
}

#[tokio::test]
async fn it_stores_what_is_new_and_replaces_nothing() {
    let test = TestArchive::new();
    let peer = test.legacy_peer("US1", Scope::everything()).await;
    let sample = Sample::new(1, 1, 1);
    assert_eq!(test.store(&peer, &sample).await.unwrap().outcome, StoreOutcome::Kept);
    assert_eq!(test.store(&peer, &sample).await.unwrap().outcome, StoreOutcome::AlreadyThere);
    let other = Sample { patient_name: "Somebody^Else".into(), ..Sample::new(1, 1, 1) };
    assert_eq!(test.store(&peer, &other).await.unwrap().outcome, StoreOutcome::Quarantined);
    assert_eq!(test.read(&test.host().await, &sample).await.unwrap(), sample.encode());
    let test = test.reopened().await;
    assert_eq!(test.read(&test.host().await, &sample).await.unwrap(), sample.encode());
    assert!(calling(&test, "US1", HERE, Door::Legacy).await.is_ok(), "a declaration outlives a restart");
}

#[tokio::test]
async fn it_does_nothing_else() {
    let test = TestArchive::new();
    let peer = test.legacy_peer("US1", Scope::everything()).await;
    let sample = Sample::new(1, 1, 1);
    test.store(&peer, &sample).await.unwrap();
    for operation in Operation::ALL {
        assert_eq!(peer.may(*operation), *operation == Operation::Store, "{}", operation.name());
    }
    assert!(matches!(test.read(&peer, &sample).await, Err(Refused::NotAllowed)));
    let selection = Selection { studies: vec![sample.study_uid()], ..Selection::default() };
    let retrieval = test.archive().retrieve(&peer, selection, Purpose::Viewing).await;
    assert!(matches!(retrieval, Err(Refused::NotAllowed)));
    assert!(matches!(test.archive().peers(&peer).await, Err(Refused::NotAllowed)));
    assert!(matches!(test.archive().destination(&peer, &"US1".parse().unwrap()).await, Err(Refused::NotAllowed)));
    let refused = test.archive().renew_peer(&peer, async |_| panic!("nothing is signed for it")).await;
    assert!(matches!(refused, Err(Refused::NotAllowed)));
}

#[tokio::test]
async fn title_and_address_have_both_to_be_right_and_the_door_too() {
    let test = TestArchive::new();
    let host = test.host().await;
    test.archive().add_legacy_peer(&host, declared(30)).await.unwrap();
    test.archive()
        .add_legacy_peer(&host, NewLegacyPeer { ae: "US2".into(), address: [10, 0, 0, 8].into(), ..declared(30) })
        .await
        .unwrap();
    assert!(calling(&test, "US1", HERE, Door::Legacy).await.is_ok());
    let mut reasons = Vec::new();
    for (ae, address) in [("US1", [10, 0, 0, 8]), ("US2", HERE), ("us1", HERE), ("US3", HERE), ("US1", [127, 0, 0, 1])]
    {
        let rejected = calling(&test, ae, address, Door::Legacy).await.unwrap_err();
        assert!(rejected.calling_ae_unknown);
        reasons.push(rejected.reason);
    }
    reasons.dedup();
    assert_eq!(reasons.len(), 1, "whichever is wrong is the same: {reasons:?}");
    for door in [Door::Dimse, Door::Admin, Door::DicomWeb, Door::Host] {
        assert!(calling(&test, "US1", HERE, door).await.is_err(), "{door:?}");
    }
    let token = test.archive().create_token(&host, "t", "administrator", DAY, Scope::everything()).await.unwrap();
    let source = Source { address: Some(HERE.into()), door: Door::Legacy };
    let with_token = test.archive().authenticate(source.clone(), Credential::ApiToken(token)).await;
    assert!(with_token.is_err(), "nothing else opens that door");
    test.peer("CT1", &[Verb::Store]).await;
    let calling_ae = AeTitle::parse("CT1").unwrap();
    let certificate_der = b"certificate of CT1".to_vec();
    let credential = Credential::Peer { certificate_der, calling_ae, user_identity: None };
    assert!(test.archive().authenticate(source, credential).await.is_err());
}

#[tokio::test]
async fn it_ends_with_its_time_and_with_its_revocation() {
    let test = TestArchive::new();
    let host = test.host().await;
    test.archive().add_legacy_peer(&host, declared(2)).await.unwrap();
    let peer = calling(&test, "US1", HERE, Door::Legacy).await.unwrap();
    test.pass(DAY).await;
    assert!(test.archive().is_current(&peer));
    assert_eq!(test.archive().legacy_counts().alive, 1);
    test.pass(DAY).await;
    assert!(!test.archive().is_current(&peer));
    assert_eq!(test.archive().legacy_counts().alive, 0);
    assert!(calling(&test, "US1", HERE, Door::Legacy).await.is_err());
    assert!(matches!(test.store(&peer, &Sample::new(1, 1, 1)).await, Err(StoreRefused::Refused(Refused::NotAllowed))));
    test.archive().add_legacy_peer(&host, declared(30)).await.unwrap();
    let peer = calling(&test, "US1", HERE, Door::Legacy).await.unwrap();
    let moved = NewLegacyPeer { address: [10, 0, 0, 9].into(), ..declared(30) };
    test.archive().add_legacy_peer(&host, moved).await.unwrap();
    assert!(!test.archive().is_current(&peer), "it is declared at another address now");
    let peer = calling(&test, "US1", [10, 0, 0, 9], Door::Legacy).await.unwrap();
    test.archive().revoke_legacy_peer(&host, &"US1".parse().unwrap()).await.unwrap();
    assert!(!test.archive().is_current(&peer));
    assert!(calling(&test, "US1", [10, 0, 0, 9], Door::Legacy).await.is_err());
    let nobody = test.archive().revoke_legacy_peer(&host, &"US9".parse().unwrap()).await;
    assert!(matches!(nobody, Err(Refused::NotFound)));
}

#[tokio::test]
async fn its_department_is_its_limit() {
    let test = TestArchive::new();
    let scope = Scope { modalities: vec!["US".into()], ..Scope::default() };
    let peer = test.legacy_peer("US1", scope).await;
    let refused = test.store(&peer, &Sample::new(1, 1, 1)).await;
    assert!(matches!(refused, Err(StoreRefused::Refused(Refused::NotAllowed))), "a CT is not its own: {refused:?}");
}

#[tokio::test]
async fn who_has_a_certificate_gets_no_exception_and_nobody_takes_its_name() {
    let test = TestArchive::new();
    let host = test.host().await;
    test.peer("US1", &[Verb::Store]).await;
    assert!(matches!(test.archive().add_legacy_peer(&host, declared(30)).await, Err(Refused::Invalid(_))));
    test.archive().revoke_peer(&host, &"US1".parse().unwrap()).await.unwrap();
    test.archive().add_legacy_peer(&host, declared(30)).await.unwrap();
    let peer = calling(&test, "US1", HERE, Door::Legacy).await.unwrap();
    let token = test.archive().create_token(&host, peer.name(), "sender", DAY, Scope::everything()).await;
    assert!(matches!(token, Err(Refused::Invalid(_))));
    assert!(peer.ae_title().is_none(), "a title in clear text is no proof of a peer");
    let administrator = test.caller("auditor", Door::Admin).await;
    assert!(matches!(test.archive().add_legacy_peer(&administrator, declared(30)).await, Err(Refused::NotAllowed)));
}

#[tokio::test]
async fn the_brake_holds_what_it_sends() {
    let test = TestArchive::new();
    let peer = test.legacy_peer("US1", Scope::everything()).await;
    let little = Envelope {
        patients_opened_an_hour: 0,
        patients_listed_an_hour: 0,
        bytes_an_hour: Sample::new(1, 1, 1).encode().len() as u64 + 1,
        new_patients_a_day: 0,
        hours: None,
    };
    test.archive().set_envelope(&test.host().await, peer.name(), Some(little)).await.unwrap();
    test.store(&peer, &Sample::new(1, 1, 1)).await.unwrap();
    let more = test.store(&peer, &Sample::new(1, 1, 2)).await;
    assert!(matches!(more, Err(StoreRefused::Refused(Refused::Braked { .. }))), "{more:?}");
    assert_eq!(test.archive().reviews(&test.host().await).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_trail_says_that_nothing_was_proven_and_every_day_that_it_lives() {
    let test = TestArchive::new();
    let host = test.host().await;
    let _ = calling(&test, "US1", HERE, Door::Legacy).await;
    test.archive().add_legacy_peer(&host, declared(70)).await.unwrap();
    let peer = calling(&test, "US1", HERE, Door::Legacy).await.unwrap();
    test.store(&peer, &Sample::new(1, 1, 1)).await.unwrap();
    test.pass(Duration::from_secs(10)).await;
    let trail = test.trail().await;
    let of = |action: &str| trail.iter().filter(|row| row.action == action && row.door == "legacy").collect::<Vec<_>>();
    let [came, strange] = of("authenticate")[..] else { panic!("one came in: {trail:?}") };
    assert_eq!((&*strange.caller, &*strange.outcome, strange.event.as_deref()), ("", "refused", Some("110126")));
    assert_eq!((&*came.caller, came.peer.as_deref()), ("unauthenticated, in clear: US1", Some("US1")));
    assert!(came.detail.contains("nothing proven"), "{came:?}");
    assert!(of("store").iter().any(|row| row.caller == peer.name()));
    let declared = trail.iter().find(|row| row.action == "add-legacy-peer").unwrap();
    assert_eq!(declared.event.as_deref(), Some("110128"));
    assert!(declared.detail.contains("US1 in clear text from 10.0.0.7, 70 days"), "{declared:?}");
    let told = async |what: &str| {
        let rows = test.trail().await;
        let of = rows.iter().filter(|row| row.action == "network-configuration-changed");
        of.filter(|row| row.detail.contains(what)).count()
    };
    assert_eq!(told("unauthenticated: US1 from 10.0.0.7 until").await, 1, "when it is opened");
    for day in 1..=3 {
        test.pass(DAY).await;
        assert_eq!(told("unauthenticated: US1").await, 1 + day, "each day");
        test.pass(Duration::from_secs(3600)).await;
        assert_eq!(told("unauthenticated: US1").await, 1 + day, "and once");
    }
    for (days, warning) in [(8, "within 60 days"), (30, "within 30 days"), (25, "within 7 days"), (6, "has ended")] {
        test.pass(DAY * days).await;
        assert_eq!(told(warning).await, 1, "{warning}");
    }
    let before = told("unauthenticated: US1").await;
    test.pass(DAY * 2).await;
    assert_eq!(told("unauthenticated: US1").await, before, "it lives no longer");
}

#[tokio::test]
async fn a_title_that_gets_a_certificate_loses_its_exception() {
    for by_invitation in [false, true] {
        let test = TestArchive::new();
        let (host, device) = (test.host().await, test.legacy_peer("US1", Scope::everything()).await);
        let wanted = Peer { ae: "US1".into(), verbs: vec![Verb::Store], scope: Scope::everything(), ..Peer::default() };
        if by_invitation {
            let lifetime = Duration::from_secs(3600);
            let new = NewInvitation { peer: wanted, lifetime };
            let (token, _) = test.archive().invite_peer(&host, new).await.unwrap();
            assert!(test.archive().is_current(&device), "an invitation is no certificate");
            let source = Source { address: Some([192, 0, 2, 7].into()), door: Door::Admin };
            let invited = test.archive().authenticate(source, Credential::Invitation(token)).await.unwrap();
            let certified = Certified { sha256: "a".repeat(64), expires: test.clock().now() + lifetime };
            test.archive().enrol(&invited, async |_| Ok(certified)).await.unwrap();
        } else {
            let peer = Peer { certificate_sha256: "a".repeat(64), ..wanted };
            test.archive().add_peer(&host, peer).await.unwrap();
        }
        assert!(!test.archive().is_current(&device), "its associations end");
        assert_eq!(test.archive().legacy_counts().alive, 0);
        let test = test.reopened().await;
        assert_eq!(test.archive().legacy_counts().alive, 0);
        let told = test.trail().await.into_iter().filter(|row| row.detail.contains("US1 has ended"));
        assert_eq!(told.count(), 1);
    }
}
