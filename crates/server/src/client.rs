//! A small HTTPS client for this host's own archive: believes its authority alone, follows
//! no redirect, speaks JSON.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Bytes of an answer.
const ANSWER_BYTES: usize = 16 << 20;
/// Bytes of a long answer, and the time for it.
const LONG_ANSWER_BYTES: usize = 1 << 30;
const LONG_TIMEOUT: Duration = Duration::from_secs(3600);
/// For one request with its answer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A client of one archive.
pub struct Client {
    address: SocketAddr,
    name: ServerName<'static>,
    tls: TlsConnector,
}

impl Client {
    /// A client of the archive at that address, whose authority's certificate is in `ca`.
    pub fn new(address: SocketAddr, ca: &Path) -> anyhow::Result<Client> {
        let certificate =
            CertificateDer::from_pem_file(ca).with_context(|| format!("no certificate in {}", ca.display()))?;
        let name = ServerName::IpAddress(address.ip().into());
        Ok(Client::with(address, name, crate::tls::client_of(&certificate)?))
    }

    /// A client of the archive at that address, which shows that name, by TLS as it is.
    pub fn with(address: SocketAddr, name: ServerName<'static>, tls: rustls::ClientConfig) -> Client {
        Client { address, name, tls: TlsConnector::from(Arc::new(tls)) }
    }

    /// GET; the status and the JSON answered (null when there is none).
    pub async fn get(&self, path: &str, token: Option<&str>) -> anyhow::Result<(StatusCode, Value)> {
        self.request(Method::GET, path, token, None).await
    }

    /// POST of JSON; the status and the JSON answered (null when there is none).
    pub async fn post(&self, path: &str, token: Option<&str>, body: &Value) -> anyhow::Result<(StatusCode, Value)> {
        self.request(Method::POST, path, token, Some(body)).await
    }

    /// POST of JSON; the status and the text answered, which may be long.
    pub async fn post_for_text(&self, path: &str, token: &str, body: &Value) -> anyhow::Result<(StatusCode, String)> {
        let request = Request::post(path)
            .header(header::HOST, self.address.to_string())
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(serde_json::to_vec(body)?)))?;
        let answer = tokio::time::timeout(LONG_TIMEOUT, async {
            let response = self.open().await?.send_request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), LONG_ANSWER_BYTES).collect().await;
            let body = body.map_err(|error| anyhow::anyhow!(error)).context("the archive's answer")?.to_bytes();
            Ok::<_, anyhow::Error>((status, String::from_utf8(body.to_vec())?))
        });
        answer.await.context("the archive does not answer")?
    }

    /// DELETE; the status and the JSON answered (null when there is none).
    pub async fn delete(&self, path: &str, token: Option<&str>) -> anyhow::Result<(StatusCode, Value)> {
        self.request(Method::DELETE, path, token, None).await
    }

    /// One request on a connection of its own.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, self.address.to_string());
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Bytes::from(serde_json::to_vec(body)?)
            }
            None => Bytes::new(),
        };
        let request = request.body(Full::new(body))?;
        tokio::time::timeout(TIMEOUT, self.exchange(request)).await.context("the archive does not answer")?
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// TLS with the archive: it showed a certificate of its authority.
    pub async fn connect(&self) -> anyhow::Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(self.address)
            .await
            .with_context(|| format!("cannot connect to the archive at {}", self.address))?;
        tcp.set_nodelay(true)?;
        self.tls.connect(self.name.clone(), tcp).await.context("TLS with the archive")
    }

    /// A connection for requests with bodies of any kind; it ends with its sender.
    pub async fn open<B>(&self) -> anyhow::Result<SendRequest<B>>
    where
        B: http_body::Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        let tls = self.connect().await?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tls)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Value)> {
        let mut sender = self.open().await?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!(error)).context("the archive's answer")?.to_bytes();
        Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }
}
