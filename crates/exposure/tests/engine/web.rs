//! Web servers in a run: what they are asked, and how often a name and a password.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::{folder, job, whole};
use leadglass_exposure::engine::{Ended, Shard, audit};
use leadglass_exposure::finding::State;
use leadglass_exposure::probe::network::Service;
use leadglass_exposure::report::Report;
use leadglass_exposure::scope::{CredentialOptIn, Scope};
use leadglass_exposure::testing::{self, LOOPBACK};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Starts a server that answers each request by a function of its head; its port.
async fn serve(say: impl Fn(&str) -> String + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let (port, say) = (listener.local_addr().unwrap().port(), Arc::new(say));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let say = say.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while let Ok(byte) = stream.read_u8().await {
                    head.push(byte);
                    if head.ends_with(b"\r\n\r\n") {
                        let said = say(&String::from_utf8_lossy(&head));
                        head.clear();
                        if stream.write_all(said.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    port
}

/// Asks everybody for HTTP Basic, and counts who brings some.
async fn guarded(tries: &Arc<AtomicU32>) -> u16 {
    let tries = tries.clone();
    serve(move |head| {
        let tried = head.to_ascii_lowercase().contains("\r\nauthorization:");
        tries.fetch_add(tried.into(), Ordering::SeqCst);
        "HTTP/1.1 401 X\r\nWWW-Authenticate: Basic realm=\"Orthanc Secure Area\"\r\nContent-Length: 0\r\n\r\n"
            .to_owned()
    })
    .await
}

fn scope(ports: &[u16], addresses: &[u8]) -> Scope {
    use leadglass_exposure::scope::range::RangeSet;
    let mut scope = testing::scope();
    scope.firewall_exempt = true;
    scope.credentials = Some(CredentialOptIn { try_blank: true, try_default: true, lockout: 10 });
    scope.assets[0].ports = ports.to_vec();
    let each = addresses.iter().map(|last| std::net::IpAddr::from([127, 0, 0, *last]));
    scope.assets[0].addresses = RangeSet::new(each.map(|address| (address, address)));
    scope
}

fn states(report: &Report, check: &str) -> Vec<State> {
    let services = report.systems.iter().flat_map(|system| &system.services);
    let outcomes = services.flat_map(|service| &service.outcomes).filter(|outcome| outcome.check.id == check);
    outcomes.map(|outcome| outcome.state).collect()
}

#[tokio::test]
async fn a_system_gets_two_tries_whatever_its_ports() {
    let tries = Arc::new(AtomicU32::new(0));
    let ports = [guarded(&tries).await, guarded(&tries).await, guarded(&tries).await];
    let (_folder, out) = folder();
    let mut job = job(&scope(&ports, &[1]), &out);
    job.limits.between_log_ins = Duration::from_millis(50);
    let audited = audit(job, Arc::default()).await.unwrap();
    assert_eq!(audited.ended, Ended::Complete);
    assert_eq!(tries.load(Ordering::SeqCst), 2);
    for check in ["A-05", "A-06"] {
        let mut states = states(&audited.report, check);
        states.sort();
        assert_eq!(states.iter().filter(|state| **state == State::Pass).count(), 1, "{check} {states:?}");
        assert_eq!(states.iter().filter(|state| **state == State::SkippedByPolicy).count(), 2, "{check} {states:?}");
    }
}

#[tokio::test]
async fn a_run_killed_after_a_try_makes_none_again() {
    let tries = Arc::new(AtomicU32::new(0));
    let scope = scope(&[guarded(&tries).await], &[1]);
    let (_folder, out) = folder();
    // The minute between the two tries: killed in it.
    let run = audit(job(&scope, &out), Arc::default());
    let tried = async {
        while tries.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = run => {}
        () = tried => {}
    }
    let log = std::fs::read_to_string(out.join("run.log")).unwrap();
    assert!(log.contains("\"tried\":{\"asset\":0,\"account\":\"blank\"}"), "{log}");
    let mut again = job(&scope, &out);
    again.options.resume = true;
    let audited = audit(again, Arc::default()).await.unwrap();
    assert_eq!((audited.ended, tries.load(Ordering::SeqCst)), (Ended::Complete, 1));
    let skipped = [State::SkippedByPolicy];
    assert_eq!(
        (&states(&audited.report, "A-05")[..], &states(&audited.report, "A-06")[..]),
        (&skipped[..], &skipped[..])
    );
}

#[tokio::test]
async fn a_store_that_speaks_http_is_looked_at_as_a_web_server_too() {
    let open = "HTTP/1.1 200 X\r\nContent-Type: application/dicom+json\r\nContent-Length: 2\r\n\r\n[]";
    let port = serve(move |head| match head {
        _ if head.starts_with("PROPFIND / ") => "HTTP/1.1 207 X\r\nContent-Length: 0\r\n\r\n".to_owned(),
        _ if head.starts_with("GET /dicom-web/studies?") => open.to_owned(),
        _ => "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n".to_owned(),
    })
    .await;
    let mut scope = scope(&[port], &[1]);
    scope.credentials = None;
    scope.assets[0].services = vec![(port, Service::Webdav)];
    let (_folder, out) = folder();
    let report = whole(&scope, &out).await.report;
    assert_eq!(states(&report, "N-08")[0], State::Finding);
    assert_eq!(
        (&states(&report, "W-01")[..], &states(&report, "W-02")[..]),
        (&[State::Finding][..], &[State::Finding][..])
    );
    let speaks: Vec<&str> =
        report.systems.iter().flat_map(|system| &system.services).map(|s| s.speaks.as_str()).collect();
    assert_eq!(speaks, ["webdav"]);
}

/// An FTP server without TLS that lets nobody in, on two addresses; counts who asks.
async fn ftp(tries: &Arc<AtomicU32>) -> u16 {
    let first = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let port = first.local_addr().unwrap().port();
    let second = TcpListener::bind(("127.0.0.2", port)).await.unwrap();
    for listener in [first, second] {
        let tries = tries.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut heard = [0; 512];
                let mut said: &[u8] = b"220 FTP ready\r\n";
                while stream.write_all(said).await.is_ok()
                    && let Ok(read @ 1..) = stream.read(&mut heard).await
                {
                    let asks = heard[..read].starts_with(b"USER");
                    tries.fetch_add(asks.into(), Ordering::SeqCst);
                    said = if asks { b"331 Say more\r\n" } else { b"530 No\r\n" };
                }
            }
        });
    }
    port
}

#[tokio::test]
async fn ftp_of_one_system_is_asked_once_and_by_the_first_shard_alone() {
    let tries = Arc::new(AtomicU32::new(0));
    let ports = [ftp(&tries).await, ftp(&tries).await];
    let mut scope = scope(&ports, &[1, 2]);
    scope.assets[0].services = ports.iter().map(|port| (*port, Service::Ftp)).collect();
    scope.assets[0].services.sort();
    let (_folder, out) = folder();
    let report = whole(&scope, &out).await.report;
    assert_eq!(tries.load(Ordering::SeqCst), 1);
    let told = states(&report, "N-05");
    let count = |state| told.iter().filter(|told| **told == state).count();
    assert_eq!((count(State::Pass), count(State::SkippedByPolicy)), (1, 3));
    for (shard, passes) in [(Shard::new(2, 2).unwrap(), 0), (Shard::new(1, 2).unwrap(), 1)] {
        tries.store(0, Ordering::SeqCst);
        let (_folder, out) = folder();
        let mut job = job(&scope, &out);
        job.options.shard = shard;
        let told = states(&audit(job, Arc::default()).await.unwrap().report, "N-05");
        assert_eq!(tries.load(Ordering::SeqCst), passes, "{shard}");
        assert_eq!(told.len(), 2, "{shard}");
        assert_eq!(told.iter().filter(|state| **state == State::Pass).count(), passes as usize, "{shard}");
    }
}
