//! Which certificates are fit to be shown at all, whoever signed them.
//!
//! RFC 9325 §4: RSA from 2048 bits on, no SHA-1; RFC 5280 §4.2.1.12: an extended key usage
//! that is there names client authentication. IHE ATNA (ITI-19) discourages certificates of
//! public authorities strongly: anybody can buy one, so on the DICOM door there are none.

use rustls::{CertificateError, Error, OtherError};
use rustls_pki_types::UnixTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::public_key::PublicKey;

/// Least bits of an RSA key.
const RSA_BITS: usize = 2048;
/// Signatures that hold: SHA-256 and better with RSA and ECDSA, and Ed25519.
const SIGNATURES: [&str; 8] = [
    "1.2.840.113549.1.1.11",
    "1.2.840.113549.1.1.12",
    "1.2.840.113549.1.1.13",
    "1.2.840.113549.1.1.10",
    "1.2.840.10045.4.3.2",
    "1.2.840.10045.4.3.3",
    "1.2.840.10045.4.3.4",
    "1.3.101.112",
];
/// Curves of TLS: P-256, P-384, P-521.
const CURVES: [&str; 3] = ["1.2.840.10045.3.1.7", "1.3.132.0.34", "1.3.132.0.35"];
const ED25519: &str = "1.3.101.112";
/// What begins every policy of the CA/Browser Forum: a public authority's certificate has one.
const PUBLIC_POLICY: &str = "2.23.140.1.";
/// The list of timestamps of public certificate logs (RFC 6962 §3.3).
const PUBLIC_TIMESTAMPS: &str = "1.3.6.1.4.1.11129.2.4.2";

/// Why a certificate is not believed. For our log and trail: whoever shows it hears the same
/// alert for every reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// No certificate was shown.
    #[error("no client certificate")]
    Absent,
    /// It is no X.509 certificate.
    #[error("a client certificate that cannot be parsed")]
    Unparsable,
    /// It is not yet valid.
    #[error("a client certificate that is not valid yet")]
    NotYetValid,
    /// It is no longer valid.
    #[error("an expired client certificate")]
    Expired,
    /// Revoked, replaced, or expired with its enrolment.
    #[error("a revoked or replaced client certificate")]
    Retired,
    /// RSA of less than 2048 bits, an unknown curve, another kind of key.
    #[error("a client certificate with a weak key")]
    WeakKey,
    /// SHA-1, MD5, or something unknown.
    #[error("a client certificate with a weak signature")]
    WeakSignature,
    /// Its extended key usage does not name client authentication.
    #[error("a client certificate that is not for clients")]
    NotForClients,
    /// It is an authority's.
    #[error("an authority's certificate shown as a client's")]
    Authority,
    /// It comes from a public authority.
    #[error("a client certificate of a public authority")]
    Public,
    /// Nobody we believe signed it, and it is nobody's we know.
    #[error("a client certificate of an authority that is not ours")]
    UnknownIssuer,
    /// Its signature, or its issuer's, does not hold.
    #[error("a client certificate whose signature does not hold")]
    BadSignature,
}

impl Unfit {
    /// For the trail: our own words.
    pub fn reason(self) -> &'static str {
        match self {
            Unfit::Absent => "no client certificate",
            Unfit::Unparsable => "a client certificate that cannot be parsed",
            Unfit::NotYetValid => "a client certificate that is not valid yet",
            Unfit::Expired => "an expired client certificate",
            Unfit::Retired => "a revoked or replaced client certificate",
            Unfit::WeakKey => "a client certificate with a weak key",
            Unfit::WeakSignature => "a client certificate with a weak signature",
            Unfit::NotForClients => "a client certificate that is not for clients",
            Unfit::Authority => "an authority's certificate shown as a client's",
            Unfit::Public => "a client certificate of a public authority",
            Unfit::UnknownIssuer => "a client certificate of an authority that is not ours",
            Unfit::BadSignature => "a client certificate whose signature does not hold",
        }
    }

    /// As rustls takes it: one alert for all of them.
    pub(super) fn error(self) -> Error {
        Error::InvalidCertificate(CertificateError::Other(OtherError(std::sync::Arc::new(self))))
    }

    /// What rustls's own look found.
    pub(super) fn of(error: &Error) -> Unfit {
        match error {
            Error::InvalidCertificate(error) => match error {
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => Unfit::Expired,
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Unfit::NotYetValid,
                CertificateError::UnknownIssuer => Unfit::UnknownIssuer,
                CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                    Unfit::NotForClients
                }
                CertificateError::BadEncoding => Unfit::Unparsable,
                CertificateError::Other(OtherError(other)) => {
                    other.downcast_ref::<Unfit>().copied().unwrap_or(Unfit::BadSignature)
                }
                _ => Unfit::BadSignature,
            },
            _ => Unfit::Unparsable,
        }
    }

    /// Why a handshake failed, when it was for the client's certificate.
    pub fn of_handshake(error: &std::io::Error) -> Option<Unfit> {
        match error.get_ref()?.downcast_ref::<Error>()? {
            Error::NoCertificatesPresented => Some(Unfit::Absent),
            error @ Error::InvalidCertificate(_) => Some(Unfit::of(error)),
            _ => None,
        }
    }
}

/// Whether a client may show that certificate now, its issuer aside.
///
/// # Errors
/// [`Unfit`] says what is wrong with it.
pub fn check(certificate: &[u8], now: UnixTime) -> Result<(), Unfit> {
    let (rest, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|_| Unfit::Unparsable)?;
    if !rest.is_empty() {
        return Err(Unfit::Unparsable);
    }
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < parsed.validity().not_before.timestamp() {
        return Err(Unfit::NotYetValid);
    }
    if now > parsed.validity().not_after.timestamp() {
        return Err(Unfit::Expired);
    }
    if !SIGNATURES.contains(&parsed.signature_algorithm.algorithm.to_id_string().as_str()) {
        return Err(Unfit::WeakSignature);
    }
    is_strong(&parsed)?;
    is_for_clients(&parsed)?;
    match is_public(&parsed) {
        true => Err(Unfit::Public),
        false => Ok(()),
    }
}

fn is_strong(certificate: &X509Certificate<'_>) -> Result<(), Unfit> {
    let key = certificate.public_key();
    let algorithm = key.algorithm.algorithm.to_id_string();
    let curve = || key.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
    let strong = match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => bits(rsa.modulus) >= RSA_BITS,
        Ok(PublicKey::EC(_)) => curve().is_some_and(|curve| CURVES.contains(&curve.to_id_string().as_str())),
        _ => algorithm == ED25519,
    };
    if strong { Ok(()) } else { Err(Unfit::WeakKey) }
}

/// Bits of an unsigned big-endian number.
fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros).map_or(0, |first| (number.len() - zeros) * 8 - first.leading_zeros() as usize)
}

fn is_for_clients(certificate: &X509Certificate<'_>) -> Result<(), Unfit> {
    let usage = certificate.extended_key_usage().map_err(|_| Unfit::Unparsable)?;
    if usage.is_some_and(|usage| !usage.value.client_auth && !usage.value.any) {
        return Err(Unfit::NotForClients);
    }
    // A console's self-signed certificate often calls itself an authority; pinned, that gives
    // it nothing, as long as its key may sign a handshake too.
    let usage = certificate.key_usage().map_err(|_| Unfit::Unparsable)?;
    if usage.is_some_and(|usage| !usage.value.digital_signature()) {
        return Err(if certificate.is_ca() { Unfit::Authority } else { Unfit::NotForClients });
    }
    match certificate.is_ca() && certificate.subject() != certificate.issuer() {
        true => Err(Unfit::Authority),
        false => Ok(()),
    }
}

fn is_public(certificate: &X509Certificate<'_>) -> bool {
    use x509_parser::extensions::ParsedExtension;
    certificate.extensions().iter().any(|extension| match extension.parsed_extension() {
        ParsedExtension::CertificatePolicies(policies) => {
            policies.iter().any(|policy| policy.policy_id.to_id_string().starts_with(PUBLIC_POLICY))
        }
        _ => extension.oid.to_id_string() == PUBLIC_TIMESTAMPS,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{
        BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    };

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn made(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.not_before = time::OffsetDateTime::from_unix_timestamp(NOW as i64 - 86_400).unwrap();
        params.not_after = time::OffsetDateTime::from_unix_timestamp(NOW as i64 + 86_400).unwrap();
        change(&mut params);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    fn checked(change: impl FnOnce(&mut CertificateParams)) -> Result<(), Unfit> {
        check(&made(change), at(NOW))
    }

    #[test]
    fn each_fault_has_its_name() {
        assert_eq!(checked(|_| {}), Ok(()));
        let plain = made(|_| {});
        assert_eq!(check(&plain, at(NOW - 2 * 86_400)), Err(Unfit::NotYetValid));
        assert_eq!(check(&plain, at(NOW + 2 * 86_400)), Err(Unfit::Expired));
        assert_eq!(check(&plain[..plain.len() - 1], at(NOW)), Err(Unfit::Unparsable));
        assert_eq!(check(&[plain, vec![0]].concat(), at(NOW)), Err(Unfit::Unparsable));
        let server = |params: &mut CertificateParams| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        };
        assert_eq!(checked(server), Err(Unfit::NotForClients));
        let both = |params: &mut CertificateParams| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        };
        assert_eq!(checked(both), Ok(()));
        let authority = |params: &mut CertificateParams| {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        };
        assert_eq!(checked(authority), Err(Unfit::Authority));
        let timestamps = |params: &mut CertificateParams| {
            let oid = [1, 3, 6, 1, 4, 1, 11129, 2, 4, 2];
            params.custom_extensions = vec![CustomExtension::from_oid_content(&oid, vec![4, 2, 0, 0])];
        };
        assert_eq!(checked(timestamps), Err(Unfit::Public));
    }

    #[test]
    fn a_number_has_its_bits() {
        assert_eq!((bits(&[]), bits(&[0, 1]), bits(&[0, 0x80, 0]), bits(&[0x7F, 0])), (0, 1, 16, 15));
    }
}
