//! DICOMweb over N connections.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Args;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;

use crate::connect::{Connector, Target};
use crate::instance::{Kind, part10};
use crate::sample::summary;

const BOUNDARY: &str = "leadglass-bench";

/// How to speak to the other end.
#[derive(Args, Clone)]
pub struct Web {
    #[command(flatten)]
    target: Target,
    /// Bearer token, or nothing.
    #[arg(long, env = "LEADGLASS_BENCH_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Connections at once.
    #[arg(long, default_value_t = 1)]
    connections: usize,
}

/// STOW-RS.
#[derive(Args)]
pub struct Stow {
    #[command(flatten)]
    web: Web,
    #[command(flatten)]
    kind: Kind,
    /// The studies resource, as a path.
    #[arg(long, default_value = "/dicom-web/studies")]
    path: String,
    /// Instances a request.
    #[arg(long, default_value_t = 100)]
    per_request: u64,
}

/// GET.
#[derive(Args)]
pub struct Get {
    #[command(flatten)]
    web: Web,
    /// A file with one path a line.
    #[arg(long)]
    paths: PathBuf,
    /// Accept.
    #[arg(long, default_value = "*/*")]
    accept: String,
    /// Accept-Encoding, or nothing.
    #[arg(long)]
    accept_encoding: Option<String>,
    /// How many requests; each connection goes through the paths in turn.
    #[arg(long, default_value_t = 100)]
    count: usize,
}

impl Stow {
    /// Sends them all; fails when a request is not answered 200. An operation is an instance.
    pub async fn run(self) -> anyhow::Result<Value> {
        let connector = self.web.target.connector()?;
        // Made before the clock runs: the load generator must not be what is measured.
        let firsts = (0..self.kind.count).step_by(self.per_request.max(1) as usize);
        let bodies: Vec<(u64, Bytes)> = firsts.map(|first| (self.in_request(first), self.body(first))).collect();
        let (this, bodies) = (Arc::new(self), Arc::new(bodies));
        let next = Arc::new(AtomicUsize::new(0));
        let mut tasks = Vec::new();
        let started = Instant::now();
        for _ in 0..this.web.connections {
            let (stow, mut connection) = (this.clone(), open(&connector).await?);
            let (bodies, next) = (bodies.clone(), next.clone());
            tasks.push(tokio::spawn(async move {
                let (mut latencies, mut bytes) = (Vec::new(), 0);
                while let Some((instances, body)) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                    bytes += body.len() as u64;
                    let request = stow.web.request(Method::POST, &stow.path).header(
                        header::CONTENT_TYPE,
                        format!("multipart/related; type=\"application/dicom\"; boundary={BOUNDARY}"),
                    );
                    let request =
                        request.header(header::ACCEPT, "application/dicom+json").body(Full::new(body.clone()))?;
                    let began = Instant::now();
                    exchange(&mut connection, request).await?;
                    latencies.extend((0..*instances).map(|_| began.elapsed() / *instances as u32));
                }
                Ok((latencies, bytes))
            }));
        }
        collect(tasks, started).await
    }

    /// How many the request has that begins with that one.
    fn in_request(&self, first: u64) -> u64 {
        self.per_request.min(self.kind.count - first)
    }

    fn body(&self, first: u64) -> Bytes {
        let mut body = Vec::new();
        for index in first..first + self.in_request(first) {
            body.extend_from_slice(format!("--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n").as_bytes());
            body.extend_from_slice(&part10(&self.kind.instance(index)));
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        body.into()
    }
}

impl Get {
    /// Fetches them; fails when one is not answered 200 (or 206, 204).
    pub async fn run(self) -> anyhow::Result<Value> {
        let connector = self.web.target.connector()?;
        let text = std::fs::read_to_string(&self.paths).context("cannot read the paths")?;
        let paths: Arc<Vec<String>> = Arc::new(text.lines().map(str::to_owned).collect());
        let this = Arc::new(self);
        let next = Arc::new(AtomicUsize::new(0));
        let mut tasks = Vec::new();
        let mut connections = Vec::new();
        for _ in 0..this.web.connections {
            connections.push(open(&connector).await?);
        }
        let started = Instant::now();
        for mut connection in connections {
            let (get, paths, next, connector) = (this.clone(), paths.clone(), next.clone(), connector.clone());
            tasks.push(tokio::spawn(async move {
                let (mut latencies, mut bytes) = (Vec::new(), 0);
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= get.count {
                        return anyhow::Ok((latencies, bytes));
                    }
                    let mut request = get.web.request(Method::GET, &paths[index % paths.len()]);
                    request = request.header(header::ACCEPT, &get.accept);
                    if let Some(coding) = &get.accept_encoding {
                        request = request.header(header::ACCEPT_ENCODING, coding);
                    }
                    // Some servers close after a long answer.
                    if connection.ready().await.is_err() {
                        connection = open(&connector).await?;
                    }
                    let began = Instant::now();
                    bytes += exchange(&mut connection, request.body(Full::new(Bytes::new()))?).await?;
                    latencies.push(began.elapsed());
                }
            }));
        }
        collect(tasks, started).await
    }
}

impl Web {
    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let request = Request::builder().method(method).uri(path).header(header::HOST, self.target.address.to_string());
        match &self.token {
            Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        }
    }
}

type Task = tokio::task::JoinHandle<anyhow::Result<(Vec<Duration>, u64)>>;

async fn collect(tasks: Vec<Task>, started: Instant) -> anyhow::Result<Value> {
    let (mut latencies, mut bytes) = (Vec::new(), 0);
    for task in tasks {
        let (took, sent) = task.await??;
        latencies.extend(took);
        bytes += sent;
    }
    Ok(summary(latencies, started.elapsed(), bytes))
}

async fn open(connector: &Connector) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let (sender, connection) = handshake(TokioIo::new(connector.open().await?)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Sends, reads the whole answer, counts its bytes.
async fn exchange(connection: &mut SendRequest<Full<Bytes>>, request: Request<Full<Bytes>>) -> anyhow::Result<u64> {
    connection.ready().await?;
    let answer = connection.send_request(request).await?;
    let status = answer.status();
    let mut body = answer.into_body();
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        bytes += frame?.data_ref().map_or(0, |data| data.len() as u64);
    }
    if !status.is_success() {
        bail!("answered {status}");
    }
    Ok(bytes)
}
