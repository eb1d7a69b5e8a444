//! `leadglass trail`: asks the trail of a running archive, writes it out, proves it, erases from it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Subcommand, ValueEnum};
use comfy_table::Table;
use leadglass_archive::trail::Entry;
use leadglass_archive::{Archive, Credential, Door, Source};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::connection::Connection;
use super::output::{Exit, Output};
use super::peer::percent;
use super::whereabouts::OnDisk;
use crate::host::write_file;
use crate::trail::Reporter;

/// Entries fetched at once.
const PAGE: u32 = 1000;

/// Ask who did what and who saw whom; write it out, with proofs; check and erase.
#[derive(clap::Args, Debug)]
pub struct Trail {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Entries, newest first. Asking is an entry too.
    Search {
        #[command(flatten)]
        keys: Keys,
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
        #[command(flatten)]
        connection: Connection,
    },
    /// Write entries into a file, or with proofs into a bundle for `leadglass-verify`.
    Export {
        #[command(flatten)]
        keys: Keys,
        /// The file.
        #[arg(long, value_name = "FILE", required_unless_present = "bundle")]
        out: Option<PathBuf>,
        /// How entries are written.
        #[arg(long, value_enum, default_value_t = Format::Json, conflicts_with = "bundle")]
        format: Format,
        /// The bundle: entries, sealed records, proofs, checkpoint, public key.
        #[arg(long, value_name = "FILE", conflicts_with = "out")]
        bundle: Option<PathBuf>,
        /// A checkpoint kept elsewhere, which the bundle is to be comparable with. May be repeated.
        #[arg(long, value_name = "FILE", requires = "bundle")]
        since: Vec<PathBuf>,
        /// At most so many.
        #[arg(long, default_value_t = 20_000)]
        limit: u32,
        #[command(flatten)]
        connection: Connection,
    },
    /// Check a bundle: ends with 3 when anything in it is not as it was signed.
    Verify {
        /// The bundle.
        bundle: PathBuf,
        /// The log's verifier key as you know it.
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
        /// A checkpoint kept elsewhere.
        #[arg(long, value_name = "FILE")]
        since: Option<PathBuf>,
    },
    /// Make what the trail says of a patient unreadable, for good. The archive must not be running.
    Erase {
        /// The Patient ID, exact.
        patient_id: String,
        /// Say yes: it cannot be undone.
        #[arg(long, required = true)]
        yes: bool,
        #[command(flatten)]
        archive: OnDisk,
    },
}

/// How entries are written.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// A JSON object a line.
    Json,
    /// A table.
    Csv,
    /// DICOM audit messages (PS3.15 A.5), one a line.
    DicomXml,
    /// FHIR R4 AuditEvents, one a line.
    Fhir,
}

/// Which entries. Each narrows.
#[derive(clap::Args, Debug, Clone)]
struct Keys {
    /// Patient ID, exact: who saw this patient.
    #[arg(long, value_name = "ID")]
    patient: Option<String>,
    /// Study Instance UID.
    #[arg(long, value_name = "UID")]
    study: Option<String>,
    /// A person or program: what did they do.
    #[arg(long, value_name = "NAME")]
    person: Option<String>,
    /// A DICOM peer.
    #[arg(long, value_name = "AE")]
    peer: Option<String>,
    /// An operation (`retrieve`) or event (`clock-jumped`).
    #[arg(long, value_name = "NAME")]
    operation: Option<String>,
    /// `done`, `refused`, `failed`, `interrupted`, `unanswerable`, `quarantined` or `begun`.
    #[arg(long, value_name = "NAME")]
    outcome: Option<String>,
    /// `dimse`, `dicomweb`, `admin` or `host`.
    #[arg(long, value_name = "NAME")]
    door: Option<String>,
    /// The address of the other end.
    #[arg(long, value_name = "IP")]
    address: Option<std::net::IpAddr>,
    /// The code of an event: of CID 400 (110112), or of CID 403 for a security alert (110126).
    #[arg(long, value_name = "CODE")]
    event: Option<String>,
    /// From then on, RFC 3339.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Before then, RFC 3339.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
}

impl Keys {
    fn pairs(&self) -> Vec<(&'static str, String)> {
        let Keys { patient, study, person, peer, operation, outcome, door, address, event, from, to } = self;
        let address = address.map(|address| address.to_string());
        let pairs = [
            ("patient_id", patient),
            ("study", study),
            ("person", person),
            ("peer", peer),
            ("operation", operation),
            ("outcome", outcome),
            ("door", door),
            ("address", &address),
            ("event", event),
            ("from", from),
            ("to", to),
        ];
        pairs.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect()
    }
}

impl Trail {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        match self.what {
            What::Search { keys, limit, connection } => {
                let entries = fetched(&keys, limit, &connection).await?;
                output.say(&json!({ "entries": entries }), table(&entries))?;
                Ok(Exit::Done)
            }
            What::Export { keys, bundle: Some(path), since, limit, connection, .. } => {
                let since = since.iter().map(|path| read(path)).collect::<anyhow::Result<Vec<_>>>()?;
                let mut query: serde_json::Map<String, Value> =
                    keys.pairs().into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
                query.insert("limit".into(), json!(limit.to_string()));
                let request = json!({ "query": query, "since": since });
                let bundle = connection.api()?.post_for_text("/admin/v1/trail/bundle", &request).await?;
                write_file(&path, bundle.as_bytes(), 0o600)?;
                let entries = bundle.lines().filter(|line| line.starts_with("{\"entry\"")).count();
                let said = json!({ "bundle": path, "entries": entries });
                output.say(&said, format!("{entries} entries with their proofs are in {}", path.display()))?;
                Ok(Exit::Done)
            }
            What::Export { keys, out, format, limit, connection, .. } => {
                let path = out.context("--out FILE, or --bundle FILE")?;
                let entries = fetched(&keys, limit, &connection).await?;
                write_file(&path, written(&entries, format)?.as_bytes(), 0o600)?;
                let said = json!({ "file": path, "entries": entries.len() });
                output.say(&said, format!("{} entries are in {}", entries.len(), path.display()))?;
                Ok(Exit::Done)
            }
            What::Verify { bundle, key, since } => {
                let since = since.as_deref().map(read).transpose()?;
                verified(&read(&bundle)?, key.as_deref(), since.as_deref(), output)
            }
            What::Erase { patient_id, archive, yes: _ } => {
                let settings = archive.settings()?;
                let archive = tokio::task::spawn_blocking(move || Archive::open(settings)).await??;
                let host = archive.authenticate(Source { address: None, door: Door::Host }, Credential::Host).await?;
                let erased = archive.erase_from_trail(&host, &patient_id).await;
                archive.close().await;
                let erased = erased?;
                let text = if erased { "erased" } else { "the trail says nothing of a patient of that Patient ID" };
                output.say(&json!({ "erased": erased }), text)?;
                Ok(Exit::Done)
            }
        }
    }
}

fn verified(bundle: &str, key: Option<&str>, since: Option<&str>, output: &Output) -> anyhow::Result<Exit> {
    match leadglass_verify::check(bundle, key, since) {
        Ok(checked) => {
            let said = json!({
                "entries": checked.entries, "records": checked.size, "erased": checked.erased, "open": checked.open,
                "consistent": checked.consistent, "verifier": checked.verifier,
            });
            let text = format!(
                "{} entries are in the log of {} records as shown; {} of them erased, {} still open\nsigned by {}",
                checked.entries, checked.size, checked.erased, checked.open, checked.verifier
            );
            output.say(&said, text)?;
            Ok(Exit::Done)
        }
        Err(wrong) => {
            output.say(&json!({ "wrong": wrong.to_string() }), format!("WRONG  {wrong}"))?;
            Ok(Exit::Found)
        }
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Page after page, newest first.
async fn fetched(keys: &Keys, limit: u32, connection: &Connection) -> anyhow::Result<Vec<Value>> {
    let api = connection.api()?;
    let keys: String = keys.pairs().iter().map(|(name, value)| format!("&{name}={}", percent(value))).collect();
    let (mut entries, mut after) = (Vec::new(), String::new());
    while (entries.len() as u64) < u64::from(limit) {
        let left = limit - u32::try_from(entries.len()).unwrap_or(limit);
        let page = api.get(&format!("/admin/v1/trail?limit={}{keys}{after}", left.min(PAGE))).await?;
        let Some(found) = page["entries"].as_array() else { bail!("the archive's answer has no entries") };
        entries.extend(found.iter().cloned());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={}", percent(next)),
            None => break,
        }
    }
    Ok(entries)
}

fn table(entries: &[Value]) -> Table {
    let mut table = Table::new();
    table.set_header(["entry", "time", "who", "from", "door", "what", "outcome", "patient", "study", "number"]);
    for entry in entries {
        let text = |field: &str| entry[field].as_str().map(plain).unwrap_or_default();
        let what = if entry["operation"].is_string() { text("operation") } else { text("event") };
        let number = |field: &str| entry[field].as_u64().unwrap_or(0).to_string();
        let [time, who, from, door] = ["time", "caller", "address", "door"].map(text);
        let [outcome, patient, study] = ["outcome", "patient_id", "study"].map(text);
        table.add_row([number("entry"), time, who, from, door, what, outcome, patient, study, number("count")]);
    }
    table
}

/// Without what a terminal would obey.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn written(entries: &[Value], format: Format) -> anyhow::Result<String> {
    let reporter = Reporter {
        source: "leadglass".into(),
        site: String::new(),
        ae_title: "leadglass".into(),
        host: "leadglass".into(),
    };
    let mut out = String::new();
    if format == Format::Csv {
        out.push_str("entry,time,caller,person,peer,address,door,operation,event,event_code,outcome,patient_id,study,count,purpose\r\n");
    }
    for value in entries {
        match format {
            Format::Json => writeln!(out, "{value}")?,
            Format::Csv => out.push_str(&csv_line(value)),
            Format::DicomXml | Format::Fhir => {
                let (number, entry) = entry_of(value)?;
                let line = match format {
                    Format::DicomXml => reporter.message(&entry),
                    _ => reporter.audit_event(number, &entry).map(|event| event.to_string()),
                };
                if let Some(line) = line {
                    writeln!(out, "{line}")?;
                }
            }
        }
    }
    Ok(out)
}

/// The entry of an answer's object.
fn entry_of(value: &Value) -> anyhow::Result<(u64, Entry)> {
    let time = value["time"].as_str().and_then(|time| OffsetDateTime::parse(time, &Rfc3339).ok());
    let time_ns = i64::try_from(time.context("an entry without time")?.unix_timestamp_nanos())?;
    let mut object = value.as_object().cloned().context("an entry that is none")?;
    let number = object.remove("entry").and_then(|number| number.as_u64()).unwrap_or(0);
    object.insert("time_ns".into(), json!(time_ns));
    Ok((number, serde_json::from_value(Value::Object(object)).context("an entry of another version")?))
}

/// RFC 4180; what a spreadsheet would run as a formula begins with an apostrophe.
fn csv_line(entry: &Value) -> String {
    const FIELDS: [&str; 15] = [
        "entry",
        "time",
        "caller",
        "person",
        "peer",
        "address",
        "door",
        "operation",
        "event",
        "event_code",
        "outcome",
        "patient_id",
        "study",
        "count",
        "purpose",
    ];
    let field = |name: &str| {
        let text = match &entry[name] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let guarded = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text };
        format!("\"{}\"", guarded.replace('"', "\"\""))
    };
    format!("{}\r\n", FIELDS.map(field).join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_written_in_every_form() {
        let entry = json!({
            "entry": 7, "time": "2026-01-01T00:00:00Z", "caller": "=cmd()", "person": "=cmd()", "door": "dicom-web",
            "operation": "search", "outcome": "done", "count": 2, "patient_id": "P\"1", "event_code": "110112",
        });
        let of = |format| written(std::slice::from_ref(&entry), format).unwrap();
        assert!(of(Format::Csv).contains("\"'=cmd()\"") && of(Format::Csv).contains("\"P\"\"1\""));
        assert!(of(Format::DicomXml).contains("csd-code=\"110112\""));
        assert!(of(Format::Fhir).contains("\"AuditEvent\""));
        assert_eq!(of(Format::Json).lines().count(), 1);
        assert_eq!(plain("a\u{1b}[31m"), "a\u{fffd}[31m");
    }
}
