//! Finding the end of the log: from the newest checkpoint known, or the last segment's
//! start, to the last record that is whole.
//!
//! The last append may have been cut off by a crash; nobody was told it succeeded. It is told
//! from damage by the first-of-append number in every header: bytes that were followed by a
//! *later* append were durable once. What is cleared is kept in `log/torn` (sealed as it is),
//! until the next time.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::sync::Arc;

use rustix::fs::{FallocateFlags, fallocate};

use super::append::{Opened, TornTail};
use super::files::{Files, sync_directory};
use super::segment::{self, Before, SEGMENT_HEADER_BYTES};
use super::walk::{Step, Walk, checked_part};
use super::{Checkpoint, CheckpointVerifier, Header, Kind, Location, LogError, Tree, sha256};

/// The file of the newest checkpoint's note: what to keep elsewhere for `verify --since`.
const CHECKPOINT: &str = "checkpoint";

/// The end of the log.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// Segment and byte where the next record goes; `None` when there is no segment.
    pub end: Option<Location>,
    /// Tree and leaf there.
    pub before: Before,
    /// The newest checkpoint met, and its record's sequence.
    pub checkpoint: Option<(Checkpoint, u64)>,
    /// Objects the records walked refer to.
    pub objects: Vec<[u8; 16]>,
    /// Why nothing may be appended: the leaves of damaged records are unknown.
    pub broken: Option<&'static str>,
    /// For the caller.
    pub opened: Opened,
    /// Records of the last append met, what was before them, and where they end.
    run: Vec<(Location, Header)>,
    run_before: Before,
}

/// Finds the end of the log, and clears what a crash left behind it.
pub(super) fn find(files: &Arc<Files>, verifier: &CheckpointVerifier) -> Result<Tail, LogError> {
    let mut tail = Tail::default();
    let Some(last) = last_segment(files)? else { return Ok(tail) };
    let hinted = read_hint(files, verifier).filter(|(location, ..)| location.segment == last.0);
    let (start, before) = match hinted {
        Some((location, before, checkpoint)) => {
            tail.checkpoint = Some(checkpoint);
            (location, before)
        }
        None => (Location { segment: last.0, offset: SEGMENT_HEADER_BYTES }, last.1),
    };
    (tail.run_before, tail.before, tail.end) = (before.clone(), before, Some(start));
    let cut = tail.walk(files, start)?;
    let cut = tail.cut_at_damaged_part(files).or(cut);
    if let Some(location) = cut {
        tail.opened.torn = Some(clear(files, location)?);
        tail.end = Some(location);
    }
    tail.opened.last_sequence = tail.before.tree.size();
    // Nothing durable was ever behind what this machine remembers of it.
    match newest_checkpoint(files, Some(verifier)) {
        Some(newest) if newest.size > tail.opened.last_sequence => {
            Err(LogError::CutOff { ends: tail.opened.last_sequence, covered: newest.size })
        }
        _ => Ok(tail),
    }
}

impl Tail {
    /// Walks to the end; gives the place of a torn append's first broken byte.
    fn walk(&mut self, files: &Files, start: Location) -> Result<Option<Location>, LogError> {
        let mut walk = Walk::begin(files, start)?;
        let mut gap = None;
        loop {
            match walk.step().map_err(LogError::io("cannot read", files.log()))? {
                Step::End(end) => {
                    self.end = Some(end);
                    return Ok(None);
                }
                Step::Broken(at) => return Ok(Some(at)),
                Step::Gap(at) => gap = Some(at),
                Step::Record(location, header) => {
                    let expected = self.before.tree.size() + 1;
                    if let Some(at) = gap.take() {
                        if header.batch_first <= expected {
                            return Ok(Some(at));
                        }
                        self.opened.damaged.push(at);
                    }
                    self.take(files, location, header);
                }
            }
        }
    }

    fn take(&mut self, files: &Files, location: Location, header: Header) {
        let expected = self.before.tree.size() + 1;
        if header.sequence == expected + 1 {
            // One record lost: its leaf is in the next header.
            self.before.tree.push(header.previous);
        } else if header.sequence != expected || header.previous != self.before.previous {
            self.broken = Some("records near its end are damaged: restore them from a copy");
        }
        if self.run.first().is_none_or(|(_, first)| first.batch_first != header.batch_first) {
            self.run.clear();
            self.run_before = self.before.clone();
        }
        self.before.tree.push(header.leaf);
        self.before.previous = header.leaf;
        self.objects.extend(header.parts.iter().filter_map(|part| part.object));
        if header.known_kind() == Some(Kind::Checkpoint)
            && let Some(checkpoint) = read_note(files, location, &header)
        {
            self.checkpoint = Some((checkpoint, header.sequence));
        }
        self.run.push((location, header));
    }

    /// The header of the last append's record may be whole and its parts not.
    fn cut_at_damaged_part(&mut self, files: &Files) -> Option<Location> {
        let sound = |(location, header): &(Location, Header)| {
            let mut inline = header.parts.iter().enumerate().filter(|(_, part)| part.object.is_none());
            inline.all(|(part, _)| checked_part(files, *location, header, part).is_ok())
        };
        let first_bad = self.run.iter().position(|record| !sound(record))?;
        let location = self.run[first_bad].0;
        let mut before = self.run_before.clone();
        for (_, header) in &self.run[..first_bad] {
            before.tree.push(header.leaf);
            before.previous = header.leaf;
        }
        for (_, header) in self.run.drain(first_bad..) {
            self.objects.retain(|name| header.parts.iter().all(|part| part.object != Some(*name)));
            self.checkpoint.take_if(|(_, sequence)| *sequence >= header.sequence);
        }
        self.before = before;
        Some(location)
    }
}

/// The last segment that was finished being made, and the state its header tells.
fn last_segment(files: &Files) -> Result<Option<(u32, Before)>, LogError> {
    let Some(number) = files.segment_numbers()?.pop() else { return Ok(None) };
    let path = files.segment_path(number);
    let io = |what| LogError::io(what, &path);
    let file = File::open(&path).map_err(io("cannot open"))?;
    if let Some(before) = segment::read_header(&file, number).map_err(io("cannot read"))? {
        return Ok(Some((number, before)));
    }
    if segment::first_data(&file, SEGMENT_HEADER_BYTES).map_err(io("cannot read"))?.is_some() {
        let location = Location { segment: number, offset: 0 };
        return Err(LogError::Damaged { location, what: "the header of the segment" });
    }
    // A crash while the segment was made: nothing was ever written to it.
    std::fs::remove_file(&path).map_err(io("cannot remove"))?;
    sync_directory(files.log())?;
    last_segment(files)
}

/// Keeps what follows `cut` in `log/torn`, then turns it into preallocated zeros.
fn clear(files: &Files, cut: Location) -> Result<TornTail, LogError> {
    let path = files.segment_path(cut.segment);
    let io = |what| LogError::io(what, &path);
    let file = OpenOptions::new().read(true).write(true).open(&path).map_err(io("cannot open"))?;
    let bytes = save(files, &file, cut)?;
    let length = file.metadata().map_err(io("cannot look at"))?.len();
    segment::punch(&file, cut.offset, length - cut.offset).map_err(io("cannot clear"))?;
    if fallocate(&file, FallocateFlags::empty(), cut.offset, length - cut.offset).is_err() {
        tracing::debug!("the cleared end of the segment is not preallocated");
    }
    file.sync_all().map_err(io("cannot sync"))?;
    Ok(TornTail { location: cut, bytes })
}

fn save(files: &Files, file: &File, cut: Location) -> Result<u64, LogError> {
    let io = |what| LogError::io(what, files.log());
    let mut torn = File::create(files.log().join("torn")).map_err(io("cannot keep the torn append in"))?;
    let (mut at, mut end) = (cut.offset, cut.offset);
    while let Some(data) = segment::first_data(file, at).map_err(io("cannot read"))? {
        let piece = super::files::read_up_to(file, data, 1 << 18).map_err(io("cannot read"))?;
        let kept = torn.seek(SeekFrom::Start(data - cut.offset)).and_then(|_| torn.write_all(&piece));
        kept.map_err(io("cannot keep the torn append in"))?;
        at = data + piece.len() as u64;
        end = data + piece.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
    }
    torn.sync_all().map_err(io("cannot sync the torn append in"))?;
    Ok(end - cut.offset)
}

/// Remembers the newest checkpoint, and where it is. Not synced, and checked when read; it
/// never tells of more than is durable.
pub(super) fn write_hint(files: &Files, location: Location, checkpoint: &Checkpoint) {
    let mut bytes = location.segment.to_be_bytes().to_vec();
    bytes.extend_from_slice(&location.offset.to_be_bytes());
    let sum = sha256(&[&bytes]);
    bytes.extend_from_slice(&sum);
    let replace = |name: &str, bytes: &[u8]| {
        let fresh = files.log().join(format!("{name}.new"));
        std::fs::write(&fresh, bytes).and_then(|()| std::fs::rename(&fresh, files.log().join(name)))
    };
    if replace("tail", &bytes).and_then(|()| replace(CHECKPOINT, checkpoint.note.as_bytes())).is_err() {
        tracing::debug!("the place of the newest checkpoint is not remembered; the next start walks further");
    }
}

fn read_hint(files: &Files, verifier: &CheckpointVerifier) -> Option<(Location, Before, (Checkpoint, u64))> {
    let bytes = std::fs::read(files.log().join("tail")).ok()?;
    let (place, sum) = bytes.split_at_checked(12)?;
    if sha256(&[place]) != sum {
        return None;
    }
    let (segment, offset) = place.split_first_chunk()?;
    let location =
        Location { segment: u32::from_be_bytes(*segment), offset: u64::from_be_bytes(offset.try_into().ok()?) };
    let header = files.header(location).ok().filter(|header| header.known_kind() == Some(Kind::Checkpoint))?;
    let checkpoint = verifier.open(&read_note(files, location, &header)?.note).ok()?;
    let peaks = segment::decode_hashes(&checked_part(files, location, &header, 1).ok()?);
    let tree = Tree::from_peaks(checkpoint.size, peaks)?;
    let sound = tree.root() == checkpoint.root && tree.size() + 1 == header.sequence;
    let before = Before { tree, previous: header.previous };
    sound.then_some((location, before, (checkpoint, header.sequence)))
}

/// The newest checkpoint as it is kept beside the segments; `None` when it is not there, or
/// `verifier` has not signed it.
pub(super) fn newest_checkpoint(files: &Files, verifier: Option<&CheckpointVerifier>) -> Option<Checkpoint> {
    let note = std::fs::read_to_string(files.log().join(CHECKPOINT)).ok()?;
    let opened = match verifier {
        Some(verifier) => verifier.open(&note).ok(),
        None => Checkpoint::unverified(&note),
    };
    if opened.is_none() {
        tracing::warn!("log/checkpoint is not a checkpoint of this archive; it is passed over");
    }
    opened
}

/// The note of a checkpoint's record.
pub(super) fn read_note(files: &Files, location: Location, header: &Header) -> Option<Checkpoint> {
    let note = checked_part(files, location, header, 0).ok()?;
    Checkpoint::unverified(std::str::from_utf8(&note).ok()?)
}
