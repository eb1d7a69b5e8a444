//! The archive's own certificate authority: it signs our server certificates and the
//! certificates of peers, nothing else. Its key is a sealed host secret.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime};

use leadglass_dicom::AeTitle;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, SerialNumber,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use time::OffsetDateTime;

use super::{TlsError, fitness};

/// Life of the authority's certificate.
const AUTHORITY_LIFE: Duration = Duration::from_secs(10 * 365 * 86_400);
/// Life of a server certificate: what public authorities may give at most.
const SERVER_LIFE: Duration = Duration::from_secs(397 * 86_400);
/// Life of a peer's certificate: the same; it renews itself, or is enrolled again.
const PEER_LIFE: Duration = SERVER_LIFE;
/// Certificates begin a little earlier, for peers whose clock is behind.
const BACKDATED: Duration = Duration::from_secs(3600);

/// A certificate authority with its key.
pub struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key.
#[derive(Clone)]
pub struct Identity {
    /// The certificate, DER.
    pub certificate: CertificateDer<'static>,
    /// The key, PKCS#8 DER.
    pub key_pkcs8: zeroize::Zeroizing<Vec<u8>>,
}

impl Authority {
    /// Makes an authority.
    pub fn create(now: SystemTime) -> Result<Identity, TlsError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(TlsError::made)?;
        let mut params = params(now, AUTHORITY_LIFE)?;
        let suffix = hex::encode(random::<4>()?);
        params.distinguished_name = named(&format!("Leadglass CA {suffix}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(TlsError::made)?;
        Ok(Identity::new(certificate.der().clone(), &key))
    }

    /// Takes an authority made before.
    pub fn open(identity: &Identity) -> Result<Authority, TlsError> {
        let key = PrivatePkcs8KeyDer::from(identity.key_pkcs8.to_vec());
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_ECDSA_P256_SHA256).map_err(TlsError::made)?;
        let issuer = Issuer::from_ca_cert_der(&identity.certificate, key).map_err(TlsError::made)?;
        Ok(Authority { certificate: identity.certificate.clone(), issuer })
    }

    /// The authority's certificate, public.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// A server certificate for loopback, this machine's name and the names given.
    pub fn issue_server(&self, names: &[String], now: SystemTime) -> Result<Identity, TlsError> {
        let mut params = params(now, SERVER_LIFE)?;
        params.distinguished_name = named("Leadglass");
        params.subject_alt_names = vec![
            san("localhost")?,
            SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        ];
        for name in names {
            params.subject_alt_names.push(san(name)?);
        }
        self.issue(params)
    }

    /// A peer's certificate: its subject is the AE title.
    pub fn issue_peer(&self, ae: &AeTitle, now: SystemTime) -> Result<Identity, TlsError> {
        let mut params = params(now, PEER_LIFE)?;
        params.distinguished_name = named(ae.as_str());
        self.issue(params)
    }

    /// A peer's certificate for the key of its signing request (PKCS#10, PEM), which proves
    /// that it holds the key. Nothing else of the request is taken over.
    pub fn sign_peer(
        &self,
        ae: &AeTitle,
        request_pem: &str,
        now: SystemTime,
    ) -> Result<CertificateDer<'static>, TlsError> {
        let mut request = CertificateSigningRequestParams::from_pem(request_pem).map_err(|_| TlsError::Request)?;
        request.params = for_tls(params(now, PEER_LIFE)?);
        request.params.distinguished_name = named(ae.as_str());
        let certificate = request.signed_by(&self.issuer).map_err(TlsError::made)?.der().clone();
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // The key is the request's: what would not be believed when shown is not given out.
        match fitness::check(&certificate, UnixTime::since_unix_epoch(now)) {
            Ok(()) => Ok(certificate),
            Err(_) => Err(TlsError::Request),
        }
    }

    fn issue(&self, params: CertificateParams) -> Result<Identity, TlsError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(TlsError::made)?;
        let params = for_tls(params);
        let certificate = params.signed_by(&key, &self.issuer).map_err(TlsError::made)?;
        Ok(Identity::new(certificate.der().clone(), &key))
    }
}

impl Identity {
    fn new(certificate: CertificateDer<'static>, key: &KeyPair) -> Identity {
        Identity { certificate, key_pkcs8: key.serialize_der().into() }
    }

    /// As one secret: the length of the certificate (4 bytes, big endian), the certificate, the key.
    pub fn to_secret(&self) -> Vec<u8> {
        let length = u32::try_from(self.certificate.len()).unwrap_or(u32::MAX);
        [&length.to_be_bytes(), &self.certificate[..], &self.key_pkcs8[..]].concat()
    }

    /// The reverse of [`Identity::to_secret`].
    pub fn from_secret(secret: &[u8]) -> Result<Identity, TlsError> {
        let (length, rest) = secret.split_first_chunk::<4>().ok_or(TlsError::Secret)?;
        let (certificate, key) = rest.split_at_checked(u32::from_be_bytes(*length) as usize).ok_or(TlsError::Secret)?;
        Ok(Identity { certificate: certificate.to_vec().into(), key_pkcs8: key.to_vec().into() })
    }

    /// The key as rustls takes it.
    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key_pkcs8.to_vec()))
    }

    /// From when to when the certificate is valid.
    pub fn validity(&self) -> Result<(SystemTime, SystemTime), TlsError> {
        validity(&self.certificate)
    }
}

/// From when to when a certificate is valid.
pub fn validity(certificate: &[u8]) -> Result<(SystemTime, SystemTime), TlsError> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|_| TlsError::Certificate)?;
    let validity = parsed.validity();
    Ok((validity.not_before.to_datetime().into(), validity.not_after.to_datetime().into()))
}

fn params(now: SystemTime, life: Duration) -> Result<CertificateParams, TlsError> {
    let mut params = CertificateParams::default();
    let begin = now.checked_sub(BACKDATED).unwrap_or(now);
    params.not_before = OffsetDateTime::from(begin);
    params.not_after = OffsetDateTime::from(begin + life);
    let mut serial = random::<16>()?;
    serial[0] = serial[0] & 0x7F | 0x01;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}

/// An end entity that is client and server, as every DICOM peer may be.
fn for_tls(mut params: CertificateParams) -> CertificateParams {
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn san(name: &str) -> Result<SanType, TlsError> {
    match name.parse::<IpAddr>() {
        Ok(address) => Ok(SanType::IpAddress(address)),
        Err(_) => Ok(SanType::DnsName(name.try_into().map_err(TlsError::made)?)),
    }
}

/// Random bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], TlsError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| TlsError::Random)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_survives_being_a_secret() {
        let made = Authority::create(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)).unwrap();
        let read = Identity::from_secret(&made.to_secret()).unwrap();
        assert_eq!(read.certificate, made.certificate);
        assert_eq!(read.key_pkcs8, made.key_pkcs8);
        assert!(Identity::from_secret(b"\xFF\xFF\xFF\xFFx").is_err() && Identity::from_secret(b"").is_err());
    }

    #[test]
    fn a_signing_request_gives_its_key_and_nothing_else() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let authority = Authority::open(&Authority::create(now).unwrap()).unwrap();
        let ae = AeTitle::parse("CT 1").unwrap();
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut wish = CertificateParams::new(["pacs.example".to_owned()]).unwrap();
        wish.distinguished_name = named("ADMIN");
        let request = wish.serialize_request(&key).unwrap().pem().unwrap();
        let certificate = authority.sign_peer(&ae, &request, now).unwrap();
        let (_, parsed) = x509_parser::parse_x509_certificate(&certificate).unwrap();
        assert_eq!(parsed.subject().to_string(), "CN=CT 1");
        assert!(parsed.subject_alternative_name().unwrap().is_none());
        assert_eq!(&*parsed.public_key().subject_public_key.data, key.public_key_raw());
        let mut broken = request.clone().into_bytes();
        broken[200] ^= 1;
        assert!(authority.sign_peer(&ae, &String::from_utf8_lossy(&broken), now).is_err());
        assert!(authority.sign_peer(&ae, "", now).is_err());
    }

    #[test]
    fn what_is_issued_lives_no_longer_than_397_days() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let authority = Authority::open(&Authority::create(now).unwrap()).unwrap();
        let ae = AeTitle::parse("CT 1").unwrap();
        let server = authority.issue_server(&["pacs.example".into()], now).unwrap();
        for identity in [server, authority.issue_peer(&ae, now).unwrap()] {
            let (begin, end) = identity.validity().unwrap();
            assert!(begin <= now && end.duration_since(begin).unwrap() <= Duration::from_secs(397 * 86_400));
        }
    }
}
