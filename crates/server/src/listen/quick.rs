//! A TCP stream that acknowledges at once.
//!
//! Stock DCMTK writes a PDU's header and body in two segments with Nagle on; a server
//! that delays its acknowledgement then costs every message 40 ms. Linux forgets
//! `TCP_QUICKACK` by itself, so it is set again after each read that emptied the socket.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::net::sockopt::set_tcp_quickack;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The stream.
pub struct Quick {
    stream: TcpStream,
    /// Something was read and its quick acknowledgement not asked for yet.
    owes: bool,
}

impl Quick {
    /// Wraps a connected stream: `TCP_NODELAY` and quick acknowledgements from now on.
    pub fn new(stream: TcpStream) -> io::Result<Quick> {
        stream.set_nodelay(true)?;
        set_tcp_quickack(&stream, true)?;
        Ok(Quick { stream, owes: false })
    }
}

impl AsyncRead for Quick {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.owes |= buffer.filled().len() > before;
        // While reads fill the buffer more is there already, and an acknowledgement can wait.
        if self.owes && buffer.remaining() > 0 {
            self.owes = false;
            // A failure costs speed only: the next read or write tells of a broken socket.
            let _ = set_tcp_quickack(&self.stream, true);
        }
        read
    }
}

impl AsyncWrite for Quick {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
