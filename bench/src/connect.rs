//! Connections: clear text for peers that are run so, TLS for ours.

use std::io::BufReader;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use anyhow::{Context, bail};
use clap::Args;
use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Whom to call.
#[derive(Args, Clone, Debug)]
pub struct Target {
    /// Address, on 127.0.0.0/8.
    #[arg(long)]
    pub address: SocketAddr,
    /// The CA of the other end; without it the connection is in clear text.
    #[arg(long)]
    pub ca: Option<PathBuf>,
    /// Our certificate chain.
    #[arg(long, requires = "key")]
    pub cert: Option<PathBuf>,
    /// Our key.
    #[arg(long)]
    pub key: Option<PathBuf>,
    /// Leave Nagle's algorithm on, as stock clients do.
    #[arg(long)]
    pub nagle: bool,
}

/// A connection of either kind.
pub enum Stream {
    /// Clear text.
    Clear(TcpStream),
    /// TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

/// Opens connections to one target.
#[derive(Clone)]
pub struct Connector {
    target: Target,
    tls: Option<TlsConnector>,
}

impl Target {
    /// Reads the files and checks that the target is this machine.
    pub fn connector(&self) -> anyhow::Result<Connector> {
        if !self.address.ip().is_loopback() {
            bail!("{} is not this machine: load goes to 127.0.0.0/8 only", self.address);
        }
        let tls = self.ca.as_deref().map(|ca| self.tls(ca)).transpose()?;
        Ok(Connector { target: self.clone(), tls })
    }

    fn tls(&self, ca: &Path) -> anyhow::Result<TlsConnector> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(ca)? {
            roots.add(certificate)?;
        }
        let config = rustls::ClientConfig::builder().with_root_certificates(roots);
        let config = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => {
                let key = PrivateKeyDer::from_pem_file(key).context("cannot read the key")?;
                config.with_client_auth_cert(certificates(cert)?, key)?
            }
            _ => config.with_no_client_auth(),
        };
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

impl Connector {
    /// A new connection.
    pub async fn open(&self) -> anyhow::Result<Stream> {
        let stream = TcpStream::connect(self.target.address).await.context("cannot connect")?;
        stream.set_nodelay(!self.target.nagle)?;
        match &self.tls {
            None => Ok(Stream::Clear(stream)),
            Some(tls) => {
                let name = ServerName::from(self.target.address.ip());
                Ok(Stream::Tls(Box::new(tls.connect(name, stream).await.context("TLS")?)))
            }
        }
    }
}

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let file = std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    CertificateDer::pem_reader_iter(BufReader::new(file))
        .map(|certificate| certificate.context("cannot read a certificate"))
        .collect()
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut TaskContext<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Stream::Clear(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut TaskContext<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Stream::Clear(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Stream::Clear(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Stream::Clear(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
