//! An object on its way into the spool: scanned, sealed and written as its bytes arrive.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use leadglass_dicom::scan::{Identity, Scanner};
use leadglass_dicom::{TransferSyntax, Uid};

use super::keys::HeldKey;
use super::{Shared, Sheet, Spool, SpoolRefused, file, off_the_runtime};
use crate::perform::nanoseconds;
use crate::seal::{Sealer, random_bytes};

/// Sealed bytes written at once.
const WRITE_BYTES: usize = 1 << 20;

/// An object on its way in. Dropped before [`Arrival::finish`], it leaves nothing.
pub struct Arrival {
    spool: Spool,
    sheet: Arc<Sheet>,
    scanner: Option<Scanner>,
    sealer: Option<Sealer>,
    key: HeldKey,
    draft: Draft,
}

/// The file being written. Dropped before it is kept, it is removed and its room given back.
pub(super) struct Draft {
    shared: Arc<Shared>,
    pub(super) path: PathBuf,
    file: Option<File>,
    begin: Vec<u8>,
    bytes: u64,
    kept: bool,
}

impl Arrival {
    pub(super) fn new(spool: Spool, sheet: Sheet) -> Result<Arrival, SpoolRefused> {
        let shared = spool.shared.clone();
        let syntax = Uid::parse(&sheet.transfer_syntax)
            .map_err(|_| SpoolRefused::DoesNotMatch("its transfer syntax is no UID"))?;
        let now = shared.settings.clock.now();
        let sheet = Sheet { received_ns: nanoseconds(now), ..sheet };
        let broken = |error: crate::seal::KeyError| SpoolRefused::Broken(error.to_string());
        let mut id = [0; 16];
        random_bytes(&mut id).map_err(broken)?;
        let (held, key) = shared.keys.current(&sheet.sender(), now).map_err(broken)?;
        let begin = file::begin(id, held.id(), &key, &sheet).map_err(|_| SpoolRefused::Broken("the seal".into()))?;
        let head = file::Head { id, key: held.id(), sheet_bytes: 0 };
        let sealer = Sealer::new(&key, head.data_set_context()).map_err(broken)?;
        let path = shared.directory().new_path(&id);
        Ok(Arrival {
            sheet: Arc::new(sheet),
            scanner: Some(Scanner::new(&TransferSyntax::from_uid(syntax), shared.settings.scan.clone())),
            sealer: Some(sealer),
            key: held,
            draft: Draft { shared, path, file: None, begin, bytes: 0, kept: false },
            spool,
        })
    }

    /// Takes the next bytes of the data set. Memory stays bounded.
    ///
    /// # Errors
    /// As soon as it is clear that the object will not be taken.
    pub async fn push(&mut self, chunk: &[u8]) -> Result<(), SpoolRefused> {
        let scanner = self.scanner.as_mut().ok_or_else(refused_before)?;
        if let Err(error) = scanner.push(chunk) {
            self.scanner = None;
            return Err(SpoolRefused::CannotUnderstand(error.to_string()));
        }
        let sealer = self.sealer.as_mut().ok_or_else(refused_before)?;
        sealer.push(chunk).map_err(|error| SpoolRefused::Broken(error.to_string()))?;
        if sealer.ready() < WRITE_BYTES {
            return Ok(());
        }
        let pieces = sealer.take();
        self.write(pieces).await
    }

    /// Bytes of memory it holds: the header so far, and what is sealed and not yet written.
    pub fn memory(&self) -> usize {
        let header = self.scanner.as_ref().map_or(0, Scanner::header_bytes);
        let sealed = self.sealer.as_ref().map_or(0, Sealer::memory);
        usize::try_from(header).unwrap_or(usize::MAX).saturating_add(sealed)
    }

    /// Who the instance is, once enough of it has come.
    pub fn identity(&self) -> Option<&Identity> {
        self.scanner.as_ref()?.identity()
    }

    /// Ends the object: scanned whole, and durable, when this returns its number.
    ///
    /// # Errors
    /// Says whose fault it is; nothing is kept then.
    pub async fn finish(mut self) -> Result<u64, SpoolRefused> {
        let scanner = self.scanner.take().ok_or_else(refused_before)?;
        let scanned = scanner.finish().map_err(|error| SpoolRefused::CannotUnderstand(error.to_string()))?;
        let identity =
            scanned.identity.ok_or_else(|| SpoolRefused::CannotUnderstand("the data set names no instance".into()))?;
        self.matches(&identity)?;
        let sealer = self.sealer.take().ok_or_else(refused_before)?;
        let (pieces, _) = sealer.finish().map_err(|error| SpoolRefused::Broken(error.to_string()))?;
        self.draft.reserve(&pieces)?;
        let mut draft = self.draft;
        let draft = off_the_runtime(move || {
            draft.write(&pieces)?;
            draft.sync()?;
            Ok(draft)
        })
        .await?;
        self.spool.harbour.keep(draft, self.sheet, self.key).await
    }

    fn matches(&self, identity: &Identity) -> Result<(), SpoolRefused> {
        if identity.sop_class.as_str() != self.sheet.sop_class {
            return Err(SpoolRefused::DoesNotMatch("its SOP Class UID is not the one announced"));
        }
        if identity.sop_instance.as_str() != self.sheet.sop_instance {
            return Err(SpoolRefused::DoesNotMatch("its SOP Instance UID is not the one announced"));
        }
        Ok(())
    }

    async fn write(&mut self, pieces: Vec<Vec<u8>>) -> Result<(), SpoolRefused> {
        self.draft.reserve(&pieces)?;
        let fresh = Draft {
            file: None,
            kept: true,
            begin: Vec::new(),
            path: PathBuf::new(),
            bytes: 0,
            shared: self.draft.shared.clone(),
        };
        let mut draft = std::mem::replace(&mut self.draft, fresh);
        self.draft = off_the_runtime(move || {
            draft.write(&pieces)?;
            Ok(draft)
        })
        .await?;
        Ok(())
    }
}

impl Draft {
    /// Takes the room that these pieces need.
    fn reserve(&mut self, pieces: &[Vec<u8>]) -> Result<(), SpoolRefused> {
        let begin = if self.file.is_none() { self.begin.len() } else { 0 };
        let more = pieces.iter().map(Vec::len).sum::<usize>().saturating_add(begin) as u64;
        self.shared.has_room(more)?;
        *self.shared.used.lock() += more;
        self.bytes += more;
        Ok(())
    }

    fn write(&mut self, pieces: &[Vec<u8>]) -> Result<(), SpoolRefused> {
        let written = (|| {
            let begin = if self.file.is_none() { self.begin.as_slice() } else { &[] };
            // Once there, it is this draft's to remove, however the writing ends.
            let file = match &mut self.file {
                Some(file) => file,
                none => none.insert(OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.path)?),
            };
            file.write_all(begin)?;
            pieces.iter().try_for_each(|piece| file.write_all(piece))
        })();
        written.map_err(|error| match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                SpoolRefused::Full("the disk is full")
            }
            _ => SpoolRefused::Broken(error.to_string()),
        })
    }

    /// The file has its name: it is not removed any more. Says how many bytes it holds.
    pub(super) fn keep(mut self) -> u64 {
        self.kept = true;
        self.bytes
    }

    /// Makes the bytes durable. A failure is never tried again: what the disk holds is unknown.
    fn sync(&self) -> Result<(), SpoolRefused> {
        let synced = self.file.as_ref().map_or(Ok(()), File::sync_data);
        synced.map_err(|error| {
            self.shared.poison();
            SpoolRefused::Broken(error.to_string())
        })
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        if self.file.take().is_some() && std::fs::remove_file(&self.path).is_err() {
            tracing::debug!("an abandoned file of the spool is left for the next start to remove");
        }
        self.shared.give_back(self.bytes);
    }
}

fn refused_before() -> SpoolRefused {
    SpoolRefused::CannotUnderstand("the data set was refused already".into())
}
