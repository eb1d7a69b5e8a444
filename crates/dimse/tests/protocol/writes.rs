//! How many writes a message takes: peers pay for each segment (Nagle, delayed ACK).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use super::common::*;
use leadglass_dimse::{Limits, requestor};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

struct Counting(DuplexStream, Arc<AtomicUsize>);

impl AsyncRead for Counting {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counting {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn a_command_and_a_small_data_set_are_one_write() {
    let (near, far) = tokio::io::duplex(1 << 22);
    let writes = Arc::new(AtomicUsize::new(0));
    let limits = Limits::default();
    let near = Counting(near, writes.clone());
    let (us, _them) = tokio::join!(requestor::request(near, request(), &limits), accept(far, &limits));
    let mut us = us.unwrap();
    assert_eq!(writes.swap(0, Ordering::Relaxed), 1);
    us.send(ECHO, &echo_request(1).into(), None).await.unwrap();
    assert_eq!(writes.swap(0, Ordering::Relaxed), 1);
    us.send(STORE, &store_request(2).into(), Some(&[0; 100_000])).await.unwrap();
    assert_eq!(writes.swap(0, Ordering::Relaxed), 1);
    us.send(STORE, &store_request(3).into(), Some(&[0; 525_000])).await.unwrap();
    assert_eq!(writes.swap(0, Ordering::Relaxed), 3);
}
