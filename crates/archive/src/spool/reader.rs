//! Reading a spooled object, a few chunks at a time.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;

use super::file::{HEAD_BYTES, Head};
use super::look::FileKind;
use super::{Shared, SpoolRefused, off_the_runtime};
use crate::seal::{CHUNK_BYTES, Opener, SALT_BYTES};

/// Plain bytes read at once.
const STEP: u64 = 4 * CHUNK_BYTES;

/// The data set of an object that waits.
pub struct SpoolReader {
    sealed: Arc<Sealed>,
    position: u64,
}

struct Sealed {
    number: u64,
    file: File,
    opener: Opener,
    offset: u64,
}

impl SpoolReader {
    pub(super) fn open(shared: &Shared, number: u64) -> Result<SpoolReader, SpoolRefused> {
        let damaged = || SpoolRefused::Damaged(number);
        let file = match File::open(shared.directory().path(number, FileKind::Waiting)) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(SpoolRefused::NoSuchObject),
            Err(error) => return Err(SpoolRefused::Broken(error.to_string())),
        };
        let io = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => damaged(),
            _ => SpoolRefused::Broken(error.to_string()),
        };
        let file_bytes = file.metadata().map_err(io)?.len();
        let mut head = [0; HEAD_BYTES];
        file.read_exact_at(&mut head, 0).map_err(io)?;
        let head = Head::decode(&head).ok_or_else(damaged)?;
        let offset = head.data_set_offset();
        let mut salt = [0; SALT_BYTES as usize];
        file.read_exact_at(&mut salt, offset).map_err(io)?;
        let key = shared.keyring.key(head.key).map_err(|error| SpoolRefused::Broken(error.to_string()))?;
        let sealed_bytes = file_bytes.checked_sub(offset).ok_or_else(damaged)?;
        let opener = Opener::new(&key, head.data_set_context(), &salt, sealed_bytes).map_err(|_| damaged())?;
        Ok(SpoolReader { sealed: Arc::new(Sealed { number, file, opener, offset }), position: 0 })
    }

    /// Bytes of the whole data set.
    pub fn bytes(&self) -> u64 {
        self.sealed.opener.plain_bytes()
    }

    /// The next bytes, `None` at the end.
    ///
    /// # Errors
    /// [`SpoolRefused::Damaged`] when they do not open, [`SpoolRefused::Broken`].
    pub async fn next(&mut self) -> Result<Option<Bytes>, SpoolRefused> {
        if self.position >= self.bytes() {
            return Ok(None);
        }
        let (sealed, from) = (self.sealed.clone(), self.position);
        let plain = off_the_runtime(move || sealed.read(from)).await?;
        self.position += plain.len() as u64;
        Ok(Some(plain.into()))
    }

    /// As [`SpoolReader::next`], on a thread that may block.
    ///
    /// # Errors
    /// As [`SpoolReader::next`].
    pub fn next_blocking(&mut self) -> Result<Option<Bytes>, SpoolRefused> {
        if self.position >= self.bytes() {
            return Ok(None);
        }
        let plain = self.sealed.read(self.position)?;
        self.position += plain.len() as u64;
        Ok(Some(plain.into()))
    }
}

impl Sealed {
    fn read(&self, from: u64) -> Result<Vec<u8>, SpoolRefused> {
        let plain = from..from.saturating_add(STEP).min(self.opener.plain_bytes());
        let sealed = self.opener.sealed_range(plain.clone());
        // Bounded by STEP: the range never holds more than its chunks.
        let mut bytes = vec![0; usize::try_from(sealed.end - sealed.start).unwrap_or_default()];
        let damaged = || SpoolRefused::Damaged(self.number);
        self.file.read_exact_at(&mut bytes, self.offset + sealed.start).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => damaged(),
            _ => SpoolRefused::Broken(error.to_string()),
        })?;
        self.opener.open(plain, &bytes).map_err(|_| damaged())
    }
}
