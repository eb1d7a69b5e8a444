//! Plain bytes in, a sealed record out; in memory while small, in a file when large.

use std::sync::Arc;

use super::memory::Share;
use super::study_keys::StudyKey;
use crate::Refused;
use crate::commit::records::{ATTRIBUTES, DATA_SET, SHEET};
use crate::log::{Kind, Log, LogError, NewRecord, Part, RecordId, SpillFile};
use crate::seal::{SealError, SealedBlob, SealedDigest, Sealer, seal_blob};

/// Most plain bytes that wait for the study to become known. A header larger than this
/// before group 0020 is no image of this world.
const MOST_PENDING: usize = 8 << 20;
/// Sealed bytes written to a file at once.
const WRITE_BYTES: usize = 1 << 20;

/// The data set being sealed.
pub(super) struct Sealing {
    spill_bytes: u64,
    share: Share,
    /// Before the key is known.
    pending: Vec<u8>,
    sealed: Option<Sealed>,
}

struct Sealed {
    id: RecordId,
    key: StudyKey,
    sealer: Sealer,
    file: Option<SpillFile>,
}

impl Sealing {
    /// Sealed bytes above `spill_bytes` go to a file, fewer when memory is scarce.
    pub(super) fn new(spill_bytes: u64, share: Share) -> Sealing {
        Sealing { spill_bytes, share, pending: Vec::new(), sealed: None }
    }

    /// Whether the key is known.
    pub(super) fn has_key(&self) -> bool {
        self.sealed.is_some()
    }

    /// The key is known; what waited is sealed with the next bytes.
    pub(super) fn begin(&mut self, key: StudyKey) -> Result<(), SealError> {
        let id = RecordId::random().map_err(|_| SealError::Broken)?;
        let context = id.context(Kind::Instance, 2);
        let mut sealer = Sealer::new(&key.1, context).map_err(|_| SealError::Broken)?;
        let pending = zeroize::Zeroizing::new(std::mem::take(&mut self.pending));
        sealer.push(&pending)?;
        self.sealed = Some(Sealed { id, key, sealer, file: None });
        Ok(())
    }

    /// Takes plain bytes.
    pub(super) async fn push(&mut self, plain: &[u8], log: &Arc<Log>) -> Result<(), Refused> {
        let Some(sealed) = self.sealed.as_mut() else {
            if self.pending.len() + plain.len() > MOST_PENDING {
                return Err(Refused::Invalid("its identifying attributes come too late".into()));
            }
            self.pending.extend_from_slice(plain);
            self.share.hold(self.pending.capacity());
            return Ok(());
        };
        sealed.sealer.push(plain).map_err(|error| Refused::Broken(error.to_string()))?;
        let ready = sealed.sealer.ready();
        let spilling = sealed.file.is_some() || self.share.is_scarce() || ready as u64 > self.spill_bytes;
        if spilling && ready >= WRITE_BYTES {
            sealed.spill(log).await?;
        }
        self.share.hold(sealed.sealer.memory());
        Ok(())
    }

    /// Ends the data set and seals the two other parts with it.
    pub(super) async fn finish(&mut self, attributes: &[u8], sheet: &[u8]) -> Result<NewRecord, Refused> {
        let Some(sealed) = self.sealed.take() else {
            return Err(Refused::Broken("nothing was sealed".into()));
        };
        sealed.finish(attributes, sheet).await
    }

    /// Forgets everything; a file is removed.
    pub(super) fn abandon(&mut self) {
        self.pending = Vec::new();
        self.sealed = None;
        self.share.hold(0);
    }
}

impl Sealed {
    async fn spill(&mut self, log: &Arc<Log>) -> Result<(), Refused> {
        let (bytes, pieces) = (self.sealer.ready() as u64, self.sealer.take());
        let file = self.file.take();
        let log = log.clone();
        let written = tokio::task::spawn_blocking(move || {
            if !log.has_room(bytes)? {
                return Err(LogError::NoRoom);
            }
            let mut file = match file {
                Some(file) => file,
                None => log.spill()?,
            };
            file.write(&pieces)?;
            Ok(file)
        })
        .await;
        let file = match written {
            Ok(written) => written.map_err(|error| disk(&error))?,
            Err(_) => return Err(Refused::Broken("writing a large object stopped".into())),
        };
        self.file = Some(file);
        Ok(())
    }

    async fn finish(self, attributes: &[u8], sheet: &[u8]) -> Result<NewRecord, Refused> {
        let small = |part: usize, plain: &[u8]| -> Result<SealedBlob, SealError> {
            let part = u8::try_from(part).map_err(|_| SealError::Broken)?;
            seal_blob(&self.key.1, self.id.context(Kind::Instance, part), plain)
        };
        let sealed = |error: SealError| Refused::Broken(error.to_string());
        let attributes = small(ATTRIBUTES, attributes).map_err(sealed)?;
        let sheet = small(SHEET, sheet).map_err(sealed)?;
        debug_assert_eq!(DATA_SET, 2);
        let (pieces, SealedDigest { digest, .. }) = self.sealer.finish().map_err(sealed)?;
        let data_set = match self.file {
            None => Part::Inline { pieces, digest },
            Some(mut file) => {
                let synced = tokio::task::spawn_blocking(move || {
                    file.write(&pieces)?;
                    file.sync(digest)
                })
                .await;
                match synced {
                    Ok(synced) => Part::Spilled(synced.map_err(|error| disk(&error))?),
                    Err(_) => return Err(Refused::Broken("writing a large object stopped".into())),
                }
            }
        };
        let parts = vec![attributes.into(), sheet.into(), data_set];
        Ok(NewRecord { kind: Kind::Instance, id: self.id, key: self.key.0, parts })
    }
}

/// What went wrong with the disk, as the sender is told.
fn disk(error: &LogError) -> Refused {
    match error {
        LogError::NoRoom => Refused::OutOfResources("the disk is full but its reserve".into()),
        LogError::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
            Refused::OutOfResources("the disk is full".into())
        }
        LogError::Poisoned(reason) => Refused::ReadOnly(reason.clone()),
        other => Refused::Broken(other.to_string()),
    }
}
