//! Passing on: what an old archive behind a shield is asked for is decided and recorded here,
//! as if the instances were our own.
//!
//! Nothing is known of what the old archive holds. So a reach that is not everything is
//! honoured only where the request itself names studies that lie within; what cannot be
//! judged is refused. Whom its rows tell of is counted before they leave, and remembered, so
//! that whoever opens a study opens somebody. Deliberately absent: the wire to the old archive.

mod told;

use futures::future::BoxFuture;
use leadglass_dicom::{DataSet, StudyInstanceUid, Tag, VR};

use crate::access::decide::{self, Request};
use crate::access::{GrantedScope, Reach};
use crate::brake::Taken;
use crate::trail::{Access, OpenEntry, Outcome, Subject};
use crate::{Archive, Caller, Operation, Refused};

pub use told::Told;
pub(crate) use told::Whose;

const STUDY_INSTANCE_UID: Tag = Tag(0x0020, 0x000D);
/// What for, in the trail.
const PURPOSE: &str = "passed on by the shield";

/// What is to be asked of the old archive.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The studies that the request is bound to by exact Study Instance UIDs; none when it
    /// could be about any.
    pub studies: Vec<StudyInstanceUid>,
    /// The Patient ID it names, for the trail; proves nothing about the studies.
    pub patient_id: Option<String>,
    /// The rest in words.
    pub detail: String,
}

/// Proof that something may be passed on, and is on record. To be closed when it is over;
/// dropped before that, it records an interruption.
pub struct Relaying {
    archive: Archive,
    caller: Caller,
    asked: Asked,
    scope: GrantedScope,
    entry: Option<OpenEntry>,
    accesses: Vec<Access>,
    instances: std::sync::atomic::AtomicU64,
    closed: bool,
}

/// How a request that was passed on ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The old archive did as asked.
    Done,
    /// It could not, or was not reached.
    Failed,
    /// What it answered was held back.
    Refused,
}

/// Whoever something is passed on to, as long as it lasts.
#[derive(Clone)]
pub struct Holder {
    archive: Archive,
    caller: Caller,
    scope: GrantedScope,
    asked: Asked,
}

impl Holder {
    /// Whether what was begun may go on.
    ///
    /// # Errors
    /// [`Refused::NotAllowed`] for who would no longer be let in, [`Refused::Braked`] beyond
    /// the bytes of the caller's envelope.
    pub async fn may_go_on(&self) -> Result<(), Refused> {
        if !self.archive.still_relays(&self.caller, &self.scope, &self.asked) {
            return Err(Refused::NotAllowed);
        }
        self.archive.brake(&self.caller, Taken::default()).await
    }
}

struct RelayedSearch(Asked);
struct RelayedRetrieval(Asked);
struct RelayedStore(Asked);

impl Request for RelayedSearch {
    const OPERATION: Operation = Operation::Search;
    fn subject(&self) -> Subject {
        subject(&self.0)
    }
}

impl Request for RelayedRetrieval {
    const OPERATION: Operation = Operation::Retrieve;
    fn subject(&self) -> Subject {
        subject(&self.0)
    }
}

impl Request for RelayedStore {
    const OPERATION: Operation = Operation::Store;
    fn subject(&self) -> Subject {
        subject(&self.0)
    }
}

impl Archive {
    /// Decides on a search to be passed on, and records it.
    ///
    /// # Errors
    /// [`Refused::NotAllowed`] also for a reach that the request cannot be held to; those of
    /// every operation.
    pub async fn relay_search(&self, caller: &Caller, asked: Asked) -> Result<Relaying, Refused> {
        self.relay(caller, RelayedSearch(asked.clone()), &asked).await
    }

    /// Decides on an object to be passed on, and records it.
    ///
    /// # Errors
    /// As [`Archive::relay_search`].
    pub async fn relay_store(&self, caller: &Caller, asked: Asked) -> Result<Relaying, Refused> {
        self.relay(caller, RelayedStore(asked.clone()), &asked).await
    }

    /// Decides on a retrieval to be passed on, and records it study by study, in the one entry
    /// of caller, study and purpose. The caller's envelope counts the patients: `whose` asks
    /// the old archive for those of studies that no row told of, once it is decided; it gives
    /// `None` when no answer came, and is asked again by the next retrieval.
    ///
    /// # Errors
    /// [`Refused::Invalid`] when it names no study; [`Refused::Braked`]; as
    /// [`Archive::relay_search`].
    pub async fn relay_retrieval<'a>(
        &self,
        caller: &Caller,
        asked: Asked,
        whose: impl FnOnce(Vec<StudyInstanceUid>) -> BoxFuture<'a, Option<Vec<Told>>> + Send,
    ) -> Result<Relaying, Refused> {
        if asked.studies.is_empty() {
            let (_, entry) = self.begin(caller, RelayedRetrieval(asked)).await?;
            entry.close(Outcome::Unanswerable);
            return Err(Refused::Invalid("behind a shield a retrieval names its studies".into()));
        }
        let within = |reach: &Reach| self.is_within(reach, &asked);
        let known = async {
            let unknown = self.inner.whose.unknown(&asked.studies);
            if !unknown.is_empty() {
                // What could not be asked is asked the next time.
                if let Some(told) = whose(unknown.clone()).await {
                    self.inner.whose.learn(&unknown, &told);
                }
            }
            self.inner.whose.of(&asked.studies)
        };
        let request = RelayedRetrieval(asked.clone());
        let (scope, accesses) = self.perform_foreign_access(caller, request, &asked.studies, within, known).await?;
        Ok(self.relaying(caller, asked, scope, None, accesses))
    }

    /// Whether what was granted would be granted now.
    fn still_relays(&self, caller: &Caller, scope: &GrantedScope, asked: &Asked) -> bool {
        let reach = decide::still_granted(&self.inner.registry, caller, scope, self.inner.clock.now());
        self.is_current(caller) && reach.is_some_and(|reach| self.is_within(&reach, asked))
    }

    fn relaying(
        &self,
        caller: &Caller,
        asked: Asked,
        scope: GrantedScope,
        entry: Option<OpenEntry>,
        accesses: Vec<Access>,
    ) -> Relaying {
        let (archive, caller) = (self.clone(), caller.clone());
        Relaying { archive, caller, asked, scope, entry, accesses, instances: 0.into(), closed: false }
    }

    async fn relay<R: Request>(&self, caller: &Caller, request: R, asked: &Asked) -> Result<Relaying, Refused> {
        let (granted, entry) = self.begin(caller, request).await?;
        if !self.is_within(granted.scope(), asked) {
            entry.close(Outcome::Refused);
            return Err(Refused::NotAllowed);
        }
        Ok(self.relaying(caller, asked.clone(), granted.scope().clone(), Some(entry), Vec::new()))
    }

    /// Whether all that the request can touch is within reach, by what the request itself says.
    fn is_within(&self, reach: &Reach, asked: &Asked) -> bool {
        if reach.is_everything() {
            return true;
        }
        // Whose a study is nobody here knows, so a restricted patient's cannot be told.
        if reach.is_guarded() || asked.studies.is_empty() {
            return false;
        }
        asked.studies.iter().all(|study| {
            let mut header = DataSet::new();
            header.put_text(STUDY_INSTANCE_UID, VR::UI, study.as_str());
            reach.admits(&header, &self.inner.registry.marks_of(study, None))
        })
    }
}

impl Relaying {
    /// Counts rows of a search and whom they tell of, before they leave.
    ///
    /// # Errors
    /// [`Refused::Braked`] when they would take the caller beyond its envelope,
    /// [`Refused::NotAllowed`] for who would no longer be let in, and for rows of studies that
    /// the request was not bound to: none may leave.
    pub async fn tells(&self, rows: &[Told]) -> Result<(), Refused> {
        if rows.is_empty() {
            return Ok(());
        }
        let is_of_another = |row: &Told| row.study.as_deref().is_some_and(|study| !self.is_bound_to(study));
        let may = self.archive.still_relays(&self.caller, &self.scope, &self.asked);
        if !may || rows.iter().any(is_of_another) {
            return Err(Refused::NotAllowed);
        }
        let whose = &self.archive.inner.whose;
        whose.learn(&[], rows);
        let before = self.instances.load(std::sync::atomic::Ordering::Relaxed);
        let numbered = rows.iter().zip(before..);
        // No other request has its entry's number: rows that say nothing are told apart by it.
        let request = self.entry.as_ref().and_then(OpenEntry::number).unwrap_or_default();
        let of_study = match self.asked.studies.as_slice() {
            [study] => Some(study.to_string()),
            _ => None,
        };
        let whom = |(row, number): (&Told, u64)| {
            let study = row.study.clone().or_else(|| of_study.clone());
            let known = whose.whom(&Told { study, ..row.clone() });
            known.unwrap_or_else(|| format!("row {number} of entry {request}"))
        };
        // Whoever asks for a patient by name is told of that one, whatever the rows hold.
        let listed = numbered.map(whom).chain(self.asked.patient_id.clone()).collect();
        self.archive.brake(&self.caller, Taken { listed, ..Taken::default() }).await?;
        self.count(rows.len() as u64);
        Ok(())
    }

    /// Whether an object of that study is what was asked for.
    pub fn is_for(&self, study: &StudyInstanceUid) -> bool {
        self.asked.studies.contains(study)
    }

    /// Whether a row of that study can be an answer.
    fn is_bound_to(&self, study: &str) -> bool {
        let study = study.trim_matches([' ', '\0']);
        let bound = &self.asked.studies;
        study.is_empty() || bound.is_empty() || bound.iter().any(|named| named.as_str() == study)
    }

    /// Counts bytes of images that leave.
    pub fn charge(&self, bytes: u64) {
        self.archive.charge(self.caller.identity(), bytes);
    }

    /// To be asked now and then while bytes leave.
    pub fn holder(&self) -> Holder {
        let (archive, caller) = (self.archive.clone(), self.caller.clone());
        Holder { archive, caller, scope: self.scope.clone(), asked: self.asked.clone() }
    }

    /// Counts rows or instances that came back.
    pub fn count(&self, more: u64) {
        self.instances.fetch_add(more, std::sync::atomic::Ordering::Relaxed);
    }

    /// It is over.
    pub fn close(mut self, ended: Ended) {
        self.end(match ended {
            Ended::Done => Outcome::Done,
            Ended::Failed => Outcome::Failed,
            Ended::Refused => Outcome::Refused,
        });
    }

    fn end(&mut self, outcome: Outcome) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        let instances = self.instances.load(std::sync::atomic::Ordering::Relaxed);
        if let Some(entry) = &self.entry {
            entry.count(instances);
            entry.close(outcome);
        }
        // Of which study each was is not known when there are several.
        let counted = if self.accesses.len() == 1 { instances } else { 0 };
        for access in &self.accesses {
            access.report(counted, outcome);
        }
    }
}

impl Drop for Relaying {
    fn drop(&mut self) {
        self.end(Outcome::Interrupted);
    }
}

fn subject(asked: &Asked) -> Subject {
    let study = match asked.studies.as_slice() {
        [study] => Some(study.to_string()),
        _ => None,
    };
    Subject {
        study,
        patient_id: asked.patient_id.clone(),
        purpose: Some(PURPOSE.to_owned()),
        detail: Some(asked.detail.clone()).filter(|detail| !detail.is_empty()),
        ..Subject::default()
    }
}
