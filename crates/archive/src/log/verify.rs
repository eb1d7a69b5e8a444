//! Proves the log offline: every byte against its digest, every record against the tree,
//! every checkpoint against its signature.

use std::fs::File;
use std::path::Path;

use super::files::Files;
use super::replay::context;
use super::segment::{self, Before, SEGMENT_HEADER_BYTES};
use super::tail::{newest_checkpoint, read_note};
use super::walk::{Step, Walk, check_part, checked_part};
use super::{Checkpoint, CheckpointVerifier, Hash, Header, Kind, Location, LogError};
use crate::seal::{DataKey, KeyError, KeyId, Keyring, open_blob};

/// Parts larger than this are checked by digest, not opened.
const OPENED_BYTES: u64 = 256 << 20;

/// What to check beyond digests, tree and sequence.
#[derive(Default)]
pub struct VerifyOptions<'a> {
    /// Checks signatures.
    pub verifier: Option<&'a CheckpointVerifier>,
    /// A checkpoint note kept elsewhere: the log must contain that state.
    pub since: Option<&'a str>,
    /// Opens every seal, and tells erased parts (key destroyed) from zeroed ones.
    pub keyring: Option<&'a Keyring>,
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where the record (or what should be one) begins.
    pub location: Location,
    /// Its sequence, when known.
    pub sequence: Option<u64>,
    /// What is wrong.
    pub what: String,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Records found.
    pub records: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Records whose parts were erased.
    pub erased: u64,
    /// Checkpoints whose root (and signature, given a verifier) is right.
    pub checkpoints: u64,
    /// Root of the tree over all records; meaningless when damaged.
    pub root: Hash,
    /// Segment files that should be there and are not.
    pub missing_segments: u64,
    /// Everything that is wrong. Empty: the log is as it was written.
    pub damaged: Vec<Damage>,
}

/// Verifies the log of a data directory; `progress` hears (bytes done, bytes in all).
/// Errors only when the directory cannot be read or `since` is no checkpoint: damage is in
/// the report. Changes nothing.
pub fn verify(
    data_dir: &Path,
    options: &VerifyOptions<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Report, LogError> {
    let files = Files::of(data_dir);
    let since = options.since.map(|note| read_since(note, options)).transpose()?;
    // What this machine remembers is one more state that the log must contain.
    let since = since.into_iter().chain(newest_checkpoint(&files, options.verifier)).filter(|since| since.size > 0);
    let numbers = files.segment_numbers()?;
    let lengths =
        numbers.iter().map(|number| segment_length(&files, *number)).collect::<Result<Vec<u64>, LogError>>()?;
    let total = lengths.iter().sum();
    let mut proof = Proof { since: since.collect(), ..Proof::new(&files, options) };
    let mut done = 0;
    for (index, (number, length)) in numbers.iter().zip(&lengths).enumerate() {
        proof.skipped_segments(index, *number);
        proof.segment(*number, &mut |offset| progress(done + offset, total))?;
        done += length;
        progress(done, total);
    }
    Ok(proof.finish())
}

fn read_since(note: &str, options: &VerifyOptions<'_>) -> Result<Checkpoint, LogError> {
    match options.verifier {
        Some(verifier) => verifier.open(note),
        None => Checkpoint::unverified(note).ok_or(LogError::BadCheckpoint("malformed")),
    }
}

fn segment_length(files: &Files, number: u32) -> Result<u64, LogError> {
    let path = files.segment_path(number);
    Ok(std::fs::metadata(&path).map_err(LogError::io("cannot look at", &path))?.len())
}

/// A verification under way.
struct Proof<'a> {
    files: &'a Files,
    options: &'a VerifyOptions<'a>,
    /// States that the log must contain and has not reached yet.
    since: Vec<Checkpoint>,
    /// Tree and leaf up to here; `None` when damage has lost leaves.
    before: Option<Before>,
    /// The sequence the next record should have.
    expected: u64,
    /// Whether the place before `expected` is known to be damaged and has been reported.
    reported: bool,
    report: Report,
}

impl<'a> Proof<'a> {
    fn new(files: &'a Files, options: &'a VerifyOptions<'a>) -> Proof<'a> {
        Proof {
            files,
            options,
            since: Vec::new(),
            before: Some(Before::default()),
            expected: 1,
            reported: false,
            report: Report::default(),
        }
    }

    fn damage(&mut self, location: Location, sequence: Option<u64>, what: impl Into<String>) {
        self.report.damaged.push(Damage { location, sequence, what: what.into() });
    }

    /// Segments are numbered from 1 without gaps.
    fn skipped_segments(&mut self, index: usize, number: u32) {
        let wanted = index as u64 + 1 + self.report.missing_segments;
        let missing = u64::from(number).saturating_sub(wanted);
        if missing > 0 {
            self.report.missing_segments += missing;
            let location = Location { segment: wanted as u32, offset: 0 };
            self.damage(location, Some(self.expected), format!("{missing} segment file(s) missing"));
            self.reported = true;
            self.before = None;
        }
    }

    fn segment(&mut self, number: u32, progress: &mut dyn FnMut(u64)) -> Result<(), LogError> {
        let path = self.files.segment_path(number);
        let io = |what| LogError::io(what, &path);
        let file = File::open(&path).map_err(io("cannot open"))?;
        match segment::read_header(&file, number).map_err(io("cannot read"))? {
            Some(header) => self.join(number, header),
            // An empty file at the end: a crash while the segment was made.
            None if segment::first_data(&file, SEGMENT_HEADER_BYTES).map_err(io("cannot read"))?.is_none() => {
                return Ok(());
            }
            None => self.damage(Location { segment: number, offset: 0 }, None, "the header of the segment"),
        }
        let mut walk = Walk::begin(self.files, Location { segment: number, offset: SEGMENT_HEADER_BYTES })?;
        loop {
            match walk.step().map_err(io("cannot read"))? {
                Step::End(end) => {
                    self.report.bytes += end.offset;
                    return Ok(());
                }
                Step::Gap(location) => self.unreadable(location),
                Step::Broken(location) => {
                    self.unreadable(location);
                    self.report.bytes += location.offset;
                    return Ok(());
                }
                Step::Record(location, header) => {
                    self.record(location, &header);
                    progress(location.offset);
                }
            }
        }
    }

    fn unreadable(&mut self, location: Location) {
        self.damage(
            location,
            Some(self.expected),
            "no sound record header here: damaged, or an append that was cut off",
        );
        self.reported = true;
    }

    /// What a segment says came before it must be what came before it.
    fn join(&mut self, number: u32, header: Before) {
        let location = Location { segment: number, offset: 0 };
        let first = header.tree.size() + 1;
        if self.reported && first > self.expected {
            // The last records before it are lost, and were reported.
        } else if first != self.expected {
            self.damage(
                location,
                Some(self.expected),
                format!("records {} to {} are missing", self.expected, first - 1),
            );
        } else if self.before.as_ref().is_some_and(|before| *before != header) {
            self.damage(location, None, "the records before this segment are not those it was made after");
        }
        self.reported = false;
        self.expected = first;
        self.before = Some(header);
        self.compare_since();
    }

    fn record(&mut self, location: Location, header: &Header) {
        self.follow(location, header);
        self.report.records += 1;
        self.parts(location, header);
        if header.known_kind() == Some(Kind::Checkpoint) {
            self.checkpoint(location, header);
        }
        if let Some(before) = &mut self.before {
            before.tree.push(header.leaf);
            before.previous = header.leaf;
        }
        self.expected = header.sequence + 1;
        self.compare_since();
    }

    /// The record must follow the one before it; over a single damaged header the leaf is
    /// taken from this one.
    fn follow(&mut self, location: Location, header: &Header) {
        let reported = std::mem::take(&mut self.reported);
        if header.sequence == self.expected {
            if self.before.as_ref().is_some_and(|before| before.previous != header.previous) {
                self.damage(location, Some(header.sequence), "does not follow the record before it");
            }
            return;
        }
        if !reported {
            let what = format!("record {} is here where {} should be", header.sequence, self.expected);
            self.damage(location, Some(self.expected), what);
        }
        match &mut self.before {
            Some(before) if header.sequence == self.expected + 1 => {
                before.tree.push(header.previous);
                self.expected += 1;
                self.compare_since();
            }
            _ => self.before = None,
        }
    }

    fn parts(&mut self, location: Location, header: &Header) {
        let key = match self.options.keyring {
            Some(keyring) if header.key != KeyId::NONE => Some(keyring.key(header.key)),
            _ => None,
        };
        let mut erased = false;
        for (number, part) in header.parts.iter().enumerate() {
            let own = self.identity_key(location, header, number);
            let key = own.as_ref().or(key.as_ref());
            let opened = match key {
                Some(Ok(key)) if part.bytes <= OPENED_BYTES => checked_part(self.files, location, header, number)
                    .and_then(|sealed| Ok(open_blob(key, context(header, number), &sealed).map(drop)?)),
                _ => check_part(self.files, location, header, number),
            };
            match opened {
                Ok(()) => erased |= own.is_some_and(|own| own.is_err()),
                Err(LogError::Erased) if key.is_none_or(|key| key.is_err()) && header.key != KeyId::NONE => {
                    erased = true
                }
                Err(LogError::Erased) => {
                    self.damage(
                        location,
                        Some(header.sequence),
                        format!("part {number} is gone though it was not erased"),
                    );
                }
                Err(LogError::Damaged { what, .. }) => {
                    self.damage(location, Some(header.sequence), format!("part {number}: {what}"))
                }
                Err(error) => self.damage(location, Some(header.sequence), format!("part {number}: {error}")),
            }
        }
        self.report.erased += u64::from(erased);
    }

    /// The key of the part of a trail record that says whom it is about: another than the
    /// record's; destroyed when the subject was erased.
    fn identity_key(&self, location: Location, header: &Header, part: usize) -> Option<Result<DataKey, KeyError>> {
        let keyring = self.options.keyring.filter(|_| part == 1 && header.known_kind() == Some(Kind::Trail))?;
        let sealed = checked_part(self.files, location, header, 0).ok()?;
        let plain = open_blob(&keyring.key(header.key).ok()?, context(header, 0), &sealed).ok()?;
        Some(keyring.key(crate::trail::identity::identity_key(&plain)?))
    }

    fn checkpoint(&mut self, location: Location, header: &Header) {
        let Some(mut checkpoint) = read_note(self.files, location, header) else { return };
        if let Some(verifier) = self.options.verifier {
            match verifier.open(&checkpoint.note) {
                Ok(opened) => checkpoint = opened,
                Err(error) => return self.damage(location, Some(header.sequence), error.to_string()),
            }
        }
        let Some(before) = &self.before else { return };
        if (checkpoint.size, checkpoint.root) == (before.tree.size(), before.tree.root()) {
            self.report.checkpoints += 1;
        } else {
            self.damage(location, Some(header.sequence), "the checkpoint is not of the records before it");
        }
    }

    fn compare_since(&mut self) {
        let Some(before) = &self.before else { return };
        let size = before.tree.size();
        if self.since.iter().all(|since| since.size != size) {
            return;
        }
        let root = before.tree.root();
        if self.since.extract_if(.., |since| since.size == size).any(|since| since.root != root) {
            let what = format!("the first {size} records are not those a kept checkpoint was made of");
            self.damage(Location { segment: 1, offset: 0 }, None, what);
        }
    }

    fn finish(mut self) -> Report {
        for since in std::mem::take(&mut self.since) {
            let last = self.expected - 1;
            let what = match since.size > last {
                true => {
                    format!(
                        "the log ends at record {last}, a kept checkpoint covers {}: the end was cut off",
                        since.size
                    )
                }
                false => "damage keeps a kept checkpoint from being compared".to_owned(),
            };
            self.damage(Location { segment: 1, offset: 0 }, Some(last + 1), what);
        }
        self.report.root = self.before.map(|before| before.tree.root()).unwrap_or_default();
        self.report
    }
}
