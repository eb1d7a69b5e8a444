//! Whose certificates are believed.
//!
//! A caller on the DICOM door: one our authority signed, or one that is enrolled itself
//! ("pinned": IHE ATNA's direct trust). A destination we call: exactly the certificate
//! enrolled for it. Host names are not looked at; a peer is its certificate.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::authority::validity;

/// SHA-256 of a certificate's DER.
pub type Fingerprint = [u8; 32];

/// Computes the fingerprint of a certificate.
pub fn fingerprint(certificate: &[u8]) -> Fingerprint {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate);
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(digest.as_ref());
    fingerprint
}

/// Asks whether the certificate with that fingerprint is enrolled and not revoked.
pub type IsEnrolled = Arc<dyn Fn(&Fingerprint) -> bool + Send + Sync>;

/// Believes callers whose certificate our authority signed or who are pinned. What they
/// may do, and under which AE title, `Archive::authenticate` decides.
pub struct CallerVerifier {
    chain: Arc<dyn ClientCertVerifier>,
    is_enrolled: IsEnrolled,
}

impl std::fmt::Debug for CallerVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallerVerifier").finish_non_exhaustive()
    }
}

impl CallerVerifier {
    /// A verifier for that authority and those enrolled themselves.
    pub fn new(
        roots: Arc<RootCertStore>,
        is_enrolled: IsEnrolled,
        provider: Arc<CryptoProvider>,
    ) -> Result<CallerVerifier, Error> {
        let chain = WebPkiClientVerifier::builder_with_provider(roots, provider)
            .build()
            .map_err(|error| Error::General(error.to_string()))?;
        Ok(CallerVerifier { chain, is_enrolled })
    }
}

impl ClientCertVerifier for CallerVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // None: a pinned caller's certificate has another issuer and would not be offered.
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if (self.is_enrolled)(&fingerprint(end_entity)) {
            return within_validity(end_entity, now).map(|()| ClientCertVerified::assertion());
        }
        self.chain.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// Believes the one destination that shows the enrolled certificate.
#[derive(Debug)]
pub struct DestinationVerifier {
    pinned: Fingerprint,
    algorithms: WebPkiSupportedAlgorithms,
}

impl DestinationVerifier {
    /// A verifier of the certificate with that fingerprint.
    pub fn new(pinned: Fingerprint, provider: &CryptoProvider) -> DestinationVerifier {
        DestinationVerifier { pinned, algorithms: provider.signature_verification_algorithms }
    }
}

impl ServerCertVerifier for DestinationVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if fingerprint(end_entity) != self.pinned {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        within_validity(end_entity, now).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn within_validity(certificate: &[u8], now: UnixTime) -> Result<(), Error> {
    let (begin, end) = validity(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let now = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(now.as_secs());
    match () {
        () if now < begin => Err(CertificateError::NotValidYet.into()),
        () if now > end => Err(CertificateError::Expired.into()),
        () => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::{Duration, SystemTime};

    use parking_lot::RwLock;

    use super::*;
    use crate::tls::authority::Authority;
    use crate::tls::provider::provider;
    use leadglass_dicom::AeTitle;

    const NOW: u64 = 1_800_000_000;

    fn authority() -> Authority {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
        Authority::open(&Authority::create(now).unwrap()).unwrap()
    }

    fn signed_by(authority: &Authority) -> CertificateDer<'static> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
        authority.issue_peer(&AeTitle::parse("CT 1").unwrap(), now).unwrap().certificate
    }

    fn verify(verifier: &CallerVerifier, certificate: &CertificateDer<'_>, at: u64) -> bool {
        verifier.verify_client_cert(certificate, &[], UnixTime::since_unix_epoch(Duration::from_secs(at))).is_ok()
    }

    type Pins = Arc<RwLock<HashSet<Fingerprint>>>;

    fn verifier(of: &Authority, pins: &Pins) -> CallerVerifier {
        let mut roots = RootCertStore::empty();
        roots.add(of.certificate().clone()).unwrap();
        let pins = pins.clone();
        let is_enrolled: IsEnrolled = Arc::new(move |fingerprint| pins.read().contains(fingerprint));
        CallerVerifier::new(roots.into(), is_enrolled, provider()).unwrap()
    }

    #[test]
    fn a_caller_is_signed_or_pinned_and_in_date() {
        let (ours, theirs, pins) = (authority(), authority(), Pins::default());
        let verifier = verifier(&ours, &pins);
        let (signed, foreign) = (signed_by(&ours), signed_by(&theirs));
        assert!(verify(&verifier, &signed, NOW));
        assert!(!verify(&verifier, &signed, NOW + 3 * 365 * 86_400), "expired");
        assert!(!verify(&verifier, &signed, NOW - 86_400), "not yet valid");
        assert!(!verify(&verifier, &foreign, NOW), "of another authority");
        pins.write().insert(fingerprint(&foreign));
        assert!(verify(&verifier, &foreign, NOW), "pinned");
        assert!(!verify(&verifier, &foreign, NOW + 3 * 365 * 86_400), "pinned and expired");
        pins.write().clear();
        assert!(!verify(&verifier, &foreign, NOW), "no longer pinned");
    }

    #[test]
    fn a_destination_is_its_own_certificate_and_no_other_of_our_authority() {
        let ours = authority();
        let (enrolled, other) = (signed_by(&ours), signed_by(&ours));
        let verifier = DestinationVerifier::new(fingerprint(&enrolled), &provider());
        let name = ServerName::try_from("localhost").unwrap();
        let at = UnixTime::since_unix_epoch(Duration::from_secs(NOW));
        assert!(verifier.verify_server_cert(&enrolled, &[], &name, &[], at).is_ok());
        assert!(verifier.verify_server_cert(&other, &[], &name, &[], at).is_err());
    }
}
