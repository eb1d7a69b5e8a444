//! The stream with its buffers: every read and write has a time limit, and the read
//! buffer grows with what arrives.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use super::{AssociationError, Failure, Limits};
use crate::pdu::control;

/// Room that a read gets when little is expected.
pub(crate) const SMALL_READ: usize = 8 * 1024;
/// Room that a read gets inside a data set.
pub(crate) const LARGE_READ: usize = 128 * 1024;
/// Longest wait for a last word to be taken or for the other end to close.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long the other end may take to close first, as PS3.8 9.2.3 (Sta13) wants it to.
const ITS_TURN_TO_CLOSE: Duration = Duration::from_millis(300);
/// Bytes that are read, and thrown away, while waiting for the other end to close.
const FAREWELL_BYTES: usize = 256 * 1024;

/// How long a read may wait, and what it then was waiting for.
#[derive(Clone, Copy)]
pub(crate) enum Wait {
    /// Until an instant, however the bytes trickle.
    Until(Instant, &'static str),
    /// As long as there is no silence of this length.
    Silence(Duration, &'static str),
}

pub(crate) struct Wire<S> {
    stream: S,
    /// Received and not yet consumed.
    pub(crate) input: BytesMut,
    /// Written by us and not yet sent.
    pub(crate) output: Vec<u8>,
    message_timeout: Duration,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Wire<S> {
    pub(crate) fn new(stream: S, limits: &Limits) -> Wire<S> {
        Wire { stream, input: BytesMut::new(), output: Vec::new(), message_timeout: limits.message_timeout }
    }

    /// Reads once, with at least `room` bytes of room when the buffer is spent.
    pub(crate) async fn read(&mut self, room: usize, wait: Wait) -> Result<(), AssociationError> {
        self.make_room(room);
        let read = self.stream.read_buf(&mut self.input);
        let (outcome, what) = match wait {
            Wait::Until(instant, what) => (timeout_at(instant, read).await, what),
            Wait::Silence(duration, what) => (timeout(duration, read).await, what),
        };
        received(outcome.map_err(|_| AssociationError::TimedOut(what))?)
    }

    /// Reads until there are `count` bytes.
    pub(crate) async fn fill(&mut self, count: usize, wait: Wait) -> Result<(), AssociationError> {
        while self.input.len() < count {
            self.read(SMALL_READ, wait).await?;
        }
        Ok(())
    }

    /// Reads what is there without waiting; `false` when nothing is. One poll of the
    /// stream, so that TLS is served as well.
    pub(crate) async fn try_read(&mut self) -> Result<bool, AssociationError> {
        self.make_room(SMALL_READ);
        let mut read = pin!(self.stream.read_buf(&mut self.input));
        let outcome = poll_fn(|cx| match read.as_mut().poll(cx) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending => Poll::Ready(None),
        })
        .await;
        outcome.map_or(Ok(false), |outcome| received(outcome).map(|()| true))
    }

    fn make_room(&mut self, room: usize) {
        if self.input.capacity() - self.input.len() < room / 4 {
            self.input.reserve(room);
        }
    }

    /// Sends all of `output` in as few writes as the stream takes.
    pub(crate) async fn write_output(&mut self) -> Result<(), AssociationError> {
        let late = |_| AssociationError::TimedOut("it did not take our bytes");
        let mut sent = 0;
        while let Some(rest) = self.output.get(sent..).filter(|rest| !rest.is_empty()) {
            match timeout(self.message_timeout, self.stream.write(rest)).await.map_err(late)? {
                Ok(0) => return Err(AssociationError::Closed),
                Ok(count) => sent += count,
                Err(error) => return Err(broken(error)),
            }
        }
        self.output.clear();
        timeout(self.message_timeout, self.stream.flush()).await.map_err(late)?.map_err(broken)
    }

    /// Sends a PDU by itself.
    pub(crate) async fn write_pdu(&mut self, pdu: &[u8]) -> Result<(), AssociationError> {
        self.output.clear();
        self.output.extend_from_slice(pdu);
        self.write_output().await
    }

    /// Sends a last PDU and waits for the other end to close, as PS3.8 9.2.3 (Sta13) has
    /// it: many a client takes a rejection whose connection is already closed for an
    /// abort. Who does not close in its turn has our side closed, and then a moment to
    /// take the PDU: closing with unread bytes would reset the connection and lose it.
    pub(crate) async fn farewell(&mut self, pdu: &[u8]) {
        let farewell = async {
            self.stream.write_all(pdu).await?;
            self.stream.flush().await?;
            let mut left = FAREWELL_BYTES;
            if let Ok(closed) = timeout(ITS_TURN_TO_CLOSE, self.drain(&mut left)).await {
                closed?;
            }
            self.stream.shutdown().await?;
            self.drain(&mut left).await
        };
        // The association is over either way; nobody is left to tell.
        let _ = timeout(FAREWELL, farewell).await;
    }

    /// Reads and throws away until the other end closes or `left` bytes have come.
    async fn drain(&mut self, left: &mut usize) -> io::Result<()> {
        while *left > 0 {
            self.input.clear();
            self.input.reserve(SMALL_READ);
            match self.stream.read_buf(&mut self.input).await? {
                0 => break,
                count => *left = left.saturating_sub(count),
            }
        }
        Ok(())
    }

    /// Closes our side after the last word was said by the other.
    pub(crate) async fn close(&mut self) {
        let _ = timeout(FAREWELL, self.stream.shutdown()).await;
    }

    /// Tells the peer what it has to know of a failure, and makes the caller's error of it.
    pub(crate) async fn settle(&mut self, failure: Failure) -> AssociationError {
        match failure {
            Failure::Fault(fault) => {
                self.farewell(&control::abort(2, fault.reason.code())).await;
                AssociationError::PeerMisbehaved(fault.what)
            }
            Failure::Other(error) => {
                match error {
                    AssociationError::TimedOut(_) => self.farewell(&control::abort(2, 0)).await,
                    AssociationError::Aborted { .. } | AssociationError::Rejected { .. } => self.close().await,
                    _ => {}
                }
                error
            }
        }
    }
}

fn received(outcome: io::Result<usize>) -> Result<(), AssociationError> {
    match outcome {
        Ok(0) => Err(AssociationError::Closed),
        Ok(_) => Ok(()),
        Err(error) => Err(broken(error)),
    }
}

/// A connection that is cut is closed, whatever the operating system calls it.
fn broken(error: io::Error) -> AssociationError {
    match error.kind() {
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected
        | io::ErrorKind::UnexpectedEof => AssociationError::Closed,
        _ => AssociationError::Io(error),
    }
}
