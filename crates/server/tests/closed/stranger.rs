//! A stranger, and what must not be heard by one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

pub const CANARY: &str = "Kanarienvogel^Klara";
pub const CANARY_ID: &str = "KANARIE-4711";
/// How long a stranger waits for an answer that ought not to come.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long for the one that has to come.
const LONGEST: Duration = Duration::from_secs(20);

/// What a stranger may hear without showing who they are: that we live, that we are ready,
/// setup, and the way to sign in.
const OPEN_TO_ALL: [&str; 6] = ["/healthz/", "/setup", "/login", "/logout", "/enrol", "/"];

/// A stranger with and without TLS, and with a certificate that nobody knows.
pub struct Stranger {
    without: TlsConnector,
    with: TlsConnector,
}

impl Stranger {
    pub fn of(folder: &std::path::Path) -> Stranger {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(folder.join("archive/ca.pem")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = || {
            rustls::ClientConfig::builder_with_provider(provider.clone())
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots.clone())
        };
        let own = rcgen::generate_simple_self_signed(["stranger".to_owned()]).unwrap();
        let key = rustls_pki_types::PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
        let with = builder().with_client_auth_cert(vec![own.cert.der().clone()], key.into()).unwrap();
        Stranger {
            without: TlsConnector::from(Arc::new(builder().with_no_client_auth())),
            with: TlsConnector::from(Arc::new(with)),
        }
    }

    /// Everything a socket answers: in clear, over TLS, with a certificate; HTTP and DICOM.
    pub async fn ask(&self, at: SocketAddr) -> Vec<(String, Vec<u8>)> {
        let mut heard = Vec::new();
        let alive = "/healthz/live";
        heard.push((format!("tls GET {alive}"), self.over(&self.without, at, &http(alive), LONGEST).await));
        let requests: Vec<(String, Vec<u8>)> = ROUTES
            .iter()
            .map(|route| (format!("GET {route}"), http(route)))
            .chain([("A-ASSOCIATE".to_owned(), associate())])
            .collect();
        for (name, request) in [&requests[0], &requests[requests.len() - 1]] {
            if let Ok(tcp) = TcpStream::connect(at).await {
                heard.push((format!("clear {name}"), exchange(tcp, request, PATIENCE).await));
            }
        }
        for (name, request) in &requests {
            heard.push((format!("tls {name}"), self.over(&self.without, at, request, PATIENCE).await));
        }
        let last = &requests[requests.len() - 1];
        heard.push((format!("certificate {}", last.0), self.over(&self.with, at, &last.1, PATIENCE).await));
        heard
    }

    async fn over(&self, tls: &TlsConnector, at: SocketAddr, request: &[u8], patience: Duration) -> Vec<u8> {
        let Ok(tcp) = TcpStream::connect(at).await else { return Vec::new() };
        // A name of its certificate, whatever the address: a stranger does not mind.
        match tls.connect(ServerName::try_from("localhost").unwrap(), tcp).await {
            Ok(stream) => exchange(stream, request, patience).await,
            Err(_) => Vec::new(),
        }
    }
}

/// Where images, names, keys and settings are.
const ROUTES: [&str; 14] = [
    "/dicom-web/studies",
    "/dicom-web/studies?PatientName=K*&includefield=all",
    "/dicom-web/instances",
    "/dicom-web/studies/1.2.826.0.1.3680043.2.1125.1",
    "/dicom-web/studies/1.2.826.0.1.3680043.2.1125.1/metadata",
    "/wado?requestType=WADO&studyUID=1.2.826.0.1.3680043.2.1125.1",
    "/admin/v1/peers",
    "/admin/v1/trail",
    "/admin/v1/explain",
    "/admin/v1/users",
    "/metrics",
    "/account/v1",
    "/../archive/keyring",
    "/",
];

fn http(route: &str) -> Vec<u8> {
    format!("GET {route} HTTP/1.1\r\nHost: archive\r\nConnection: close\r\n\r\n").into_bytes()
}

/// An A-ASSOCIATE-RQ for Verification and Study Root FIND, called and calling as anybody would.
fn associate() -> Vec<u8> {
    let item = |kind: u8, body: &[u8]| {
        let mut item = vec![kind, 0];
        item.extend((body.len() as u16).to_be_bytes());
        item.extend(body);
        item
    };
    let mut body = vec![0, 1, 0, 0];
    body.extend(format!("{:<16}{:<16}", "ANY-SCP", "ECHOSCU").as_bytes());
    body.extend([0; 32]);
    body.extend(item(0x10, b"1.2.840.10008.3.1.1.1"));
    for (id, class) in [(1u8, "1.2.840.10008.1.1"), (3, "1.2.840.10008.5.1.4.1.2.2.1")] {
        let mut context = vec![id, 0, 0, 0];
        context.extend(item(0x30, class.as_bytes()));
        context.extend(item(0x40, b"1.2.840.10008.1.2"));
        body.extend(item(0x20, &context));
    }
    body.extend(item(0x50, &[item(0x51, &16384u32.to_be_bytes()), item(0x52, b"1.2.3")].concat()));
    let mut pdu = vec![1, 0];
    pdu.extend((body.len() as u32).to_be_bytes());
    pdu.extend(body);
    pdu
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &[u8], patience: Duration) -> Vec<u8> {
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(patience, async {
        stream.write_all(request).await?;
        stream.flush().await?;
        (&mut stream).take(1 << 20).read_to_end(&mut answer).await
    })
    .await;
    answer
}

/// What is wrong with the answer of a listener of legacy peers: it speaks in clear text, and says
/// to a stranger nothing but A-ASSOCIATE-RJ 1/1/3 and A-ABORT.
pub fn legacy_leak(asked: &str, answer: &[u8]) -> Option<String> {
    let says_no = answer.is_empty() || answer == REJECTED || answer.first() == Some(&7) && answer.len() == 10;
    let is_clear_association = asked == "clear A-ASSOCIATE";
    if is_clear_association && answer != REJECTED {
        return Some(format!("not 1/1/3 but {answer:?}"));
    }
    (!says_no).then(|| format!("more than a refusal: {answer:?}"))
}

/// A-ASSOCIATE-RJ, permanent, by the user, calling AE title not recognized.
const REJECTED: [u8; 10] = [3, 0, 0, 0, 0, 4, 0, 1, 1, 3];

/// What is wrong with an answer, when anything is.
pub fn leak(asked: &str, answer: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(answer);
    let raw = answer.windows(CANARY_ID.len()).any(|bytes| bytes == CANARY_ID.as_bytes());
    if raw || text.contains("Kanarienvogel") {
        return Some("a canary".into());
    }
    if asked.contains("A-ASSOCIATE") && answer.first() == Some(&2) {
        return Some("an association is accepted".into());
    }
    if asked.starts_with("clear")
        && (text.starts_with("HTTP/") || answer.first().is_some_and(|kind| (2..8).contains(kind)))
    {
        return Some("an answer in clear".into());
    }
    let route = asked.split_once("GET ").map(|(_, route)| route)?;
    let is_open = OPEN_TO_ALL.iter().any(|open| route == *open || open.len() > 1 && route.starts_with(open));
    (text.starts_with("HTTP/1.1 2") && !is_open).then(|| text.lines().next().unwrap_or_default().to_owned())
}

#[test]
fn a_leak_is_seen() {
    assert!(leak("tls GET /dicom-web/studies", b"HTTP/1.1 200 OK\r\n\r\n[]").is_some());
    assert!(leak("tls GET /dicom-web/studies", b"HTTP/1.1 401 Unauthorized\r\n\r\n").is_none());
    assert!(leak("tls GET /dicom-web/studies", b"HTTP/1.1 401 \r\n\r\nKANARIE-4711").is_some());
    assert!(leak("certificate A-ASSOCIATE", &[2, 0]).is_some());
    assert!(leak("tls A-ASSOCIATE", &[3, 0]).is_none());
    assert!(leak("clear A-ASSOCIATE", &[3, 0]).is_some(), "even a refusal is not given in clear");
    assert!(leak("clear GET /dicom-web/studies", b"HTTP/1.1 400 Bad Request").is_some());
    assert!(leak("clear GET /dicom-web/studies", &[0x15, 3, 3]).is_none(), "an alert of TLS is no answer");
    assert!(leak("tls GET /healthz/live", b"HTTP/1.1 200 OK").is_none());
    assert!(legacy_leak("clear A-ASSOCIATE", &REJECTED).is_none());
    assert!(legacy_leak("clear A-ASSOCIATE", &[2, 0]).is_some() && legacy_leak("clear A-ASSOCIATE", &[]).is_some());
    assert!(legacy_leak("clear A-ASSOCIATE", &[3, 0, 0, 0, 0, 4, 0, 1, 1, 7]).is_some());
    assert!(legacy_leak("clear GET /", b"HTTP/1.1 400").is_some());
}
