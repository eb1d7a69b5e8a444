//! `leadglass peer`: enrols, lists and revokes DICOM peers of a running archive.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use base64::Engine;
use clap::Subcommand;
use comfy_table::Table;
use leadglass_dicom::AeTitle;
use leadglass_dicom::clock::{Clock, SystemClock};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Serialize;
use serde_json::{Value, json};

use super::connection::Connection;
use super::legacy;
use super::output::{Exit, Output};
use super::scope::{Limits, words};
use crate::host::{StartError, write_file};
use crate::tls::bundle::pem;
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
        /// A certificate that it has already (PEM), of this archive's authority or its own
        /// making, instead of a new one: an edge shows one certificate for all its modalities.
        #[arg(long, value_name = "FILE", conflicts_with = "out")]
        certificate: Option<PathBuf>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Declare a device that refuses TLS and even an edge: it may store in CLEAR TEXT, unauthenticated,
    /// over the listener of `[dimse.legacy]`, and do nothing else. The last resort: see docs/PEERS.md.
    AddLegacy {
        /// Its AE title, exactly as it says it. No authentication: whoever has the wire can say it too.
        ae: AeTitle,
        /// The one private address it comes from; no range. No authentication either.
        #[arg(long, value_name = "ADDRESS")]
        from: IpAddr,
        /// For how many days: 365 at most.
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=365))]
        days: u32,
        /// Department or place, for people.
        #[arg(long, value_name = "TEXT")]
        label: Option<String>,
        /// Whom to call about it.
        #[arg(long, value_name = "TEXT")]
        contact: Option<String>,
        #[command(flatten)]
        limits: Box<Limits>,
        #[command(flatten)]
        connection: Connection,
    },
    /// End the declaration of a legacy peer: its associations end.
    RevokeLegacy {
        /// Its AE title.
        ae: AeTitle,
        #[command(flatten)]
        connection: Connection,
    },
    /// Invite a device: it enrols itself with a token that works once.
    Invite {
        /// The AE title it will have.
        ae: AeTitle,
        /// What it may do: store, find, retrieve, commit.
        #[arg(long, value_delimiter = ',', required = true)]
        verbs: Vec<String>,
        /// Where it will listen, for C-MOVE and commitment reports.
        #[arg(long, value_name = "HOST:PORT")]
        address: Option<String>,
        /// Department or place, for people.
        #[arg(long, value_name = "TEXT")]
        label: Option<String>,
        /// Whom to call about it.
        #[arg(long, value_name = "TEXT")]
        contact: Option<String>,
        /// How many minutes the token lives: at most 1440.
        #[arg(long, value_name = "MINUTES", default_value_t = 60)]
        minutes: u64,
        #[command(flatten)]
        limits: Box<Limits>,
        #[command(flatten)]
        connection: Connection,
    },
    /// All invitations.
    Invitations {
        #[command(flatten)]
        connection: Connection,
    },
    /// Withdraw an invitation that was not used yet.
    Withdraw {
        /// Its name, as listed.
        id: String,
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
            What::Invite { ae, verbs, address, label, contact, minutes, limits, connection } => {
                let request = json!({
                    "ae": ae.as_str(), "verbs": verbs, "address": address, "scope": limits.scope(),
                    "label": label, "contact": contact, "lifetime_s": minutes.saturating_mul(60),
                });
                let api = connection.api()?;
                let answer = api.post("/admin/v1/enrolments", &request).await?;
                let command = format!(
                    "leadglass enrol --server {} --ca-fingerprint {} --token {} --out .",
                    api.client().address(),
                    word(&answer["authority_sha256"]),
                    word(&answer["token"])
                );
                let ends = word(&answer["invitation"]["expires"]).to_owned();
                output.say(&answer, format!("on the device, once, before {ends}:\n\n  {command}\n"))?;
            }
            What::Invitations { connection } => {
                let invitations = connection.api()?.get("/admin/v1/enrolments").await?;
                output.say(&invitations, invited(&invitations))?;
            }
            What::Withdraw { id, connection } => {
                connection.api()?.delete(&format!("/admin/v1/enrolments/{}", percent(&id))).await?;
                output.say(&json!({ "withdrawn": id }), format!("{id} is withdrawn"))?;
            }
            What::List { connection } => {
                let api = connection.api()?;
                let peers = api.get("/admin/v1/peers").await?;
                let legacy = api.get("/admin/v1/legacy-peers").await?;
                let text = format!("{}{}", table(&peers), legacy::listed(&legacy, output));
                output.say(&legacy::beside(peers, &legacy), text)?;
            }
            What::AddLegacy { ae, from, days, label, contact, limits, connection } => {
                let request = json!({
                    "ae": ae.as_str(), "address": from, "days": days, "scope": limits.scope(),
                    "label": label, "contact": contact,
                });
                legacy::declare(&request, &connection, output).await?;
            }
            What::RevokeLegacy { ae, connection } => {
                connection.api()?.delete(&format!("/admin/v1/legacy-peers/{}", percent(ae.as_str()))).await?;
                output.say(&json!({ "revoked": ae.as_str() }), format!("legacy peer {ae} is revoked"))?;
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
        request["certificate"] = json!({ "certificate": pem("CERTIFICATE", &der) });
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
    table.set_header(["AE title", "may", "reaches", "listens at", "where", "certificate (SHA-256)", "ends", "revoked"]);
    for peer in peers.as_array().into_iter().flatten() {
        let verbs: Vec<_> = peer["verbs"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        table.add_row([
            word(&peer["ae"]),
            &verbs.join(", "),
            &words(&peer["scope"]),
            word(&peer["address"]),
            word(&peer["label"]),
            word(&peer["certificate_sha256"]),
            &ends(&peer["expires"]),
            word(&peer["revoked"]),
        ]);
    }
    table
}

fn invited(invitations: &Value) -> Table {
    let mut table = Table::new();
    table.set_header(["invitation", "AE title", "where", "ends", "state"]);
    for invitation in invitations.as_array().into_iter().flatten() {
        let state = match invitation["open"].as_bool() {
            Some(true) => "open",
            _ => invitation["ended"].as_str().unwrap_or("over"),
        };
        let peer = &invitation["peer"];
        table.add_row([
            word(&invitation["id"]),
            word(&peer["ae"]),
            word(&peer["label"]),
            word(&invitation["expires"]),
            state,
        ]);
    }
    table
}

/// When a certificate ends, with a mark when that is soon.
pub(super) fn ends(expires: &Value) -> String {
    let Some(text) = expires.as_str() else { return "unknown".into() };
    let day = text.get(..10).unwrap_or(text);
    match days_left(text) {
        Some(..=0) => format!("{day}: EXPIRED"),
        Some(left @ 1..=60) => format!("{day}: in {left} days"),
        _ => day.to_owned(),
    }
}

/// Whole days until a time in RFC 3339, counted up.
pub(super) fn days_left(text: &str) -> Option<i64> {
    let end = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()?;
    let left = end - time::OffsetDateTime::from(SystemClock.now());
    Some(left.whole_seconds().div_euclid(86_400) + 1)
}

pub(super) fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_title_is_one_segment_of_a_path() {
        assert_eq!(super::percent("CT 1/..?#%"), "CT%201%2F..%3F%23%25");
    }
}
