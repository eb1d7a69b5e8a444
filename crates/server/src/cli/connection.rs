//! How a command reaches a running archive: its administration, or its DICOM door.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, bail};
use http::{Method, StatusCode};
use leadglass_dicom::AeTitle;
use serde_json::Value;

use super::ready::Ready;
use super::whereabouts::{Serving, Whereabouts};
use crate::client::Client;
use crate::scu::Peering;

/// Where the administration answers and with which token.
#[derive(clap::Args, Debug, Clone)]
pub struct Connection {
    #[command(flatten)]
    whereabouts: Whereabouts,
    /// The ready file of a demo: names address, CA and token at once.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// The archive's HTTPS address, when it is not the one serving the data directory.
    #[arg(long, value_name = "IP:PORT", requires = "ca")]
    archive: Option<SocketAddr>,
    /// The archive's CA certificate, PEM.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A file with the API token (mode 0600); or the variable LEADGLASS_TOKEN.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// The administration of a running archive, with a token.
pub struct Api {
    client: Client,
    token: String,
}

impl Connection {
    /// Finds it.
    pub fn api(&self) -> anyhow::Result<Api> {
        let token = match &self.ready_file {
            Some(path) => Ready::read(path)?.token,
            None => self.token()?,
        };
        Ok(Api { client: self.client()?, token })
    }

    /// Finds it, for who has no token.
    pub fn client(&self) -> anyhow::Result<Client> {
        if let Some(path) = &self.ready_file {
            let ready = Ready::read(path)?;
            let address = ready.https.trim_start_matches("https://").parse();
            return Client::new(address.context("the ready file's address")?, &ready.ca);
        }
        let (address, ca) = match (self.archive, &self.ca) {
            (Some(address), Some(ca)) => (address, ca.clone()),
            _ => {
                let dir = self.whereabouts.load()?.data.dir;
                (Serving::read(&dir)?.https, dir.join("ca.pem"))
            }
        };
        Client::new(address, &ca)
    }

    fn token(&self) -> anyhow::Result<String> {
        if let Some(path) = &self.token_file {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            return Ok(text.trim().to_owned());
        }
        let token = std::env::var("LEADGLASS_TOKEN");
        token.context("an API token is needed: --token-file FILE, or the variable LEADGLASS_TOKEN")
    }
}

impl Api {
    /// GET.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        answer(self.client.get(path, Some(&self.token)).await?)
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        answer(self.client.post(path, Some(&self.token), body).await?)
    }

    /// PUT of JSON.
    pub async fn put(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        answer(self.client.request(Method::PUT, path, Some(&self.token), Some(body)).await?)
    }

    /// POST of JSON, answered by text.
    pub async fn post_for_text(&self, path: &str, body: &Value) -> anyhow::Result<String> {
        let (status, text) = self.client.post_for_text(path, &self.token, body).await?;
        if status.is_success() {
            return Ok(text);
        }
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        answer((status, body)).map(|_| text)
    }

    /// PATCH of JSON.
    pub async fn patch(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        answer(self.client.request(Method::PATCH, path, Some(&self.token), Some(body)).await?)
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> anyhow::Result<Value> {
        answer(self.client.delete(path, Some(&self.token)).await?)
    }

    /// The token, for requests that stream.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The client, for requests that stream.
    pub fn client(&self) -> &Client {
        &self.client
    }
}

/// The body of a success; the problem's own words of a failure (RFC 9457).
fn answer((status, body): (StatusCode, Value)) -> anyhow::Result<Value> {
    if status.is_success() {
        return Ok(body);
    }
    let said = body["detail"].as_str().or(body["title"].as_str()).unwrap_or("no reason given");
    bail!("the archive answers {}: {said}", status.as_u16())
}

/// The DICOM door of an archive, and whom to be there.
#[derive(clap::Args, Debug, Clone)]
pub struct PeerConnection {
    /// The ready file of a demo: names address, titles and certificates at once.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["address", "called", "calling", "cert", "key", "ca"])]
    ready_file: Option<PathBuf>,
    /// The archive's DICOM over TLS address.
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<String>,
    /// The archive's AE title.
    #[arg(long, value_name = "AE")]
    called: Option<AeTitle>,
    /// Our AE title, as enrolled.
    #[arg(long, value_name = "AE")]
    calling: Option<AeTitle>,
    /// Our certificate, PEM.
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// Our key, PEM.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The archive's CA certificate, PEM.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

impl PeerConnection {
    /// Whom to call, and as whom.
    pub fn peering(&self) -> anyhow::Result<Peering> {
        if let Some(path) = &self.ready_file {
            return peering(&Ready::read(path)?);
        }
        match self.clone() {
            PeerConnection {
                address: Some(address),
                called: Some(called),
                calling: Some(calling),
                cert: Some(cert),
                key: Some(key),
                ca: Some(ca),
                ..
            } => Ok(Peering { address, called, calling, cert, key, ca }),
            _ => bail!("name --address, --called, --calling, --cert, --key and --ca, or --ready-file"),
        }
    }
}

/// The peer that a ready file names.
pub fn peering(ready: &Ready) -> anyhow::Result<Peering> {
    Ok(Peering {
        address: format!("{}:{}", ready.dimse.host, ready.dimse.port),
        called: AeTitle::parse(&ready.dimse.ae)?,
        calling: AeTitle::parse(&ready.peer.ae)?,
        cert: ready.peer.cert.clone(),
        key: ready.peer.key.clone(),
        ca: ready.ca.clone(),
    })
}
