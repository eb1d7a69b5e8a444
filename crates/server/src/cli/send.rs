//! `leadglass send`: sends files by C-STORE, as a modality does.

use std::path::PathBuf;

use comfy_table::Table;
use leadglass_dicom::part10::Part10Error;
use leadglass_dimse::status::Status;
use serde::Serialize;

use super::connection::PeerConnection;
use super::output::{Exit, Output, Progress};
use super::walk::walk;
use crate::scu::DicomFile;
use crate::scu::send::{Sent, send};

/// Send files and folders to an archive (C-STORE over mutual TLS). Ends with 3 when some were refused.
#[derive(clap::Args, Debug)]
pub struct Send {
    /// Files, and folders with files.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    peer: PeerConnection,
}

/// What became of one file.
#[derive(Serialize)]
struct Outcome {
    file: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    sop_instance_uid: Option<String>,
    stored: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// The outcomes and their sum.
#[derive(Serialize, Default)]
struct Report {
    stored: usize,
    refused: usize,
    /// Files that are not DICOM, and DICOMDIRs.
    skipped: usize,
    files: Vec<Outcome>,
}

impl Send {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        let peering = self.peer.peering()?;
        let mut report = Report::default();
        let files = self.read(&mut report, output).await;
        let progress = Progress::of_records(output, "sending");
        let all = files.len() as u64;
        let mut done = 0;
        progress.at(done, all);
        let sent = send(&peering, &files, |file, sent| {
            done += 1;
            progress.at(done, all);
            let uid = Some(file.sop_instance.to_string());
            report.add(Outcome {
                file: file.path.clone(),
                sop_instance_uid: uid,
                stored: sent.is_stored(),
                reason: why(&sent),
            });
        })
        .await;
        progress.finish();
        report.tell(output)?;
        sent?;
        Ok(if report.refused == 0 { Exit::Done } else { Exit::Found })
    }

    async fn read(&self, report: &mut Report, output: &Output) -> Vec<DicomFile> {
        let walked = walk(&self.paths);
        for (path, reason) in walked.unreadable {
            report.refuse(path, reason);
        }
        let progress = Progress::of_records(output, "reading");
        let all = walked.files.len() as u64;
        let mut files = Vec::with_capacity(walked.files.len());
        for (at, path) in walked.files.into_iter().enumerate() {
            progress.at(at as u64, all);
            if path.file_name().is_some_and(|name| name.eq_ignore_ascii_case("DICOMDIR")) {
                report.skipped += 1;
                continue;
            }
            match DicomFile::open(&path).await {
                Ok(file) => files.push(file),
                Err(error) if matches!(error.downcast_ref(), Some(Part10Error::NotDicom)) => report.skipped += 1,
                Err(error) => report.refuse(path, format!("{error:#}")),
            }
        }
        progress.finish();
        files
    }
}

/// Why a file was not stored, or what the archive said though it was.
fn why(sent: &Sent) -> Option<String> {
    match sent {
        Sent::Answered(Status::SUCCESS) => None,
        Sent::Answered(status) => Some(format!("status {:04X}: {}", status.0, meaning(*status))),
        Sent::NotAccepted => Some("the archive takes no such object in its transfer syntax from us".into()),
        Sent::Unreadable(why) => Some(why.clone()),
    }
}

fn meaning(status: Status) -> &'static str {
    match status {
        Status::DUPLICATE_SOP_INSTANCE => "other bytes are stored under its SOP Instance UID",
        Status::NOT_AUTHORIZED => "we may not store",
        Status::DATA_SET_DOES_NOT_MATCH => "the data set is not of its SOP class",
        Status(0xA700..=0xA7FF) => "out of resources",
        Status(0xB000..=0xBFFF) => "stored with a warning",
        Status(0xC000..=0xCFFF) => "the data set cannot be understood",
        _ => "refused",
    }
}

impl Report {
    fn add(&mut self, outcome: Outcome) {
        *(if outcome.stored { &mut self.stored } else { &mut self.refused }) += 1;
        self.files.push(outcome);
    }

    fn refuse(&mut self, file: PathBuf, reason: String) {
        self.add(Outcome { file, sop_instance_uid: None, stored: false, reason: Some(reason) });
    }

    fn tell(&self, output: &Output) -> anyhow::Result<()> {
        let mut text = String::new();
        let refused: Vec<&Outcome> = self.files.iter().filter(|outcome| !outcome.stored).collect();
        if !refused.is_empty() {
            let mut table = Table::new();
            table.set_header(["refused", "why"]);
            for outcome in refused {
                let why = outcome.reason.clone().unwrap_or_default();
                table.add_row([outcome.file.display().to_string(), why]);
            }
            text = format!("{table}\n");
        }
        let Report { stored, refused, skipped, .. } = self;
        output.say(self, format!("{text}{stored} stored, {refused} refused, {skipped} skipped"))
    }
}
