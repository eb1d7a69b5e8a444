//! An object on its way in: scanned, hashed and sealed as its bytes arrive.
//!
//! The scan comes first, always. Plain bytes wait only until the scan has seen which study
//! the object belongs to; from then on they are sealed chunk by chunk, in memory while they
//! are few, into a file of their own when they are many. Deliberately absent: any decision
//! but the one asked of `access::decide`, and any trust in a length somebody declared.

mod memory;
mod sealing;
mod study_keys;

use leadglass_dicom::scan::{Identity, Limits, Scanned, Scanner};
use leadglass_dicom::{DataSet, json};

pub(crate) use memory::{Memory, Share};
pub(crate) use study_keys::{StudyKey, StudyKeys};

use self::sealing::Sealing;
use crate::access::decide::{Granted, Request};
use crate::brake::Taken;
use crate::commit::{Facts, InFlight, Prepared, Sheet};
use crate::digest::Digester;
use crate::seal::SealError;
use crate::store::{Incoming, StoreRefused, StoreRequest, Stored};
use crate::trail::{Entry, Outcome, Subject};
use crate::{Archive, Caller, Operation, Refused, blocking, commit, look_up};

/// Bytes taken in one go before others on the same thread get their turn.
const STEP: usize = 256 * 1024;
/// Memory of a header above which it is written on a thread that may take its time.
const LARGE_HEADER: usize = 256 * 1024;

/// An object on its way in. Dropping it leaves nothing.
pub struct Ingest {
    archive: Archive,
    caller: Caller,
    granted: Option<Granted<StoreRequest>>,
    incoming: Incoming,
    scanner: Option<Scanner>,
    digester: Digester,
    bytes: u64,
    sealing: Sealing,
    /// What the header holds.
    header: Share,
    key: Option<StudyKey>,
    subject: Subject,
}

impl Ingest {
    /// For an object whose sender may store.
    pub(crate) fn new(archive: Archive, caller: Caller, granted: Granted<StoreRequest>) -> Ingest {
        let incoming = granted.request().incoming.clone();
        let settings = &archive.inner.settings;
        let limits = Limits { data_set_bytes: settings.max_data_set_bytes, ..settings.scan.clone() };
        Ingest {
            scanner: Some(Scanner::new(&incoming.transfer_syntax, limits)),
            digester: Digester::default(),
            bytes: 0,
            sealing: Sealing::new(archive.inner.settings.spill_bytes, archive.inner.memory.share()),
            header: archive.inner.memory.share(),
            key: None,
            subject: crate::access::decide::Request::subject(granted.request()),
            granted: Some(granted),
            archive,
            caller,
            incoming,
        }
    }

    /// Takes the next bytes of the data set (no file meta). Memory stays bounded.
    ///
    /// # Errors
    /// As soon as it is clear that the object will not be stored; then the rest need not
    /// be sent here.
    pub async fn push(&mut self, chunk: &[u8]) -> Result<(), StoreRefused> {
        for step in chunk.chunks(STEP) {
            if let Err(refused) = self.take(step).await {
                self.record_refusal(&refused);
                return Err(refused);
            }
            if chunk.len() > STEP {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    /// Ends the object: durable, indexed and recorded when this returns `Ok`.
    ///
    /// # Errors
    /// Says whose fault it is; nothing is kept then.
    pub async fn finish(mut self) -> Result<Stored, StoreRefused> {
        let result = self.end().await;
        match &result {
            Err(refused) => self.record_refusal(refused),
            // The commit has recorded it.
            Ok(_) => self.granted = None,
        }
        result
    }

    async fn take(&mut self, step: &[u8]) -> Result<(), StoreRefused> {
        let Some(scanner) = self.scanner.as_mut() else {
            return Err(StoreRefused::CannotUnderstand("the data set was refused already".into()));
        };
        if let Err(error) = scanner.push(step) {
            self.scanner = None;
            return Err(StoreRefused::CannotUnderstand(error.to_string()));
        }
        self.header.hold(usize::try_from(scanner.header_bytes()).unwrap_or(usize::MAX));
        if self.header.is_exhausted() {
            return Err(Refused::OutOfResources("too many large headers are on their way in".into()).into());
        }
        self.digester.update(step);
        self.bytes += step.len() as u64;
        if !self.sealing.has_key()
            && let Some(identity) = scanner.identity().cloned()
        {
            // Known by now, as a rule, is all that a scope asks of: what is out of it leaves
            // not even a key behind. The whole header decides at the end.
            let scope = self.granted.as_ref().map(Granted::scope);
            let is_out = scope.is_none_or(|scope| scope.excludes(|tag| scanner.text(tag)));
            self.subject_of(&identity);
            if is_out {
                return Err(Refused::NotAllowed.into());
            }
            self.identified(&identity).await?;
        }
        self.sealing.push(step, &self.archive.inner.log).await.map_err(StoreRefused::Refused)
    }

    /// The scan knows what the object is: does it match, and which key seals it?
    async fn identified(&mut self, identity: &Identity) -> Result<(), StoreRefused> {
        self.matches(identity)?;
        self.joins(identity).await?;
        let key = self.archive.inner.study_keys.of(&identity.study)?;
        self.key = Some(key.clone());
        self.sealing.begin(key).map_err(|error| sealing_failed(&error).into())
    }

    /// Who may store only within limits may not put an instance into a study that is out of
    /// them: it would bring the whole study, and whose it is, within.
    async fn joins(&self, identity: &Identity) -> Result<(), StoreRefused> {
        let Some(scope) = self.granted.as_ref().map(Granted::scope).filter(|scope| !scope.is_everything()) else {
            return Ok(());
        };
        let (study, scope) = (identity.study.clone(), scope.clone());
        match look_up(&self.archive.inner.index, move |index| index.is_foreign(&study, &scope)).await? {
            true => Err(Refused::NotAllowed.into()),
            false => Ok(()),
        }
    }

    fn subject_of(&mut self, identity: &Identity) {
        self.subject.patient_id = identity.patient_id.clone();
        self.subject.study = Some(identity.study.to_string());
    }

    fn matches(&self, identity: &Identity) -> Result<(), StoreRefused> {
        if let Some((sop_class, sop_instance)) = &self.incoming.announced {
            if *sop_class != identity.sop_class {
                return Err(StoreRefused::DoesNotMatch("its SOP Class UID is not the one announced".into()));
            }
            if *sop_instance != identity.sop_instance {
                return Err(StoreRefused::DoesNotMatch("its SOP Instance UID is not the one announced".into()));
            }
        }
        match &self.incoming.expected_study {
            Some(study) if *study != identity.study => {
                Err(StoreRefused::DoesNotMatch("its Study Instance UID is not the one stored into".into()))
            }
            _ => Ok(()),
        }
    }

    async fn end(&mut self) -> Result<Stored, StoreRefused> {
        let scanner = self.scanner.take();
        let scanner =
            scanner.ok_or_else(|| StoreRefused::CannotUnderstand("the data set was refused already".into()))?;
        let scanned = scanner.finish().map_err(|error| StoreRefused::CannotUnderstand(error.to_string()))?;
        let identity = scanned
            .identity
            .clone()
            .ok_or_else(|| StoreRefused::CannotUnderstand("the data set names no instance".into()))?;
        self.subject_of(&identity);
        // Decided again, now that the header is known: the role still holds and the scope admits it.
        let request = StoreRequest { incoming: self.incoming.clone() };
        let subject = request.subject();
        let granted = self.archive.decided(&self.caller, request, &subject).await?;
        if self.caller.unproven_ae_title().is_some() {
            // Nobody vouches for who sends in clear text: what comes in counts like what leaves.
            self.archive.brake(&self.caller, Taken { bytes: self.bytes, ..Taken::default() }).await?;
        }
        let marks = self.archive.inner.registry.marks_of(&identity.study, identity.patient_id.as_deref());
        if !granted.scope().admits(&scanned.data_set, &marks) {
            return Err(Refused::NotAllowed.into());
        }
        if !self.sealing.has_key() {
            self.identified(&identity).await?;
        }
        let prepared = self.prepare(scanned, &identity).await?;
        let outcome = self.archive.inner.committer.keep(&granted, prepared).await?;
        let Identity { sop_class, sop_instance, study, series, .. } = identity;
        Ok(Stored { sop_class, sop_instance, study, series, outcome })
    }

    async fn prepare(&mut self, scanned: Scanned, identity: &Identity) -> Result<Prepared, StoreRefused> {
        let now = self.archive.inner.clock.now();
        let facts = Facts {
            study: identity.study.clone(),
            series: identity.series.clone(),
            sop_instance: identity.sop_instance.clone(),
            sop_class: identity.sop_class.clone(),
            transfer_syntax: self.incoming.transfer_syntax.uid().clone(),
            digest: self.digester.finish(),
            data_set_bytes: self.bytes,
            inflated_bytes: scanned.data_set_bytes,
            frames: scanned.pixel_data.as_ref().map_or(0, |layout| layout.frames),
            received: now,
            caller: self.caller.name().to_owned(),
            calling_ae: self.caller.ae_title().map(str::to_owned),
        };
        let written = {
            let facts = facts.clone();
            move || written(facts, scanned)
        };
        let (sheet, attributes, header) = match self.header.bytes() > LARGE_HEADER {
            true => blocking(written).await??,
            false => written()?,
        };
        let record = self.sealing.finish(&attributes, &sheet).await?;
        let memory = std::mem::replace(&mut self.header, self.archive.inner.memory.share());
        let held = InFlight { _key: self.key.take(), _memory: memory };
        Ok(Prepared { record, facts, header, held, entry: self.entry(Outcome::Done) })
    }

    fn entry(&self, outcome: Outcome) -> Entry {
        let subject = Subject { count: 1, ..self.subject.clone() };
        Entry::of(&self.caller, Operation::Store, outcome, subject, self.archive.now_ns())
    }

    fn record_refusal(&mut self, refused: &StoreRefused) {
        self.sealing.abandon();
        if self.granted.take().is_none() {
            return;
        }
        let outcome = match refused {
            StoreRefused::CannotUnderstand(_) | StoreRefused::DoesNotMatch(_) => Outcome::Unanswerable,
            StoreRefused::Refused(refused) => Outcome::of::<()>(&Err(refused.clone())),
        };
        let mut entry = self.entry(outcome);
        entry.subject.count = 0;
        entry.subject.detail = Some(refused.to_string());
        self.archive.inner.trail.note(entry);
    }
}

impl Drop for Ingest {
    fn drop(&mut self) {
        // Given up by the sender half way, or by a timeout.
        if self.granted.take().is_some() && self.bytes > 0 {
            let mut entry = self.entry(Outcome::Interrupted);
            entry.subject.count = 0;
            self.archive.inner.trail.note(entry);
        }
    }
}

/// The sheet and the attributes as they are kept, and the header for the index.
fn written(facts: Facts, scanned: Scanned) -> Result<(Vec<u8>, Vec<u8>, DataSet), Refused> {
    let sheet = Sheet::new(facts, scanned.pixel_data.as_ref(), &scanned.bulk);
    let sheet = sheet.encode().map_err(|error| Refused::Broken(error.to_string()))?;
    let attributes = attributes(&scanned).map_err(|error| sealing_failed(&error))?;
    Ok((sheet, attributes, scanned.data_set))
}

/// The attributes as they are kept: compressed DICOM JSON in which a bulk value is named
/// `lg:` and its path.
fn attributes(scanned: &Scanned) -> Result<Vec<u8>, SealError> {
    let mut text = Vec::with_capacity(8 * 1024);
    json::write(&scanned.data_set, &mut text, &mut |path, _| format!("lg:{path}"));
    commit::records::compress(&text)
}

/// A seal that fails is our fault.
fn sealing_failed(error: &SealError) -> Refused {
    Refused::Broken(error.to_string())
}
