//! The router over a test archive, and what a client needs to talk to it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use leadglass::admin::certificates::{IssueCertificate, IssueError, IssuedBundle, IssuedCertificate};
use leadglass::dicomweb::multipart::{Event, MultipartParser};
use leadglass::posture::{Addresses, Posture};
use leadglass::shield::Shield;
use leadglass::shield::config::EdgeShield;
use leadglass::study_names::StudyNames;
use leadglass::web::{ClientAddress, WebLimits, WebSettings, WebState};
use leadglass_archive::access::Scope;
use leadglass_archive::administer::Certified;
use leadglass_archive::testing::{Sample, TestArchive};
use leadglass_dicom::part10;
use leadglass_dicom::{AeTitle, SopClassUid, SopInstanceUid, TransferSyntax, Uid};
use serde_json::Value;
use tower::ServiceExt as _;

pub const PUBLIC_URL: &str = "https://archive.example:8443";
pub const HOUR: Duration = Duration::from_secs(3600);
pub const JSON: &str = "application/dicom+json";

/// A server with tokens of three roles.
pub struct Server {
    pub archive: TestArchive,
    router: Router,
    pub administrator: String,
    pub viewer: String,
    pub sender: String,
    /// How often its authority signed.
    pub signed: Arc<AtomicUsize>,
}

impl Server {
    pub async fn new() -> Server {
        Server::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut WebLimits)) -> Server {
        Server::made(change, None).await
    }

    /// A shield before an old archive whose DICOMweb is there.
    pub async fn before(old: SocketAddr) -> Server {
        let dicomweb = format!("http://{old}/dicom-web");
        let config = EdgeShield { dicom: old, ae_title: "OLD".into(), dicomweb, ..EdgeShield::default() };
        Server::made(|_| {}, Some(Arc::new(Shield::open(config).unwrap()))).await
    }

    async fn made(change: impl FnOnce(&mut WebLimits), shield: Option<Arc<Shield>>) -> Server {
        let archive = TestArchive::new();
        let mut limits = WebLimits::default();
        change(&mut limits);
        let signed = Arc::new(AtomicUsize::new(0));
        let settings = WebSettings {
            archive: archive.archive().clone(),
            public_url: PUBLIC_URL.into(),
            limits,
            metrics: None,
            certificates: Arc::new(PaperAuthority { signed: signed.clone() }),
            study_names: StudyNames::new(b"a secret of the tests"),
            login: leadglass::login::LoginSettings::default(),
            posture: Posture::new(
                Addresses::configured(&leadglass::config::Listen::default()),
                false,
                &leadglass::config::Legacy::default(),
            ),
            shield,
        };
        let router = leadglass::web::router(WebState::new(settings));
        let host = archive.host().await;
        let mut tokens = Vec::new();
        for role in ["administrator", "viewer", "sender"] {
            let made =
                archive.archive().create_token(&host, &format!("the {role}"), role, HOUR, Scope::everything()).await;
            tokens.push(made.unwrap());
        }
        let [administrator, viewer, sender] = tokens.try_into().unwrap();
        Server { archive, router, administrator, viewer, sender, signed }
    }

    /// A GET as the administrator.
    pub fn get(&self, path: &str) -> Call<'_> {
        self.call(Method::GET, path).token(&self.administrator)
    }

    /// A POST as the administrator.
    pub fn post(&self, path: &str, content_type: &str, body: impl Into<Body>) -> Call<'_> {
        self.call(Method::POST, path).token(&self.administrator).header(header::CONTENT_TYPE, content_type).body(body)
    }

    /// A request of nobody.
    pub fn call(&self, method: Method, path: &str) -> Call<'_> {
        let request =
            Request::builder().method(method).uri(path).extension(ClientAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        Call { router: &self.router, request, body: Body::empty() }
    }

    /// Stores Part 10 files; all have to be taken.
    pub async fn store(&self, files: &[Vec<u8>]) {
        let reply = self.stow("", files).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }

    /// Sends Part 10 files to `/studies{below}`.
    pub async fn stow(&self, below: &str, files: &[Vec<u8>]) -> Reply {
        let (content_type, body) = multipart("application/dicom", files);
        self.post(&format!("/dicom-web/studies{below}"), &content_type, body).send().await
    }

    /// The trail: (action, outcome, caller), oldest first.
    pub async fn trail(&self) -> Vec<(String, String, String)> {
        let rows = self.archive.trail().await;
        rows.into_iter().rev().map(|row| (row.action, row.outcome, row.caller)).collect()
    }
}

/// A request being made.
pub struct Call<'a> {
    router: &'a Router,
    request: http::request::Builder,
    body: Body,
}

impl Call<'_> {
    pub fn token(self, token: &str) -> Self {
        self.header(header::AUTHORIZATION, &format!("Bearer {token}"))
    }

    pub fn accept(self, accept: &str) -> Self {
        self.header(header::ACCEPT, accept)
    }

    pub fn header(mut self, name: impl Into<header::HeaderName>, value: &str) -> Self {
        self.request.headers_mut().unwrap().insert(name.into(), value.parse().unwrap());
        self
    }

    /// What the listener knows of the connection.
    pub fn extension(mut self, known: impl Clone + Send + Sync + 'static) -> Self {
        self.request = self.request.extension(known);
        self
    }

    pub fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    /// The response with its body still to come.
    pub async fn begin(self) -> Response<Body> {
        let request = self.request.body(self.body).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub async fn send(self) -> Reply {
        let (parts, body) = self.begin().await.into_parts();
        let body = body.collect().await.map(|collected| collected.to_bytes());
        Reply { status: parts.status, headers: parts.headers, body: body.expect("the body comes whole") }
    }
}

/// A whole response.
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The parts of a multipart answer: content type and bytes.
    pub fn parts(&self) -> Vec<(String, Vec<u8>)> {
        let content_type = self.header(header::CONTENT_TYPE);
        let boundary = content_type.split("boundary=").nth(1).expect("a boundary").trim_matches('"');
        let mut parser = MultipartParser::new(boundary, 10_000, 10_000).unwrap();
        parser.feed(self.body.clone());
        let mut parts: Vec<(String, Vec<u8>)> = Vec::new();
        loop {
            match parser.event().unwrap() {
                Event::Part(headers) => {
                    let content_type = headers.content_type.unwrap();
                    let syntax = content_type.parameter("transfer-syntax").map(|s| format!(";{s}")).unwrap_or_default();
                    parts.push((format!("{}{syntax}", content_type.essence()), Vec::new()));
                }
                Event::Data(data) => parts.last_mut().unwrap().1.extend_from_slice(&data),
                Event::PartEnd => {}
                Event::End | Event::NeedMore => break,
            }
        }
        parser.finish().unwrap();
        parts
    }
}

/// A multipart body of parts of one type.
pub fn multipart(part_type: &str, parts: &[Vec<u8>]) -> (String, Vec<u8>) {
    let typed: Vec<_> = parts.iter().map(|part| (format!("Content-Type: {part_type}"), part.clone())).collect();
    mixed(part_type, &typed)
}

/// A multipart body of parts with their own headers.
pub fn mixed(root_type: &str, parts: &[(String, Vec<u8>)]) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    for (headers, part) in parts {
        body.extend_from_slice(format!("--the-boundary\r\n{headers}\r\n\r\n").as_bytes());
        body.extend_from_slice(part);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--the-boundary--\r\n");
    (format!("multipart/related; type=\"{root_type}\"; boundary=the-boundary"), body)
}

/// A sample as a Part 10 file.
pub fn file(sample: &Sample) -> Vec<u8> {
    let class = SopClassUid::parse(Sample::SOP_CLASS).unwrap();
    file_of(&class, &sample.sop_uid(), &TransferSyntax::explicit_little_endian(), &sample.encode())
}

/// A data set as a Part 10 file.
pub fn file_of(class: &SopClassUid, instance: &SopInstanceUid, syntax: &TransferSyntax, data_set: &[u8]) -> Vec<u8> {
    let mut file = part10::write_file_meta(class, instance, syntax);
    file.extend_from_slice(data_set);
    file
}

/// The data set in a Part 10 file, and the syntax it is in.
pub fn data_set(file: &[u8]) -> (String, Vec<u8>) {
    let (meta, data_set) = part10::split(file).unwrap();
    (meta.transfer_syntax.uid().to_string(), data_set.to_vec())
}

/// The path of a sample below `/dicom-web`.
pub fn instance_path(sample: &Sample) -> String {
    format!("/dicom-web/studies/{}/series/{}/instances/{}", sample.study, sample.series, sample.sop_instance)
}

pub fn study_path(sample: &Sample) -> String {
    format!("/dicom-web/studies/{}", sample.study)
}

pub fn uid(text: &str) -> Uid {
    Uid::parse(text).unwrap()
}

/// The path of an object by its identity.
pub fn path_of(scanned: &leadglass_dicom::scan::Identity) -> String {
    format!("/dicom-web/studies/{}/series/{}/instances/{}", scanned.study, scanned.series, scanned.sop_instance)
}

/// A file of the repository's samples and corpus.
pub fn testdata(path: &str) -> Vec<u8> {
    std::fs::read(testdata_dir().join(path)).unwrap()
}

pub fn testdata_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

/// All files below a folder.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

/// An authority that signs anything, on paper.
#[derive(Default)]
struct PaperAuthority {
    /// How often it signed.
    signed: Arc<AtomicUsize>,
}

impl IssueCertificate for PaperAuthority {
    fn check(&self, _certificate_pem: &str) -> Result<Certified, IssueError> {
        Ok(certificate(&AeTitle::parse("CT1").unwrap()).certified())
    }

    fn authority_sha256(&self) -> String {
        "cd".repeat(32)
    }

    fn issue<'a>(&'a self, ae: &'a AeTitle) -> BoxFuture<'a, Result<IssuedBundle, IssueError>> {
        self.signed.fetch_add(1, Ordering::SeqCst);
        async move {
            Ok(IssuedBundle {
                certificate: certificate(ae),
                key_pem: "key".into(),
                pkcs12_base64: String::new(),
                pkcs12_password: String::new(),
            })
        }
        .boxed()
    }

    fn sign<'a>(
        &'a self,
        ae: &'a AeTitle,
        request_pem: &'a str,
    ) -> BoxFuture<'a, Result<IssuedCertificate, IssueError>> {
        self.signed.fetch_add(1, Ordering::SeqCst);
        let signed = if request_pem.contains("REQUEST") { Ok(certificate(ae)) } else { Err(IssueError::BadRequest) };
        async move { signed }.boxed()
    }
}

fn certificate(ae: &AeTitle) -> IssuedCertificate {
    IssuedCertificate {
        certificate_pem: format!("certificate of {ae}"),
        authority_pem: "authority".into(),
        certificate_sha256: "ab".repeat(32),
        expires: std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(4_000_000_000),
    }
}
