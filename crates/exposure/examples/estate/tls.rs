//! DICOM over TLS as it should be: who shows no certificate is sent away.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::server::{ServerConfig, WebPkiClientVerifier};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// The estate's one TLS identity.
pub type Identity = Arc<ServerConfig>;

/// A fresh authority, a certificate of it, and the demand for another.
pub fn identity() -> Result<Identity, Box<dyn std::error::Error + Send + Sync>> {
    let key = rcgen::KeyPair::generate()?;
    let certificate = rcgen::CertificateParams::new(vec!["archive.estate.example".to_owned()])?.self_signed(&key)?;
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build()?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate.der().clone()], key.serialize_der().try_into()?)?;
    Ok(Arc::new(config))
}

/// Shakes hands; without a certificate nobody gets further.
pub async fn demand_certificate(stream: TcpStream, identity: Identity) {
    if let Ok(mut stream) = TlsAcceptor::from(identity).accept(stream).await {
        let _ = stream.read_u8().await;
    }
}
