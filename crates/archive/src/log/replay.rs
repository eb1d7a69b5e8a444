//! Reading the log: a part of a record, or every record from one on.

use std::fs::File;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use super::files::{Files, read_exact};
use super::segment::{self, SEGMENT_HEADER_BYTES};
use super::walk::{Step, Walk, checked_part};
use super::{Header, Kind, Location, Log, LogError};
use crate::seal::{DataKey, Opener, SALT_BYTES, SealContext, SealError};

/// A record met in [`super::Log::replay`].
pub struct RecordView<'a> {
    /// Where it is.
    pub location: Location,
    /// Its header, checked.
    pub header: &'a Header,
    files: &'a Files,
}

impl RecordView<'_> {
    /// The kind, when this version knows it.
    pub fn kind(&self) -> Option<Kind> {
        self.header.known_kind()
    }

    /// The header as it is on disk: its leaf, in the tree, is its last 32 bytes.
    pub fn header_bytes(&self) -> Vec<u8> {
        self.header.encode()
    }

    /// The text of a checkpoint record.
    pub fn checkpoint_note(&self) -> Option<String> {
        (self.kind() == Some(Kind::Checkpoint)).then(|| String::from_utf8(self.part(0).ok()?).ok()).flatten()
    }

    /// The sealed bytes of a part, digest checked. [`LogError::Erased`] when they were
    /// erased.
    pub fn part(&self, part: usize) -> Result<Vec<u8>, LogError> {
        checked_part(self.files, self.location, self.header, part)
    }

    /// The plain bytes of a part.
    pub fn open_part(&self, part: usize, key: &DataKey) -> Result<Vec<u8>, LogError> {
        let sealed = self.part(part)?;
        Ok(crate::seal::open_blob(key, context(self.header, part), &sealed)?)
    }
}

/// What a replay went over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Records visited.
    pub records: u64,
    /// Sequence of the last one.
    pub last_sequence: u64,
    /// Where headers are damaged: the records there were not visited.
    pub damaged: Vec<Location>,
}

impl Log {
    /// The header of a record, checked.
    pub fn header(&self, location: Location) -> Result<Header, LogError> {
        self.files.header(location)
    }

    /// Sealed bytes of a part; the range is cut to its end.
    pub fn read_part(&self, location: Location, part: usize, sealed: Range<u64>) -> Result<Vec<u8>, LogError> {
        let header = self.files.header(location)?;
        let length = header.parts.get(part).ok_or(LogError::OutOfRange)?.bytes;
        let (start, end) = (sealed.start.min(length), sealed.end.min(length));
        let (file, offset) = self.files.part(location, &header, part)?;
        read_exact(&file, offset.saturating_add(start), end.saturating_sub(start))
            .map_err(|_| LogError::Damaged { location, what: "a part cannot be read" })
    }

    /// All plain bytes of a part.
    pub fn read_plain(&self, location: Location, part: usize, key: &DataKey) -> Result<Vec<u8>, LogError> {
        self.open_part(location, part, key)?.read(0..u64::MAX)
    }

    /// Opens a part for reading plain bytes anywhere in it.
    pub fn open_part(&self, location: Location, part: usize, key: &DataKey) -> Result<PartReader, LogError> {
        let header = self.files.header(location)?;
        let length = header.parts.get(part).ok_or(LogError::OutOfRange)?.bytes;
        let (file, offset) = self.files.part(location, &header, part)?;
        let unreadable = |_| LogError::Damaged { location, what: "a part cannot be read" };
        let salt = read_exact(&file, offset, SALT_BYTES.min(length)).map_err(unreadable)?;
        let salt = salt.try_into().map_err(|_| SealError::Length(length))?;
        let opener = Opener::new(key, context(&header, part), &salt, length)?;
        Ok(PartReader { file, offset, opener, location })
    }

    /// Visits every record from that sequence on, up to the last there is when it begins.
    /// `near` is the place of a record at or before it, where the caller knows one; without it
    /// the segment is searched.
    pub fn replay(
        &self,
        from: u64,
        near: Option<Location>,
        visit: &mut dyn FnMut(RecordView<'_>) -> ControlFlow<()>,
    ) -> Result<Replayed, LogError> {
        let last = self.last_sequence();
        let mut replayed = Replayed::default();
        if from > last {
            return Ok(replayed);
        }
        let numbers = self.files.segment_numbers()?;
        let first = match near {
            Some(near) => near,
            None => Location { segment: self.segment_of(&numbers, from), offset: SEGMENT_HEADER_BYTES },
        };
        for number in numbers.into_iter().filter(|number| *number >= first.segment) {
            let offset = if number == first.segment { first.offset } else { SEGMENT_HEADER_BYTES };
            let mut walk = Walk::begin(&self.files, Location { segment: number, offset })?;
            loop {
                match walk.step().map_err(LogError::io("cannot read", self.files.log()))? {
                    Step::End(_) => break,
                    Step::Broken(location) => {
                        replayed.damaged.push(location);
                        break;
                    }
                    Step::Gap(location) => replayed.damaged.push(location),
                    Step::Record(location, header) => {
                        if header.sequence > last {
                            return Ok(replayed);
                        }
                        if header.sequence < from {
                            continue;
                        }
                        (replayed.records, replayed.last_sequence) = (replayed.records + 1, header.sequence);
                        let view = RecordView { location, header: &header, files: &self.files };
                        if visit(view).is_break() || header.sequence == last {
                            return Ok(replayed);
                        }
                    }
                }
            }
        }
        Ok(replayed)
    }

    /// The last segment that begins at or before that sequence; a damaged header counts as too early.
    fn segment_of(&self, numbers: &[u32], sequence: u64) -> u32 {
        let begins = |number: u32| {
            let file = self.files.segment(number).ok()?;
            Some(segment::read_header(&file, number).ok()??.tree.size() + 1)
        };
        let after = numbers.partition_point(|number| begins(*number).is_none_or(|first| first <= sequence));
        // Step back over segments whose header cannot be read: they may hold it.
        let mut candidates = numbers[..after].iter().rev().copied();
        candidates.find(|number| begins(*number).is_some()).or(numbers.first().copied()).unwrap_or(1)
    }
}

/// One sealed part opened for reading plain bytes anywhere in it. Holds its file open;
/// outlives the log.
pub struct PartReader {
    file: Arc<File>,
    offset: u64,
    opener: Opener,
    location: Location,
}

impl PartReader {
    /// Plain bytes of the part.
    pub fn plain_bytes(&self) -> u64 {
        self.opener.plain_bytes()
    }

    /// Plain bytes of that range, cut to the end: reads and opens only their chunks.
    pub fn read(&self, plain: Range<u64>) -> Result<Vec<u8>, LogError> {
        let sealed = self.opener.sealed_range(plain.clone());
        let bytes = read_exact(&self.file, self.offset.saturating_add(sealed.start), sealed.end - sealed.start)
            .map_err(|_| LogError::Damaged { location: self.location, what: "a part cannot be read" })?;
        Ok(self.opener.open(plain, &bytes)?)
    }
}

/// What a part is sealed to.
pub(super) fn context(header: &Header, part: usize) -> SealContext {
    SealContext { kind: header.kind, part: part as u8, id: header.id.0 }
}
