//! TLS to whoever answers: every certificate is taken, and looked at.
//!
//! Deliberately absent: trust. A chain is not verified, a signature is not checked: a key too
//! short or a hash too old would end the conversation before it could be reported.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
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
    /// The number of the group in which keys were exchanged (RFC 8446 4.2.7).
    pub group: Option<u16>,
    /// Certificates as they came, the host's own first. Bytes of the target: look, do not keep.
    pub chain: Vec<CertificateDer<'static>>,
    /// Whether it asked for a certificate of ours. We never have one.
    pub asked_for_certificate: bool,
}

/// No handshake, and what was seen until it ended.
#[derive(Debug)]
pub struct Failed {
    /// Why. Around a [`rustls::Error`] when TLS was spoken, see [`Failed::spoke_tls`].
    pub error: io::Error,
    /// Certificates as they came, when it came so far.
    pub chain: Vec<CertificateDer<'static>>,
    /// Whether it asked for a certificate of ours.
    pub asked_for_certificate: bool,
}

impl Failed {
    /// Whether the other end spoke TLS, if not to us: it sent an alert, or messages of TLS that
    /// we cannot agree with.
    pub fn spoke_tls(&self) -> bool {
        use rustls::{Error, InvalidMessage};
        match tls_error(&self.error) {
            Some(Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge)) => true,
            Some(Error::InvalidMessage(_)) | None => !self.chain.is_empty(),
            Some(_) => true,
        }
    }

    /// Whether it ended because nothing came in time.
    pub fn timed_out(&self) -> bool {
        self.error.kind() == io::ErrorKind::TimedOut
    }
}

/// The alert (RFC 8446 6) with which the other end ended a conversation.
pub fn alert(error: &io::Error) -> Option<u8> {
    match tls_error(error) {
        Some(rustls::Error::AlertReceived(alert)) => Some(u8::from(*alert)),
        _ => None,
    }
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

/// Shakes hands, taking any certificate, showing none. With TLS 1.3 a server that demands a
/// certificate says so only after this has succeeded: read on to know.
pub async fn open<'line>(
    wire: Wire<'line>,
    name: ServerName<'static>,
    alpn: &[&str],
) -> Result<(TlsStream<Wire<'line>>, Handshake), Failed> {
    let seen = Arc::new(Seen::default());
    let config = match config(&seen, alpn) {
        Ok(config) => config,
        Err(error) => return Err(seen.failed(io::Error::other(error))),
    };
    let stream = match TlsConnector::from(Arc::new(config)).connect(name, wire).await {
        Ok(stream) => stream,
        Err(error) => return Err(seen.failed(error)),
    };
    let (_, session) = stream.get_ref();
    let seen = std::mem::take(&mut *seen.0.lock());
    let handshake = Handshake {
        version: session.protocol_version().map_or(0, u16::from),
        suite: session.negotiated_cipher_suite().map_or(0, |suite| u16::from(suite.suite())),
        group: session.negotiated_key_exchange_group().map(|group| u16::from(group.name())),
        chain: seen.chain,
        asked_for_certificate: seen.asked_for_certificate,
    };
    Ok((stream, handshake))
}

fn config(seen: &Arc<Seen>, alpn: &[&str]) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let mut config = builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate { provider, seen: seen.clone() }))
        .with_client_cert_resolver(Arc::new(NoCertificate(seen.clone())));
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

/// What is noticed on the way, also when it leads nowhere.
#[derive(Debug, Default)]
struct Seen(Mutex<Noticed>);

#[derive(Debug, Default)]
struct Noticed {
    chain: Vec<CertificateDer<'static>>,
    asked_for_certificate: bool,
}

impl Seen {
    fn failed(&self, error: io::Error) -> Failed {
        let seen = std::mem::take(&mut *self.0.lock());
        Failed { error, chain: seen.chain, asked_for_certificate: seen.asked_for_certificate }
    }
}

/// The audit does not trust; it looks.
#[derive(Debug)]
struct AnyCertificate {
    provider: Arc<CryptoProvider>,
    seen: Arc<Seen>,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = std::iter::once(own).chain(above).map(|certificate| certificate.clone().into_owned());
        self.seen.0.lock().chain = chain.collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.provider.signature_verification_algorithms.supported_schemes();
        schemes.extend([SignatureScheme::ED448, SignatureScheme::ECDSA_SHA1_Legacy, SignatureScheme::RSA_PKCS1_SHA1]);
        schemes
    }
}

/// Has no certificate, and notices being asked for one.
#[derive(Debug)]
struct NoCertificate(Arc<Seen>);

impl ResolvesClientCert for NoCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<rustls::sign::CertifiedKey>> {
        self.0.0.lock().asked_for_certificate = true;
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}
