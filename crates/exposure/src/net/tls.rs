//! TLS to whoever answers: every certificate is taken, and looked at.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Wire;

/// What a handshake showed.
#[derive(Clone, Debug)]
pub struct Handshake {
    /// TLS version on the wire: 0x0303 is 1.2, 0x0304 is 1.3.
    pub version: u16,
    /// The cipher suite's number.
    pub suite: u16,
    /// Certificates as they came, the host's own first. Bytes of the target: look, do not keep.
    pub chain: Vec<CertificateDer<'static>>,
    /// Whether it asked for a certificate of ours. We never have one.
    pub asked_for_certificate: bool,
}

/// Shakes hands, taking any certificate, showing none. With TLS 1.3 a server that demands a
/// certificate says so only after this has succeeded: read on to know.
pub async fn open<'line>(
    wire: Wire<'line>,
    name: ServerName<'static>,
    alpn: &[&str],
) -> io::Result<(TlsStream<Wire<'line>>, Handshake)> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let none = Arc::new(NoCertificate::default());
    let config = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let config = config.map_err(io::Error::other)?.dangerous();
    let mut config = config
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_client_cert_resolver(none.clone());
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    config.resumption = rustls::client::Resumption::disabled();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, wire).await?;
    let (_, session) = stream.get_ref();
    let handshake = Handshake {
        version: session.protocol_version().map_or(0, u16::from),
        suite: session.negotiated_cipher_suite().map_or(0, |suite| u16::from(suite.suite())),
        chain: session.peer_certificates().unwrap_or_default().iter().map(|cert| cert.clone().into_owned()).collect(),
        asked_for_certificate: none.asked.load(Ordering::Relaxed),
    };
    Ok((stream, handshake))
}

/// The audit does not trust; it looks.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Has no certificate, and notices being asked for one.
#[derive(Debug, Default)]
struct NoCertificate {
    asked: AtomicBool,
}

impl ResolvesClientCert for NoCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<rustls::sign::CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}
