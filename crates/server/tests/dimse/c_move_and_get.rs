//! C-GET over the same association and C-MOVE to an enrolled peer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use leadglass::tls::bundle::PeerBundle;
use leadglass_archive::access::{Marked, Marks, Restriction, Scope};
use leadglass_dicom::{AeTitle, Encoding, StudyInstanceUid, VR};
use leadglass_dimse::message::{Command, StatusDetail, SubOperations};
use leadglass_dimse::negotiation::{Acceptance, ContextResult};
use leadglass_dimse::scu::GetEvent;
use leadglass_dimse::{Association, Limits, Status, acceptor, scu};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::harness::*;

/// What arrived: SOP Instance UID, and the transfer syntax and bytes it came in.
type Arrived = BTreeMap<String, (String, Vec<u8>)>;

fn images() -> [TestImage; 3] {
    [TestImage::new(1, 1, 1), TestImage::new(1, 1, 2), TestImage::new(1, 2, 1)]
}

fn counts(completed: u32, failed: u32) -> Option<SubOperations> {
    Some(SubOperations { remaining: None, completed, failed, warning: 0 })
}

fn study() -> Vec<u8> {
    identifier("STUDY", &[(STUDY_UID, VR::UI, "1.2.3.1")])
}

async fn get(association: &mut Opened, identifier: &[u8]) -> (Arrived, Status, Option<SubOperations>, usize) {
    let contexts: BTreeMap<u8, String> =
        association.contexts().iter().map(|c| (c.id, c.transfer_syntax.to_string())).collect();
    let mut get = scu::get(association, 1, identifier).await.unwrap();
    let (mut arrived, mut last) = (Arrived::new(), None);
    while let Some(event) = get.next().await.unwrap() {
        match event {
            GetEvent::Instance { context_id, request } => {
                let mut bytes = Vec::new();
                while let Some(chunk) = get.next_data_chunk().await.unwrap() {
                    bytes.extend_from_slice(&chunk);
                }
                get.answer(Status::SUCCESS, StatusDetail::none()).await.unwrap();
                let instance = request.affected_sop_instance.to_string();
                arrived.insert(instance, (contexts[&context_id].clone(), bytes));
            }
            GetEvent::Progress(response) => last = Some(response),
        }
    }
    let last = last.unwrap();
    (arrived, last.status, last.sub_operations, get.failed().len())
}

#[tokio::test]
async fn a_study_comes_back_as_it_went_in() {
    let server = TestServer::start().await;
    let peer = server.peer("CT1", &ALL_VERBS).await;
    store_all(&server, &peer, &images()).await;
    let asking = Asking::of(&[(STUDY_GET, &[EXPLICIT]), (CT, &[EXPLICIT])]).receiving(CT);
    let mut association = server.associate(&peer, asking).await.unwrap();
    let (arrived, status, sub_operations, failed) = get(&mut association, &study()).await;
    assert_eq!((status, sub_operations, failed), (Status::SUCCESS, counts(3, 0), 0));
    for image in images() {
        assert_eq!(arrived[&image.instance].1, image.bytes(Encoding::ExplicitLittleEndian));
    }
    association.release().await.unwrap();
}

#[tokio::test]
async fn a_native_object_is_converted_for_who_asks_otherwise() {
    let server = TestServer::start().await;
    let peer = server.peer("CT1", &ALL_VERBS).await;
    store_all(&server, &peer, &images()).await;
    let asking = Asking::of(&[(STUDY_GET, &[IMPLICIT]), (CT, &[IMPLICIT])]).receiving(CT);
    let mut association = server.associate(&peer, asking).await.unwrap();
    let mut identifier = leadglass_dicom::DataSet::new();
    identifier.put_text(leadglass_dicom::Tag(0x0008, 0x0052), VR::CS, "STUDY");
    identifier.put_text(STUDY_UID, VR::UI, "1.2.3.1");
    let identifier = identifier.encode(Encoding::ImplicitLittleEndian, &charset()).unwrap();
    let (arrived, status, _, _) = get(&mut association, &identifier).await;
    assert_eq!((arrived.len(), status), (3, Status::SUCCESS));
    for image in images() {
        let (syntax, bytes) = &arrived[&image.instance];
        assert_eq!((syntax.as_str(), bytes), (IMPLICIT, &image.bytes(Encoding::ImplicitLittleEndian)));
    }
    association.release().await.unwrap();
}

#[tokio::test]
async fn without_the_role_nothing_is_sent_and_all_is_named_as_failed() {
    let server = TestServer::start().await;
    let peer = server.peer("CT1", &ALL_VERBS).await;
    store_all(&server, &peer, &images()).await;
    let asking = Asking::of(&[(STUDY_GET, &[EXPLICIT]), (CT, &[EXPLICIT])]);
    let mut association = server.associate(&peer, asking).await.unwrap();
    let (arrived, status, sub_operations, failed) = get(&mut association, &study()).await;
    assert!(arrived.is_empty() && failed > 0);
    assert_eq!((status, sub_operations), (Status::OUT_OF_RESOURCES_SUBOPERATIONS, counts(0, 3)));
    association.release().await.unwrap();
}

#[tokio::test]
async fn nothing_of_that_name_is_success_without_sub_operations() {
    let server = TestServer::start().await;
    let peer = server.peer("CT1", &ALL_VERBS).await;
    let asking = Asking::of(&[(STUDY_GET, &[EXPLICIT]), (CT, &[EXPLICIT])]).receiving(CT);
    let mut association = server.associate(&peer, asking).await.unwrap();
    let (arrived, status, sub_operations, _) = get(&mut association, &study()).await;
    assert_eq!((arrived.len(), status, sub_operations), (0, Status::SUCCESS, counts(0, 0)));
    let nothing = identifier("STUDY", &[]);
    assert_eq!(get(&mut association, &nothing).await.1, Status::DATA_SET_DOES_NOT_MATCH);
    association.release().await.unwrap();
}

/// A peer that listens: takes one association.
async fn accepted(listener: TcpListener, bundle: PeerBundle) -> Association<TlsStream<TcpStream>> {
    let chain = vec![CertificateDer::from_pem_slice(bundle.certificate_pem.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(bundle.key_pem.as_bytes()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(leadglass::tls::provider::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await.unwrap();
    let requested = acceptor::receive(stream, &Limits::default()).await.unwrap();
    let contexts = requested.request().contexts.iter().map(|c| ContextResult::Accepted(c.transfer_syntaxes[0].clone()));
    let acceptance = Acceptance { contexts: contexts.collect(), ..Acceptance::default() };
    requested.accept(acceptance).await.unwrap()
}

/// It takes everything sent on it.
async fn receive_all(listener: TcpListener, bundle: PeerBundle) -> Arrived {
    let mut association = accepted(listener, bundle).await;
    let mut arrived = Arrived::new();
    while let Some(message) = association.receive().await.unwrap() {
        let Command::CStoreRequest(request) = Command::try_from(&message.command).unwrap() else {
            panic!("a store");
        };
        assert_eq!(request.move_originator.as_ref().map(|(ae, _)| ae.as_str()), Some("CT1"));
        let bytes = association.receive_data_set(1 << 20).await.unwrap();
        let syntax = association.context(message.context_id).unwrap().transfer_syntax.to_string();
        let response = request.response(Status::SUCCESS, StatusDetail::none());
        association.send(message.context_id, &response.into(), None).await.unwrap();
        arrived.insert(request.affected_sop_instance.to_string(), (syntax, bytes));
    }
    arrived
}

async fn move_(association: &mut Opened, to: &str, identifier: &[u8]) -> (Status, Option<SubOperations>) {
    let mut moving = scu::move_(association, 1, AeTitle::parse(to).unwrap(), identifier).await.unwrap();
    let mut last = None;
    while let Some(response) = moving.next().await.unwrap() {
        last = Some(response);
    }
    let last = last.unwrap();
    (last.status, last.sub_operations)
}

#[tokio::test]
async fn a_series_goes_to_the_enrolled_peer() {
    let server = TestServer::start().await;
    let peer = server.peer("CT1", &ALL_VERBS).await;
    store_all(&server, &peer, &images()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let destination = server.peer_at("STATION", &[], Some(address)).await;
    let receiving = tokio::spawn(receive_all(listener, destination.bundle));
    let mut association = server.associate(&peer, Asking::of(&[(STUDY_MOVE, &[EXPLICIT])])).await.unwrap();
    let series = identifier("SERIES", &[(STUDY_UID, VR::UI, "1.2.3.1"), (SERIES_UID, VR::UI, "1.2.3.1.1")]);
    assert_eq!(move_(&mut association, "STATION", &series).await, (Status::SUCCESS, counts(2, 0)));
    association.release().await.unwrap();
    let arrived = receiving.await.unwrap();
    let sent = images();
    assert_eq!(arrived.len(), 2);
    assert_eq!(arrived[&sent[0].instance].1, sent[0].bytes(Encoding::ExplicitLittleEndian));
}

#[tokio::test]
async fn only_the_enrolled_certificate_receives() {
    let server = TestServer::start().await;
    let peer = server.peer("CT1", &ALL_VERBS).await;
    store_all(&server, &peer, &images()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    server.peer_at("STATION", &[], Some(address)).await;
    // Signed by our authority, and not the one enrolled for that title.
    let impostor = server.peer("IMPOSTOR", &[]).await;
    let receiving = tokio::spawn(receive_all(listener, impostor.bundle));
    let mut association = server.associate(&peer, Asking::of(&[(STUDY_MOVE, &[EXPLICIT])])).await.unwrap();
    let ended = move_(&mut association, "STATION", &study()).await;
    assert_eq!(ended, (Status::OUT_OF_RESOURCES_SUBOPERATIONS, counts(0, 3)));
    assert!(receiving.await.is_err(), "no TLS for the impostor");
    assert_eq!(move_(&mut association, "NOBODY", &study()).await.0, Status::MOVE_DESTINATION_UNKNOWN);
    association.release().await.unwrap();
}

#[tokio::test]
async fn what_is_out_of_a_peers_scope_neither_comes_nor_goes() {
    let server = TestServer::start().await;
    let peer = server.peer("CT1", &ALL_VERBS).await;
    store_all(&server, &peer, &images()).await;
    let second = Scope { studies: vec!["1.2.3.2".into()], ..Scope::default() };
    let scoped = server.scoped_peer("CT2", &ALL_VERBS, None, second).await;
    server.peer_at("STATION", &[], Some("127.0.0.1:1".into())).await;
    let asking = Asking::of(&[(STUDY_MOVE, &[EXPLICIT]), (CT, &[EXPLICIT])]);
    let mut association = server.associate(&scoped, asking).await.unwrap();
    let nothing = identifier("STUDY", &[(STUDY_UID, VR::UI, "1.2.3.9")]);
    let absent = move_(&mut association, "STATION", &nothing).await;
    assert_eq!(absent, (Status::SUCCESS, counts(0, 0)));
    assert_eq!(move_(&mut association, "STATION", &study()).await, absent);
    let (out, own) = (TestImage::new(1, 1, 9), TestImage::new(2, 1, 1));
    for (image, status) in [(out, Status::NOT_AUTHORIZED), (own, Status::SUCCESS)] {
        let bytes = image.bytes(Encoding::ExplicitLittleEndian);
        assert_eq!(store(&mut association, 3, &image, bytes).await.unwrap().status, status);
    }
    association.release().await.unwrap();
}

/// A change of rights holds within so long.
const AT_ONCE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_c_get_under_way_ends_when_its_peer_is_revoked() {
    a_c_get_under_way_ends(async |server, peer| {
        server.host().archive.revoke_peer(&server.administrator, &peer.ae).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_c_get_under_way_ends_when_its_study_is_restricted() {
    a_c_get_under_way_ends(async |server, _| {
        let marks = Marks { restrictions: [Restriction::Vip].into(), ..Marks::default() };
        let study = StudyInstanceUid::parse("1.2.3.1").unwrap();
        server.host().archive.mark(&server.administrator, Marked::study(&study), marks).await.unwrap();
    })
    .await;
}

async fn a_c_get_under_way_ends(by: impl AsyncFnOnce(&TestServer, &TestPeer)) {
    let server = TestServer::start().await;
    let peer = server.peer("CT1", &ALL_VERBS).await;
    store_all(&server, &peer, &images()).await;
    let asking = Asking::of(&[(STUDY_GET, &[EXPLICIT]), (CT, &[EXPLICIT])]).receiving(CT);
    let mut association = server.associate(&peer, asking).await.unwrap();
    let mut getting = scu::get(&mut association, 1, &study()).await.unwrap();
    assert!(matches!(getting.next().await.unwrap(), Some(GetEvent::Instance { .. })));
    while getting.next_data_chunk().await.unwrap().is_some() {}
    // The first of three is here and not answered yet.
    by(&server, &peer).await;
    let ended = tokio::time::timeout(AT_ONCE, association.receive()).await;
    assert!(matches!(ended, Ok(Err(_))), "{ended:?}");
}

#[tokio::test]
async fn a_c_move_under_way_ends_when_its_peer_is_revoked() {
    let server = TestServer::start().await;
    let peer = server.peer("CT1", &ALL_VERBS).await;
    store_all(&server, &peer, &images()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let destination = server.peer_at("STATION", &[], Some(address)).await;
    let mut association = server.associate(&peer, Asking::of(&[(STUDY_MOVE, &[EXPLICIT])])).await.unwrap();
    let station = AeTitle::parse("STATION").unwrap();
    let mut moving = scu::move_(&mut association, 1, station, &study()).await.unwrap();
    let mut receiving = accepted(listener, destination.bundle).await;
    assert!(receiving.receive().await.unwrap().unwrap().has_data_set);
    receiving.receive_data_set(1 << 20).await.unwrap();
    server.host().archive.revoke_peer(&server.administrator, &peer.ae).await.unwrap();
    let ended = tokio::time::timeout(AT_ONCE, receiving.receive()).await;
    assert!(matches!(ended, Ok(Err(_) | Ok(None))), "no more is sent: {ended:?}");
    let ended = tokio::time::timeout(AT_ONCE, async { while let Ok(Some(_)) = moving.next().await {} }).await;
    assert!(ended.is_ok(), "whoever asked is out");
    assert!(association.receive().await.is_err());
}
