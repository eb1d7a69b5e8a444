//! A TCP stream that acknowledges at once.
//!
//! Stock DCMTK writes a PDU's header and body in two segments with Nagle on; a server
//! that delays its acknowledgement then costs every message 40 ms. Linux forgets
//! `TCP_QUICKACK` by itself, so it is set again after each read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::net::sockopt::set_tcp_quickack;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The stream.
pub struct Quick(TcpStream);

impl Quick {
    /// Wraps a connected stream: `TCP_NODELAY` and quick acknowledgements from now on.
    pub fn new(stream: TcpStream) -> io::Result<Quick> {
        stream.set_nodelay(true)?;
        set_tcp_quickack(&stream, true)?;
        Ok(Quick(stream))
    }
}

impl AsyncRead for Quick {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.0).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            // A failure costs speed only: the next read or write tells of a broken socket.
            let _ = set_tcp_quickack(&self.0, true);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Quick {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
