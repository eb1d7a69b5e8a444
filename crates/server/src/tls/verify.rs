//! Whose certificates are believed.
//!
//! A caller on the DICOM door: one our authority signed, or one that is enrolled itself
//! ("pinned": IHE ATNA's direct trust); either must be fit to be shown ([`super::fitness`]),
//! and one that was a peer's and is no longer is shown in vain. A destination we call: exactly the certificate
//! enrolled for it. Host names are not looked at; a peer is its certificate.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use leadglass_archive::administer::Standing;

use super::authority::validity;
use super::fitness::{self, Unfit};

/// SHA-256 of a certificate's DER.
pub type Fingerprint = [u8; 32];

/// Computes the fingerprint of a certificate.
pub fn fingerprint(certificate: &[u8]) -> Fingerprint {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate);
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(digest.as_ref());
    fingerprint
}

/// Asks what is known of the certificate with that fingerprint.
pub type AskStanding = Arc<dyn Fn(&Fingerprint) -> Standing + Send + Sync>;

/// Believes callers whose certificate our authority signed or who are pinned. What they
/// may do, and under which AE title, `Archive::authenticate` decides.
pub struct CallerVerifier {
    chain: Arc<dyn ClientCertVerifier>,
    standing: AskStanding,
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
        standing: AskStanding,
        provider: Arc<CryptoProvider>,
    ) -> Result<CallerVerifier, Error> {
        let chain = WebPkiClientVerifier::builder_with_provider(roots, provider)
            .build()
            .map_err(|error| Error::General(error.to_string()))?;
        Ok(CallerVerifier { chain, standing })
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
        fitness::check(end_entity, now).map_err(Unfit::error)?;
        match (self.standing)(&fingerprint(end_entity)) {
            Standing::Enrolled => Ok(ClientCertVerified::assertion()),
            Standing::Retired => Err(Unfit::Retired.error()),
            Standing::Unknown => {
                let chain = self.chain.verify_client_cert(end_entity, intermediates, now);
                chain.map_err(|error| Unfit::of(&error).error())
            }
        }
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

/// Believes a server that shows, behind its own certificate, the authority pinned, when that
/// authority signed for the name called: how a device meets its archive for the first time.
#[derive(Debug)]
pub struct PinnedAuthority {
    authority: Fingerprint,
    provider: Arc<CryptoProvider>,
}

impl PinnedAuthority {
    /// A verifier for the authority whose certificate has that SHA-256.
    pub fn new(authority: Fingerprint, provider: Arc<CryptoProvider>) -> PinnedAuthority {
        PinnedAuthority { authority, provider }
    }
}

impl ServerCertVerifier for PinnedAuthority {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let pinned = intermediates.iter().find(|certificate| fingerprint(certificate) == self.authority);
        let pinned = pinned.ok_or(CertificateError::UnknownIssuer)?;
        let mut roots = RootCertStore::empty();
        roots.add(pinned.clone().into_owned())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone())
            .build()
            .map_err(|error| Error::General(error.to_string()))?;
        verifier.verify_server_cert(end_entity, &[], server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
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
    use std::collections::HashMap;
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

    /// Certificates that are a peer's, or were.
    type Pins = Arc<RwLock<HashMap<Fingerprint, bool>>>;

    fn verifier(of: &Authority, pins: &Pins) -> CallerVerifier {
        let mut roots = RootCertStore::empty();
        roots.add(of.certificate().clone()).unwrap();
        let pins = pins.clone();
        let standing: AskStanding = Arc::new(move |fingerprint| match pins.read().get(fingerprint) {
            Some(true) => Standing::Enrolled,
            Some(false) => Standing::Retired,
            None => Standing::Unknown,
        });
        CallerVerifier::new(roots.into(), standing, provider()).unwrap()
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
        pins.write().insert(fingerprint(&foreign), true);
        assert!(verify(&verifier, &foreign, NOW), "pinned");
        assert!(!verify(&verifier, &foreign, NOW + 3 * 365 * 86_400), "pinned and expired");
        pins.write().clear();
        assert!(!verify(&verifier, &foreign, NOW), "no longer pinned");
        pins.write().insert(fingerprint(&signed), false);
        assert!(!verify(&verifier, &signed, NOW), "revoked, though our authority signed it");
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
