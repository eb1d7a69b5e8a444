//! A few bytes there, a bounded answer back.
//!
//! Deliberately absent: a way to read until the other end has said all it wants to say.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::finding::State;
use crate::net::{self, Line, NotOpened, NotReached, Over, Stream};

/// Most bytes of one answer.
pub(super) const MAX_ANSWER: usize = 64 * 1024;

/// A conversation that holds what was read and not yet taken.
pub(super) struct Talk<'line> {
    stream: Stream<'line>,
    held: Vec<u8>,
    heard: usize,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    /// No connection.
    #[error(transparent)]
    NotReached(#[from] NotReached),
    /// No TLS, where it was to be.
    #[error("no TLS handshake")]
    NoTls(#[source] io::Error),
    /// Hung up before the first byte.
    #[error("the other end hung up without a word")]
    HungUp,
    /// Hung up in the middle.
    #[error("the other end hung up in the middle")]
    Cut,
    /// Too slow.
    #[error("no answer in time")]
    Late,
    /// More than is read, or not what the protocol says.
    #[error("the answer is not of the protocol")]
    Babble,
}

impl Unanswered {
    /// The state that a check ends in.
    pub(super) fn state(&self) -> State {
        match self {
            Unanswered::NotReached(NotReached::Refused) | Unanswered::HungUp => State::RefusedBefore,
            Unanswered::NotReached(NotReached::NotPermitted(_) | NotReached::Stopped | NotReached::LeftAlone) => {
                State::SkippedByPolicy
            }
            _ => State::Error,
        }
    }

    /// Whether another connection may hear something else: the other end answered, in its way.
    pub(super) fn is_of_the_other_end(&self) -> bool {
        matches!(self, Unanswered::HungUp | Unanswered::Cut | Unanswered::Babble | Unanswered::NoTls(_))
    }
}

impl From<NotOpened> for Unanswered {
    fn from(error: NotOpened) -> Unanswered {
        match error {
            NotOpened::NotReached(not_reached) => Unanswered::NotReached(not_reached),
            NotOpened::NoTls(error) => Unanswered::NoTls(error),
        }
    }
}

impl<'line> Talk<'line> {
    /// Connects.
    pub(super) async fn open(line: &'line mut Line<'_>, port: u16, over: Over) -> Result<Talk<'line>, Unanswered> {
        let (stream, _) = net::open(line, port, over, None, &[]).await?;
        Ok(Talk { stream, held: Vec::new(), heard: 0 })
    }

    /// Connects and sends the first bytes at once.
    pub(super) async fn begin(
        line: &'line mut Line<'_>,
        port: u16,
        over: Over,
        bytes: &[u8],
    ) -> Result<Talk<'line>, Unanswered> {
        let mut talk = Talk::open(line, port, over).await?;
        talk.send(bytes).await?;
        Ok(talk)
    }

    /// Sends.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), Unanswered> {
        let sent = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        let heard = self.heard;
        sent.await.map_err(|error| of_io(&error, heard))
    }

    /// Takes exactly so many bytes; [`Unanswered::Babble`] when that is more than is ever read.
    pub(super) async fn take(&mut self, length: usize) -> Result<Vec<u8>, Unanswered> {
        if length > MAX_ANSWER {
            return Err(Unanswered::Babble);
        }
        while self.held.len() < length {
            self.hear().await?;
        }
        Ok(self.held.drain(..length).collect())
    }

    /// Takes a line without its end (LF, and CR before it), of at most `longest` bytes.
    pub(super) async fn line(&mut self, longest: usize) -> Result<Vec<u8>, Unanswered> {
        loop {
            if let Some(end) = self.held.iter().take(longest).position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.held.drain(..=end).collect();
                line.pop();
                line.pop_if(|byte| *byte == b'\r');
                return Ok(line);
            }
            if self.held.len() >= longest {
                return Err(Unanswered::Babble);
            }
            self.hear().await?;
        }
    }

    /// The first bytes that come by themselves, when any come within the wait.
    pub(super) async fn greeting(&mut self, wait: Duration) -> Result<&[u8], Unanswered> {
        if let Ok(heard) = timeout(wait, self.hear()).await {
            heard?;
        }
        Ok(&self.held)
    }

    async fn hear(&mut self) -> Result<(), Unanswered> {
        let mut some = [0; 4096];
        match self.stream.read(&mut some).await {
            Ok(0) if self.heard == 0 => Err(Unanswered::HungUp),
            Ok(0) => Err(Unanswered::Cut),
            Ok(read) => {
                self.heard += read;
                self.held.extend_from_slice(&some[..read]);
                Ok(())
            }
            Err(error) => Err(of_io(&error, self.heard)),
        }
    }
}

/// Big-endian 16 bits at an offset.
pub(super) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// Big-endian 32 bits at an offset.
pub(super) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Little-endian 16 bits at an offset.
pub(super) fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// Little-endian 32 bits at an offset.
pub(super) fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Whether a text holds a signature of ours.
pub(super) fn holds(bytes: &[u8], signature: &[u8]) -> bool {
    bytes.windows(signature.len()).any(|window| window.eq_ignore_ascii_case(signature))
}

fn of_io(error: &io::Error, heard: usize) -> Unanswered {
    match error.kind() {
        io::ErrorKind::TimedOut => Unanswered::Late,
        io::ErrorKind::FileTooLarge | io::ErrorKind::InvalidData => Unanswered::Babble,
        _ if heard == 0 => Unanswered::HungUp,
        _ => Unanswered::Cut,
    }
}
