//! `leadglass peer`: enrols, lists and revokes DICOM peers of a running archive.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use base64::Engine;
use clap::Subcommand;
use comfy_table::Table;
use leadglass_dicom::AeTitle;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Serialize;
use serde_json::{Value, json};

use super::connection::Connection;
use super::output::{Exit, Output};
use super::scope::{Limits, words};
use crate::host::{StartError, write_file};
use crate::tls::verify::fingerprint;

/// Enrol, list and revoke DICOM peers.
#[derive(clap::Args, Debug)]
pub struct Peer {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Enrol a peer: its certificate and key go into a folder, as PEM and PKCS#12.
    Add {
        /// Its AE title.
        ae: AeTitle,
        /// What it may do: store, find, retrieve, commit.
        #[arg(long, value_delimiter = ',', required = true)]
        verbs: Vec<String>,
        /// Where it listens, for C-MOVE and commitment reports.
        #[arg(long, value_name = "HOST:PORT")]
        address: Option<String>,
        #[command(flatten)]
        limits: Box<Limits>,
        /// The folder for its bundle; made when absent, mode 0700.
        #[arg(long, value_name = "DIR", required_unless_present = "certificate")]
        out: Option<PathBuf>,
        /// A certificate of this archive's authority that it shows (PEM), instead of a new
        /// one: an edge shows one certificate for all its modalities.
        #[arg(long, value_name = "FILE", conflicts_with = "out")]
        certificate: Option<PathBuf>,
        #[command(flatten)]
        connection: Connection,
    },
    /// All peers.
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Revoke a peer: it gets no association, and loses the ones it has.
    Revoke {
        /// Its AE title.
        ae: AeTitle,
        #[command(flatten)]
        connection: Connection,
    },
}

/// The files of a bundle.
#[derive(Serialize)]
pub struct Bundle {
    ae: String,
    /// The certificate, PEM.
    pub cert: PathBuf,
    /// The key, PEM, mode 0600.
    pub key: PathBuf,
    ca: PathBuf,
    pkcs12: PathBuf,
    pkcs12_password_file: PathBuf,
}

impl Peer {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        match self.what {
            What::Add { ae, verbs, address, limits, out, certificate, connection } => {
                let asked = Asked { ae, verbs, address, scope: limits.scope() };
                match (out, certificate) {
                    (_, Some(certificate)) => asked.under(&certificate, &connection, output).await?,
                    (Some(out), None) => asked.with_bundle(&out, &connection, output).await?,
                    (None, None) => anyhow::bail!("name a folder: --out DIR"),
                }
            }
            What::List { connection } => {
                let peers = connection.api()?.get("/admin/v1/peers").await?;
                output.say(&peers, table(&peers))?;
            }
            What::Revoke { ae, connection } => {
                connection.api()?.delete(&format!("/admin/v1/peers/{}", percent(ae.as_str()))).await?;
                output.say(&json!({ "revoked": ae.as_str() }), format!("{ae} is revoked"))?;
            }
        }
        Ok(Exit::Done)
    }
}

/// A peer to be enrolled.
struct Asked {
    ae: AeTitle,
    verbs: Vec<String>,
    address: Option<String>,
    scope: Value,
}

impl Asked {
    fn request(&self) -> Value {
        json!({ "ae": self.ae.as_str(), "verbs": self.verbs, "address": self.address, "scope": self.scope })
    }

    /// Has a certificate made, and writes its bundle.
    async fn with_bundle(&self, out: &Path, connection: &Connection, output: &Output) -> anyhow::Result<()> {
        let ae = &self.ae;
        let bundle = Bundle::within(ae, out);
        bundle.prepare(out)?;
        let answer = connection.api()?.post("/admin/v1/peers", &self.request()).await?;
        bundle.write(&answer["issued"]).with_context(|| {
            format!(
                "{ae} is enrolled, but its bundle is not whole and its key is not given out again: \
                 `leadglass peer revoke {ae}`, then add it again"
            )
        })?;
        let text = format!(
            "{ae} is enrolled. Its bundle is in {}: move it to the peer over a safe way and delete it here.",
            out.display()
        );
        output.say(&bundle, text)
    }

    /// Enrols it with a certificate that somebody has already.
    async fn under(&self, certificate: &Path, connection: &Connection, output: &Output) -> anyhow::Result<()> {
        let read = CertificateDer::from_pem_file(certificate);
        let der = read.with_context(|| format!("no certificate in {}", certificate.display()))?;
        let sha256 = hex::encode(fingerprint(&der));
        let mut request = self.request();
        request["certificate"] = json!({ "sha256": sha256 });
        connection.api()?.post("/admin/v1/peers", &request).await?;
        let ae = &self.ae;
        output.say(
            &json!({ "ae": ae.as_str(), "certificate_sha256": sha256 }),
            format!("{ae} is enrolled with the certificate in {}.", certificate.display()),
        )
    }
}

impl Bundle {
    /// The files of that peer's bundle in a folder.
    fn within(ae: &AeTitle, folder: &Path) -> Bundle {
        Bundle {
            ae: ae.to_string(),
            cert: folder.join("cert.pem"),
            key: folder.join("key.pem"),
            ca: folder.join("ca.pem"),
            pkcs12: folder.join("bundle.p12"),
            pkcs12_password_file: folder.join("bundle.p12.password"),
        }
    }

    /// Makes the folder and sees that the files can be written there, before anybody is
    /// enrolled: the key is given out once.
    fn prepare(&self, folder: &Path) -> anyhow::Result<()> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.with_context(|| format!("cannot make the folder {}", folder.display()))?;
        for path in [&self.cert, &self.key, &self.ca, &self.pkcs12, &self.pkcs12_password_file] {
            ensure!(path.symlink_metadata().is_err(), "{} is there already: name another folder", path.display());
        }
        let written = write_file(&self.key, b"", 0o600).and_then(|()| {
            fs::remove_file(&self.key).map_err(StartError::io(format!("cannot remove {}", self.key.display())))
        });
        written.with_context(|| format!("cannot write into {}", folder.display()))
    }

    /// Writes what was issued: PEM files, and PKCS#12 with its password in a file beside it.
    fn write(&self, issued: &Value) -> anyhow::Result<()> {
        let text = |field: &str| issued[field].as_str().with_context(|| format!("the archive's answer has no {field}"));
        let pkcs12 = base64::engine::general_purpose::STANDARD.decode(text("pkcs12_base64")?)?;
        write_file(&self.cert, text("certificate_pem")?.as_bytes(), 0o644)?;
        write_file(&self.key, text("key_pem")?.as_bytes(), 0o600)?;
        write_file(&self.ca, text("authority_pem")?.as_bytes(), 0o644)?;
        write_file(&self.pkcs12, &pkcs12, 0o600)?;
        Ok(write_file(&self.pkcs12_password_file, text("pkcs12_password")?.as_bytes(), 0o600)?)
    }
}

/// An AE title in a path (RFC 3986).
pub(super) fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

fn table(peers: &Value) -> Table {
    let mut table = Table::new();
    table.set_header(["AE title", "may", "reaches", "listens at", "certificate (SHA-256)", "revoked"]);
    for peer in peers.as_array().into_iter().flatten() {
        let verbs: Vec<_> = peer["verbs"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        table.add_row([
            word(&peer["ae"]),
            &verbs.join(", "),
            &words(&peer["scope"]),
            word(&peer["address"]),
            word(&peer["certificate_sha256"]),
            word(&peer["revoked"]),
        ]);
    }
    table
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_title_is_one_segment_of_a_path() {
        assert_eq!(super::percent("CT 1/..?#%"), "CT%201%2F..%3F%23%25");
    }
}
