//! The demo's proof: send, find, get back, compare.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use aws_lc_rs::digest;
use bytes::Bytes;
use comfy_table::Table;
use indicatif::{ProgressBar, ProgressStyle};
use leadglass_dicom::charset::SpecificCharacterSet;
use leadglass_dicom::scan::Limits;
use leadglass_dicom::{
    DataSet, Encoding, SopClassUid, SopInstanceUid, StudyInstanceUid, Tag, TransferSyntax, Uid, VR, Value, encode,
};
use leadglass_dimse::scu;
use leadglass_dimse::status::Status;
use serde_json::json;
use tokio::io::AsyncReadExt;

use crate::cli::output::{Exit, Output};
use crate::scu::fetch::{Sink, fetch};
use crate::scu::send::send;
use crate::scu::{DicomFile, Peering};

/// Study Root Query/Retrieve Information Model – FIND.
const STUDY_ROOT_FIND: &str = "1.2.840.10008.5.1.4.1.2.2.1";
const IMPLICIT: &str = leadglass_dicom::transfer_syntax::IMPLICIT_VR_LITTLE_ENDIAN;

/// What the table says of one study.
#[derive(Default)]
struct Study {
    sent: usize,
    /// SOP Instance UIDs of what was sent: a file may be there twice, its object once.
    instances: BTreeSet<String>,
    bytes: u64,
    found: u64,
    modalities: String,
    equal: usize,
}

/// Sends the samples, finds them, gets them back, compares digests, prints the table.
pub async fn prove(peering: &Peering, samples: &Path, output: &Output) -> anyhow::Result<Exit> {
    let files = read_samples(samples).await?;
    let mut studies: BTreeMap<String, Study> = BTreeMap::new();
    let started = Instant::now();
    let stored = send_all(peering, &files, output, &mut studies).await?;
    let sent_in = started.elapsed();
    find_all(peering, &mut studies).await?;
    let fetched = get_all(peering, &files, output, &studies).await?;
    let mut unequal = Vec::new();
    for file in &stored {
        match fetched.get(file.sop_instance.as_str()) == Some(&digest_of(file).await?) {
            true => studies.entry(file.study.to_string()).or_default().equal += 1,
            false => unequal.push(file.path.clone()),
        }
    }
    report(output, &studies, files.len() - stored.len(), sent_in.as_secs_f64())?;
    for path in &unequal {
        eprintln!("came back other than it was sent, or not at all: {}", path.display());
    }
    let lacking = not_all_found(&studies);
    for (uid, study) in &lacking {
        eprintln!("of {} objects sent, the query found {}: study {uid}", study.instances.len(), study.found);
    }
    let all = unequal.is_empty() && lacking.is_empty() && stored.len() == files.len();
    Ok(if all { Exit::Done } else { Exit::Failed })
}

/// Studies of which a query told fewer objects than were sent. More may have been there before.
fn not_all_found(studies: &BTreeMap<String, Study>) -> Vec<(&String, &Study)> {
    studies.iter().filter(|(_, study)| study.found < study.instances.len() as u64).collect()
}

async fn read_samples(folder: &Path) -> anyhow::Result<Vec<DicomFile>> {
    let mut paths = Vec::new();
    walk(folder, &mut paths).with_context(|| format!("cannot read the samples in {}", folder.display()))?;
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        files.push(DicomFile::open(&path).await.with_context(|| format!("{}", path.display()))?);
    }
    if files.is_empty() {
        bail!("no DICOM files in {}: name a folder by --samples, or start empty by --no-samples", folder.display());
    }
    Ok(files)
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), paths)?;
        } else {
            paths.push(entry.path());
        }
    }
    Ok(())
}

async fn send_all<'a>(
    peering: &Peering,
    files: &'a [DicomFile],
    output: &Output,
    studies: &mut BTreeMap<String, Study>,
) -> anyhow::Result<Vec<&'a DicomFile>> {
    let bar = bar(output, files.len(), "sending  ");
    let mut stored = BTreeSet::new();
    send(peering, files, |file, sent| {
        bar.inc(1);
        if sent.is_stored() {
            stored.insert(file.path.clone());
            let study = studies.entry(file.study.to_string()).or_default();
            study.sent += 1;
            study.instances.insert(file.sop_instance.to_string());
            study.bytes += file.data_set_bytes;
        } else {
            bar.suspend(|| eprintln!("not stored ({sent:?}): {}", file.path.display()));
        }
    })
    .await?;
    bar.finish();
    Ok(files.iter().filter(|file| stored.contains(&file.path)).collect())
}

/// One C-FIND a study, as a workstation asks.
async fn find_all(peering: &Peering, studies: &mut BTreeMap<String, Study>) -> anyhow::Result<()> {
    const NUMBER_OF_INSTANCES: Tag = Tag(0x0020, 0x1208);
    const MODALITIES_IN_STUDY: Tag = Tag(0x0008, 0x0061);
    let mut request = peering.request();
    let context = request.propose(&Uid::parse(STUDY_ROOT_FIND)?, &[Uid::parse(IMPLICIT)?]).context("no room")?;
    let mut association = peering.associate(request).await?;
    for (uid, study) in studies.iter_mut() {
        let mut identifier = study_identifier(uid);
        identifier.put(NUMBER_OF_INSTANCES, VR::IS, Value::Empty);
        identifier.put(MODALITIES_IN_STUDY, VR::CS, Value::Empty);
        let identifier = identifier.encode(Encoding::ImplicitLittleEndian, &SpecificCharacterSet::utf8())?;
        let mut finding = scu::find(&mut association, context, &identifier).await?;
        while let Some(found) = finding.next().await? {
            let found = encode::decode(&found, Encoding::ImplicitLittleEndian, &Limits::default())?;
            study.found = found.integer(NUMBER_OF_INSTANCES).unwrap_or(0).unsigned_abs();
            study.modalities = found.texts(MODALITIES_IN_STUDY).join(" ");
        }
        let status = finding.outcome().map(|outcome| outcome.status);
        if status != Some(Status::SUCCESS) {
            bail!("the archive ended the C-FIND with {status:?}");
        }
    }
    Ok(association.release().await?)
}

fn study_identifier(uid: &str) -> DataSet {
    let mut identifier = DataSet::new();
    identifier.put_text(Tag(0x0008, 0x0052), VR::CS, "STUDY");
    identifier.put_text(Tag(0x0020, 0x000D), VR::UI, uid);
    identifier
}

/// SHA-256 of every data set that comes back, by SOP Instance UID.
async fn get_all(
    peering: &Peering,
    files: &[DicomFile],
    output: &Output,
    studies: &BTreeMap<String, Study>,
) -> anyhow::Result<HashMap<String, Vec<u8>>> {
    let mut digests = Digests { bar: bar(output, files.len(), "retrieving"), current: None, known: HashMap::new() };
    for uid in studies.keys() {
        let kinds = files
            .iter()
            .filter(|file| file.study.as_str() == uid)
            .map(|file| (file.sop_class.as_uid().clone(), file.transfer_syntax.uid().clone()))
            .collect();
        StudyInstanceUid::parse(uid)?;
        fetch(peering, &study_identifier(uid), &kinds, &mut digests).await?;
    }
    digests.bar.finish();
    Ok(digests.known)
}

struct Digests {
    bar: ProgressBar,
    current: Option<(String, digest::Context)>,
    known: HashMap<String, Vec<u8>>,
}

impl Sink for Digests {
    fn begin(&mut self, _: &SopClassUid, instance: &SopInstanceUid, _: &TransferSyntax) -> io::Result<()> {
        self.current = Some((instance.to_string(), digest::Context::new(&digest::SHA256)));
        Ok(())
    }

    fn chunk(&mut self, bytes: &Bytes) -> io::Result<()> {
        if let Some((_, context)) = &mut self.current {
            context.update(bytes);
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        if let Some((instance, context)) = self.current.take() {
            self.known.insert(instance, context.finish().as_ref().to_vec());
            self.bar.inc(1);
        }
        Ok(())
    }
}

async fn digest_of(file: &DicomFile) -> anyhow::Result<Vec<u8>> {
    let mut data_set = file.data_set().await?;
    let mut context = digest::Context::new(&digest::SHA256);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = data_set.read(&mut buffer).await?;
        if count == 0 {
            return Ok(context.finish().as_ref().to_vec());
        }
        context.update(&buffer[..count]);
    }
}

fn bar(output: &Output, length: usize, what: &'static str) -> ProgressBar {
    if !output.is_for_people() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(length as u64);
    if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:40}] {pos}/{len} {per_sec}") {
        bar.set_style(style);
    }
    bar.with_message(what)
}

fn report(output: &Output, studies: &BTreeMap<String, Study>, refused: usize, seconds: f64) -> anyhow::Result<()> {
    let mut table = Table::new();
    table.set_header(["study", "modalities", "sent", "KB", "found", "came back equal"]);
    let mut total = Study::default();
    for (uid, study) in studies {
        table.add_row([
            uid.clone(),
            study.modalities.clone(),
            study.sent.to_string(),
            (study.bytes / 1000).to_string(),
            study.found.to_string(),
            format!("{}/{}", study.equal, study.sent),
        ]);
        total.sent += study.sent;
        total.bytes += study.bytes;
        total.equal += study.equal;
    }
    let summary = format!(
        "{} objects of {} studies stored over mutual TLS in {seconds:.2} s, sealed and durable; {} came back bit-identical; {refused} refused",
        total.sent,
        studies.len(),
        total.equal,
    );
    let answer = json!({
        "studies": studies.len(), "stored": total.sent, "bytes": total.bytes, "equal": total.equal,
        "refused": refused, "seconds": seconds,
    });
    output.say(&answer, format!("{table}\n{summary}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_study_that_is_not_found_whole_fails_the_demo() {
        let study = |found, instances: &[&str]| Study {
            sent: 2,
            found,
            instances: instances.iter().map(|uid| (*uid).to_owned()).collect(),
            ..Study::default()
        };
        let studies = [
            ("none", study(0, &["1", "2"])),
            ("some", study(1, &["1", "2"])),
            ("all", study(2, &["1", "2"])),
            ("more", study(3, &["1", "2"])),
            ("twice", study(1, &["1"])),
        ];
        let studies: BTreeMap<_, _> = studies.into_iter().map(|(uid, study)| (uid.to_owned(), study)).collect();
        let lacking: Vec<_> = not_all_found(&studies).into_iter().map(|(uid, _)| uid.as_str()).collect();
        assert_eq!(lacking, ["none", "some"]);
    }
}
