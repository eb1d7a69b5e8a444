//! Many peers at once, and strangers who come again and again.
//!
//! `LEADGLASS_FULL=1` runs the sizes of the promises: 1,000 associations, a million rejections.

use std::time::{Duration, Instant};

use futures::future::join_all;
use leadglass_dicom::AeTitle;
use leadglass_dimse::{AssociationError, Status, scu};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::*;

fn is_full() -> bool {
    std::env::var_os("LEADGLASS_FULL").is_some()
}

fn echo() -> Asking {
    Asking::of(&[(VERIFICATION, &[IMPLICIT])])
}

/// Resident memory of this process, which is archive and peers together, in KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn associations_under_the_cap_are_all_held_and_answered() {
    let (all, active) = if is_full() { (1000, 100) } else { (100, 10) };
    let server = TestServer::start_with(|config| {
        config.limits.connections = 2048;
        config.limits.connections_per_address = 2048;
        config.dimse.associations_per_peer = 2048;
    })
    .await;
    let peer = server.peer("CT1", &[]).await;
    let mut held = Vec::new();
    while held.len() < all {
        let opened = join_all((0..50).map(|_| server.associate(&peer, echo()))).await;
        held.extend(opened.into_iter().map(|opened| opened.expect("none is refused under the cap")));
    }
    let echoes = held.iter_mut().take(active).map(async |association| {
        let mut took = Vec::new();
        for _ in 0..20 {
            let begun = Instant::now();
            assert_eq!(scu::echo(association, 1).await.unwrap(), Status::SUCCESS);
            took.push(begun.elapsed());
        }
        took
    });
    let mut took: Vec<Duration> = join_all(echoes).await.into_iter().flatten().collect();
    took.sort_unstable();
    let p99 = took[took.len() * 99 / 100];
    println!(
        "{all} associations, {active} active: C-ECHO p99 {p99:?}, resident {} MiB with all peers",
        resident_kib() / 1024
    );
    if is_full() {
        assert!(p99 <= Duration::from_millis(250) && resident_kib() <= 1 << 20, "{p99:?}");
    }
    for association in &mut held {
        assert_eq!(scu::echo(association, 1).await.unwrap(), Status::SUCCESS, "the idle ones were not forgotten");
    }
}

/// The first byte of a record that is an alert.
const TLS_ALERT: u8 = 21;

/// What comes until the other end closes, however it does.
async fn to_the_end(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut came = Vec::new();
    drop(stream.read_to_end(&mut came).await);
    came
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_who_come_again_and_again_leave_nothing() {
    let cycles = if is_full() { 1_000_000 } else { 2_000 };
    let server = TestServer::start().await;
    let peer = server.peer("CT1", &[]).await;
    // Most get as far as their title, always another; others go at once, know no TLS, show no certificate, or have no token.
    let come = async |cycle: u32| match cycle % 16 {
        0 => drop(TcpStream::connect(server.running.dicom).await.unwrap()),
        1 => {
            let mut stream = TcpStream::connect(server.running.dicom).await.unwrap();
            stream.write_all(&[0x01; 256]).await.unwrap();
            let heard = to_the_end(&mut stream).await;
            assert!(heard.is_empty() || heard[0] == TLS_ALERT, "{heard:?}");
        }
        2 => {
            if let Ok(mut stream) = connect_without_certificate(server.running.dicom, &peer.bundle).await {
                stream.write_all(b"nobody").await.unwrap_or_default();
                assert!(to_the_end(&mut stream).await.is_empty(), "nothing is said to who shows no certificate");
            }
        }
        3 => {
            let mut stream = connect_without_certificate(server.running.https, &peer.bundle).await.unwrap();
            stream
                .write_all(b"GET /dicom-web/studies HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                .await
                .unwrap();
            let answer = to_the_end(&mut stream).await;
            assert!(answer.starts_with(b"HTTP/1.1 401"), "{}", String::from_utf8_lossy(&answer));
        }
        _ => {
            let ended = server.associate(&peer, echo().calling(&format!("STRANGER{cycle}"))).await;
            assert!(matches!(ended, Err(AssociationError::Rejected { result: 1, reject_source: 1, reason: 3 })));
        }
    };
    for cycle in 0..cycles / 4 {
        come(cycle).await;
    }
    let before = resident_kib();
    for cycle in 0..cycles {
        come(cycle).await;
    }
    let grown = resident_kib().saturating_sub(before);
    println!("{cycles} rejections: {grown} KiB more");
    assert!(grown <= 16 * 1024, "{grown} KiB after {cycles} rejections");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_counted_by_its_certificate_whatever_it_calls_itself() {
    let server = TestServer::start_with(|config| {
        config.dimse.unknown_senders.quarantine = true;
        config.dimse.associations_per_peer = 2;
    })
    .await;
    let ae = AeTitle::parse("NEW1").unwrap();
    let stranger = |ae: &AeTitle| TestPeer { ae: ae.clone(), bundle: server.host().tls.issue_peer(ae).unwrap() };
    let (one, other) = (stranger(&ae), stranger(&ae));
    let mut open = Vec::new();
    for title in ["NEW1", "NEW2"] {
        open.push(server.associate(&one, echo().calling(title)).await.unwrap());
    }
    let ended = server.associate(&one, echo().calling("NEW3")).await;
    assert!(matches!(ended, Err(AssociationError::Rejected { result: 2, reject_source: 3, reason: 2 })));
    open.push(server.associate(&other, echo().calling("NEW3")).await.unwrap());
    for association in &mut open {
        assert_eq!(scu::echo(association, 1).await.unwrap(), Status::SUCCESS);
    }
}
