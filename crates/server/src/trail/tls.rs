//! TLS towards a destination: its own authorities, its own certificate of ours.
//!
//! The destination's name is checked and its chain must end in the authorities configured for
//! it; the system's list of authorities is not asked. Deliberately absent: any way around that.

use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Failed;
use crate::config::trail::ClientTls;
use crate::tls::provider::{VERSIONS, provider};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(15);

/// The client's side towards one destination.
#[derive(Clone)]
pub struct Towards {
    connector: TlsConnector,
    host: String,
    port: u16,
}

impl Towards {
    /// Towards `host:port`. Files are read now, so that a renewed certificate needs no restart.
    pub fn new(to: &str, tls: &ClientTls) -> Result<Towards, Failed> {
        let (host, port) = to.rsplit_once(':').ok_or(Failed::Configured("a destination is host:port"))?;
        let port = port.parse().map_err(|_| Failed::Configured("a destination is host:port"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Towards { connector: TlsConnector::from(Arc::new(config(tls)?)), host, port })
    }

    /// A connection, its other end authenticated.
    pub async fn connect(&self) -> Result<TlsStream<TcpStream>, Failed> {
        let name = ServerName::try_from(self.host.clone())
            .map_err(|_| Failed::Configured("a host is a name or an address"))?;
        let connected = tokio::time::timeout(CONNECT, async {
            let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
            tcp.set_nodelay(true)?;
            self.connector.connect(name, tcp).await
        });
        connected.await.map_err(|_| Failed::Silent)?.map_err(Failed::Io)
    }
}

fn config(tls: &ClientTls) -> Result<ClientConfig, Failed> {
    let mut roots = RootCertStore::empty();
    let pem = |error| Failed::File(tls.ca.clone(), std::io::Error::other(format!("{error:?}")));
    for certificate in CertificateDer::pem_file_iter(&tls.ca).map_err(pem)? {
        roots.add(certificate.map_err(pem)?)?;
    }
    if roots.is_empty() {
        return Err(Failed::Configured("no certificate in the file of authorities"));
    }
    let builder =
        ClientConfig::builder_with_provider(provider()).with_protocol_versions(VERSIONS)?.with_root_certificates(roots);
    match (&tls.certificate, &tls.key) {
        (Some(certificate), Some(key)) => {
            let file = |path: &std::path::Path| {
                let path = path.to_owned();
                move |error| Failed::File(path, std::io::Error::other(format!("{error:?}")))
            };
            let chain = CertificateDer::pem_file_iter(certificate).map_err(file(certificate))?;
            let chain = chain.collect::<Result<Vec<_>, _>>().map_err(file(certificate))?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(file(key))?;
            Ok(builder.with_client_auth_cert(chain, key)?)
        }
        (None, None) => Ok(builder.with_no_client_auth()),
        _ => Err(Failed::Configured("certificate and key come together")),
    }
}
