//! Devices that enrol themselves, renew, and are shown out.

use std::net::SocketAddr;
use std::time::Duration;

use http::StatusCode;
use leadglass::client::Client;
use leadglass::tls;
use leadglass::tls::bundle::PeerBundle;
use leadglass_archive::access::Scope;
use leadglass_archive::administer::{NewInvitation, Peer, Verb};
use leadglass_dicom::AeTitle;
use leadglass_dimse::{Status, scu};
use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::ServerName;
use serde_json::{Value, json};

use crate::harness::*;

/// A key and its signing request.
fn request() -> (KeyPair, String) {
    let key = KeyPair::generate().unwrap();
    let request = CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
    (key, request)
}

async fn invited(server: &TestServer, ae: &str) -> (String, String) {
    let peer = Peer { ae: ae.into(), verbs: vec![Verb::Store], scope: Scope::everything(), ..Peer::default() };
    let new = NewInvitation { peer, lifetime: Duration::from_secs(600) };
    let (token, invitation) = server.host().archive.invite_peer(&server.administrator, new).await.unwrap();
    (token, invitation.id)
}

fn stranger(server: &TestServer) -> Client {
    let config = tls::client_pinning(server.host().tls.ca_fingerprint()).unwrap();
    at(server.running.https, config)
}

fn at(address: SocketAddr, config: rustls::ClientConfig) -> Client {
    Client::with(address, ServerName::IpAddress(address.ip().into()), config)
}

/// What the archive answered to the key's request, as a peer of the tests.
fn peer_of(ae: &str, key: &KeyPair, answer: &Value) -> TestPeer {
    let text = |name: &str| answer["certificate"][name].as_str().unwrap().to_owned();
    TestPeer {
        ae: AeTitle::parse(ae).unwrap(),
        bundle: PeerBundle {
            certificate_pem: text("certificate_pem"),
            certificate_der: Vec::new(),
            key_pem: key.serialize_pem().into(),
            ca_pem: text("authority_pem"),
            pkcs12: Vec::new(),
            pkcs12_password: String::new().into(),
            certificate_sha256: text("certificate_sha256"),
        },
    }
}

fn echo() -> Asking {
    Asking::of(&[(VERIFICATION, &[IMPLICIT])])
}

#[tokio::test]
async fn a_device_enrols_itself_once_and_renews_with_the_certificate_it_has() {
    let server = TestServer::start().await;
    let (token, _) = invited(&server, "CT7").await;
    let (key, csr) = request();
    let client = stranger(&server);
    let (status, answer) = client.post("/enrol", None, &json!({ "token": token, "request": csr })).await.unwrap();
    assert_eq!((status, answer["ae"].as_str()), (StatusCode::CREATED, Some("CT7")), "{answer}");
    let old = peer_of("CT7", &key, &answer);
    let mut association = server.associate(&old, echo()).await.unwrap();
    assert_eq!(scu::echo(&mut association, 1).await.unwrap(), Status::SUCCESS);
    // The token worked once.
    let again = client.post("/enrol", None, &json!({ "token": token, "request": csr })).await.unwrap();
    assert_eq!(again.0, StatusCode::UNAUTHORIZED);
    // It renews by showing what it has; both are good for a while, also on what is open.
    let (next_key, csr) = request();
    let (status, answer) = renew(&server, &old, "CT7", &csr).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let new = peer_of("CT7", &next_key, &answer);
    assert_ne!(new.bundle.certificate_sha256, old.bundle.certificate_sha256);
    for peer in [&old, &new] {
        server.associate(peer, echo()).await.unwrap().release().await.unwrap();
    }
    assert_eq!(scu::echo(&mut association, 1).await.unwrap(), Status::SUCCESS);
    // Nobody else's title can be renewed by it, and once revoked it renews nothing.
    server.peer("CT8", &[]).await;
    assert_eq!(renew(&server, &new, "CT8", &csr).await.0, StatusCode::UNAUTHORIZED);
    server.host().archive.revoke_peer(&server.administrator, &new.ae).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_secs(5), association.receive()).await.unwrap().is_err());
    for peer in [&old, &new] {
        assert!(
            connect(server.running.dicom, &peer.bundle).await.is_err() || server.associate(peer, echo()).await.is_err()
        );
    }
}

async fn renew(server: &TestServer, peer: &TestPeer, ae: &str, csr: &str) -> (StatusCode, Value) {
    use rustls_pki_types::pem::PemObject;
    use rustls_pki_types::{CertificateDer, PrivateKeyDer};
    let ca = CertificateDer::from_pem_slice(peer.bundle.ca_pem.as_bytes()).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(peer.bundle.certificate_pem.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(peer.bundle.key_pem.as_bytes()).unwrap();
    let mut config = tls::client_with(&ca, chain, key).unwrap();
    config.alpn_protocols = vec![tls::RENEWAL_ALPN.to_vec()];
    let client = at(server.running.https, config);
    client.post("/enrol/renew", None, &json!({ "ae": ae, "request": csr })).await.unwrap()
}

#[tokio::test]
async fn five_wrong_tokens_void_an_invitation_and_nothing_more_is_learned() {
    let server = TestServer::start().await;
    let (token, id) = invited(&server, "CT7").await;
    let (_, csr) = request();
    let client = stranger(&server);
    let post = async |token: &str| {
        let (status, answer) = client.post("/enrol", None, &json!({ "token": token, "request": csr })).await.unwrap();
        (status, answer.to_string())
    };
    let wrong = format!("lge_{id}.{}", "A".repeat(43));
    let unknown = post(&format!("lge_AAAAAAAAAAAA.{}", "A".repeat(43))).await;
    assert_eq!(unknown.0, StatusCode::UNAUTHORIZED);
    for _ in 0..5 {
        assert_eq!(post(&wrong).await, unknown, "an invitation that is there answers as one that is not");
    }
    assert_eq!(post(&token).await, unknown, "void");
    for token in ["", "lge_", "lge_.", &"x".repeat(10_000)] {
        assert_eq!(post(token).await, unknown);
    }
    let listed = server.host().archive.invitations(&server.administrator).await.unwrap();
    assert_eq!(listed[0].ended.as_deref(), Some("void: too many wrong tokens"));
    assert!(!server.host().archive.peers(&server.administrator).await.unwrap().iter().any(|peer| peer.ae == "CT7"));
}

#[tokio::test]
async fn a_request_with_a_bad_key_or_none_uses_nothing_up() {
    let server = TestServer::start().await;
    let (token, id) = invited(&server, "CT7").await;
    let client = stranger(&server);
    for csr in ["", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"] {
        let (status, _) = client.post("/enrol", None, &json!({ "token": token, "request": csr })).await.unwrap();
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }
    assert!(server.host().archive.invitations(&server.administrator).await.unwrap()[0].open);
    server.host().archive.withdraw_invitation(&server.administrator, &id).await.unwrap();
    let (_, csr) = request();
    let (status, _) = client.post("/enrol", None, &json!({ "token": token, "request": csr })).await.unwrap();
    assert_eq!(status, StatusCode::UNAUTHORIZED, "withdrawn");
}

#[tokio::test]
async fn an_archive_of_another_authority_gets_no_token() {
    let (server, elsewhere) = (TestServer::start().await, TestServer::start().await);
    let config = tls::client_pinning(elsewhere.host().tls.ca_fingerprint()).unwrap();
    let client = at(server.running.https, config);
    assert!(client.post("/enrol", None, &json!({})).await.is_err());
}

#[tokio::test]
async fn renewal_without_a_certificate_is_refused_like_anything_else() {
    let server = TestServer::start().await;
    let (_, csr) = request();
    let client = stranger(&server);
    let (status, _) = client.post("/enrol/renew", None, &json!({ "ae": "CT1", "request": csr })).await.unwrap();
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let mut config = tls::client_pinning(server.host().tls.ca_fingerprint()).unwrap();
    config.alpn_protocols = vec![tls::RENEWAL_ALPN.to_vec()];
    assert!(at(server.running.https, config).get("/healthz/live", None).await.is_err(), "mutual TLS or none");
}

#[tokio::test]
async fn a_self_signed_certificate_is_a_peer_s_once_it_is_pinned() {
    let server = TestServer::start().await;
    let ours = server.peer("CT1", &[]).await;
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec![]).unwrap().self_signed(&key).unwrap();
    let sha256 = hex::encode(tls::verify::fingerprint(own.der()));
    let bundle = PeerBundle {
        certificate_pem: own.pem(),
        certificate_der: own.der().to_vec(),
        key_pem: key.serialize_pem().into(),
        ca_pem: ours.bundle.ca_pem.clone(),
        pkcs12: Vec::new(),
        pkcs12_password: String::new().into(),
        certificate_sha256: sha256.clone(),
    };
    let peer = TestPeer { ae: AeTitle::parse("US3").unwrap(), bundle };
    assert!(server.associate(&peer, echo()).await.is_err(), "not pinned");
    let pinned = Peer { ae: "US3".into(), certificate_sha256: sha256, scope: Scope::everything(), ..Peer::default() };
    server.host().archive.add_peer(&server.administrator, pinned).await.unwrap();
    server.associate(&peer, echo()).await.unwrap().release().await.unwrap();
}
