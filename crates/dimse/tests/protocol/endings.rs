//! Release, collision, abort, rejection and silence. Time is tokio's and stands still.

use std::time::Duration;

use super::common::*;
use leadglass_dimse::association::AbortSource;
use leadglass_dimse::negotiation::Rejection;
use leadglass_dimse::pdu::control::{RELEASE_REQUEST, RELEASE_RESPONSE, abort};
use leadglass_dimse::{AssociationError, Limits, acceptor, requestor};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn a_release_is_answered() {
    let (mut peer, mut association) = acceptor_of_bytes(&Limits::default()).await;
    peer.write_all(&RELEASE_REQUEST).await.unwrap();
    let (released, answer) = tokio::join!(association.receive(), async {
        let answer = read_pdu(&mut peer).await;
        drop(peer);
        answer
    });
    assert!(released.unwrap().is_none());
    assert_eq!(answer, RELEASE_RESPONSE);
    assert!(matches!(association.receive().await, Err(AssociationError::Misuse(_))));
    association.release().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_acceptor_responds_last_when_releases_collide() {
    let (mut peer, association) = acceptor_of_bytes(&Limits::default()).await;
    let release = tokio::spawn(association.release());
    assert_eq!(read_pdu(&mut peer).await, RELEASE_REQUEST);
    peer.write_all(&RELEASE_REQUEST).await.unwrap();
    peer.write_all(&RELEASE_RESPONSE).await.unwrap();
    assert_eq!(read_pdu(&mut peer).await, RELEASE_RESPONSE);
    drop(peer);
    release.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_requestor_responds_first_when_releases_collide() {
    let (mut peer, association) = requestor_of_bytes(&Limits::default()).await;
    let release = tokio::spawn(association.release());
    assert_eq!(read_pdu(&mut peer).await, RELEASE_REQUEST);
    peer.write_all(&RELEASE_REQUEST).await.unwrap();
    assert_eq!(read_pdu(&mut peer).await, RELEASE_RESPONSE);
    peer.write_all(&RELEASE_RESPONSE).await.unwrap();
    release.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn both_ends_of_ours_release_at_once() {
    let (us, them) = associate().await;
    let (one, other) = tokio::join!(us.release(), them.release());
    one.unwrap();
    other.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_abort_is_heard_everywhere() {
    let (mut peer, mut association) = acceptor_of_bytes(&Limits::default()).await;
    peer.write_all(&abort(2, 6)).await.unwrap();
    let heard = association.receive().await;
    assert!(matches!(heard, Err(AssociationError::Aborted { abort_source: 2, reason: 6 })), "{heard:?}");

    let (mut peer, association) = requestor_of_bytes(&Limits::default()).await;
    peer.write_all(&abort(0, 0)).await.unwrap();
    let heard = association.release().await;
    assert!(matches!(heard, Err(AssociationError::Aborted { abort_source: 0, reason: 0 })), "{heard:?}");

    let (mut peer, stream) = tokio::io::duplex(1000);
    peer.write_all(&abort(0, 0)).await.unwrap();
    assert!(matches!(acceptor::receive(stream, &Limits::default()).await, Err(AssociationError::Aborted { .. })));
}

#[tokio::test(start_paused = true)]
async fn we_abort_with_source_and_reason() {
    let (mut peer, association) = acceptor_of_bytes(&Limits::default()).await;
    let abort_ours = tokio::spawn(association.abort(AbortSource::ServiceProvider(2)));
    assert_eq!(read_pdu(&mut peer).await, abort(2, 2));
    drop(peer);
    abort_ours.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_rejection_reaches_the_requestor() {
    let (near, far) = tokio::io::duplex(1 << 16);
    let reject = tokio::spawn(async move {
        let requested = acceptor::receive(far, &Limits::default()).await.unwrap();
        requested.reject(Rejection::CalledAeNotRecognized).await.unwrap();
    });
    let outcome = requestor::request(near, request(), &Limits::default()).await.map(|_| ());
    let expected = AssociationError::from((1, 1, 7));
    assert_eq!(outcome.unwrap_err().to_string(), expected.to_string());
    reject.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_request_that_trickles_is_cut_at_artim() {
    let (mut peer, stream) = tokio::io::duplex(10);
    let began = Instant::now();
    let receive = tokio::spawn(async move { acceptor::receive(stream, &Limits::default()).await.map(|_| ()) });
    peer.write_all(&[1, 0, 0, 0, 1, 0]).await.unwrap();
    while peer.write_all(&[0]).await.is_ok() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if receive.is_finished() {
            break;
        }
    }
    assert!(matches!(receive.await.unwrap(), Err(AssociationError::TimedOut(_))));
    assert!((30..33).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn silence_inside_and_between_messages_is_bounded() {
    let limits = Limits::default();
    let (mut peer, mut association) = acceptor_of_bytes(&limits).await;
    let began = Instant::now();
    let end = association.receive().await;
    assert!(matches!(end, Err(AssociationError::TimedOut("between messages"))), "{end:?}");
    assert!(began.elapsed() >= limits.idle_timeout);
    assert_eq!(read_pdu(&mut peer).await[0], 7);

    let (mut peer, mut association) = acceptor_of_bytes(&limits).await;
    peer.write_all(&[4, 0, 0, 0]).await.unwrap();
    let began = Instant::now();
    let end = association.receive().await;
    assert!(matches!(end, Err(AssociationError::TimedOut("inside a message"))), "{end:?}");
    assert!(began.elapsed() >= limits.message_timeout && began.elapsed() < limits.idle_timeout);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_no_bytes_is_given_up() {
    let limits = Limits::default();
    let (mut us, _them) = associate_with(64, 0, &limits).await;
    let began = Instant::now();
    let end = us.send(STORE, &store_request(1).into(), Some(&[0; 10_000])).await;
    assert!(matches!(end, Err(AssociationError::TimedOut(_))), "{end:?}");
    assert!(began.elapsed() >= limits.message_timeout);
}

#[tokio::test(start_paused = true)]
async fn a_closed_connection_says_so() {
    let (peer, mut association) = acceptor_of_bytes(&Limits::default()).await;
    drop(peer);
    assert!(matches!(association.receive().await, Err(AssociationError::Closed)));

    let (mut peer, association) = requestor_of_bytes(&Limits::default()).await;
    peer.shutdown().await.unwrap();
    let mut rest = Vec::new();
    let (end, _) = tokio::join!(association.release(), peer.read_to_end(&mut rest));
    assert!(matches!(end, Err(AssociationError::Closed)), "{end:?}");
}
