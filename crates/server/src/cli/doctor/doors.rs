//! What the running archive shows: its doors, its certificates, its index.

use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use leadglass_dicom::clock::{Clock, SystemClock};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::net::TcpStream;

use super::{Finding, LEGACY};
use crate::cli::whereabouts::Serving;
use crate::client::Client;
use crate::config::Config;

const DAY: u64 = 24 * 60 * 60;
/// A certificate that ends sooner should have been renewed.
const SOON: Duration = Duration::from_secs(14 * DAY);

/// What to do about legacy peers.
const EDGE: &str =
    "put an edge before them (docs/EDGE.md), then `leadglass peer revoke-legacy`; `leadglass peer list` has them";

/// All of them.
pub async fn findings(config: &Config, token_file: Option<&Path>) -> Vec<Finding> {
    let mut findings = vec![authority(config)];
    let Ok(serving) = Serving::read(&config.data.dir) else {
        findings.push(Finding::fine("doors", "not serving: doors, certificates and index cannot be looked at"));
        return findings;
    };
    let ca = config.data.dir.join("ca.pem");
    match Client::new(serving.https, &ca) {
        Ok(client) => {
            findings.push(https(&client, &serving).await);
            findings.push(dicom(&serving).await);
            findings.push(certificate(&client).await);
            findings.extend(clear_text(&serving));
            findings.extend(statistics(&client, token_file).await);
        }
        Err(error) => findings.push(Finding::bad("doors", format!("{error:#}"), "restart `leadglass serve`")),
    }
    findings
}

/// Our authority's certificate.
fn authority(config: &Config) -> Finding {
    let path = config.data.dir.join("ca.pem");
    match CertificateDer::from_pem_file(&path) {
        Ok(certificate) => {
            let advice = "its peers need a new authority: plan it, then enrol them again";
            of_certificate("authority", certificate.as_ref(), advice)
        }
        Err(_) => {
            Finding::bad("authority", format!("no certificate in {}", path.display()), "restart `leadglass serve`")
        }
    }
}

async fn https(client: &Client, serving: &Serving) -> Finding {
    match client.get("/healthz/ready", None).await {
        Ok((status, _)) if status.is_success() => Finding::fine("HTTPS", format!("{} is ready", serving.https)),
        Ok((status, _)) => Finding::bad("HTTPS", format!("{} answers {status}", serving.https), "look at its log"),
        Err(error) => Finding::bad("HTTPS", format!("{error:#}"), "look at its log; restart `leadglass serve`"),
    }
}

/// The DICOM door speaks TLS with enrolled peers alone; that it listens is all that shows.
async fn dicom(serving: &Serving) -> Finding {
    match TcpStream::connect(serving.dicom).await {
        Ok(_) => Finding::fine("DICOM/TLS", format!("{} listens, as {}", serving.dicom, serving.ae_title)),
        Err(error) => Finding::bad("DICOM/TLS", format!("{}: {error}", serving.dicom), "look at its log"),
    }
}

/// Legacy peers are listened to: nothing to get used to.
fn clear_text(serving: &Serving) -> Option<Finding> {
    let detail = format!("legacy peers are listened to at {}, in CLEAR TEXT and not authenticated", serving.legacy?);
    let advice = EDGE;
    Some(Finding::bad(LEGACY, detail, advice))
}

async fn certificate(client: &Client) -> Finding {
    const ADVICE: &str = "it renews itself while it serves: look at its log, restart `leadglass serve`";
    let stream = match client.connect().await {
        Ok(stream) => stream,
        Err(error) => return Finding::bad("certificate", format!("{error:#}"), ADVICE),
    };
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    match shown {
        Some(certificate) => of_certificate("certificate", certificate.as_ref(), ADVICE),
        None => Finding::bad("certificate", "none is shown", ADVICE),
    }
}

fn of_certificate(what: &'static str, der: &[u8], advice: &'static str) -> Finding {
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(der) else {
        return Finding::bad(what, "cannot be parsed", advice);
    };
    let end = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0);
    let left = (SystemTime::UNIX_EPOCH + Duration::from_secs(end)).duration_since(SystemClock.now());
    let left = left.unwrap_or(Duration::ZERO);
    Finding::of(what, left > SOON, format!("valid for {} more days", left.as_secs() / DAY), advice)
}

/// What only somebody with a token is told: how far the index is, and whose certificates end.
async fn statistics(client: &Client, token_file: Option<&Path>) -> Vec<Finding> {
    const REBUILD: &str = "when it stays so: stop the archive, run `leadglass rebuild`";
    const DECIDE: &str = "see `leadglass held list`; accept, enrol or discard";
    const RENEW: &str = "see `leadglass peer list`; let them renew (`leadglass enrol --renew`) or invite them again";
    match told(client, token_file).await {
        Ok(None) => vec![Finding::fine("index", "not looked at: no token (LEADGLASS_TOKEN)")],
        Ok(Some(Told { applied, last, ending, legacy, held })) => {
            let index = format!("{applied} of {last} records of the log applied");
            let peers = format!("{ending} certificates of peers have ended or end within 30 days");
            let mut findings = vec![
                Finding::of("index", applied >= last, index, REBUILD),
                Finding::of("peers", ending == 0, peers, RENEW),
            ];
            if let Some((alive, ending)) = legacy {
                let detail =
                    format!("{alive} may store in CLEAR TEXT, not authenticated; {ending} of them end within 30 days");
                findings.push(Finding::bad(LEGACY, detail, EDGE));
            }
            if held > 0 {
                let detail = format!("{held} wait for approval: what nobody decides on is lost in the end");
                findings.push(Finding::bad("unknown senders", detail, DECIDE));
            }
            findings
        }
        Err(error) => vec![Finding::bad("index", format!("{error:#}"), "use a token that may read statistics")],
    }
}

struct Told {
    applied: u64,
    last: u64,
    ending: u64,
    /// How many legacy peers live, and end soon; none when none lives.
    legacy: Option<(u64, u64)>,
    /// Unknown senders of whom something waits.
    held: u64,
}

async fn told(client: &Client, token_file: Option<&Path>) -> anyhow::Result<Option<Told>> {
    let token = match token_file {
        Some(path) => {
            let read = std::fs::read_to_string(path);
            Some(read.with_context(|| format!("cannot read {}", path.display()))?)
        }
        None => std::env::var("LEADGLASS_TOKEN").ok(),
    };
    let Some(token) = token else { return Ok(None) };
    let (status, statistics) = client.get("/admin/v1/statistics", Some(token.trim())).await?;
    anyhow::ensure!(status.is_success(), "the archive answers {status}");
    let of = |value: &serde_json::Value, name: &str| {
        value[name].as_u64().with_context(|| format!("no {name} in the statistics"))
    };
    let ends = &statistics["peer_certificates"];
    let mut ending = 0;
    for name in ["expired", "within_7_days", "within_30_days"] {
        ending += of(ends, name)?;
    }
    let (applied, last) = (of(&statistics, "applied_sequence")?, of(&statistics, "last_sequence")?);
    let legacy = &statistics["legacy_peers"];
    let legacy = (of(legacy, "alive")?, of(legacy, "within_30_days")?);
    let held = of(&statistics, "held_senders")?;
    Ok(Some(Told { applied, last, ending, legacy: (legacy.0 > 0).then_some(legacy), held }))
}
