//! What becomes of a port that shakes hands for TLS and then says nothing.

use std::sync::Arc;
use std::time::Duration;

use super::{folder, job};
use leadglass_exposure::catalogue::{self, Check};
use leadglass_exposure::engine::audit;
use leadglass_exposure::finding::State;
use leadglass_exposure::scope::range::RangeSet;
use leadglass_exposure::testing;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{self, pki_types::PrivatePkcs8KeyDer};

fn acceptor() -> TlsAcceptor {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["pacs.hospital.example".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().der().clone();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = builder.with_no_client_auth().with_single_cert(vec![certificate], key.into()).unwrap();
    TlsAcceptor::from(Arc::new(config))
}

#[tokio::test]
async fn silence_behind_tls_is_an_error_of_every_check_of_dicom_and_the_web() {
    let listener = TcpListener::bind("127.32.0.1:0").await.unwrap();
    let (port, acceptor) = (listener.local_addr().unwrap().port(), acceptor());
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                while stream.read(&mut [0; 512]).await.is_ok_and(|read| read > 0) {}
            });
        }
    });
    let (_folder, out) = folder();
    let address: std::net::IpAddr = "127.32.0.1".parse().unwrap();
    let mut scope = testing::scope();
    scope.firewall_exempt = true;
    scope.assets[0].addresses = RangeSet::new([(address, address)]);
    scope.assets[0].listed = scope.assets[0].addresses.clone();
    scope.assets[0].ports = vec![port];
    let mut job = job(&scope, &out);
    job.limits.conversation = Duration::from_millis(200);
    let report = audit(job, Arc::default()).await.unwrap().report;
    serving.abort();
    let service = &report.systems[0].services[0];
    assert_eq!(service.speaks.as_str(), "tls");
    let family = |checks: &'static [&'static Check]| checks.iter().map(|check| check.id);
    for id in family(catalogue::dimse::CHECKS).chain(family(catalogue::web::CHECKS)) {
        let of: Vec<_> = service.outcomes.iter().filter(|outcome| outcome.check.id == id).collect();
        let named = ["D-04", "W-12"].contains(&id);
        assert_eq!(of.len(), usize::from(!named), "{id}");
        assert!(of.iter().all(|outcome| outcome.state == State::Error), "{id}: {of:?}");
    }
}
