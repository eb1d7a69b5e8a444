//! `leadglass export`: a study as a zip file of Part 10 files, over HTTPS with a token.
//!
//! What came is proved before the file gets its name: every entry is read to its end, and
//! the instances in it are those the archive says it has.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Empty};
use leadglass_dicom::part10::Part10Reader;
use leadglass_dicom::{SeriesInstanceUid, StudyInstanceUid};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::connection::{Api, Connection};
use super::output::{Exit, Output, Progress};

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
    /// The zip file to make (mode 0600); it must not exist.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Export {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        ensure!(self.out.symlink_metadata().is_err(), "{} exists: it is not overwritten", self.out.display());
        let api = self.connection.api()?;
        let wanted = self.instances(&api).await?;
        ensure!(!wanted.is_empty(), "the archive has no such thing, or does not show it to this token");
        let partial = Partial::beside(&self.out)?;
        let bytes = self.fetch(&api, &partial, output).await?;
        let path = partial.path.clone();
        let progress = Progress::of_records(output, "checking");
        let told = progress.clone();
        let checked = tokio::task::spawn_blocking(move || contents(&path, |done, all| told.at(done, all)));
        let contained = checked.await??;
        progress.finish();
        ensure!(
            contained == wanted,
            "the archive has {} instances and {} of them came: nothing was written",
            wanted.len(),
            contained.intersection(&wanted).count()
        );
        partial.complete(&self.out)?;
        let answer = json!({ "file": self.out, "instances": wanted.len(), "bytes": bytes });
        let text = format!("{} instances, {bytes} bytes, whole, in {}", wanted.len(), self.out.display());
        output.say(&answer, text)?;
        Ok(Exit::Done)
    }

    fn resource(&self) -> String {
        let study = format!("/dicom-web/studies/{}", self.study);
        self.series.as_ref().map_or(study.clone(), |series| format!("{study}/series/{series}"))
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

    async fn fetch(&self, api: &Api, partial: &Partial, output: &Output) -> anyhow::Result<u64> {
        let request = Request::get(self.resource())
            .header(header::HOST, api.client().address().to_string())
            .header(header::AUTHORIZATION, format!("Bearer {}", api.token()))
            .header(header::ACCEPT, "application/zip; transfer-syntax=*")
            .body(Empty::<Bytes>::new())?;
        let mut sender = api.client().open().await?;
        let response = sender.send_request(request).await?;
        if !response.status().is_success() {
            bail!("the archive answers {}", response.status());
        }
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
        Ok(bytes)
    }
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
