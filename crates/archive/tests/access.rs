//! Who gets in, who may do what, and how it ends.

#![expect(clippy::unwrap_used, reason = "test")]

use std::time::Duration;

use leadglass_archive::access::{Scope, UserIdentity};
use leadglass_archive::administer::Verb;
use leadglass_archive::retrieve::Purpose;
use leadglass_archive::testing::{Sample, TestArchive};
use leadglass_archive::{Credential, Door, Refused, Selection, Source};
use leadglass_dicom::AeTitle;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn at(door: Door) -> Source {
    Source { address: Some([192, 0, 2, 9].into()), door }
}

fn peer(certificate: &str, ae: &str, user_identity: Option<UserIdentity>) -> Credential {
    let calling_ae = AeTitle::parse(ae).unwrap();
    Credential::Peer { certificate_der: certificate.as_bytes().to_vec(), calling_ae, user_identity }
}

#[tokio::test]
async fn a_fresh_archive_knows_nobody_but_its_host() {
    let test = TestArchive::new();
    let archive = test.archive();
    assert!(!archive.is_set_up());
    for credential in [
        Credential::ApiToken(String::new()),
        Credential::ApiToken("changeit".into()),
        Credential::ApiToken(format!("lgt_{}", "A".repeat(43))),
        Credential::Host,
    ] {
        assert!(archive.authenticate(at(Door::DicomWeb), credential).await.is_err());
    }
    for ae in ["ANY", "STORESCU", "LEADGLASS"] {
        let rejected = archive.authenticate(at(Door::Dimse), peer("x", ae, None)).await.unwrap_err();
        assert!(rejected.calling_ae_unknown);
    }
    assert!(archive.authenticate(at(Door::Admin), Credential::SetupCode("000000".into())).await.is_err());
    let from_the_network = Source { address: Some([127, 0, 0, 1].into()), door: Door::Host };
    assert!(archive.authenticate(from_the_network, Credential::Host).await.is_err());
}

#[tokio::test]
async fn the_setup_code_makes_one_administrator_once() {
    let test = TestArchive::new();
    let archive = test.archive();
    let host = test.host().await;
    let old = archive.new_setup_code(&host).await.unwrap();
    let code = archive.new_setup_code(&host).await.unwrap();
    assert!(archive.authenticate(at(Door::Admin), Credential::SetupCode(old)).await.is_err());
    let first = archive.authenticate(at(Door::Admin), Credential::SetupCode(code.clone())).await.unwrap();
    let second = archive.authenticate(at(Door::Admin), Credential::SetupCode(code.clone())).await.unwrap();
    assert!(matches!(archive.peers(&first).await, Err(Refused::NotAllowed)));
    let (one, other) = tokio::join!(archive.complete_setup(&first, "Ada"), archive.complete_setup(&second, "Eve"));
    assert!(one.is_ok() != other.is_ok(), "exactly one of two who race becomes administrator");
    let token = one.or(other).unwrap();
    assert!(archive.is_set_up());
    assert!(archive.authenticate(at(Door::Admin), Credential::SetupCode(code)).await.is_err());
    assert!(matches!(archive.new_setup_code(&host).await, Err(Refused::Invalid(_))));
    let administrator = archive.authenticate(at(Door::Admin), Credential::ApiToken(token.clone())).await.unwrap();
    assert!(archive.peers(&administrator).await.unwrap().is_empty());
    let test = test.reopened().await;
    assert!(test.archive().is_set_up());
    assert!(test.archive().authenticate(at(Door::Admin), Credential::ApiToken(token)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_strangers_who_race_make_no_account() {
    let test = TestArchive::new();
    let host = test.host().await;
    let code = test.archive().new_setup_code(&host).await.unwrap();
    let strangers = (0..100).map(|number| {
        let archive = test.archive().clone();
        tokio::spawn(async move {
            let guess = format!("lgs_{number:A>43}");
            match archive.authenticate(at(Door::Admin), Credential::SetupCode(guess)).await {
                Ok(caller) => archive.complete_setup(&caller, "Eve").await.is_ok(),
                Err(_) => false,
            }
        })
    });
    for stranger in strangers.collect::<Vec<_>>() {
        assert!(!stranger.await.unwrap());
    }
    assert!(!test.archive().is_set_up());
    assert!(
        test.archive().authenticate(at(Door::Admin), Credential::SetupCode(code)).await.is_err(),
        "so many tries end the code"
    );
    let code = test.archive().new_setup_code(&host).await.unwrap();
    let owner = test.archive().authenticate(at(Door::Admin), Credential::SetupCode(code)).await.unwrap();
    assert!(test.archive().complete_setup(&owner, "Ada").await.is_ok(), "who has the machine has the archive");
}

#[tokio::test]
async fn a_thousand_setup_codes_are_all_different() {
    let test = TestArchive::new();
    let host = test.host().await;
    let mut codes = std::collections::HashSet::new();
    for _ in 0..1_000 {
        codes.insert(test.archive().new_setup_code(&host).await.unwrap());
    }
    assert_eq!(codes.len(), 1_000);
}

#[tokio::test]
async fn a_setup_code_dies_after_thirty_minutes_and_after_five_wrong_tries() {
    let test = TestArchive::new();
    let host = test.host().await;
    let code = test.archive().new_setup_code(&host).await.unwrap();
    test.pass(Duration::from_secs(30 * 60)).await;
    assert!(test.archive().authenticate(at(Door::Admin), Credential::SetupCode(code)).await.is_err());
    let code = test.archive().new_setup_code(&host).await.unwrap();
    for _ in 0..5 {
        let wrong = Credential::SetupCode(format!("lgs_{}", "A".repeat(43)));
        assert!(test.archive().authenticate(at(Door::Admin), wrong).await.is_err());
    }
    let right = Credential::SetupCode(code.clone());
    assert!(test.archive().authenticate(at(Door::Admin), right).await.is_err());
    let test = test.reopened().await;
    assert!(test.archive().authenticate(at(Door::Admin), Credential::SetupCode(code)).await.is_err());
}

#[tokio::test]
async fn a_token_ends_with_its_time_or_its_revocation() {
    let test = TestArchive::new();
    let (archive, host) = (test.archive(), test.host().await);
    let secret = archive.create_token(&host, "viewer of Ada", "viewer", DAY, Scope::everything()).await.unwrap();
    assert!(matches!(
        archive.create_token(&host, "viewer of Ada", "viewer", DAY, Scope::everything()).await,
        Err(Refused::Invalid(_))
    ));
    assert!(matches!(
        archive.create_token(&host, "x", "host", DAY, Scope::everything()).await,
        Err(Refused::Invalid(_))
    ));
    assert!(matches!(
        archive.create_token(&host, "x", "viewer", DAY * 9999, Scope::everything()).await,
        Err(Refused::Invalid(_))
    ));
    let viewer = archive.authenticate(at(Door::DicomWeb), Credential::ApiToken(secret.clone())).await.unwrap();
    assert!(archive.is_current(&viewer));
    archive.revoke_token(&host, "viewer of Ada").await.unwrap();
    assert!(!archive.is_current(&viewer));
    let selection = Selection { patient_ids: vec!["PAT-1".into()], ..Selection::default() };
    let refused = archive.retrieve(&viewer, selection, Purpose::Viewing).await;
    assert!(matches!(refused, Err(Refused::NotAllowed)), "a revocation holds at once");
    assert!(archive.authenticate(at(Door::DicomWeb), Credential::ApiToken(secret)).await.is_err());
    let secret = archive.create_token(&host, "viewer of Ada", "viewer", DAY, Scope::everything()).await.unwrap();
    let viewer = archive.authenticate(at(Door::DicomWeb), Credential::ApiToken(secret.clone())).await.unwrap();
    test.pass(DAY).await;
    assert!(!archive.is_current(&viewer));
    assert!(archive.authenticate(at(Door::DicomWeb), Credential::ApiToken(secret)).await.is_err());
    let listed = archive.tokens(&host).await.unwrap();
    assert_eq!(listed.iter().filter(|token| token.revoked.is_some()).count(), 1);
}

#[tokio::test]
async fn a_peer_is_its_certificate_and_its_title_together() {
    let test = TestArchive::new();
    let archive = test.archive();
    test.peer("CT1", &[Verb::Store]).await;
    test.peer("VIEW1", &[Verb::Find]).await;
    let known = archive.authenticate(at(Door::Dimse), peer("certificate of CT1", "CT1", None)).await.unwrap();
    assert_eq!(known.name(), "CT1");
    for (certificate, ae) in [("certificate of CT1", "VIEW1"), ("certificate of VIEW1", "CT1"), ("another", "CT1")] {
        assert!(archive.authenticate(at(Door::Dimse), peer(certificate, ae, None)).await.is_err());
    }
    let wrong_door = archive.authenticate(at(Door::DicomWeb), peer("certificate of CT1", "CT1", None)).await;
    assert!(wrong_door.is_err());
    let host = test.host().await;
    archive.revoke_peer(&host, &"CT1".parse().unwrap()).await.unwrap();
    assert!(!archive.is_current(&known));
    assert!(archive.authenticate(at(Door::Dimse), peer("certificate of CT1", "CT1", None)).await.is_err());
}

#[tokio::test]
async fn a_user_on_a_peer_may_do_what_both_may() {
    let test = TestArchive::new();
    let archive = test.archive();
    let host = test.host().await;
    test.peer("CT1", &[Verb::Store, Verb::Find]).await;
    let viewer = archive.create_token(&host, "ada", "viewer", DAY, Scope::everything()).await.unwrap();
    let sender = archive.create_token(&host, "bob", "sender", DAY, Scope::everything()).await.unwrap();
    let on_ct1 = |identity| peer("certificate of CT1", "CT1", Some(identity));
    let name = UserIdentity::Username("ada".into());
    assert!(archive.authenticate(at(Door::Dimse), on_ct1(name)).await.is_ok(), "a name alone grants nothing");
    for (user, passcode) in [("ada", "wrong"), ("ada", sender.as_str()), ("eve", viewer.as_str())] {
        let wrong = UserIdentity::UsernamePasscode(user.into(), passcode.into());
        assert!(archive.authenticate(at(Door::Dimse), on_ct1(wrong)).await.is_err());
    }
    assert!(archive.authenticate(at(Door::Dimse), on_ct1(UserIdentity::Unsupported(5))).await.is_err());
    let ada = UserIdentity::UsernamePasscode("ada".into(), viewer);
    let ada = archive.authenticate(at(Door::Dimse), on_ct1(ada)).await.unwrap();
    assert!(test.store(&ada, &Sample::new(1, 1, 1)).await.is_err(), "the peer may store, Ada may not");
    let bob = UserIdentity::UsernamePasscode("bob".into(), sender);
    let bob = archive.authenticate(at(Door::Dimse), on_ct1(bob)).await.unwrap();
    test.store(&bob, &Sample::new(1, 1, 1)).await.unwrap();
    archive.revoke_token(&host, "bob").await.unwrap();
    assert!(test.store(&bob, &Sample::new(1, 1, 2)).await.is_err());
}

#[tokio::test]
async fn destinations_are_for_those_who_retrieve() {
    let test = TestArchive::new();
    let archive = test.archive();
    test.peer("WORK1", &[]).await;
    let mover = test.peer("MOVE1", &[Verb::Retrieve]).await;
    let sender = test.peer("CT1", &[Verb::Store]).await;
    let work1 = AeTitle::parse("WORK1").unwrap();
    assert!(archive.destination(&mover, &work1).await.unwrap().address.is_some());
    assert!(matches!(archive.destination(&sender, &work1).await, Err(Refused::NotAllowed)));
    assert!(matches!(archive.destination(&mover, &"NOBODY".parse().unwrap()).await, Err(Refused::NotFound)));
}

#[tokio::test]
async fn host_secrets_are_made_once_kept_and_for_the_host_alone() {
    let test = TestArchive::new();
    let host = test.host().await;
    let first = test.archive().host_secret(&host, "ca", &|| b"first".to_vec()).await.unwrap();
    let again = test.archive().host_secret(&host, "ca", &|| b"other".to_vec()).await.unwrap();
    assert_eq!((first.as_slice(), again.as_slice()), (b"first".as_slice(), b"first".as_slice()));
    test.archive().put_host_secret(&host, "ca", b"renewed").await.unwrap();
    let administrator = test.caller("administrator", Door::Admin).await;
    assert!(test.archive().host_secret(&administrator, "ca", &|| Vec::new()).await.is_err());
    let test = test.reopened().await;
    let host = test.host().await;
    assert_eq!(test.archive().host_secret(&host, "ca", &|| Vec::new()).await.unwrap(), b"renewed");
}

#[tokio::test]
async fn wrong_setup_codes_count_across_restarts() {
    let test = TestArchive::new();
    let code = test.archive().new_setup_code(&test.host().await).await.unwrap();
    let wrong = || Credential::SetupCode(format!("lgs_{}", "A".repeat(43)));
    for _ in 0..3 {
        assert!(test.archive().authenticate(at(Door::Admin), wrong()).await.is_err());
    }
    let test = test.reopened().await;
    assert!(test.archive().authenticate(at(Door::Admin), Credential::SetupCode(code.clone())).await.is_ok());
    for _ in 0..2 {
        assert!(test.archive().authenticate(at(Door::Admin), wrong()).await.is_err());
    }
    assert!(test.archive().authenticate(at(Door::Admin), Credential::SetupCode(code)).await.is_err());
}
