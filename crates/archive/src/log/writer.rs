//! The one writer of a log: batches into segments, one write and one fdatasync each.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, IoSlice};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::append::{Appended, LogOptions};
use super::files::{Files, sync_directory};
use super::segment::{self, Before, SEGMENT_HEADER_BYTES, Sizes};
use super::tail::{self, Tail};
use super::{Checkpoint, CheckpointKey, Hash, Header, Kind, Location, LogError, NewRecord, Part, RecordId};
use crate::digest::digest;
use crate::seal::KeyId;

/// Most pieces one write takes (IOV_MAX).
const PIECES: usize = 1024;
const CHECKPOINT_RECORDS: u64 = 1000;
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(60);

/// What the writer asks of the operating system; tests make it fail.
pub(super) trait Disk: Send {
    /// Writes some of the pieces at that offset; how many bytes.
    fn write(&self, file: &File, pieces: &[IoSlice<'_>], offset: u64) -> std::io::Result<usize>;
    /// Makes the file's data durable.
    fn sync(&self, file: &File) -> std::io::Result<()>;
}

/// The real one.
pub(super) struct Kernel;

impl Disk for Kernel {
    fn write(&self, file: &File, pieces: &[IoSlice<'_>], offset: u64) -> std::io::Result<usize> {
        Ok(rustix::io::pwritev(file, pieces, offset)?)
    }

    fn sync(&self, file: &File) -> std::io::Result<()> {
        file.sync_data()
    }
}

/// The writing half of a log.
pub(super) struct Writer {
    files: Arc<Files>,
    disk: Box<dyn Disk>,
    segment_bytes: u64,
    reserve_bytes: u64,
    current: Option<Current>,
    before: Before,
    checkpoint: Option<(Checkpoint, u64)>,
    checkpoint_time: Option<SystemTime>,
    poisoned: Option<String>,
    /// Objects were renamed and their directory not yet synced.
    renamed: bool,
}

/// The segment being written.
struct Current {
    file: File,
    number: u32,
    end: u64,
    length: u64,
}

impl Writer {
    pub fn begin(files: Arc<Files>, options: &LogOptions, tail: Tail, disk: Box<dyn Disk>) -> Result<Writer, LogError> {
        let current = match tail.end {
            None => None,
            Some(end) => {
                let path = files.segment_path(end.segment);
                let file = OpenOptions::new()
                    .read(true)
                    .write(true)
                    .open(&path)
                    .map_err(LogError::io("cannot open", &path))?;
                let length = file.metadata().map_err(LogError::io("cannot look at", &path))?.len();
                Some(Current { file, number: end.segment, end: end.offset, length })
            }
        };
        Ok(Writer {
            files,
            disk,
            segment_bytes: options.segment_bytes,
            reserve_bytes: options.reserve_bytes,
            current,
            before: tail.before,
            checkpoint: tail.checkpoint,
            checkpoint_time: None,
            poisoned: tail.broken.map(str::to_owned),
            renamed: false,
        })
    }

    pub fn poisoned(&self) -> Option<&str> {
        self.poisoned.as_deref()
    }

    pub fn last_sequence(&self) -> u64 {
        self.before.tree.size()
    }

    pub fn root(&self) -> Hash {
        self.before.tree.root()
    }

    pub fn last_checkpoint(&self) -> Option<Checkpoint> {
        self.checkpoint.as_ref().map(|(checkpoint, _)| checkpoint.clone())
    }

    pub fn checkpoint_due(&self, now: SystemTime) -> bool {
        let covered = self.checkpoint.as_ref().map_or(0, |(_, sequence)| *sequence);
        let fresh = self.last_sequence().saturating_sub(covered);
        // A clock that went backwards is as good a reason as one that went on.
        let waited = self.checkpoint_time.and_then(|last| now.duration_since(last).ok());
        fresh >= CHECKPOINT_RECORDS || fresh > 0 && waited.is_none_or(|waited| waited >= CHECKPOINT_INTERVAL)
    }

    pub fn checkpoint(&mut self, key: &CheckpointKey, now: SystemTime) -> Result<Checkpoint, LogError> {
        self.settle_renames()?;
        let tree = &self.before.tree;
        let checkpoint = key.sign(tree.size(), tree.root());
        let public = |bytes: Vec<u8>| Part::Inline { digest: digest(&bytes), pieces: vec![bytes] };
        let parts = vec![public(checkpoint.note.clone().into_bytes()), public(tree.peaks().concat())];
        let record = NewRecord { kind: Kind::Checkpoint, id: RecordId([0; 16]), key: KeyId::NONE, parts };
        for appended in self.append(vec![record])? {
            self.checkpoint = Some((checkpoint.clone(), appended.sequence));
            tail::write_hint(&self.files, appended.location, &checkpoint);
        }
        self.checkpoint_time = Some(now);
        Ok(checkpoint)
    }

    pub fn append(&mut self, mut batch: Vec<NewRecord>) -> Result<Vec<Appended>, LogError> {
        if let Some(reason) = &self.poisoned {
            return Err(LogError::Poisoned(reason.clone()));
        }
        let sizes = batch.iter().map(record_bytes).collect::<Result<Vec<u64>, LogError>>()?;
        let mut sizes = sizes.as_slice();
        let mut appended = Vec::with_capacity(batch.len());
        while !batch.is_empty() {
            let fitting = self.fitting(sizes);
            let done = match fitting {
                0 => self.next_segment(sizes),
                _ => {
                    let later = batch.split_off(fitting);
                    let run = std::mem::replace(&mut batch, later);
                    sizes = &sizes[fitting..];
                    self.write_run(run, &mut appended)
                }
            };
            if let Err(error) = done {
                // Half a batch in the log and none of it answered: not to be gone on from.
                if !appended.is_empty() || !matches!(error, LogError::NoRoom) {
                    self.poisoned.get_or_insert_with(|| error.to_string());
                }
                return Err(error);
            }
        }
        Ok(appended)
    }

    /// How many of the records go into the current segment with one write: all that fit, or
    /// none when the whole batch would fit into a fresh one.
    fn fitting(&self, sizes: &[u64]) -> usize {
        let Some(current) = &self.current else { return 0 };
        let mut room = current.length.saturating_sub(current.end);
        let mut fitting = 0;
        for size in sizes {
            let Some(left) = room.checked_sub(*size) else { break };
            room = left;
            fitting += 1;
        }
        if fitting < sizes.len() && filled(sizes) <= self.segment_bytes { 0 } else { fitting }
    }

    /// Goes on in a segment with room for all of the records, or for the first when all are more
    /// than a segment holds.
    fn next_segment(&mut self, sizes: &[u64]) -> Result<(), LogError> {
        self.settle_renames()?;
        let number = self.current.as_ref().map_or(1, |current| current.number + 1);
        let whole = filled(sizes);
        let needed = if whole <= self.segment_bytes { whole } else { filled(sizes.get(..1).unwrap_or_default()) };
        let sizes = Sizes { wanted: self.segment_bytes, needed, reserve: self.reserve_bytes };
        let (file, length) = segment::create(&self.files, number, &self.before, sizes)?;
        self.current = Some(Current { file, number, end: SEGMENT_HEADER_BYTES, length });
        Ok(())
    }

    fn settle_renames(&mut self) -> Result<(), LogError> {
        if std::mem::take(&mut self.renamed) {
            sync_directory(self.files.objects())?;
        }
        Ok(())
    }

    fn write_run(&mut self, mut run: Vec<NewRecord>, appended: &mut Vec<Appended>) -> Result<(), LogError> {
        let Some(current) = &mut self.current else { return Err(LogError::NoRoom) };
        let mut after = self.before.clone();
        let batch_first = after.tree.size() + 1;
        let (mut headers, mut placed) = (Vec::with_capacity(run.len()), Vec::with_capacity(run.len()));
        let mut end = current.end;
        for record in &run {
            let header = Header::of(record, after.tree.size() + 1, batch_first, after.previous)?;
            placed.push(Appended {
                sequence: header.sequence,
                location: Location { segment: current.number, offset: end },
                lengths: header.parts.iter().map(|part| part.bytes).collect(),
                leaf: header.leaf,
            });
            end += header.record_bytes();
            after.tree.push(header.leaf);
            after.previous = header.leaf;
            headers.push(header.encode());
        }
        spilled(&mut run).for_each(|object| object.keep());
        let pieces = run.iter().zip(&headers).flat_map(|(record, header)| {
            let inline = record.parts.iter().flat_map(|part| match part {
                Part::Inline { pieces, .. } => pieces.as_slice(),
                Part::Spilled(_) => &[],
            });
            std::iter::once(header).chain(inline).filter(|piece| !piece.is_empty()).map(|piece| IoSlice::new(piece))
        });
        let written = write_all(&*self.disk, &current.file, pieces.collect(), current.end);
        if let Err(source) = written.and_then(|()| self.disk.sync(&current.file)) {
            self.poisoned =
                Some(format!("a write to it failed ({}); restart after the disk is seen to", source.kind()));
            return Err(LogError::io("cannot append to", &self.files.segment_path(current.number))(source));
        }
        current.end = end;
        self.before = after;
        appended.append(&mut placed);
        for object in spilled(&mut run) {
            self.renamed = true;
            if object.settle().is_err() {
                tracing::warn!("an object file keeps its provisional name until the next start");
            }
        }
        Ok(())
    }
}

/// Bytes of a segment with records of these sizes.
fn filled(sizes: &[u64]) -> u64 {
    sizes.iter().fold(SEGMENT_HEADER_BYTES, |sum, size| sum.saturating_add(*size))
}

fn spilled(run: &mut [NewRecord]) -> impl Iterator<Item = &mut super::SpilledObject> {
    run.iter_mut().flat_map(|record| &mut record.parts).filter_map(|part| match part {
        Part::Spilled(object) => Some(object),
        Part::Inline { .. } => None,
    })
}

fn record_bytes(record: &NewRecord) -> Result<u64, LogError> {
    Ok(Header::of(record, 0, 0, [0; 32])?.record_bytes())
}

fn write_all(disk: &dyn Disk, file: &File, mut pieces: Vec<IoSlice<'_>>, mut offset: u64) -> std::io::Result<()> {
    let mut rest = pieces.as_mut_slice();
    while !rest.is_empty() {
        match disk.write(file, &rest[..rest.len().min(PIECES)], offset) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written as u64;
                IoSlice::advance_slices(&mut rest, written);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
