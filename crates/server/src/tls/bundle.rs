//! What is handed to a peer: certificate, key and authority, as PEM and as PKCS#12.

use leadglass_dicom::AeTitle;
use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};

use super::TlsError;
use super::authority::{Authority, Identity, random};
use super::verify::fingerprint;

/// A peer's certificate bundle. The key exists nowhere else.
pub struct PeerBundle {
    /// The certificate, PEM.
    pub certificate_pem: String,
    /// The same, DER.
    pub certificate_der: Vec<u8>,
    /// The key, PKCS#8 PEM.
    pub key_pem: zeroize::Zeroizing<String>,
    /// Our authority's certificate, PEM: what the peer verifies us with.
    pub ca_pem: String,
    /// All three as PKCS#12.
    pub pkcs12: Vec<u8>,
    /// The password of the PKCS#12 file: 32 random characters.
    pub pkcs12_password: zeroize::Zeroizing<String>,
    /// SHA-256 of the certificate, lower-case hex: what is enrolled.
    pub certificate_sha256: String,
}

impl PeerBundle {
    /// Bundles a fresh identity for that AE.
    pub fn new(ae: &AeTitle, identity: &Identity, authority: &Authority) -> Result<PeerBundle, TlsError> {
        let password = zeroize::Zeroizing::new(hex::encode(random::<16>()?));
        Ok(PeerBundle {
            certificate_pem: pem("CERTIFICATE", &identity.certificate),
            certificate_der: identity.certificate.to_vec(),
            key_pem: pem("PRIVATE KEY", &identity.key_pkcs8).into(),
            ca_pem: pem("CERTIFICATE", authority.certificate()),
            pkcs12: pkcs12(ae, identity, authority, &password)?,
            pkcs12_password: password,
            certificate_sha256: hex::encode(fingerprint(&identity.certificate)),
        })
    }
}

fn pkcs12(ae: &AeTitle, identity: &Identity, authority: &Authority, password: &str) -> Result<Vec<u8>, TlsError> {
    let key = PrivateKey::from_der(&identity.key_pkcs8).map_err(TlsError::made)?;
    let certificate = Certificate::from_der(&identity.certificate).map_err(TlsError::made)?;
    let root = Certificate::from_der(authority.certificate()).map_err(TlsError::made)?;
    let id = fingerprint(&identity.certificate)[..20].to_vec();
    let mut store = KeyStore::new();
    let chain = PrivateKeyChain::new(id, key, [certificate, root]);
    store.add_entry(ae.as_str(), KeyStoreEntry::PrivateKeyChain(chain));
    store.writer(password).write().map_err(TlsError::made)
}

/// PEM of a DER (RFC 7468).
pub fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine;
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls_pki_types::pem::PemObject;

    #[test]
    fn pem_reads_back() {
        for length in [0, 1, 47, 48, 49, 700] {
            let der = vec![7_u8; length];
            let text = pem("CERTIFICATE", &der);
            let read = rustls_pki_types::CertificateDer::from_pem_slice(text.as_bytes()).unwrap();
            assert_eq!(&read[..], &der[..], "{length}");
        }
    }

    #[test]
    fn the_pkcs12_opens_with_its_password_and_no_other() {
        let now = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_800_000_000);
        let authority = Authority::open(&Authority::create(now).unwrap()).unwrap();
        let ae = AeTitle::parse("MR 2").unwrap();
        let identity = authority.issue_peer(&ae, now).unwrap();
        let bundle = PeerBundle::new(&ae, &identity, &authority).unwrap();
        let policy = p12_keystore::Pkcs12ImportPolicy::Strict;
        let store = KeyStore::from_pkcs12(&bundle.pkcs12, &bundle.pkcs12_password, policy).unwrap();
        let (_, chain) = store.private_key_chain().unwrap();
        assert_eq!(chain.certs()[0].as_der(), &identity.certificate[..]);
        assert!(KeyStore::from_pkcs12(&bundle.pkcs12, "0", policy).is_err());
    }
}
