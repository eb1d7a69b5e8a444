//! Against servers that are right, that are wrong, and that mean harm.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::PrivatePkcs8KeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::flight::tests::{certificate_of, hello_of, message_of, record_of};
use super::*;
use crate::catalogue::tls::{CHECKS, T_07, T_08};
use crate::finding::Outcome;
use crate::probe::Known;
use crate::run::Run;
use crate::testing::{self, PLANTED, assert_no_names};

/// A responder: TLS connections are counted, each gets what `respond` does with it.
struct Responder {
    port: u16,
    hellos: Arc<AtomicU32>,
}

impl Responder {
    async fn start<F, D>(respond: F) -> Responder
    where
        F: Fn(TcpStream) -> D + Send + 'static,
        D: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((testing::LOOPBACK, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let hellos = Arc::new(AtomicU32::new(0));
        let count = hellos.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut first = [0];
                if stream.peek(&mut first).await.is_ok() && first == [22] {
                    count.fetch_add(1, Ordering::Relaxed);
                }
                tokio::spawn(respond(stream));
            }
        });
        Responder { port, hellos }
    }

    /// Answers each TLS hello with these bytes and closes; anything else with nothing.
    async fn bytes(bytes: Vec<u8>) -> Responder {
        let bytes = Arc::new(bytes);
        Responder::start(move |mut stream| {
            let bytes = bytes.clone();
            async move {
                if read_hello(&mut stream).await == Some(22) {
                    let _ = stream.write_all(&bytes).await;
                    let _ = stream.shutdown().await;
                    // Until the other end has had enough: a reset would take the bytes away from it.
                    let _ = stream.read(&mut [0; 64]).await;
                }
            }
        })
        .await
    }
}

/// The first byte of what came, once it has come.
async fn read_hello(stream: &mut TcpStream) -> Option<u8> {
    let mut buffer = [0; 4096];
    let read = stream.read(&mut buffer).await.ok()?;
    buffer[..read].first().copied()
}

fn hurried() -> Run {
    let mut run = testing::run(testing::scope());
    run.limits.conversation = Duration::from_millis(250);
    run
}

async fn look(run: &Run, port: u16, depth: Depth) -> (bool, Known, Vec<Outcome>) {
    let mut spoken = false;
    let (known, outcomes) = testing::look(run, port, depth, async |look| {
        spoken = greet(look).await;
        audit(look).await;
    })
    .await;
    (spoken, known, outcomes)
}

/// As [`look`], where TLS was found before: what the hellos get is hostile from the first.
async fn look_at_tls(run: &Run, port: u16) -> (Known, Vec<Outcome>) {
    testing::look(run, port, Depth::Canary, async |look| {
        look.known.tls = Some(Facts { connections: 1, ..Facts::default() });
        look.known.behind_tls = Some(Speech::Tls);
        audit(look).await;
    })
    .await
}

fn states(outcomes: &[Outcome], check: &'static crate::catalogue::Check) -> Vec<State> {
    outcomes.iter().filter(|outcome| outcome.check.id == check.id).map(|outcome| outcome.state).collect()
}

/// Each check ended, each part once, and no text of the target came out.
fn is_sound(known: &Known, outcomes: &[Outcome]) {
    let mut seen = BTreeSet::new();
    for outcome in outcomes {
        assert!(seen.insert((outcome.check.id, outcome.facet.clone())), "{outcome:?} comes twice");
        assert!(outcome.is_finding() || outcome.severity == crate::finding::Severity::Info, "{outcome:?}");
    }
    for check in CHECKS {
        assert!(seen.iter().any(|(id, _)| *id == check.id), "{} did not end", check.id);
    }
    assert_no_names(&outcomes);
    let debug = format!("{known:?}");
    assert!(PLANTED.iter().all(|name| !debug.contains(name)), "{debug}");
}

/// A server of today with a certificate full of names.
fn acceptor(demand: bool) -> TlsAcceptor {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["pacs.hospital.example".to_owned()]).unwrap();
    for (kind, name) in [rcgen::DnType::CommonName, rcgen::DnType::OrganizationName].into_iter().zip(PLANTED) {
        params.distinguished_name.push(kind, name);
    }
    params.subject_alt_names.push(rcgen::SanType::DnsName("PLANTED-MRN-4711.example".try_into().unwrap()));
    params.subject_alt_names.push(rcgen::SanType::Rfc822Name("19601231@hospital.example".try_into().unwrap()));
    params.not_before = rcgen::date_time_ymd(2026, 11, 1);
    params.not_after = rcgen::date_time_ymd(2027, 11, 1);
    let certificate = params.self_signed(&key).unwrap();
    let builder = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build().unwrap();
    let builder = if demand { builder.with_client_cert_verifier(verifier) } else { builder.with_no_client_auth() };
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    TlsAcceptor::from(Arc::new(builder.with_single_cert(vec![certificate.der().clone()], key.into()).unwrap()))
}

async fn modern(demand: bool) -> Responder {
    let acceptor = acceptor(demand);
    Responder::start(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.read(&mut [0; 64]).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_server_of_today_passes_all_but_the_trust_it_does_not_have() {
    let mut scope = testing::scope();
    scope.assets[0].tls_name = Some("pacs.hospital.example".to_owned());
    for demand in [false, true] {
        let server = modern(demand).await;
        let (spoken, known, outcomes) = look(&testing::run(scope.clone()), server.port, Depth::Canary).await;
        assert!(spoken && known.behind_tls == Some(Speech::Tls));
        is_sound(&known, &outcomes);
        let found: Vec<_> = outcomes.iter().filter(|outcome| outcome.is_finding()).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].facet, crate::finding::Facet::Part(crate::catalogue::Name::fixed("self-signed")));
        for check in [&T_02, &T_03] {
            assert!(states(&outcomes, check).iter().all(|state| *state == State::Pass), "{outcomes:?}");
        }
        let demanded = if demand { State::Pass } else { State::NotApplicable };
        assert_eq!((states(&outcomes, &T_07), states(&outcomes, &T_08)), (vec![demanded], vec![demanded]));
        assert!(server.hellos.load(Ordering::Relaxed) <= MOST_CONNECTIONS);
    }
}

#[tokio::test]
async fn a_certificate_that_the_owner_trusts_is_none_that_vouches_for_itself() {
    let server = modern(false).await;
    let mut scope = testing::scope();
    let (_, known, _) = look(&testing::run(scope.clone()), server.port, Depth::Handshake).await;
    let Some(Presented::Readable(shown)) = known.tls.map(|facts| facts.certificate) else { panic!("no certificate") };
    assert!(shown.self_issued && !shown.pinned);
    let run = testing::run(scope.clone());
    let mut line = crate::net::Line::new(&run, testing::LOOPBACK);
    let wire = line.dial(server.port).await.unwrap();
    let (_, handshake) = tls::open(wire, server_name(None, testing::LOOPBACK), &[]).await.unwrap();
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &handshake.chain[0]);
    scope.trusted_keys.push(hash.as_ref().try_into().unwrap());
    let (_, _, outcomes) = look(&testing::run(scope), server.port, Depth::Handshake).await;
    assert!(outcomes.iter().all(|outcome| !outcome.is_finding()), "{outcomes:?}");
}

#[tokio::test]
async fn the_gentlest_look_is_one_handshake() {
    let server = modern(false).await;
    let (_, known, outcomes) = look(&testing::run(testing::scope()), server.port, Depth::Handshake).await;
    is_sound(&known, &outcomes);
    assert_eq!(server.hellos.load(Ordering::Relaxed), 1);
    for check in [&T_01, &T_02, &T_03, &T_04, &T_05] {
        assert_eq!(states(&outcomes, check), [State::SkippedByPolicy]);
    }
}

#[tokio::test]
async fn dicom_without_a_certificate_is_found_asked_for_or_not() {
    for (asked, expected) in [(false, (State::Finding, State::NotApplicable)), (true, (State::Pass, State::Finding))] {
        let run = testing::run(testing::scope());
        let (_, outcomes) = testing::look(&run, 1, Depth::Handshake, async |look| {
            let facts = Facts { asked_for_certificate: asked, connections: 1, ..Facts::default() };
            look.known.tls = Some(facts);
            look.known.behind_tls = Some(Speech::Dicom);
            audit(look).await;
        })
        .await;
        assert_eq!((states(&outcomes, &T_07), states(&outcomes, &T_08)), (vec![expected.0], vec![expected.1]));
    }
}

#[tokio::test]
async fn web_pages_need_no_certificate_of_the_reader() {
    let server = modern(false).await;
    let run = testing::run(testing::scope());
    let (known, outcomes) = testing::look(&run, server.port, Depth::Canary, async |look| {
        assert!(greet(look).await);
        look.known.behind_tls = Some(Speech::Http);
        audit(look).await;
    })
    .await;
    is_sound(&known, &outcomes);
    for check in [&T_01, &T_07, &T_08] {
        assert_eq!(states(&outcomes, check), [State::NotApplicable]);
    }
}

#[tokio::test]
async fn dicom_in_clear_beside_tls_is_found() {
    for (reply, expected) in [
        (vec![3, 0, 0, 0, 0, 4, 0, 1, 1, 7], State::Finding),
        (vec![7, 0, 0, 0, 0, 4, 0, 0, 2, 0], State::Finding),
        (vec![21, 3, 1, 0, 2, 2, 10], State::Pass),
        (b"HTTP/1.1 400 PLANTED^JANE\r\n\r\n".to_vec(), State::Pass),
        (vec![], State::Pass),
    ] {
        let acceptor = acceptor(false);
        let server = Responder::start(move |mut stream| {
            let (acceptor, reply) = (acceptor.clone(), reply.clone());
            async move {
                let mut first = [0];
                let _ = stream.peek(&mut first).await;
                if first == [22] {
                    if let Ok(mut stream) = acceptor.accept(stream).await {
                        let _ = stream.read(&mut [0; 64]).await;
                    }
                } else {
                    let _ = stream.read(&mut [0; 4096]).await;
                    let _ = stream.write_all(&reply).await;
                    let _ = stream.shutdown().await;
                    let _ = stream.read(&mut [0; 64]).await;
                }
            }
        })
        .await;
        let (_, known, outcomes) = look(&testing::run(testing::scope()), server.port, Depth::Canary).await;
        is_sound(&known, &outcomes);
        assert_eq!(states(&outcomes, &T_01), [expected]);
    }
}

#[tokio::test]
async fn a_registered_port_in_clear_is_found_without_any_tls() {
    let run = testing::run(testing::scope());
    let (_, outcomes) = testing::look(&run, peers::DICOM_TLS, Depth::Handshake, async |look| {
        look.known.clear = Some(Speech::Dicom);
        audit(look).await;
    })
    .await;
    assert_eq!(states(&outcomes, &T_01), [State::Finding]);
    assert_eq!(outcomes.len(), 1);
}

#[tokio::test]
async fn every_alert_is_a_refusal() {
    for alert in (0..=255).step_by(5) {
        let server = Responder::bytes(record_of(21, &[2, alert])).await;
        let (spoken, known, outcomes) = look(&hurried(), server.port, Depth::Canary).await;
        if !spoken {
            // RFC 8446 6: an alert of no known number may be taken for no TLS.
            continue;
        }
        is_sound(&known, &outcomes);
        assert!(outcomes.iter().all(|outcome| !outcome.is_finding()), "{outcomes:?}");
        assert_eq!(states(&outcomes, &T_07), [State::RefusedBefore]);
    }
}

fn planted_flight(version: u16, suite: u16, certificate: &[u8]) -> Vec<u8> {
    let messages = [
        message_of(2, &hello_of(version, suite, 0, &[(0xff01, &[0]), (23, &[])])),
        message_of(11, &certificate_of(&[certificate])),
        message_of(14, &[]),
    ];
    messages.concat().chunks(16_000).flat_map(|part| record_of(22, part)).collect()
}

#[tokio::test]
async fn whatever_a_server_says_ends_in_states_and_without_its_words() {
    let planted = PLANTED.join(" ").repeat(40).into_bytes();
    let fragments = planted_flight(0x0303, 0xc02f, &planted);
    let answers: Vec<(&str, Vec<u8>)> = vec![
        ("garbage", planted.clone()),
        ("http", b"HTTP/1.1 400 Bad\r\nServer: PLANTED^JANE\r\n\r\n".to_vec()),
        ("a record that never ends", [vec![22, 3, 3, 0x40, 0, 2, 0xff, 0xff, 0xff], planted.clone()].concat()),
        ("a record too long", [vec![22, 3, 3, 0xff, 0xff], planted.clone()].concat()),
        ("empty records", record_of(22, &[]).repeat(30_000)),
        ("warnings without end", record_of(21, &[1, 90]).repeat(60_000)),
        ("hello requests without end", record_of(22, &message_of(0, &[])).repeat(30_000)),
        ("names as certificate", planted_flight(0x0303, 0xc02f, &planted)),
        ("a certificate of 64 KiB", planted_flight(0x0303, 0xc02f, &planted.repeat(1 + 65_536 / planted.len()))),
        ("no certificate at all", planted_flight(0x0303, 0xc02f, &[])),
        ("fragments", fragments[5..].chunks(1).flat_map(|byte| record_of(22, byte)).collect()),
        ("half a hello", fragments[..40].to_vec()),
        ("a suite that was not offered", planted_flight(0x0303, 0x1301, &planted)),
        ("a suite that nobody knows", planted_flight(0x0303, 0xfafa, &planted)),
        ("a version above", planted_flight(0x0305, 0xc02f, &planted)),
        ("a version below all", planted_flight(0x0002, 0x002f, &planted)),
        ("two hellos", [fragments.clone(), fragments.clone()].concat()),
        ("application data", record_of(23, &planted)),
        ("a heartbeat", record_of(24, &planted)),
        ("a hello of extensions cut short", record_of(22, &message_of(2, &[3, 3, 0, 0]))),
    ];
    for (what, answer) in answers {
        let server = Responder::bytes(answer).await;
        let run = hurried();
        let (_, known, outcomes) = look(&run, server.port, Depth::Canary).await;
        assert_no_names(&outcomes);
        assert!(PLANTED.iter().all(|name| !format!("{known:?}").contains(name)));
        server.hellos.store(1, Ordering::Relaxed);
        let (known, outcomes) = look_at_tls(&run, server.port).await;
        is_sound(&known, &outcomes);
        assert!(server.hellos.load(Ordering::Relaxed) <= MOST_CONNECTIONS, "{what}");
        if what.starts_with("a suite") || what.starts_with("a version") {
            assert!(outcomes.iter().all(|outcome| !outcome.is_finding()), "{what}: {outcomes:?}");
        }
    }
}

/// Answers each TLS hello as `answer` has it for the version that it asks for.
async fn by_version(answer: impl Fn(u16) -> Vec<u8> + Clone + Send + 'static) -> Responder {
    Responder::start(move |mut stream| {
        let answer = answer.clone();
        async move {
            let mut hello = [0; 4096];
            if stream.read(&mut hello).await.is_ok_and(|read| read > 11) && hello[0] == 22 {
                let _ = stream.write_all(&answer(u16::from_be_bytes([hello[9], hello[10]]))).await;
                let _ = stream.shutdown().await;
                let _ = stream.read(&mut [0; 64]).await;
            }
        }
    })
    .await
}

fn version_states(outcomes: &[Outcome]) -> BTreeMap<u16, State> {
    let of = |outcome: &Outcome| match outcome.facet {
        crate::finding::Facet::Code(version) => Some((version as u16, outcome.state)),
        _ => None,
    };
    outcomes.iter().filter(|outcome| outcome.check.id == T_02.id).filter_map(of).collect()
}

#[tokio::test]
async fn who_refuses_one_version_is_asked_for_the_older_ones() {
    for spoken in exam::WITHDRAWN {
        let answer = move |version| match version {
            _ if version == spoken => planted_flight(spoken, 0x002f, b"19601231"),
            _ => record_of(21, &[2, 70]),
        };
        let server = by_version(answer).await;
        let (known, outcomes) = look_at_tls(&hurried(), server.port).await;
        is_sound(&known, &outcomes);
        for (version, state) in version_states(&outcomes) {
            let expected = if version == spoken { State::Finding } else { State::Pass };
            assert_eq!(state, expected, "{version:#06x} of a server that speaks {spoken:#06x}");
        }
    }
}

#[tokio::test]
async fn an_end_without_an_alert_refuses_nothing() {
    let server = by_version(|_| Vec::new()).await;
    let (known, outcomes) = look_at_tls(&hurried(), server.port).await;
    is_sound(&known, &outcomes);
    for check in [&T_02, &T_03, &T_04] {
        let states = states(&outcomes, check);
        assert!(states.iter().all(|state| *state == State::RefusedBefore), "{}: {states:?}", check.id);
    }
    // Where TLS 1.2 is refused in words and the older ones are not.
    let server = by_version(|version| if version == 0x0303 { record_of(21, &[2, 70]) } else { Vec::new() }).await;
    let (known, outcomes) = look_at_tls(&hurried(), server.port).await;
    is_sound(&known, &outcomes);
    for check in [&T_02, &T_03, &T_04] {
        assert!(states(&outcomes, check).iter().all(|state| *state != State::Pass), "{outcomes:?}");
    }
}

#[tokio::test]
async fn a_lie_stops_the_questions() {
    let server = Responder::bytes(planted_flight(0x0303, 0x1301, b"")).await;
    let (_, outcomes) = look_at_tls(&hurried(), server.port).await;
    assert_eq!(server.hellos.load(Ordering::Relaxed), 1);
    for check in [&T_02, &T_03] {
        assert!(states(&outcomes, check).iter().all(|state| *state == State::Error));
    }
}

#[tokio::test]
async fn who_drips_or_says_nothing_is_asked_once() {
    for pause in [5, 10_000] {
        let server = Responder::start(move |mut stream| async move {
            if read_hello(&mut stream).await != Some(22) {
                return;
            }
            for byte in planted_flight(0x0303, 0xc02f, b"PLANTED^JANE").into_iter().cycle() {
                tokio::time::sleep(Duration::from_millis(pause)).await;
                if stream.write_all(&[byte]).await.is_err() {
                    return;
                }
            }
        })
        .await;
        let mut run = hurried();
        run.limits.conversation = Duration::from_millis(120);
        let (known, outcomes) = look_at_tls(&run, server.port).await;
        is_sound(&known, &outcomes);
        assert_eq!(server.hellos.load(Ordering::Relaxed), 1);
        assert!(states(&outcomes, &T_03).iter().all(|state| *state == State::Error), "{outcomes:?}");
    }
}

#[tokio::test]
async fn a_run_that_ends_leaves_states_behind() {
    let server = modern(false).await;
    let run = testing::run(testing::scope());
    let (known, outcomes) = testing::look(&run, server.port, Depth::Canary, async |look| {
        assert!(greet(look).await);
        run.stop.cancel();
        audit(look).await;
    })
    .await;
    is_sound(&known, &outcomes);
    assert_eq!(server.hellos.load(Ordering::Relaxed), 1);
    for check in [&T_02, &T_03, &T_04, &T_05] {
        assert!(states(&outcomes, check).iter().all(|state| *state == State::SkippedByPolicy));
    }
}

#[tokio::test]
async fn what_speaks_no_tls_is_left_to_others() {
    for answer in [b"220 PLANTED^JANE ready\r\n".to_vec(), vec![7, 0, 0, 0, 0, 4, 0, 0, 2, 1], vec![]] {
        let server = Responder::bytes(answer).await;
        let (spoken, known, outcomes) = look(&hurried(), server.port, Depth::Canary).await;
        assert!(!spoken && known.tls.is_none() && outcomes.is_empty());
        assert_eq!(server.hellos.load(Ordering::Relaxed), 1);
    }
}
