//! Who is let in, and for what.

use leadglass_dicom::AeTitle;
use leadglass_dimse::{AssociationError, Limits, Status, requestor, scu};

use crate::harness::*;

fn rejected(ended: Result<Opened, AssociationError>) -> Option<(u8, u8, u8)> {
    match ended {
        Err(AssociationError::Rejected { result, reject_source, reason }) => Some((result, reject_source, reason)),
        _ => None,
    }
}

#[tokio::test]
async fn an_enrolled_peer_is_answered() {
    let server = TestServer::start().await;
    let peer = server.peer("CT1", &[]).await;
    let mut association = server.associate(&peer, Asking::of(&[(VERIFICATION, &[IMPLICIT])])).await.unwrap();
    assert_eq!(scu::echo(&mut association, 1).await.unwrap(), Status::SUCCESS);
    association.release().await.unwrap();
}

#[tokio::test]
async fn a_title_or_archive_that_is_not_meant_is_rejected() {
    let server = TestServer::start().await;
    let (peer, other) = (server.peer("CT1", &ALL_VERBS).await, server.peer("CT2", &ALL_VERBS).await);
    let echo = || Asking::of(&[(VERIFICATION, &[IMPLICIT])]);
    assert_eq!(rejected(server.associate(&peer, echo().calling("STRANGER")).await), Some((1, 1, 3)));
    assert_eq!(rejected(server.associate(&peer, echo().calling(other.ae.as_str())).await), Some((1, 1, 3)));
    assert_eq!(rejected(server.associate(&peer, echo().called("SOMEONE")).await), Some((1, 1, 7)));
    let stranger = echo().calling("STRANGER").called("SOMEONE");
    assert_eq!(
        rejected(server.associate(&peer, stranger).await),
        Some((1, 1, 3)),
        "our title is not to be found by trying"
    );
}

#[tokio::test]
async fn a_certificate_of_another_authority_gets_no_tls() {
    let (server, elsewhere) = (TestServer::start().await, TestServer::start().await);
    let peer = server.peer("CT1", &ALL_VERBS).await;
    let mut foreign = elsewhere.peer("CT1", &ALL_VERBS).await;
    foreign.bundle.ca_pem.clone_from(&peer.bundle.ca_pem);
    assert!(server.associate(&foreign, Asking::of(&[(VERIFICATION, &[IMPLICIT])])).await.is_err());
}

#[tokio::test]
async fn before_setup_all_are_rejected() {
    let (running, _dir) = start_new(|_| {}).await;
    let ae = AeTitle::parse("CT1").unwrap();
    let bundle = running.host().tls.issue_peer(&ae).unwrap();
    let stream = connect(running.dicom, &bundle).await.unwrap();
    let request = Asking::of(&[(VERIFICATION, &[IMPLICIT])]).between(&ae, &running.host().ae_title);
    assert_eq!(rejected(requestor::request(stream, request, &Limits::default()).await), Some((1, 1, 1)));
}

#[tokio::test]
async fn contexts_are_accepted_for_the_verbs_of_the_peer() {
    let server = TestServer::start().await;
    let sender = server.peer("SENDER", &[leadglass_archive::administer::Verb::Store]).await;
    let all: &[(&str, &[&str])] = &[
        (VERIFICATION, &[IMPLICIT]),
        (CT, &[EXPLICIT]),
        (STUDY_FIND, &[EXPLICIT]),
        (STUDY_MOVE, &[EXPLICIT]),
        (STUDY_GET, &[EXPLICIT]),
        (COMMITMENT, &[EXPLICIT]),
    ];
    let association = server.associate(&sender, Asking::of(all)).await.unwrap();
    let accepted: Vec<&str> = association.contexts().iter().map(|c| c.abstract_syntax.as_str()).collect();
    assert_eq!(accepted, [VERIFICATION, CT]);
    association.release().await.unwrap();
    let everything = server.peer("EVERYTHING", &ALL_VERBS).await;
    let association = server.associate(&everything, Asking::of(all)).await.unwrap();
    assert_eq!(association.contexts().len(), all.len());
}

#[tokio::test]
async fn user_identities_that_cannot_be_verified_are_rejected() {
    let server = TestServer::start().await;
    let peer = server.peer("CT1", &ALL_VERBS).await;
    let echo = || Asking::of(&[(VERIFICATION, &[IMPLICIT])]);
    for (kind, secondary) in [(2, "wrong"), (3, ""), (4, ""), (5, ""), (9, "")] {
        assert!(
            rejected(server.associate(&peer, echo().identity(kind, "someone", secondary)).await).is_some(),
            "{kind}"
        );
    }
    server.associate(&peer, echo().identity(1, "someone", "")).await.unwrap();
}

#[tokio::test]
async fn one_association_too_many_is_told_so() {
    let server = TestServer::start_with(|config| config.dimse.associations_per_peer = 1).await;
    let peer = server.peer("CT1", &ALL_VERBS).await;
    let echo = || Asking::of(&[(VERIFICATION, &[IMPLICIT])]);
    let first = server.associate(&peer, echo()).await.unwrap();
    assert_eq!(rejected(server.associate(&peer, echo()).await), Some((2, 3, 2)));
    drop(first);
}

#[tokio::test]
async fn revocation_ends_a_live_association() {
    let server = TestServer::start().await;
    let peer = server.peer("CT1", &ALL_VERBS).await;
    let mut association = server.associate(&peer, Asking::of(&[(VERIFICATION, &[IMPLICIT])])).await.unwrap();
    assert_eq!(scu::echo(&mut association, 1).await.unwrap(), Status::SUCCESS);
    server.host().archive.revoke_peer(&server.administrator, &peer.ae).await.unwrap();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(5), association.receive()).await;
    assert!(matches!(ended, Ok(Err(AssociationError::Aborted { .. } | AssociationError::Closed))), "{ended:?}");
    assert!(server.associate(&peer, Asking::of(&[(VERIFICATION, &[IMPLICIT])])).await.is_err());
}

#[tokio::test]
async fn a_stop_ends_idle_associations_at_once() {
    let server = TestServer::start().await;
    let peer = server.peer("CT1", &ALL_VERBS).await;
    let mut association = server.associate(&peer, Asking::of(&[(VERIFICATION, &[IMPLICIT])])).await.unwrap();
    let TestServer { running, dir: _dir, .. } = server;
    assert!(running.stop().await);
    assert!(association.receive().await.is_err());
}
