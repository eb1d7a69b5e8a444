//! One HTTPS request to an identity provider: to its own hosts, within bounds, no redirects.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// For a request with its answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer.
const ANSWER_BYTES: usize = 256 << 10;
/// Where Linux distributions keep the authorities that the system believes.
const SYSTEM_ROOTS: &[&str] =
    &["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"];

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("an address that is not https at one of the provider's hosts")]
    Elsewhere,
    #[error("cannot connect: {0}")]
    Connect(#[source] std::io::Error),
    #[error("http: {0}")]
    Http(#[from] hyper::Error),
    #[error("no answer within ten seconds")]
    Late,
    #[error("an answer that is too long or cut off")]
    Body,
    #[error("status {0}")]
    Status(StatusCode),
    #[error("an answer that is not what was asked for")]
    Content,
    #[error("it did not answer a moment ago")]
    Lately,
}

/// A client that believes these authorities and goes to these hosts.
pub(super) struct Fetch {
    tls: TlsConnector,
    hosts: Vec<String>,
}

impl Fetch {
    /// Believes the authority in that file, or those of the system.
    pub(super) fn new(ca: Option<&std::path::Path>, hosts: Vec<String>) -> Result<Fetch, std::io::Error> {
        let mut roots = RootCertStore::empty();
        let system = || SYSTEM_ROOTS.iter().map(std::path::Path::new).find(|path| path.exists());
        if let Some(path) = ca.or_else(system) {
            let pem = std::fs::read(path)?;
            let certificates = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok);
            roots.add_parsable_certificates(certificates);
        }
        if roots.is_empty() {
            return Err(std::io::Error::other("no authority's certificate to believe an identity provider by"));
        }
        let builder = rustls::ClientConfig::builder_with_provider(crate::tls::provider::provider());
        let builder = builder.with_protocol_versions(crate::tls::provider::VERSIONS).map_err(std::io::Error::other)?;
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        Ok(Fetch { tls: TlsConnector::from(Arc::new(config)), hosts })
    }

    /// GET of JSON.
    pub(super) async fn get(&self, address: &str) -> Result<Bytes, FetchError> {
        self.send(Method::GET, address, None, String::new()).await
    }

    /// POST of a form, with an `Authorization` when there is one; the JSON answered.
    pub(super) async fn post(
        &self,
        address: &str,
        authorization: Option<&str>,
        form: String,
    ) -> Result<Bytes, FetchError> {
        self.send(Method::POST, address, authorization, form).await
    }

    async fn send(
        &self,
        method: Method,
        address: &str,
        authorization: Option<&str>,
        body: String,
    ) -> Result<Bytes, FetchError> {
        let uri: Uri = address.parse().map_err(|_| FetchError::Elsewhere)?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("https")).ok_or(FetchError::Elsewhere)?;
        if !self.hosts.iter().any(|host| host == authority.as_str()) {
            return Err(FetchError::Elsewhere);
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, authority.as_str())
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, "leadglass");
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(|_| FetchError::Elsewhere)?;
        let (host, port) = (authority.host().to_owned(), authority.port_u16().unwrap_or(443));
        tokio::time::timeout(TIMEOUT, self.exchange(&host, port, request)).await.map_err(|_| FetchError::Late)?
    }

    async fn exchange(&self, host: &str, port: u16, request: Request<Full<Bytes>>) -> Result<Bytes, FetchError> {
        let tcp = TcpStream::connect((host, port)).await.map_err(FetchError::Connect)?;
        let name = ServerName::try_from(host.to_owned()).map_err(|_| FetchError::Elsewhere)?;
        let tls = self.tls.connect(name, tcp).await.map_err(FetchError::Connect)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tls)).await?;
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
        connection.abort();
        // A redirect is a status like any other: it is not followed.
        if status != StatusCode::OK {
            return Err(FetchError::Status(status));
        }
        Ok(body.map_err(|_| FetchError::Body)?.to_bytes())
    }
}
