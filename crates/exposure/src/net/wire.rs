//! One connection: bounded in time and bytes, ended by a reset.

use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use crate::run::Limits;

/// A connection. It lives no longer than the borrow of the [`super::Line`] it was dialled on:
/// a second one to the same host cannot be made before this one is dropped. Dropping it resets
/// the connection, so that the other end does not wait.
pub struct Wire<'line> {
    stream: TcpStream,
    until: Pin<Box<Sleep>>,
    bytes_left: u64,
    connected_in: Duration,
    talk: Talk,
    /// Whether [`Heard::resets`] has this connection.
    is_counted: bool,
    line: PhantomData<&'line mut ()>,
}

/// How the conversations with a host went.
#[derive(Debug, Default)]
pub(super) struct Heard {
    resets: AtomicU32,
    timed_out: AtomicBool,
}

impl Heard {
    /// Connections in a row that the host reset before it said anything.
    pub(super) fn resets(&self) -> u32 {
        self.resets.load(Relaxed)
    }

    /// Whether any took all the time that it had.
    pub(super) fn timed_out(&self) -> bool {
        self.timed_out.load(Relaxed)
    }
}

/// One conversation. Its end says whether it took all its time, whoever looked at the clock.
struct Talk {
    heard: Arc<Heard>,
    deadline: Instant,
}

impl Drop for Talk {
    fn drop(&mut self) {
        if Instant::now() >= self.deadline {
            self.heard.timed_out.store(true, Relaxed);
        }
    }
}

impl Wire<'_> {
    pub(super) fn new(stream: TcpStream, limits: &Limits, connected_in: Duration, heard: Arc<Heard>) -> Self {
        let deadline = Instant::now() + limits.conversation;
        let (until, talk) = (Box::pin(tokio::time::sleep_until(deadline)), Talk { heard, deadline });
        let (bytes_left, line) = (limits.bytes, PhantomData);
        Wire { stream, until, bytes_left, connected_in, talk, is_counted: false, line }
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

    /// Tells the line whether the host spoke or reset, whichever came first.
    fn count(&mut self, outcome: &io::Result<usize>) {
        if self.is_counted {
            return;
        }
        match outcome {
            Ok(1..) => self.talk.heard.resets.store(0, Relaxed),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                self.talk.heard.resets.fetch_add(1, Relaxed);
            }
            Ok(0) | Err(_) => return,
        }
        self.is_counted = true;
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
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, &mut part)).map(|()| part.filled().len());
        self.count(&read);
        let read = read?;
        self.bytes_left -= read as u64;
        buffer.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire<'_> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check_time(context)?;
        let wrote = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        if wrote.is_err() {
            self.count(&wrote);
        }
        Poll::Ready(wrote)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_time(context)?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
