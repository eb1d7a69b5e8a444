//! A DICOM file on its way to an archive: what it is, and its data set as a stream.

use std::path::{Path, PathBuf};

use anyhow::Context;
use leadglass_dicom::part10::{FileMeta, Part10Reader};
use leadglass_dicom::scan::{Limits, Scanner};
use leadglass_dicom::{SopClassUid, SopInstanceUid, StudyInstanceUid, TransferSyntax};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

/// Bytes read at a time.
const STEP: usize = 64 * 1024;

/// A file that holds a composite instance.
#[derive(Clone, Debug)]
pub struct DicomFile {
    /// Where it is.
    pub path: PathBuf,
    /// How its data set is written.
    pub transfer_syntax: TransferSyntax,
    /// SOP Class UID of the data set.
    pub sop_class: SopClassUid,
    /// SOP Instance UID of the data set.
    pub sop_instance: SopInstanceUid,
    /// Study Instance UID of the data set.
    pub study: StudyInstanceUid,
    /// Bytes of the data set.
    pub data_set_bytes: u64,
    data_set_offset: u64,
}

impl DicomFile {
    /// Reads as much of a file as says what it is.
    pub async fn open(path: &Path) -> anyhow::Result<DicomFile> {
        let mut file = File::open(path).await.context("cannot open it")?;
        let file_bytes = file.metadata().await?.len();
        let (meta, mut data_set) = read_meta(&mut file).await?;
        let mut scanner = Scanner::new(&meta.transfer_syntax, Limits::default());
        while scanner.identity().is_none() && !data_set.is_empty() {
            scanner.push(&data_set).context("not a DICOM data set")?;
            data_set = read_step(&mut file).await?;
        }
        let identity = match scanner.identity() {
            Some(identity) => identity.clone(),
            None => scanner.finish().context("not a DICOM data set")?.identity.context("not a composite instance")?,
        };
        Ok(DicomFile {
            path: path.to_owned(),
            sop_class: identity.sop_class,
            sop_instance: identity.sop_instance,
            study: identity.study,
            data_set_bytes: file_bytes.saturating_sub(meta.data_set_offset),
            data_set_offset: meta.data_set_offset,
            transfer_syntax: meta.transfer_syntax,
        })
    }

    /// The data set, from its first byte.
    pub async fn data_set(&self) -> std::io::Result<File> {
        let mut file = File::open(&self.path).await?;
        file.seek(std::io::SeekFrom::Start(self.data_set_offset)).await?;
        Ok(file)
    }
}

async fn read_meta(file: &mut File) -> anyhow::Result<(FileMeta, Vec<u8>)> {
    let mut reader = Part10Reader::new();
    loop {
        let step = read_step(file).await?;
        if step.is_empty() {
            return Ok(reader.finish()?);
        }
        if let Some(found) = reader.push(&step)? {
            return Ok(found);
        }
    }
}

async fn read_step(file: &mut File) -> anyhow::Result<Vec<u8>> {
    let mut step = Vec::with_capacity(STEP);
    file.take(STEP as u64).read_to_end(&mut step).await?;
    Ok(step)
}
