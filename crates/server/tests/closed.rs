//! No configuration opens a door: random valid ones are started, loaded with canary names and
//! looked at by a stranger, on every socket that the process listens on. Declared legacy peers are
//! among them, at the stranger's own address: their listeners are the only ones in clear text, and
//! tell a stranger nothing but that they do not know him.
//!
//! `LEADGLASS_CONFIGURATIONS` says how many (500; 10,000 with `LEADGLASS_FULL=1`).

#![expect(clippy::unwrap_used, clippy::panic, reason = "test")]

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use leadglass::gate::Shut;
use leadglass::host::{Host, StartError};
use leadglass::{Config, Running, first_run};
use leadglass_archive::access::Scope;
use leadglass_archive::administer::NewLegacyPeer;
use leadglass_archive::store::Incoming;
use leadglass_archive::testing::Sample;
use leadglass_archive::{Caller, Credential, Door, Source};
use leadglass_dicom::clock::SystemClock;
use leadglass_dicom::{TransferSyntax, Uid};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const CANARY: &str = "Kanarienvogel^Klara";
const CANARY_ID: &str = "KANARIE-4711";
/// How often an archive is started that was too slow to look at itself.
const TRIES: usize = 5;
/// Archives that run at a time.
const AT_ONCE: usize = 8;
/// How long a stranger waits for an answer that ought not to come.
const PATIENCE: Duration = Duration::from_millis(300);

/// What a stranger may hear without showing who they are: that we live, that we are ready,
/// setup, and the way to sign in.
const OPEN_TO_ALL: [&str; 6] = ["/healthz/", "/setup", "/login", "/logout", "/enrol", "/"];

/// Numbers that look random, all from one.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// A key and values that are taken.
type Key = (&'static str, [u64; 3]);

/// A configuration as somebody could write it: a value here and there, within what is taken.
fn configuration(dice: &mut Dice) -> String {
    let mut text = String::from("[listen]\n");
    let address = match dice.below(5) {
        0 => "0.0.0.0:0".to_owned(),
        1 => "[::1]:0".to_owned(),
        2 => "[::]:0".to_owned(),
        _ => format!("127.{}.{}.{}:0", dice.below(200), dice.below(200), 1 + dice.below(200)),
    };
    text.push_str(&format!("https = \"{address}\"\n"));
    if dice.one_in(2) {
        text.push_str(&format!("dicom = \"{address}\"\n"));
    } else {
        text.push_str("dicom = \"127.0.0.1:0\"\n");
    }
    if dice.one_in(3) {
        text.push_str("names = [\"archive.example\", \"192.0.2.9\"]\n");
    }
    let sections: [(&str, &[Key]); 4] = [
        (
            "limits",
            &[
                ("connections", [8, 64, 2048]),
                ("connections_per_address", [8, 64, 1024]),
                ("tls_handshake_s", [5, 10, 30]),
                ("stop_s", [1, 5, 30]),
                ("http_headers", [16, 100, 1000]),
                ("http2_streams", [1, 100, 1000]),
            ],
        ),
        (
            "dimse",
            &[
                ("associations_per_peer", [1, 8, 256]),
                ("max_pdu_bytes", [16384, 262_144, 4_194_304]),
                ("associate_s", [1, 30, 300]),
                ("idle_s", [1, 600, 86_400]),
            ],
        ),
        (
            "dicomweb",
            &[
                ("requests", [1, 16, 256]),
                ("requests_per_caller", [1, 16, 64]),
                ("results", [5000, 50_000, 1_000_000]),
                ("metadata_cache_bytes", [0, 1 << 20, 1 << 24]),
            ],
        ),
        ("scan", &[("depth", [1, 8, 64]), ("header_bytes", [65_536, 1 << 20, 1 << 24])]),
    ];
    for (section, keys) in sections {
        text.push_str(&format!("[{section}]\n"));
        for (key, values) in keys {
            if dice.one_in(2) {
                text.push_str(&format!("{key} = {}\n", values[dice.below(3) as usize]));
            }
        }
        if section == "dimse" && dice.one_in(3) {
            text.push_str(
                ["ae_title = \"ORTHANC\"\n", "ae_title = \"ANY-SCP\"\n", "ae_title = \"PACS\"\n"]
                    [dice.below(3) as usize],
            );
        }
    }
    if dice.one_in(3) {
        text.push_str("[dimse.legacy]\ninterface = \"lo\"\nport = 0\n");
    }
    text
}

/// An archive as configured, set up or not, with a canary in it.
async fn started(text: &str, set_up: bool, legacy: bool, folder: &std::path::Path) -> Running {
    let mut config = Config::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    config.data.dir = folder.join("archive");
    config.data.segment_bytes = 1 << 20;
    config.data.reserve_bytes = 1 << 20;
    config.check().unwrap_or_else(|error| panic!("{error}\n{text}"));
    let host = Host::open(config, Arc::new(SystemClock)).await.unwrap();
    let at_host = Source { address: None, door: Door::Host };
    let operator = host.archive.authenticate(at_host, Credential::Host).await.unwrap();
    if set_up {
        let code = first_run::issue_setup_code(&host).await.unwrap().unwrap();
        let source = Source { address: None, door: Door::Host };
        let setup = host.archive.authenticate(source, Credential::SetupCode(code)).await.unwrap();
        host.archive.complete_setup(&setup, "Ada").await.unwrap();
    }
    store_canary(&host, &operator).await;
    if legacy {
        declare(&host, &operator).await;
    }
    for _ in 0..TRIES {
        match Running::start(host.clone()).await {
            Ok(running) => return running,
            // A machine that is busy with other work looks at itself too slowly: then nothing opens.
            Err(StartError::Shut(Shut::Unfinished(_) | Shut::Unseen(_))) => {}
            Err(error) => panic!("{error}\n{text}"),
        }
    }
    panic!("its doors could not be looked at\n{text}")
}

/// A device that may store in clear text, from where the stranger is.
async fn declare(host: &Host, operator: &Caller) {
    let new = NewLegacyPeer {
        ae: "OLD-US".into(),
        address: IpAddr::from([127, 0, 0, 1]),
        lifetime: Duration::from_secs(86_400),
        scope: Scope::everything(),
        label: None,
        contact: None,
    };
    host.archive.add_legacy_peer(operator, new).await.unwrap();
}

async fn store_canary(host: &Host, operator: &Caller) {
    let sample = Sample { patient_name: CANARY.into(), patient_id: CANARY_ID.into(), side: 4, ..Sample::new(1, 1, 1) };
    let explicit = Uid::parse("1.2.840.10008.1.2.1").unwrap();
    let incoming =
        Incoming { transfer_syntax: TransferSyntax::from_uid(explicit), announced: None, expected_study: None };
    let mut ingest = host.archive.store(operator, incoming).await.unwrap();
    ingest.push(&sample.encode()).await.unwrap();
    ingest.finish().await.unwrap();
}

/// What this process listens on: its sockets in the kernel's tables, TCP and UDP.
fn listening() -> BTreeSet<(&'static str, SocketAddr)> {
    let own: BTreeSet<String> = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let mut found = BTreeSet::new();
    for (table, protocol, state) in
        [("tcp", "tcp", "0A"), ("tcp6", "tcp", "0A"), ("udp", "udp", "07"), ("udp6", "udp", "07")]
    {
        let text = std::fs::read_to_string(format!("/proc/self/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if fields.get(3) == Some(&state) && fields.get(9).is_some_and(|inode| own.contains(*inode)) {
                found.insert((protocol, address(fields[1])));
            }
        }
    }
    found
}

/// An address as the kernel writes it: words of its own byte order, a colon, the port.
fn address(text: &str) -> SocketAddr {
    let (ip, port) = text.split_once(':').unwrap();
    let port = u16::from_str_radix(port, 16).unwrap();
    let words: Vec<[u8; 4]> =
        (0..ip.len() / 8).map(|at| u32::from_str_radix(&ip[8 * at..8 * at + 8], 16).unwrap().to_ne_bytes()).collect();
    match words.as_slice() {
        [v4] => SocketAddr::new(IpAddr::from(*v4), port),
        words => SocketAddr::new(IpAddr::from(<[u8; 16]>::try_from(words.concat()).unwrap()), port),
    }
}

/// A stranger with and without TLS, and with a certificate that nobody knows.
struct Stranger {
    without: TlsConnector,
    with: TlsConnector,
}

impl Stranger {
    fn of(folder: &std::path::Path) -> Stranger {
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
    async fn ask(&self, at: SocketAddr) -> Vec<(String, Vec<u8>)> {
        let mut heard = Vec::new();
        let requests: Vec<(String, Vec<u8>)> = ROUTES
            .iter()
            .map(|route| (format!("GET {route}"), http(route)))
            .chain([("A-ASSOCIATE".to_owned(), associate())])
            .collect();
        for (name, request) in [&requests[0], &requests[requests.len() - 1]] {
            if let Ok(tcp) = TcpStream::connect(at).await {
                heard.push((format!("clear {name}"), exchange(tcp, request).await));
            }
        }
        for (name, request) in &requests {
            heard.push((format!("tls {name}"), self.over(&self.without, at, request).await));
        }
        let last = &requests[requests.len() - 1];
        heard.push((format!("certificate {}", last.0), self.over(&self.with, at, &last.1).await));
        heard
    }

    async fn over(&self, tls: &TlsConnector, at: SocketAddr, request: &[u8]) -> Vec<u8> {
        let Ok(tcp) = TcpStream::connect(at).await else { return Vec::new() };
        match tls.connect(ServerName::IpAddress(at.ip().into()), tcp).await {
            Ok(stream) => exchange(stream, request).await,
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

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, async {
        stream.write_all(request).await?;
        stream.flush().await?;
        (&mut stream).take(1 << 20).read_to_end(&mut answer).await
    })
    .await;
    answer
}

/// What is wrong with the answer of a listener of legacy peers: it speaks in clear text, and says
/// to a stranger nothing but A-ASSOCIATE-RJ 1/1/3 and A-ABORT.
fn legacy_leak(asked: &str, answer: &[u8]) -> Option<String> {
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
fn leak(asked: &str, answer: &[u8]) -> Option<String> {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_configuration_opens_a_door() {
    let many = match (std::env::var("LEADGLASS_CONFIGURATIONS"), std::env::var_os("LEADGLASS_FULL")) {
        (Ok(many), _) => many.parse().unwrap(),
        (_, Some(_)) => 10_000,
        _ => 500,
    };
    let before = listening();
    let (mut sockets, mut in_clear) = (0, 0);
    for batch in (0..many).collect::<Vec<u64>>().chunks(AT_ONCE) {
        let archives = futures::future::join_all(batch.iter().map(|seed| an_archive(*seed))).await;
        let open: Vec<(&str, SocketAddr)> = listening().difference(&before).copied().collect();
        let declared = archives.iter().filter(|one| one.legacy.is_some()).count();
        let doors = 2 * archives.len() + declared;
        assert_eq!(open.len(), doors, "two doors each, what is declared and nothing else, seeds {batch:?}: {open:?}");
        in_clear += declared;
        sockets += open.len();
        for (protocol, at) in &open {
            assert_eq!(*protocol, "tcp", "{at}, seeds {batch:?}");
            assert!(at.ip().is_loopback(), "nobody has a second factor, and yet {at}, seeds {batch:?}");
        }
        let looks =
            open.iter().flat_map(|(_, at)| archives.iter().filter(|one| one.is_at(*at)).map(move |one| (one, *at)));
        let looks: Vec<(&AnArchive, SocketAddr)> = looks.collect();
        assert_eq!(looks.len(), open.len(), "every socket is a door of one of them");
        futures::future::join_all(looks.into_iter().map(|(one, at)| one.look(at))).await;
        futures::future::join_all(archives.into_iter().map(|one| one.running.stop())).await;
    }
    println!(
        "{many} configurations, {sockets} sockets: 0 canary bytes, 0 associations, 0 clear-text listeners but \
         {in_clear} declared legacy ones"
    );
    assert!(many < 100 || in_clear > 0, "legacy peers are among what is drawn");
}

/// One that runs, and how it was configured.
struct AnArchive {
    seed: u64,
    text: String,
    running: Running,
    /// Where legacy peers are listened to, when some are declared.
    legacy: Option<SocketAddr>,
    stranger: Stranger,
    _folder: tempfile::TempDir,
}

async fn an_archive(seed: u64) -> AnArchive {
    let mut dice = Dice(seed);
    let text = configuration(&mut dice);
    let folder = tempfile::tempdir().unwrap();
    let (set_up, legacy) = (dice.one_in(2), dice.one_in(2));
    let running = started(&text, set_up, legacy, folder.path()).await;
    let legacy = if set_up && legacy { listened_to(&running).await } else { None };
    AnArchive { seed, text, running, legacy, stranger: Stranger::of(folder.path()), _folder: folder }
}

/// Where that archive listens to legacy peers, as soon as it does; never when it is not configured to.
async fn listened_to(running: &Running) -> Option<SocketAddr> {
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    loop {
        let open = running.posture().legacy?.open;
        if open.is_some() {
            return open;
        }
        looks.tick().await;
    }
}

impl AnArchive {
    fn is_at(&self, at: SocketAddr) -> bool {
        [self.running.https, self.running.dicom].contains(&at) || self.legacy == Some(at)
    }

    async fn look(&self, at: SocketAddr) {
        for (asked, answer) in self.stranger.ask(at).await {
            let leak = if self.legacy == Some(at) { legacy_leak(&asked, &answer) } else { leak(&asked, &answer) };
            if let Some(leak) = leak {
                panic!("{leak}: {asked} at {at}, seed {}\n{}", self.seed, self.text);
            }
        }
    }
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
