//! Walking a segment record by record, over damage where need be.

use std::fs::File;
use std::sync::Arc;

use super::files::{Files, read_exact, read_up_to};
use super::record::{MAGIC, MAX_HEADER_BYTES};
use super::segment::{SEGMENT_HEADER_BYTES, first_data};
use super::{Header, Location, LogError};
use crate::digest::{Digester, digest};

const WINDOW_BYTES: usize = 4096;
const SEARCH_BYTES: usize = 1 << 18;

/// What a walk meets.
#[derive(Debug)]
pub(super) enum Step {
    /// A record with a sound header.
    Record(Location, Header),
    /// Bytes that are no record, though a record follows: the walk goes on there.
    Gap(Location),
    /// Bytes that are no record, and none follows in this segment: damage, or an append cut off.
    Broken(Location),
    /// Nothing but zeros follows.
    End(Location),
}

/// A walk over one segment.
pub(super) struct Walk {
    file: Arc<File>,
    number: u32,
    offset: u64,
    length: u64,
    window: Vec<u8>,
    window_at: u64,
}

impl Walk {
    /// Begins at `offset`, where a record begins (or the segment's header ends).
    pub fn begin(files: &Files, at: Location) -> Result<Walk, LogError> {
        let path = files.segment_path(at.segment);
        let file = files.segment(at.segment)?;
        let length = file.metadata().map_err(LogError::io("cannot look at", &path))?.len();
        let offset = at.offset.max(SEGMENT_HEADER_BYTES);
        Ok(Walk { file, number: at.segment, offset, length, window: Vec::new(), window_at: 0 })
    }

    /// The next step; after `Broken` or `End` there is none.
    pub fn step(&mut self) -> std::io::Result<Step> {
        let location = Location { segment: self.number, offset: self.offset };
        if self.offset >= self.length {
            return Ok(Step::End(location));
        }
        let bytes = self.peek()?;
        if let Some(header) = Header::decode(bytes).filter(|header| self.fits(header)) {
            self.offset += header.record_bytes();
            return Ok(Step::Record(location, header));
        }
        if first_data(&self.file, self.offset)?.is_none() {
            return Ok(Step::End(location));
        }
        match self.search(self.offset + 1)? {
            Some(next) => {
                self.offset = next;
                Ok(Step::Gap(location))
            }
            None => Ok(Step::Broken(location)),
        }
    }

    fn fits(&self, header: &Header) -> bool {
        self.offset.checked_add(header.record_bytes()).is_some_and(|end| end <= self.length)
    }

    fn peek(&mut self) -> std::io::Result<&[u8]> {
        let inside = self.offset.checked_sub(self.window_at).and_then(|skip| usize::try_from(skip).ok());
        let inside = inside.filter(|skip| skip + MAX_HEADER_BYTES <= self.window.len());
        let skip = match inside {
            Some(skip) => skip,
            None => {
                self.window = read_up_to(&self.file, self.offset, WINDOW_BYTES)?;
                self.window_at = self.offset;
                0
            }
        };
        Ok(&self.window[skip..])
    }

    /// Finds the next sound header from there on.
    fn search(&mut self, from: u64) -> std::io::Result<Option<u64>> {
        let mut at = from;
        while at < self.length {
            let Some(data) = first_data(&self.file, at)? else { return Ok(None) };
            let bytes = read_up_to(&self.file, data, SEARCH_BYTES + MAX_HEADER_BYTES)?;
            let starts = bytes.windows(MAGIC.len()).take(SEARCH_BYTES).enumerate().filter(|(_, head)| head == MAGIC);
            for (found, _) in starts {
                let offset = data + found as u64;
                let end = Header::decode(&bytes[found..]).and_then(|header| offset.checked_add(header.record_bytes()));
                if end.is_some_and(|end| end <= self.length) {
                    return Ok(Some(offset));
                }
            }
            at = data + SEARCH_BYTES as u64;
        }
        Ok(None)
    }
}

/// The sealed bytes of a part, checked against the header's digest. [`LogError::Erased`]
/// when they were erased.
pub(super) fn checked_part(
    files: &Files,
    location: Location,
    header: &Header,
    part: usize,
) -> Result<Vec<u8>, LogError> {
    let wanted = header.parts.get(part).ok_or(LogError::OutOfRange)?;
    let (file, offset) = files.part(location, header, part)?;
    let bytes = read_exact(&file, offset, wanted.bytes)
        .map_err(|_| LogError::Damaged { location, what: "a part cannot be read" })?;
    if digest(&bytes) == wanted.digest {
        return Ok(bytes);
    }
    match bytes.iter().all(|byte| *byte == 0) {
        true => Err(LogError::Erased),
        false => Err(LogError::Damaged { location, what: "a part fails its digest" }),
    }
}

/// As [`checked_part`], without holding the part in memory.
pub(super) fn check_part(files: &Files, location: Location, header: &Header, part: usize) -> Result<(), LogError> {
    let wanted = header.parts.get(part).ok_or(LogError::OutOfRange)?;
    let (file, offset) = files.part(location, header, part)?;
    let mut digester = Digester::default();
    let (mut done, mut zeros) = (0, true);
    while done < wanted.bytes {
        let piece = read_exact(&file, offset.saturating_add(done), (wanted.bytes - done).min(1 << 20))
            .map_err(|_| LogError::Damaged { location, what: "a part cannot be read" })?;
        zeros = zeros && piece.iter().all(|byte| *byte == 0);
        digester.update(&piece);
        done += piece.len() as u64;
    }
    match (digester.finish() == wanted.digest, zeros) {
        (true, _) => Ok(()),
        (false, true) => Err(LogError::Erased),
        (false, false) => Err(LogError::Damaged { location, what: "a part fails its digest" }),
    }
}
