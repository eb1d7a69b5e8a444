//! TLS: our authority, our certificates, whom we believe.
//!
//! DIMSE is mutual TLS; HTTPS shows our certificate and asks for none. There is no
//! setting for any of it but the names in our certificate. Keys are sealed host secrets
//! of the archive. Deliberately absent: sessions that outlive a connection on the DICOM
//! door, so that a revoked certificate has nothing to resume.

pub mod authority;
pub mod bundle;
pub mod fitness;
mod issue;
pub mod provider;
pub mod verify;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use leadglass_archive::{Archive, Caller, Refused};
use leadglass_dicom::AeTitle;
use leadglass_dicom::clock::Clock;
use parking_lot::RwLock;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use authority::{Authority, Identity};
use bundle::PeerBundle;
use provider::{VERSIONS, provider};
use verify::{AskStanding, CallerVerifier, DestinationVerifier, Fingerprint};

/// Names of the host secrets.
const AUTHORITY_SECRET: &str = "tls-authority";
const SERVER_SECRET: &str = "tls-server";

/// What peers offer (RFC 7301) that renew their certificate on the HTTPS door.
pub const RENEWAL_ALPN: &[u8] = b"leadglass-renewal";

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A key or certificate could not be made.
    #[error("cannot make a key or certificate: {0}")]
    Made(String),
    /// A kept key or certificate is not as we write them.
    #[error("a kept key or certificate is damaged")]
    Secret,
    /// A certificate cannot be parsed.
    #[error("a certificate cannot be parsed")]
    Certificate,
    /// A signing request is none, proves nothing, or has a weak key.
    #[error("the certificate signing request is not acceptable")]
    Request,
    /// The system gives no random bytes.
    #[error("no random bytes from the system")]
    Random,
    /// The archive does not give or take the secret.
    #[error("the archive keeps the keys and refuses: {0}")]
    Archive(#[from] Refused),
    /// rustls refuses.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// Authorities of devices cannot be read.
    #[error("cannot read the authorities in {path}: {reason}")]
    Authorities {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The authority's certificate cannot be written to the data directory.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl TlsError {
    fn made(error: impl std::fmt::Display) -> TlsError {
        TlsError::Made(error.to_string())
    }
}

/// Our side of every TLS connection.
pub struct Tls {
    authority: Authority,
    current: Arc<Current>,
    names: Vec<String>,
    clock: Arc<dyn Clock>,
    dicom: Arc<ServerConfig>,
    https: Arc<ServerConfig>,
    renewal: Arc<ServerConfig>,
}

/// The server certificate in use; replaced when renewed, without a restart.
struct Current {
    identity: RwLock<Identity>,
    key: RwLock<Arc<CertifiedKey>>,
}

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Current").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.key.read().clone())
    }
}

impl Tls {
    /// Takes authority and server certificate from the archive's secrets, making them when
    /// absent and renewing the latter when due. `devices` are files (PEM) of authorities whose
    /// certificates get a handshake on the DICOM door; whoever shows one is nobody yet.
    pub async fn open(
        archive: &Archive,
        host: &Caller,
        names: Vec<String>,
        devices: &[PathBuf],
        clock: Arc<dyn Clock>,
    ) -> Result<Tls, TlsError> {
        let now = clock.now();
        let fresh = Authority::create(now)?.to_secret();
        let secret = archive.host_secret(host, AUTHORITY_SECRET, &move || fresh.clone()).await?;
        let authority = Authority::open(&Identity::from_secret(&secret)?)?;
        let names = server_names(names);
        let fresh = authority.issue_server(&names, now)?.to_secret();
        let secret = archive.host_secret(host, SERVER_SECRET, &move || fresh.clone()).await?;
        let identity = Identity::from_secret(&secret)?;
        let key = certified(&identity, &authority)?;
        let current = Arc::new(Current { identity: RwLock::new(identity), key: RwLock::new(key) });
        let asked = archive.clone();
        let standing: AskStanding = Arc::new(move |fingerprint| asked.standing(&hex::encode(fingerprint)));
        let devices = authorities(devices)?;
        let dicom = dicom_config(&authority, &devices, standing.clone(), &current)?;
        let mut renewal = ServerConfig::clone(&*dicom_config(&authority, &[], standing, &current)?);
        renewal.alpn_protocols = vec![RENEWAL_ALPN.to_vec()];
        let https = https_config(&current)?;
        let tls = Tls { authority, current, names, clock, dicom, https, renewal: Arc::new(renewal) };
        tls.renew_when_due(archive, host).await?;
        Ok(tls)
    }

    /// Our authority's certificate, PEM: public, what others verify us with.
    pub fn ca_pem(&self) -> String {
        bundle::pem("CERTIFICATE", self.authority.certificate())
    }

    /// SHA-256 of our authority's certificate, lower-case hex.
    pub fn ca_sha256(&self) -> String {
        hex::encode(self.ca_fingerprint())
    }

    /// SHA-256 of our authority's certificate.
    pub fn ca_fingerprint(&self) -> Fingerprint {
        verify::fingerprint(self.authority.certificate())
    }

    /// Mutual TLS for the DICOM door.
    pub fn dicom(&self) -> Arc<ServerConfig> {
        self.dicom.clone()
    }

    /// TLS for the HTTPS door, `h2` and `http/1.1`.
    pub fn https(&self) -> Arc<ServerConfig> {
        self.https.clone()
    }

    /// Mutual TLS on the HTTPS door, for peers that renew their certificate there; chosen by
    /// those who offer [`RENEWAL_ALPN`], so that no browser is asked for a certificate.
    pub fn renewal(&self) -> Arc<ServerConfig> {
        self.renewal.clone()
    }

    /// TLS towards the one destination with that certificate, showing ours.
    pub fn towards(&self, destination: Fingerprint) -> Result<Arc<ClientConfig>, TlsError> {
        let provider = provider();
        let identity = self.current.identity.read().clone();
        let chain = vec![identity.certificate.clone(), self.authority.certificate().clone()];
        let verifier = DestinationVerifier::new(destination, &provider);
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(VERSIONS)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_auth_cert(chain, identity.key())?;
        Ok(Arc::new(config))
    }

    /// A fresh certificate and key for a peer. Nothing is enrolled by it.
    pub fn issue_peer(&self, ae: &AeTitle) -> Result<PeerBundle, TlsError> {
        let identity = self.authority.issue_peer(ae, self.clock.now())?;
        PeerBundle::new(ae, &identity, &self.authority)
    }

    /// When the server certificate ends.
    pub fn server_certificate_ends(&self) -> Result<SystemTime, TlsError> {
        Ok(self.current.identity.read().validity()?.1)
    }

    /// Renews the server certificate when two thirds of its life are over, or when it
    /// lacks a name. Says whether it did.
    pub async fn renew_when_due(&self, archive: &Archive, host: &Caller) -> Result<bool, TlsError> {
        let now = self.clock.now();
        let identity = self.current.identity.read().clone();
        if !is_due(identity.validity()?, now) && has_names(&identity, &self.names) {
            return Ok(false);
        }
        let fresh = self.authority.issue_server(&self.names, now)?;
        archive.put_host_secret(host, SERVER_SECRET, &fresh.to_secret()).await?;
        *self.current.key.write() = certified(&fresh, &self.authority)?;
        *self.current.identity.write() = fresh;
        Ok(true)
    }
}

/// A client's side that believes servers of that authority, and the name they show.
pub fn client_of(ca: &rustls_pki_types::CertificateDer<'_>) -> Result<ClientConfig, TlsError> {
    Ok(believing(ca)?.with_no_client_auth())
}

/// The same for a client that shows a certificate of its own.
pub fn client_with(
    ca: &rustls_pki_types::CertificateDer<'_>,
    chain: Vec<rustls_pki_types::CertificateDer<'static>>,
    key: rustls_pki_types::PrivateKeyDer<'static>,
) -> Result<ClientConfig, TlsError> {
    Ok(believing(ca)?.with_client_auth_cert(chain, key)?)
}

/// A client that believes whichever server shows that authority, by the SHA-256 of its
/// certificate, together with a certificate it signed for the name called.
pub fn client_pinning(authority: Fingerprint) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(VERSIONS)?;
    let verifier = verify::PinnedAuthority::new(authority, provider());
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

fn believing(
    ca: &rustls_pki_types::CertificateDer<'_>,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add(ca.clone().into_owned())?;
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(VERSIONS)?;
    Ok(builder.with_root_certificates(roots))
}

/// The certificates in these files.
fn authorities(files: &[PathBuf]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let mut all = Vec::new();
    for path in files {
        let unreadable = |reason: String| TlsError::Authorities { path: path.clone(), reason };
        let read = CertificateDer::pem_file_iter(path).map_err(|error| unreadable(error.to_string()))?;
        let before = all.len();
        for certificate in read {
            all.push(certificate.map_err(|error| unreadable(error.to_string()))?);
        }
        if all.len() == before {
            return Err(unreadable("there is no certificate in it".into()));
        }
    }
    Ok(all)
}

fn dicom_config(
    authority: &Authority,
    devices: &[CertificateDer<'static>],
    standing: AskStanding,
    current: &Arc<Current>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate().clone())?;
    devices.iter().try_for_each(|device| roots.add(device.clone()))?;
    let verifier = CallerVerifier::new(Arc::new(roots), standing, provider())?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(VERSIONS)?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(current.clone());
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.ignore_client_order = true;
    Ok(Arc::new(config))
}

fn https_config(current: &Arc<Current>) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(VERSIONS)?
        .with_no_client_auth()
        .with_cert_resolver(current.clone());
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ignore_client_order = true;
    Ok(Arc::new(config))
}

fn certified(identity: &Identity, authority: &Authority) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain = vec![identity.certificate.clone(), authority.certificate().clone()];
    Ok(Arc::new(CertifiedKey::from_der(chain, identity.key(), &provider())?))
}

fn server_names(mut names: Vec<String>) -> Vec<String> {
    let host_name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let is_name =
        |name: &&str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b));
    names.extend(Some(host_name.trim()).filter(is_name).map(str::to_owned));
    names.sort();
    names.dedup();
    names.retain(|name| name != "localhost");
    names
}

fn has_names(identity: &Identity, names: &[String]) -> bool {
    let server_name = |name: &String| rustls_pki_types::ServerName::try_from(name.clone()).ok();
    let Ok(certificate) = rustls::server::ParsedCertificate::try_from(&identity.certificate) else {
        return false;
    };
    names.iter().filter_map(server_name).all(|name| rustls::client::verify_server_name(&certificate, &name).is_ok())
}

fn is_due((begin, end): (SystemTime, SystemTime), now: SystemTime) -> bool {
    let life = end.duration_since(begin).unwrap_or(Duration::ZERO);
    now >= begin + life * 2 / 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewal_is_due_at_two_thirds_of_life() {
        let at = |days: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(days * 86_400);
        assert!(!is_due((at(0), at(300)), at(199)));
        assert!(is_due((at(0), at(300)), at(200)));
        assert!(is_due((at(0), at(300)), at(400)));
    }

    #[test]
    fn a_name_that_is_missing_from_the_certificate_is_noticed() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let authority = Authority::open(&Authority::create(now).unwrap()).unwrap();
        let identity = authority.issue_server(&["pacs.example".into(), "10.1.2.3".into()], now).unwrap();
        assert!(has_names(&identity, &["pacs.example".into(), "10.1.2.3".into(), "127.0.0.1".into()]));
        assert!(!has_names(&identity, &["other.example".into()]));
    }
}
