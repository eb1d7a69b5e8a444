//! What was granted to one caller, to be read.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use leadglass_dicom::{SopInstanceUid, StudyInstanceUid};
use parking_lot::Mutex;

use super::data_set::{DataSetReader, OpenInstance};
use super::{StoredInstance, frame, metadata};
use crate::access::{GrantedScope, Restriction, decide};
use crate::index::KnownInstance;
use crate::perform::Selected;
use crate::trail::{Access, Outcome};
use crate::{Archive, Caller, Refused, blocking};

/// Instances granted to the caller. Dropping it before [`Retrieval::complete`] records an
/// interruption (but for viewing, which ends when the viewer stops looking).
pub struct Retrieval {
    archive: Archive,
    caller: Caller,
    scope: GrantedScope,
    instances: Vec<StoredInstance>,
    known: Arc<Vec<KnownInstance>>,
    by_uid: HashMap<SopInstanceUid, usize>,
    accesses: HashMap<StudyInstanceUid, (Access, AtomicU64)>,
    /// The restrictions there were of each study when it was granted.
    restricted: HashMap<StudyInstanceUid, BTreeSet<Restriction>>,
    viewing: bool,
    completed: bool,
    /// The instance read last, open.
    last: Mutex<Option<(usize, Arc<OpenInstance>)>>,
}

impl Retrieval {
    pub(crate) fn new(
        archive: Archive,
        caller: Caller,
        (scope, known, accesses): Selected,
        viewing: bool,
    ) -> Retrieval {
        let restricted = accesses.iter().map(|(study, access)| (study.clone(), restrictions(&archive, study, access)));
        Retrieval {
            restricted: restricted.collect(),
            archive,
            caller,
            scope,
            instances: known.iter().map(StoredInstance::from).collect(),
            by_uid: known.iter().enumerate().map(|(at, known)| (known.sop_instance.clone(), at)).collect(),
            known: Arc::new(known),
            accesses: accesses.into_iter().map(|(study, access)| (study, (access, AtomicU64::new(0)))).collect(),
            viewing,
            completed: false,
            last: Mutex::new(None),
        }
    }

    /// What was granted, in the order study, series, instance number.
    pub fn instances(&self) -> &[StoredInstance] {
        &self.instances
    }

    /// Opens one for a look at it that hands nothing out.
    pub(crate) async fn look(&self, instance: &StoredInstance) -> Result<DataSetReader, Refused> {
        Ok(DataSetReader::new(self.opened(instance).await?))
    }

    /// Opens one for reading from its first byte, as it came.
    ///
    /// # Errors
    /// [`Refused::NotFound`] for an instance that is not of this retrieval,
    /// [`Refused::Damaged`] when its record is.
    pub async fn open(&self, instance: &StoredInstance) -> Result<DataSetReader, Refused> {
        let open = self.opened(instance).await?;
        self.count(instance);
        self.charge(instance.data_set_bytes);
        Ok(DataSetReader::new(open))
    }

    /// DICOM JSON metadata (PS3.18 F) of one instance, one object without brackets around.
    /// Each `BulkDataURI` begins with `lg:` followed by the path `tag[/item/tag…]`.
    ///
    /// # Errors
    /// As [`Retrieval::open`].
    pub async fn metadata(&self, instance: &StoredInstance) -> Result<Bytes, Refused> {
        let at = self.position(instance)?;
        let (archive, scope, known) = self.shared();
        let json = blocking(move || metadata::of_one(&archive.inner, &scope, &known[at])).await??;
        self.count(instance);
        self.charge(json.len() as u64);
        Ok(json)
    }

    /// The metadata of all instances granted, one DICOM JSON object each, in their order,
    /// from the series summary where there is one; `None` for one whose record is damaged.
    ///
    /// # Errors
    /// As [`Retrieval::open`], [`Refused::Damaged`] when all are.
    pub async fn all_metadata(&self) -> Result<Vec<Option<Bytes>>, Refused> {
        let (archive, scope, known) = self.shared();
        let all = blocking(move || metadata::of_all(&archive.inner, &scope, &known)).await??;
        self.charge(all.iter().flatten().map(|json| json.len() as u64).sum());
        self.instances
            .iter()
            .zip(&all)
            .filter(|(_, json)| json.is_some())
            .for_each(|(instance, _)| self.count(instance));
        Ok(all)
    }

    /// Counts all instances as handed out: for a caller who answers from memory what an
    /// earlier retrieval read.
    pub fn count_all(&self) {
        self.instances.iter().for_each(|instance| self.count(instance));
    }

    /// Bytes of one frame (1-based) as stored, without item headers; for native pixel data
    /// a slice of the Pixel Data value.
    ///
    /// # Errors
    /// As [`Retrieval::open`]; [`Refused::NotFound`] also when there is no such frame,
    /// [`Refused::Invalid`] when its fragments cannot be told from those of other frames.
    pub async fn frame(&self, instance: &StoredInstance, number: u32) -> Result<Bytes, Refused> {
        let open = self.opened(instance).await?;
        let frame = blocking(move || frame::read(&open, number)).await??;
        self.count(instance);
        self.charge(frame.len() as u64);
        Ok(frame)
    }

    /// Where the bulk value of that path is in the (inflated) data set: offset and length.
    ///
    /// # Errors
    /// As [`Retrieval::open`]; [`Refused::NotFound`] also when there is no such value.
    pub async fn bulk(&self, instance: &StoredInstance, path: &str) -> Result<(u64, u64), Refused> {
        self.opened(instance).await?.bulk(path).ok_or(Refused::NotFound)
    }

    /// The bulk value of that path, opened at its first byte; it ends at its last.
    ///
    /// # Errors
    /// As [`Retrieval::bulk`].
    pub async fn open_bulk(&self, instance: &StoredInstance, path: &str) -> Result<DataSetReader, Refused> {
        let open = self.opened(instance).await?;
        let (offset, length) = open.bulk(path).ok_or(Refused::NotFound)?;
        self.count(instance);
        self.charge(length);
        DataSetReader::of_range(open, offset, length).await
    }

    /// All that was asked for has left.
    ///
    /// # Errors
    /// None at present; the counts follow in the trail by themselves.
    pub async fn complete(mut self) -> Result<(), Refused> {
        self.completed = true;
        Ok(())
    }

    /// Whether it would be granted once more: whoever asked is still let in, the rights reach as
    /// far, and no study was restricted since. What takes long asks now and then.
    pub fn is_current(&self) -> bool {
        let inner = &self.archive.inner;
        let reach = decide::still_granted(&inner.registry, &self.caller, &self.scope, inner.clock.now());
        let Some(reach) = reach.filter(|_| self.archive.is_current(&self.caller)) else { return false };
        let as_before = |(study, (access, _)): (&StudyInstanceUid, &(Access, AtomicU64))| {
            let now = restrictions(&self.archive, study, access);
            self.restricted.get(study).is_some_and(|before| now.is_subset(before))
        };
        reach.is_everything() || self.accesses.iter().all(as_before)
    }

    fn shared(&self) -> (Archive, GrantedScope, Arc<Vec<KnownInstance>>) {
        (self.archive.clone(), self.scope.clone(), self.known.clone())
    }

    fn position(&self, instance: &StoredInstance) -> Result<usize, Refused> {
        self.by_uid.get(&instance.sop_instance).copied().ok_or(Refused::NotFound)
    }

    async fn opened(&self, instance: &StoredInstance) -> Result<Arc<OpenInstance>, Refused> {
        let at = self.position(instance)?;
        if let Some((last, open)) = self.last.lock().as_ref()
            && *last == at
        {
            return Ok(open.clone());
        }
        let (archive, scope, known) = self.shared();
        let open = Arc::new(blocking(move || OpenInstance::open(&archive.inner, &scope, &known[at])).await??);
        *self.last.lock() = Some((at, open.clone()));
        Ok(open)
    }

    /// What is fetched whole was counted before; what is looked at counts as it leaves.
    fn charge(&self, bytes: u64) {
        if self.viewing {
            self.archive.charge(self.caller.identity(), bytes);
        }
    }

    fn count(&self, instance: &StoredInstance) {
        if let Some((_, count)) = self.accesses.get(&instance.study) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What keeps people from a study: marks of its own, or of whose it is.
fn restrictions(archive: &Archive, study: &StudyInstanceUid, access: &Access) -> BTreeSet<Restriction> {
    archive.inner.registry.marks_of(study, access.patient_id().as_deref()).restrictions
}

impl Drop for Retrieval {
    fn drop(&mut self) {
        let outcome = if self.completed || self.viewing { Outcome::Done } else { Outcome::Interrupted };
        for (access, count) in self.accesses.values() {
            access.report(count.load(Ordering::Relaxed), outcome);
            if self.viewing {
                continue;
            }
            if let Some(entry) = access.news() {
                self.archive.inner.trail.note(entry);
            }
        }
    }
}
