//! Opening an association with an archive.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use leadglass_dicom::AeTitle;
use leadglass_dimse::negotiation::AssociateRequest;
use leadglass_dimse::{Association, Limits, requestor};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::listen::quick::Quick;

/// An association of ours with an archive.
pub type Scu = Association<TlsStream<Quick>>;

/// Whom we call, and as whom.
#[derive(Clone, Debug)]
pub struct Peering {
    /// `host:port` of the other end.
    pub address: String,
    /// Its AE title.
    pub called: AeTitle,
    /// Ours.
    pub calling: AeTitle,
    /// Our certificate chain, PEM.
    pub cert: PathBuf,
    /// Our key, PEM.
    pub key: PathBuf,
    /// The authority that vouches for the other end, PEM.
    pub ca: PathBuf,
}

impl Peering {
    /// A request in our name, without contexts yet.
    pub fn request(&self) -> AssociateRequest {
        AssociateRequest::new(self.calling.clone(), self.called.clone())
    }

    /// Connects and associates.
    pub async fn associate(&self, request: AssociateRequest) -> anyhow::Result<Scu> {
        let tls = TlsConnector::from(Arc::new(self.tls()?));
        let tcp = TcpStream::connect(&self.address).await;
        let tcp = tcp.with_context(|| format!("cannot connect to {}", self.address))?;
        let stream = tls.connect(self.server_name()?, Quick::new(tcp)?).await.map_err(explain)?;
        let association = requestor::request(stream, request, &Limits::default()).await;
        association.with_context(|| format!("{} does not associate with {}", self.called, self.calling))
    }

    fn server_name(&self) -> anyhow::Result<ServerName<'static>> {
        let (host, _) = self.address.rsplit_once(':').context("the address is not host:port")?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        ServerName::try_from(host.to_owned()).context("the address names no host")
    }

    fn tls(&self) -> anyhow::Result<rustls::ClientConfig> {
        let chain = certificates(&self.cert)?;
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .with_context(|| format!("no private key in {}", self.key.display()))?;
        let Some(authority) = certificates(&self.ca)?.into_iter().next() else {
            bail!("no certificate in {}", self.ca.display());
        };
        Ok(crate::tls::client_with(&authority, chain, key)?)
    }
}

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    read.with_context(|| format!("no certificate in {}", path.display()))
}

fn explain(error: io::Error) -> anyhow::Error {
    anyhow::Error::new(error).context("TLS: the archive is not the one of this authority, or refuses our certificate")
}
