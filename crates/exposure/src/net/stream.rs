//! A conversation in clear or behind TLS, the same to whoever speaks.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

use super::tls::{self, Handshake};
use super::{Line, NotReached, Wire};

/// In clear, or behind TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Over {
    /// TCP.
    Clear,
    /// TLS, any certificate taken.
    Tls,
}

/// Why there is no conversation.
#[derive(Debug, thiserror::Error)]
pub enum NotOpened {
    /// No connection.
    #[error(transparent)]
    NotReached(#[from] NotReached),
    /// A connection, and no TLS on it.
    #[error("no TLS handshake")]
    NoTls(#[source] io::Error),
}

/// A conversation.
pub enum Stream<'line> {
    /// In clear.
    Clear(Wire<'line>),
    /// Behind TLS.
    Tls(Box<TlsStream<Wire<'line>>>),
}

/// Connects to a port and, when asked, shakes hands.
pub async fn open<'line>(
    line: &'line mut Line<'_>,
    port: u16,
    over: Over,
    name: Option<&str>,
    alpn: &[&str],
) -> Result<(Stream<'line>, Option<Handshake>), NotOpened> {
    let address = line.address();
    let wire = line.dial(port).await?;
    if over == Over::Clear {
        return Ok((Stream::Clear(wire), None));
    }
    let opened = tls::open(wire, server_name(name, address), alpn).await;
    let (stream, handshake) = opened.map_err(|failed| NotOpened::NoTls(failed.error))?;
    Ok((Stream::Tls(Box::new(stream)), Some(handshake)))
}

/// The name to ask for: the given one when it is a name, else the address.
pub fn server_name(name: Option<&str>, address: IpAddr) -> ServerName<'static> {
    let named = name.and_then(|name| ServerName::try_from(name.to_owned()).ok());
    named.unwrap_or(ServerName::IpAddress(address.into()))
}

impl AsyncRead for Stream<'_> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Clear(wire) => Pin::new(wire).poll_read(context, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream<'_> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Clear(wire) => Pin::new(wire).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Clear(wire) => Pin::new(wire).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Clear(wire) => Pin::new(wire).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
