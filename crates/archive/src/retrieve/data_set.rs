//! Reading a stored data set: in order, or any part of it, decrypted and checked chunk by
//! chunk.

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use leadglass_dicom::scan::PixelDataLayout;

use crate::access::GrantedScope;
use crate::commit::records::{DATA_SET, SHEET};
use crate::commit::{Sheet, key_id, log_location};
use crate::index::KnownInstance;
use crate::log::{LogError, PartReader};
use crate::{Inner, Refused, blocking, log_failed};

/// Plain bytes read at once: four chunks of the seal.
const STEP: u64 = 256 * 1024;

/// An instance's record, open.
pub(super) struct OpenInstance {
    sheet: Sheet,
    layout: Option<PixelDataLayout>,
    data_set: PartReader,
}

impl OpenInstance {
    /// Opens the record, found under a grant: reads its sheet and the head of its data set.
    pub(super) fn open(inner: &Inner, _scope: &GrantedScope, known: &KnownInstance) -> Result<OpenInstance, Refused> {
        let location = log_location(known.location)?;
        let key = inner.keyring.key(key_id(known.key_id)).map_err(|_| Refused::NotFound)?;
        let opened = || -> Result<(Vec<u8>, PartReader), LogError> {
            let sheet = inner.log.open_part(location, SHEET, &key)?;
            let sheet = sheet.read(0..sheet.plain_bytes())?;
            Ok((sheet, inner.log.open_part(location, DATA_SET, &key)?))
        };
        let (sheet, data_set) = opened().map_err(|error| log_failed(&error))?;
        let sheet = Sheet::decode(&sheet).map_err(|_| Refused::Damaged("the sheet of a record".into()))?;
        if sheet.facts.sop_instance != known.sop_instance || data_set.plain_bytes() != sheet.facts.data_set_bytes {
            return Err(Refused::Damaged(format!(
                "the record in segment {} at byte {} is not the one indexed",
                location.segment, location.offset
            )));
        }
        Ok(OpenInstance { layout: sheet.layout(), sheet, data_set })
    }

    /// The frame table.
    pub(super) fn layout(&self) -> Option<&PixelDataLayout> {
        self.layout.as_ref()
    }

    /// Offset and length of a bulk value in the (inflated) data set.
    pub(super) fn bulk(&self, path: &str) -> Option<(u64, u64)> {
        self.sheet.bulk(path)
    }

    /// Bytes of the data set as it came.
    pub(super) fn data_set_bytes(&self) -> u64 {
        self.data_set.plain_bytes()
    }

    /// Plain bytes of the data set as it came.
    pub(super) fn read(&self, range: Range<u64>) -> Result<Vec<u8>, Refused> {
        self.data_set.read(range).map_err(|error| log_failed(&error))
    }

    fn is_deflated(&self) -> bool {
        self.sheet.facts.transfer_syntax().is_deflated()
    }

    /// Bytes of the data set after inflating; a deflated one is inflated up to there.
    pub(super) fn read_inflated(&self, range: Range<u64>) -> Result<Vec<u8>, Refused> {
        if !self.is_deflated() {
            return self.read(range);
        }
        let damaged = |_| Refused::Damaged("a deflated data set does not inflate".into());
        let length = range.end.min(self.sheet.facts.inflated_bytes).saturating_sub(range.start);
        let mut inflated =
            flate2::read::DeflateDecoder::new(Stored { open: self, at: 0, waiting: Vec::new(), used: 0 });
        std::io::copy(&mut (&mut inflated).take(range.start), &mut std::io::sink()).map_err(damaged)?;
        let mut bytes = Vec::new();
        inflated.take(length).read_to_end(&mut bytes).map_err(damaged)?;
        Ok(bytes)
    }
}

/// The stored bytes as a stream, for the inflater.
struct Stored<'a> {
    open: &'a OpenInstance,
    at: u64,
    waiting: Vec<u8>,
    used: usize,
}

impl Read for Stored<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.used == self.waiting.len() {
            let end = (self.at + STEP).min(self.open.data_set_bytes());
            self.waiting = self.open.read(self.at..end).map_err(std::io::Error::other)?;
            self.at += self.waiting.len() as u64;
            self.used = 0;
        }
        let mut rest = self.waiting.get(self.used..).unwrap_or_default();
        let taken = rest.read(out)?;
        self.used += taken;
        Ok(taken)
    }
}

/// Reads a stored data set in order, decrypted and checked chunk by chunk.
pub struct DataSetReader {
    open: Arc<OpenInstance>,
    /// Where the first byte is in the (inflated) data set.
    start: u64,
    at: u64,
    end: u64,
    /// A value of a deflated data set: held whole, as there is no seeking in it.
    inflated: Option<Bytes>,
}

impl DataSetReader {
    pub(super) fn new(open: Arc<OpenInstance>) -> DataSetReader {
        let end = open.data_set_bytes();
        DataSetReader { open, start: 0, at: 0, end, inflated: None }
    }

    /// Of a part of the (inflated) data set.
    pub(super) async fn of_range(open: Arc<OpenInstance>, offset: u64, length: u64) -> Result<DataSetReader, Refused> {
        if !open.is_deflated() {
            return Ok(DataSetReader {
                open,
                start: offset,
                at: offset,
                end: offset.saturating_add(length),
                inflated: None,
            });
        }
        let reading = open.clone();
        let value = blocking(move || reading.read_inflated(offset..offset.saturating_add(length))).await??;
        let end = value.len() as u64;
        Ok(DataSetReader { open, start: 0, at: 0, end, inflated: Some(value.into()) })
    }

    /// The next bytes, `None` at the end.
    ///
    /// # Errors
    /// [`Refused::Damaged`] when the bytes are not those that were stored; what came before
    /// them was checked.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>, Refused> {
        if self.at >= self.end {
            return Ok(None);
        }
        if let Some(value) = self.inflated.take() {
            let rest = value.slice(usize::try_from(self.at).unwrap_or(value.len()).min(value.len())..);
            self.at = self.end;
            return Ok(Some(rest));
        }
        // Up to the next multiple of the step, so that no chunk is opened twice.
        let until = ((self.at / STEP + 1) * STEP).min(self.end);
        let (open, range) = (self.open.clone(), self.at..until);
        let bytes = blocking(move || open.read(range)).await??;
        if bytes.is_empty() {
            return Err(Refused::Damaged("a stored data set ends early".into()));
        }
        self.at += bytes.len() as u64;
        Ok(Some(bytes.into()))
    }

    /// Goes on at that byte, counted from the first this reader gives; only the chunks asked
    /// for are decrypted.
    ///
    /// # Errors
    /// [`Refused::Invalid`] beyond the end.
    pub async fn seek(&mut self, offset: u64) -> Result<(), Refused> {
        let at = self.start.saturating_add(offset);
        if at > self.end {
            return Err(Refused::Invalid("beyond the end".into()));
        }
        self.at = at;
        Ok(())
    }
}
