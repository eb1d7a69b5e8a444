//! Response bodies that come out of a retrieval while it is read.
//!
//! A task reads, a short queue holds what the connection has not taken: so reading and
//! sending overlap, and a slow client holds the task, not memory. When the connection goes
//! the task ends and its retrieval is dropped, which the archive records as interrupted.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use futures::future::BoxFuture;
use http_body::{Body as HttpBody, Frame, SizeHint};
use leadglass_archive::Refused;
use leadglass_archive::deidentify::Deidentified;
use leadglass_archive::retrieve::Retrieval;
use tokio::sync::{Notify, mpsc};

use crate::web::Problem;
use crate::web::problem::hidden;

/// Chunks that wait between reading and sending.
const QUEUE: usize = 4;
/// How often it is asked whether whoever takes a body would still be let in.
const CURRENT_CHECK: std::time::Duration = std::time::Duration::from_secs(2);

/// Where a writer puts the bytes of a body.
pub struct Outlet {
    queue: mpsc::Sender<Result<Bytes, Refused>>,
    sent: u64,
    taken: Arc<Taken>,
}

/// Why a writer stops early.
pub enum Stop {
    /// The connection has gone.
    Gone,
    /// The archive refuses.
    Refused(Refused),
}

impl From<Refused> for Stop {
    fn from(refused: Refused) -> Stop {
        Stop::Refused(refused)
    }
}

#[derive(Default)]
struct Taken {
    bytes: AtomicU64,
    more: Notify,
}

impl Outlet {
    /// Hands over the next bytes; waits while the connection is slow.
    pub async fn send(&mut self, bytes: impl Into<Bytes>) -> Result<(), Stop> {
        let bytes = bytes.into();
        if bytes.is_empty() {
            return Ok(());
        }
        self.sent += bytes.len() as u64;
        self.queue.send(Ok(bytes)).await.map_err(|_| Stop::Gone)
    }

    /// Waits until the connection has taken everything or has gone; says which.
    async fn all_taken(&self) -> bool {
        loop {
            let gone = self.queue.is_closed();
            if self.taken.bytes.load(Ordering::Acquire) >= self.sent {
                return true;
            }
            if gone {
                return false;
            }
            tokio::select! {
                () = self.taken.more.notified() => {}
                () = self.queue.closed() => {}
            }
        }
    }
}

/// Something that is handed out and then over.
pub trait HandedOut: Send + Sync + 'static {
    /// Whether whoever asked would still be let in.
    fn is_current(&self) -> bool;

    /// All of it has left.
    fn complete(self) -> impl Future<Output = Result<(), Refused>> + Send;
}

impl HandedOut for Retrieval {
    fn is_current(&self) -> bool {
        Retrieval::is_current(self)
    }

    async fn complete(self) -> Result<(), Refused> {
        Retrieval::complete(self).await
    }
}

impl HandedOut for Deidentified {
    fn is_current(&self) -> bool {
        Deidentified::is_current(self)
    }

    async fn complete(self) -> Result<(), Refused> {
        Deidentified::complete(self).await
    }
}

/// A body written by `write` out of `retrieval`, of that length when it is known. Waits for
/// the first bytes, so that what is damaged from the start is refused with a status.
pub async fn written<R, W>(retrieval: R, length: Option<u64>, write: W) -> Result<Body, Problem>
where
    R: HandedOut,
    W: for<'a> FnOnce(&'a R, &'a mut Outlet) -> BoxFuture<'a, Result<(), Stop>> + Send + 'static,
{
    let (queue, mut receiver) = mpsc::channel(QUEUE);
    let taken = Arc::new(Taken::default());
    let outlet = Outlet { queue, sent: 0, taken: taken.clone() };
    tokio::spawn(run(retrieval, outlet, write));
    let first = receiver.recv().await.transpose().map_err(hidden)?;
    Ok(Body::new(Piped { first, receiver, remaining: length, taken }))
}

async fn run<R, W>(retrieval: R, mut outlet: Outlet, write: W)
where
    R: HandedOut,
    W: for<'a> FnOnce(&'a R, &'a mut Outlet) -> BoxFuture<'a, Result<(), Stop>>,
{
    let written = tokio::select! {
        written = write(&retrieval, &mut outlet) => written,
        () = no_longer_current(&retrieval) => Err(Stop::Refused(Refused::NotAllowed)),
    };
    match written {
        Ok(()) => {
            if outlet.all_taken().await
                && let Err(refused) = retrieval.complete().await
            {
                tracing::error!(%refused, "a retrieval could not be completed");
            }
        }
        Err(Stop::Gone) => {}
        Err(Stop::Refused(refused)) => {
            tracing::error!(%refused, "a retrieval broke off");
            let _ = outlet.queue.send(Err(refused)).await;
        }
    }
}

/// Returns when whoever asked would no longer be let in.
async fn no_longer_current<R: HandedOut>(retrieval: &R) {
    let mut looks = tokio::time::interval(CURRENT_CHECK);
    loop {
        looks.tick().await;
        if !retrieval.is_current() {
            return;
        }
    }
}

struct Piped {
    first: Option<Bytes>,
    receiver: mpsc::Receiver<Result<Bytes, Refused>>,
    remaining: Option<u64>,
    taken: Arc<Taken>,
}

impl HttpBody for Piped {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let next = match self.first.take() {
            Some(first) => Some(Ok(first)),
            None => ready!(self.receiver.poll_recv(cx)),
        };
        Poll::Ready(next.map(|next| {
            let bytes = next.map_err(axum::Error::new)?;
            let length = bytes.len() as u64;
            self.remaining = self.remaining.map(|remaining| remaining.saturating_sub(length));
            self.taken.bytes.fetch_add(length, Ordering::Release);
            self.taken.more.notify_one();
            Ok(Frame::data(bytes))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.remaining.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// A body of pieces that are in memory already.
pub fn pieces(pieces: impl IntoIterator<Item = Bytes>) -> Body {
    let pieces: VecDeque<Bytes> = pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
    let length = pieces.iter().map(|piece| piece.len() as u64).sum();
    Body::new(Pieces { pieces, length })
}

struct Pieces {
    pieces: VecDeque<Bytes>,
    length: u64,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let next = self.pieces.pop_front();
        self.length -= next.as_ref().map_or(0, |piece| piece.len() as u64);
        Poll::Ready(next.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}
