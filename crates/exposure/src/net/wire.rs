//! One connection: bounded in time and bytes, ended by a reset.

use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

/// A connection. It lives no longer than the borrow of the [`super::Line`] it was dialled on:
/// a second one to the same host cannot be made before this one is dropped. Dropping it resets
/// the connection, so that the other end does not wait.
pub struct Wire<'line> {
    stream: TcpStream,
    until: Pin<Box<Sleep>>,
    bytes_left: u64,
    connected_in: Duration,
    line: PhantomData<&'line mut ()>,
}

impl Wire<'_> {
    pub(super) fn new(stream: TcpStream, conversation: Duration, bytes: u64, connected_in: Duration) -> Self {
        let until = Box::pin(tokio::time::sleep_until(Instant::now() + conversation));
        Wire { stream, until, bytes_left: bytes, connected_in, line: PhantomData }
    }

    /// How long the connect took.
    pub fn connected_in(&self) -> Duration {
        self.connected_in
    }

    fn check_time(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.until.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Wire<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check_time(context)?;
        if self.bytes_left == 0 && buffer.remaining() > 0 {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::FileTooLarge, "more bytes than are read")));
        }
        let room = usize::try_from(self.bytes_left).unwrap_or(usize::MAX).min(buffer.remaining());
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(room));
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut part))?;
        let read = part.filled().len();
        self.bytes_left -= read as u64;
        buffer.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire<'_> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check_time(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_time(context)?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
