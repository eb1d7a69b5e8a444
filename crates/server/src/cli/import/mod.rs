//! `leadglass import`: brings folders, zip files and media into a running archive, over
//! HTTPS with a token like anybody else (STOW-RS).
//!
//! No file is held in memory whole: its front is read until it says what it is, the rest
//! goes on as it is read. Whether the archive has a file already is for the archive to say,
//! by its bytes; what a journal vouches for is not read again, so that an import which was
//! interrupted goes on where it ended. Deliberately absent: any way past the archive's door.

mod dicomdir;
mod discover;
mod journal;
mod known;
mod outcome;
mod read;
mod upload;
mod zip_file;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::Context;
use futures::StreamExt;

use super::connection::Connection;
use super::output::{Exit, Output, Progress};
use crate::host::write_file;
use discover::Source;
use journal::Journal;
use known::Known;
use outcome::{Outcome, Report};
use upload::Uploader;

/// Requests under way at once.
const IN_FLIGHT: usize = 4;

/// Bring folders, zip files and DICOMDIR media into a running archive.
///
/// Files are recognised by their content, with or without the Part 10 wrapper. Run the same
/// command again to go on after an interruption: what is there with the same bytes is told
/// as already there, other bytes under its SOP Instance UID are refused and kept apart; with
/// a journal, what is done is not even read. A DICOMDIR named itself imports what it
/// references and nothing else. Ends with 3 when something was refused.
#[derive(clap::Args, Debug)]
pub struct Import {
    /// Folders, DICOM files, zip files, DICOMDIRs.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    connection: Connection,
    /// Remember in this file (mode 0600, digests only) what is done, to skip it without
    /// reading it when the import is run again.
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Write the outcome, with every refusal and its reason, into this file (JSON, mode 0600).
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

impl Import {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        let begun = Instant::now();
        let api = Arc::new(self.connection.api()?);
        let journal = self.journal.as_deref().map(Journal::open).transpose()?;
        let paths = self.paths.clone();
        let found = tokio::task::spawn_blocking(move || discover::discover(&paths)).await?;
        let mut report = Report::default();
        for (source, reason) in found.refused {
            report.add(source, Outcome::Refused(reason));
        }
        let worker = Worker {
            uploader: Uploader::new(api.clone()),
            known: Known::new(api),
            journal,
            progress: Progress::of_bytes(output, "importing"),
            done: AtomicU64::new(0),
            all: found.sources.iter().map(|source| source.bytes).sum(),
        };
        let ended = worker.all(found.sources, &mut report).await;
        worker.progress.finish();
        report.seconds = begun.elapsed().as_secs_f64();
        if let Some(path) = &self.report {
            write_file(path, &serde_json::to_vec_pretty(&report)?, 0o600)?;
        }
        output.say(&report, report.for_people())?;
        ended.context("the import ended early; run it again to go on")?;
        Ok(if report.refused.is_empty() { Exit::Done } else { Exit::Found })
    }
}

/// What the files in flight share.
struct Worker {
    uploader: Uploader,
    known: Known,
    journal: Option<Journal>,
    progress: Progress,
    done: AtomicU64,
    all: u64,
}

impl Worker {
    /// Imports the sources, a few at once. An error is the archive's or the network's and
    /// ends the import; what is wrong with a file is an outcome.
    async fn all(&self, sources: Vec<Source>, report: &mut Report) -> anyhow::Result<()> {
        let mut outcomes = futures::stream::iter(sources)
            .map(|source| async move {
                let outcome = self.one(&source).await;
                (source, outcome)
            })
            .buffer_unordered(IN_FLIGHT);
        while let Some((source, outcome)) = outcomes.next().await {
            let outcome = outcome?;
            if let (Some(journal), Outcome::Stored { .. } | Outcome::AlreadyThere) = (&self.journal, &outcome) {
                journal.note(&source)?;
            }
            report.add(source.name(), outcome);
        }
        Ok(())
    }

    async fn one(&self, source: &Source) -> anyhow::Result<Outcome> {
        let outcome = match &self.journal {
            Some(journal) if journal.has(source) => Outcome::AlreadyThere,
            _ => self.uploader.upload(source, &self.known).await?,
        };
        let done = self.done.fetch_add(source.bytes, Ordering::Relaxed) + source.bytes;
        self.progress.at(done, self.all);
        Ok(outcome)
    }
}
