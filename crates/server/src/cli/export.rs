//! `leadglass export`: a study as a zip file of Part 10 files, over HTTPS with a token.
//!
//! What came is proved before the file gets its name: every entry is read to its end, and
//! the instances in it are those the archive says it has. With `--deidentify` it comes without
//! what identifies, and what cannot be vouched for is left out and told of.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use comfy_table::Table;
use http::{Request, header};
use http_body_util::{BodyExt, Empty, Limited};
use leadglass_dicom::part10::Part10Reader;
use leadglass_dicom::{SeriesInstanceUid, StudyInstanceUid};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::connection::{Api, Connection};
use super::output::{Exit, Output, Progress};
use super::peer::percent;

/// Instances asked for at once.
const PAGE: usize = 1000;

/// Write a study into a zip file of DICOM files, and check that it is whole.
#[derive(clap::Args, Debug)]
pub struct Export {
    #[command(flatten)]
    connection: Connection,
    /// Study Instance UID.
    #[arg(long, value_name = "UID")]
    study: StudyInstanceUid,
    /// Series Instance UID: this series alone.
    #[arg(long, value_name = "UID")]
    series: Option<SeriesInstanceUid>,
    /// Without what identifies, for that project.
    #[arg(long, value_name = "PROJECT")]
    deidentify: Option<String>,
    /// Write nothing: say what de-identification would do.
    #[arg(long, requires = "deidentify")]
    dry_run: bool,
    /// The zip file to make (mode 0600); it must not exist.
    #[arg(long, value_name = "FILE", required_unless_present = "dry_run", conflicts_with = "dry_run")]
    out: Option<PathBuf>,
}

impl Export {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        let api = self.connection.api()?;
        let Some(out) = self.out.clone() else { return self.rehearse(&api, output).await };
        ensure!(out.symlink_metadata().is_err(), "{} exists: it is not overwritten", out.display());
        if self.deidentify.is_some() {
            return self.deidentified(&api, &out, output).await;
        }
        let wanted = self.instances(&api).await?;
        ensure!(!wanted.is_empty(), "the archive has no such thing, or does not show it to this token");
        let partial = Partial::beside(&out)?;
        let (bytes, _) = self.fetch(&api, &partial, output).await?;
        let contained = checked(&partial, output).await?;
        ensure!(
            contained == wanted,
            "the archive has {} instances and {} of them came: nothing was written",
            wanted.len(),
            contained.intersection(&wanted).count()
        );
        partial.complete(&out)?;
        let answer = json!({ "file": out, "instances": wanted.len(), "bytes": bytes });
        let text = format!("{} instances, {bytes} bytes, whole, in {}", wanted.len(), out.display());
        output.say(&answer, text)?;
        Ok(Exit::Done)
    }

    /// What can be vouched for, in a file; the rest is told of.
    async fn deidentified(&self, api: &Api, out: &Path, output: &Output) -> anyhow::Result<Exit> {
        let partial = Partial::beside(out)?;
        let (bytes, warning) = self.fetch(api, &partial, output).await?;
        let instances = checked(&partial, output).await?.len();
        partial.complete(out)?;
        let answer = json!({ "file": out, "instances": instances, "bytes": bytes, "left_out": warning });
        let said = warning.as_ref().map(|warning| format!("\n{warning}")).unwrap_or_default();
        output.say(&answer, format!("{instances} instances, {bytes} bytes, in {}{said}", out.display()))?;
        Ok(if warning.is_some() { Exit::Found } else { Exit::Done })
    }

    /// What would be done, and nothing of it.
    async fn rehearse(&self, api: &Api, output: &Output) -> anyhow::Result<Exit> {
        let report = api.get(&format!("{}&rehearse=yes", self.resource())).await?;
        let mut table = Table::new();
        table.set_header(["attribute", "keyword", "would be", "times"]);
        for row in report["attributes"].as_array().into_iter().flatten() {
            let [tag, keyword, deed] = ["tag", "keyword", "deed"].map(|field| row[field].as_str().unwrap_or(""));
            table.add_row([tag, keyword, deed, &row["count"].to_string()]);
        }
        let left_out: Vec<&Value> = report["left_out"].as_array().into_iter().flatten().collect();
        let mut text = format!("{table}\n{} of {} instances would be sent", report["vouched_for"], report["instances"]);
        for row in &left_out {
            text.push_str(&format!("\ninstance {} would not: {}", row["instance"], row["text"].as_str().unwrap_or("")));
        }
        output.say(&report, text)?;
        Ok(if left_out.is_empty() { Exit::Done } else { Exit::Found })
    }

    fn resource(&self) -> String {
        let study = format!("/dicom-web/studies/{}", self.study);
        let whole = self.series.as_ref().map_or(study.clone(), |series| format!("{study}/series/{series}"));
        match &self.deidentify {
            Some(project) => format!("{whole}?deidentify={}", percent(project)),
            None => whole,
        }
    }

    /// The SOP Instance UIDs that the archive has.
    async fn instances(&self, api: &Api) -> anyhow::Result<BTreeSet<String>> {
        let mut instances = BTreeSet::new();
        loop {
            let before = instances.len();
            let path = format!("{}/instances?includefield=00080018&limit={PAGE}&offset={before}", self.resource());
            let rows = api.get(&path).await?;
            let uids = rows.as_array().into_iter().flatten().filter_map(|row| row["00080018"]["Value"][0].as_str());
            instances.extend(uids.map(str::to_owned));
            if instances.len() - before < PAGE {
                return Ok(instances);
            }
        }
    }

    /// The bytes that came, and what the archive warned of.
    async fn fetch(&self, api: &Api, partial: &Partial, output: &Output) -> anyhow::Result<(u64, Option<String>)> {
        let request = Request::get(self.resource())
            .header(header::HOST, api.client().address().to_string())
            .header(header::AUTHORIZATION, format!("Bearer {}", api.token()))
            .header(header::ACCEPT, "application/zip; transfer-syntax=*")
            .body(Empty::<Bytes>::new())?;
        let mut sender = api.client().open().await?;
        let response = sender.send_request(request).await?;
        if !response.status().is_success() {
            let status = response.status();
            let said = if self.deidentify.is_some() { problem(response).await } else { String::new() };
            bail!("the archive answers {status}{said}");
        }
        let warning = response.headers().get(header::WARNING).and_then(|warning| warning.to_str().ok());
        let warning = warning.map(|warning| warning.trim_start_matches("299 leadglass ").trim_matches('"').to_owned());
        let progress = Progress::of_bytes(output, "exporting");
        let mut file = tokio::fs::File::from_std(partial.file.try_clone()?);
        let mut body = response.into_body();
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            let frame =
                frame.context("the archive broke off: an instance could not be read, or the connection ended")?;
            if let Some(data) = frame.data_ref() {
                file.write_all(data).await?;
                bytes += data.len() as u64;
                progress.at(bytes, bytes);
            }
        }
        file.flush().await?;
        file.sync_all().await?;
        progress.finish();
        Ok((bytes, warning))
    }
}

/// The words of a refusal, of at most so many bytes.
async fn problem(response: http::Response<hyper::body::Incoming>) -> String {
    let body = Limited::new(response.into_body(), 64 << 10).collect().await;
    let said = body.ok().and_then(|body| serde_json::from_slice::<Value>(&body.to_bytes()).ok());
    let said = said.and_then(|said| said["detail"].as_str().map(str::to_owned));
    said.map(|said| format!(": {}", said.replace(char::is_control, " "))).unwrap_or_default()
}

/// What is in the file that came, each entry read to its end.
async fn checked(partial: &Partial, output: &Output) -> anyhow::Result<BTreeSet<String>> {
    let path = partial.path.clone();
    let progress = Progress::of_records(output, "checking");
    let told = progress.clone();
    let checked = tokio::task::spawn_blocking(move || contents(&path, |done, all| told.at(done, all)));
    let contained = checked.await??;
    progress.finish();
    Ok(contained)
}

/// A file on its way to its name; it goes when it does not get there.
struct Partial {
    path: PathBuf,
    file: File,
}

impl Partial {
    fn beside(out: &Path) -> anyhow::Result<Partial> {
        let name = out.file_name().context("--out names no file")?.to_string_lossy();
        let path = out.with_file_name(format!(".{name}.{}.part", uuid::Uuid::new_v4().simple()));
        let opened = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
        Ok(Partial { file: opened.with_context(|| format!("cannot make {}", path.display()))?, path })
    }

    /// A link, unlike a rename, does not replace what came to be there meanwhile.
    fn complete(&self, out: &Path) -> anyhow::Result<()> {
        fs::hard_link(&self.path, out).with_context(|| format!("cannot make {}", out.display()))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// The SOP Instance UIDs in a zip file of ours, each entry read to its end and its checksum
/// compared.
fn contents(path: &Path, progress: impl Fn(u64, u64)) -> anyhow::Result<BTreeSet<String>> {
    let mut zip = zip::ZipArchive::new(BufReader::new(File::open(path)?)).context("what came is no zip file")?;
    let mut instances = BTreeSet::new();
    for index in 0..zip.len() {
        let entry = zip.by_index(index)?;
        let instance = instance(entry).context("an entry that is damaged")?;
        instances.insert(instance);
        progress(index as u64 + 1, zip.len() as u64);
    }
    Ok(instances)
}

fn instance(mut entry: impl Read) -> anyhow::Result<String> {
    let mut reader = Some(Part10Reader::new());
    let mut instance = None;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = entry.read(&mut buffer)?;
        if count == 0 {
            return instance.context("an entry that names no SOP instance");
        }
        if let Some(front) = &mut reader
            && let Some((meta, _)) = front.push(&buffer[..count])?
        {
            instance = meta.sop_instance.map(|uid| uid.to_string());
            reader = None;
        }
    }
}
