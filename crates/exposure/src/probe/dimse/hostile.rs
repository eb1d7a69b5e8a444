//! Targets for tests: closed, open, lying, dripping, silent ones, on 127.0.0.1.
//!
//! Each plays one script for every association that comes, and puts planted names wherever the
//! protocol has room for text.

use std::sync::Arc;
use std::time::Duration;

use leadglass_dimse::pdu::control::{RELEASE_RESPONSE, abort};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::testing::PLANTED;

/// Either end of a connection, in clear or behind TLS.
pub(super) trait Conversation: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Conversation for S {}

/// What a target does after the A-ASSOCIATE-RQ.
#[derive(Clone)]
pub(super) enum Target {
    /// Sends these bytes and holds the connection.
    Says(Vec<u8>),
    /// Sends these bytes and closes.
    SaysAndCloses(Vec<u8>),
    /// Sends one byte at a time, for ever.
    Drips(Vec<u8>),
    /// Accepts, and answers each command on these contexts by that.
    Accepts(Vec<u8>, Answers),
    /// Rejects with these result, source and reason: first so often, and then accepts.
    Rejects(u32, [u8; 3]),
    /// Checks the called and the calling AE Title, in this order.
    Checks(&'static str, &'static str),
}

/// How commands are answered.
#[derive(Clone, Copy)]
pub(super) enum Answers {
    /// C-ECHO and C-FIND with that status.
    Status(u16),
    /// C-FIND with that many matches, then status 0; a canary with none.
    Matches(u64),
    /// C-FIND with matches without end, canaries too.
    Endless,
    /// C-ECHO with status 0, C-FIND with A-ABORT.
    AbortsFind,
    /// A-ABORT.
    Aborts,
    /// Nothing at all.
    Nothing,
    /// On another context than asked.
    WrongContext,
    /// With a command set of planted text.
    Garbage,
    /// A P-DATA-TF that declares a gigabyte.
    Gigabyte,
}

/// Listens and plays; gives the port.
pub(super) async fn serve(target: Target) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut met = 0;
        while let Ok((stream, _)) = listener.accept().await {
            met += 1;
            tokio::spawn(play(stream, target.clone(), met));
        }
    });
    port
}

/// As [`serve`], behind TLS; demands a certificate when `mutual`.
pub(super) async fn serve_tls(target: Target, mutual: bool) -> u16 {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (made.cert.der().to_vec(), made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider.clone());
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = if mutual {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from(cert.clone())).unwrap();
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        config.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        config.with_no_client_auth()
    };
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key));
    let config = config.with_single_cert(vec![CertificateDer::from(cert)], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, target) = (acceptor.clone(), target.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    play(stream, target, 1).await;
                }
            });
        }
    });
    port
}

/// The body of an A-ASSOCIATE-AC with planted names in the AE title fields.
pub(super) fn acceptance(results: &[(u8, u8)], max_pdu: u32, class_uid: &[u8], version_name: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 1, 0, 0];
    body.extend(format!("{:<16.16}{:<16.16}", PLANTED[0], PLANTED[1]).bytes());
    body.extend([0; 32]);
    item(&mut body, 0x10, b"1.2.840.10008.3.1.1.1");
    for (id, result) in results {
        let mut value = vec![*id, 0, *result, 0];
        item(&mut value, 0x40, b"1.2.840.10008.1.2");
        item(&mut body, 0x21, &value);
    }
    let mut user = Vec::new();
    item(&mut user, 0x51, &max_pdu.to_be_bytes());
    item(&mut user, 0x52, class_uid);
    item(&mut user, 0x55, version_name);
    item(&mut body, 0x50, &user);
    body
}

/// A PDU.
pub(super) fn pdu(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, 0];
    bytes.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

fn item(out: &mut Vec<u8>, kind: u8, value: &[u8]) {
    out.extend([kind, 0]);
    out.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
    out.extend_from_slice(value);
}

async fn play(mut stream: impl Conversation, target: Target, met: u32) {
    let Some(request) = read_pdu(&mut stream).await else { return };
    let title = |at: usize| String::from_utf8_lossy(&request[at..at + 16]).trim().to_owned();
    match target {
        Target::Says(bytes) => {
            let _ = stream.write_all(&bytes).await;
            hold(stream).await;
        }
        Target::SaysAndCloses(bytes) => {
            let _ = stream.write_all(&bytes).await;
        }
        Target::Drips(bytes) => {
            for byte in bytes.iter().cycle() {
                if stream.write_all(&[*byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Target::Accepts(contexts, answers) => accept(stream, &contexts, answers).await,
        Target::Rejects(times, [result, source, reason]) if met <= times => {
            let _ = stream.write_all(&pdu(3, &[0, result, source, reason])).await;
        }
        Target::Rejects(..) => accept(stream, &[1], Answers::Status(0)).await,
        Target::Checks(called, _) if title(4) != called => {
            let _ = stream.write_all(&pdu(3, &[0, 1, 1, 7])).await;
        }
        Target::Checks(_, calling) if title(20) != calling => {
            let _ = stream.write_all(&pdu(3, &[0, 1, 1, 3])).await;
        }
        Target::Checks(..) => accept(stream, &[1], Answers::Status(0)).await,
    }
}

async fn accept(mut stream: impl Conversation, contexts: &[u8], answers: Answers) {
    let results: Vec<_> = contexts.iter().map(|id| (*id, 0)).collect();
    let body = acceptance(&results, 16_384, b"1.2.276.0.7230010.3.0.3.6.7", PLANTED[3].as_bytes());
    if stream.write_all(&pdu(2, &body)).await.is_err() {
        return;
    }
    let mut finds = 0;
    loop {
        let mut header = [0; 6];
        if stream.read_exact(&mut header).await.is_err() {
            return;
        }
        let [kind, _, a, b, c, d] = header;
        let mut body = vec![0; u32::from_be_bytes([a, b, c, d]) as usize];
        if stream.read_exact(&mut body).await.is_err() {
            return;
        }
        match (kind, body.get(5)) {
            (4, Some(3)) => {}
            (4, _) => continue,
            (5, _) => {
                let _ = stream.write_all(&RELEASE_RESPONSE).await;
                return;
            }
            _ => return,
        }
        let (context, command) = (body[4], &body[6..]);
        let (field, message_id) = (number(command, 0x0100), number(command, 0x0110));
        if field == 0x0020 {
            finds += 1;
            if read_pdu(&mut stream).await.is_none() {
                return;
            }
        }
        if field == 0x0FFF {
            return;
        }
        let answered = answer(&mut stream, context, field, message_id, answers, finds).await;
        if answered.is_none() {
            return;
        }
    }
}

async fn answer(
    stream: &mut impl Conversation,
    context: u8,
    field: u16,
    message_id: u16,
    answers: Answers,
    finds: u32,
) -> Option<()> {
    let response = |context, status| response(context, field, message_id, status);
    let is_find = field == 0x0020;
    let bytes = match answers {
        Answers::Status(status) => response(context, status),
        Answers::Matches(matches) => {
            let mut bytes = Vec::new();
            if is_find && finds > 1 {
                for _ in 0..matches {
                    bytes.extend(response(context, 0xFF00));
                    bytes.extend(matched(context));
                }
            }
            bytes.extend(response(context, 0));
            bytes
        }
        Answers::Endless if is_find => loop {
            stream.write_all(&response(context, 0xFF00)).await.ok()?;
            stream.write_all(&matched(context)).await.ok()?;
        },
        Answers::Endless => response(context, 0),
        Answers::AbortsFind if is_find => abort(0, 0).to_vec(),
        Answers::AbortsFind => response(context, 0),
        Answers::Aborts => abort(2, 6).to_vec(),
        Answers::Nothing => Vec::new(),
        Answers::WrongContext => response(context + 2, 0),
        Answers::Garbage => data(context, 3, PLANTED[0].as_bytes()),
        Answers::Gigabyte => vec![4, 0, 0x40, 0, 0, 0, 0x3F, 0xFF, 0xFF, 0xFC, context, 3],
    };
    stream.write_all(&bytes).await.ok()?;
    (!matches!(answers, Answers::Aborts)).then_some(())
}

/// A response with a planted error comment.
fn response(context: u8, field: u16, message_id: u16, status: u16) -> Vec<u8> {
    let mut set = Vec::new();
    let data_set: u16 = if status & 0xFFFE == 0xFF00 { 1 } else { 0x0101 };
    for (element, value) in [(0x0100, field | 0x8000), (0x0120, message_id), (0x0800, data_set), (0x0900, status)] {
        set.extend([0, 0]);
        set.extend(u16::to_le_bytes(element));
        set.extend([2, 0, 0, 0]);
        set.extend(value.to_le_bytes());
    }
    set.extend([0, 0, 0x02, 0x09, 12, 0, 0, 0]);
    set.extend_from_slice(PLANTED[0].as_bytes());
    data(context, 3, &set)
}

/// A match: a data set with a planted name.
fn matched(context: u8) -> Vec<u8> {
    let mut set = vec![0x10, 0, 0x10, 0, 12, 0, 0, 0];
    set.extend_from_slice(PLANTED[0].as_bytes());
    data(context, 2, &set)
}

fn data(context: u8, control: u8, fragment: &[u8]) -> Vec<u8> {
    let mut body = Vec::from(u32::try_from(fragment.len() + 2).unwrap().to_be_bytes());
    body.extend([context, control]);
    body.extend_from_slice(fragment);
    pdu(4, &body)
}

/// A number of a command set.
fn number(mut command: &[u8], element: u16) -> u16 {
    while let Some(([_, _, e0, e1, l0, l1, _, _], rest)) = command.split_first_chunk::<8>() {
        let (value, rest) = rest.split_at(usize::from(u16::from_le_bytes([*l0, *l1])));
        if u16::from_le_bytes([*e0, *e1]) == element {
            return u16::from_le_bytes([value[0], value[1]]);
        }
        command = rest;
    }
    0
}

/// A whole PDU without its header.
async fn read_pdu(stream: &mut impl Conversation) -> Option<Vec<u8>> {
    let mut header = [0; 6];
    stream.read_exact(&mut header).await.ok()?;
    let [_, _, a, b, c, d] = header;
    let mut body = vec![0; u32::from_be_bytes([a, b, c, d]) as usize];
    stream.read_exact(&mut body).await.ok()?;
    Some(body)
}

/// Until the other end has gone.
async fn hold(mut stream: impl Conversation) {
    let mut buffer = [0; 64];
    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}
