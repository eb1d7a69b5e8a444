//! The one road every operation takes.
//!
//! A read: decide, write the trail entry (durable, whether allowed or refused), and only
//! then run; the entry is closed with the outcome, or with an interruption when the work is
//! dropped. A change: decide, prepare, and commit the change and its entry as one batch of
//! the log. Nothing else in this crate calls [`decide`] or appends to the trail.

use std::collections::{BTreeSet, HashMap};
use std::time::{SystemTime, UNIX_EPOCH};

use leadglass_dicom::StudyInstanceUid;

use crate::access::decide::{Granted, GrantedScope, Request, decide};
use crate::access::{Caller, Reach};
use crate::brake::Taken;
use crate::change::Change;
use crate::index::KnownInstance;
use crate::trail::{Access, Entry, OpenEntry, Outcome, Subject};
use crate::{Archive, Refused, look_up};

/// What was granted: how far, which instances, the accesses recorded for their studies.
pub(crate) type Selected = (GrantedScope, Vec<KnownInstance>, Vec<(StudyInstanceUid, Access)>);

impl Archive {
    /// Carries out a read that is over when `run` returns.
    pub(crate) async fn perform<R: Request, T>(
        &self,
        caller: &Caller,
        request: R,
        run: impl AsyncFnOnce(&Granted<R>) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let (granted, entry) = self.begin(caller, request).await?;
        let result = run(&granted).await;
        entry.close(Outcome::of(&result));
        result
    }

    /// Begins a read that goes on: whoever holds the entry closes it.
    pub(crate) async fn begin<R: Request>(
        &self,
        caller: &Caller,
        request: R,
    ) -> Result<(Granted<R>, OpenEntry), Refused> {
        let subject = request.subject();
        let granted = self.decided(caller, request, &subject).await?;
        let entry = Entry::of(caller, R::OPERATION, Outcome::Begun, subject, self.now_ns());
        #[expect(clippy::disallowed_methods, reason = "the one road: decided above, run below")]
        let sequence = self.inner.trail.append(entry.clone()).await?;
        Ok((granted, self.inner.trail.opened(entry, sequence)))
    }

    /// Carries out a change: `prepare` looks and thinks, the commit writes change and entry
    /// as one. Changes of access come one after the other, so what `prepare` saw still holds.
    pub(crate) async fn perform_change<R: Request, T>(
        &self,
        caller: &Caller,
        request: R,
        prepare: impl AsyncFnOnce(&Granted<R>) -> Result<(Option<Change>, T), Refused>,
    ) -> Result<T, Refused> {
        let one_at_a_time = self.inner.changing.lock().await;
        let subject = request.subject();
        let granted = self.decided(caller, request, &subject).await?;
        let entry = |outcome| Entry::of(caller, R::OPERATION, outcome, subject, self.now_ns());
        match prepare(&granted).await {
            Ok((change, done)) => {
                let changed = change.is_some();
                self.inner.committer.change(&granted, change, entry(Outcome::Done)).await?;
                if changed {
                    // Before anything else is changed: a role that comes back brings none back.
                    self.end_emergencies(one_at_a_time).await;
                }
                Ok(done)
            }
            Err(refused) => {
                self.inner.trail.note(entry(Outcome::of::<()>(&Err(refused.clone()))));
                Err(refused)
            }
        }
    }

    /// Carries out an access to instances: `select` finds them under the grant, and that
    /// they are accessed is durable, study by study, before they are returned. Accesses of
    /// one study by one caller for one purpose share an entry for five minutes.
    pub(crate) async fn perform_access<R: Request>(
        &self,
        caller: &Caller,
        request: R,
        select: impl AsyncFnOnce(&Granted<R>) -> Result<Vec<KnownInstance>, Refused>,
    ) -> Result<Selected, Refused> {
        let subject = request.subject();
        let granted = self.decided(caller, request, &subject).await?;
        let entry = |outcome, subject| Entry::of(caller, R::OPERATION, outcome, subject, self.now_ns());
        let instances = match select(&granted).await {
            Ok(selected) => selected,
            Err(refused) => {
                self.inner.trail.note(entry(Outcome::of::<()>(&Err(refused.clone())), subject));
                return Err(refused);
            }
        };
        let studies: BTreeSet<&StudyInstanceUid> = instances.iter().map(|instance| &instance.study).collect();
        if R::OPERATION.hands_out() {
            let is_open = |study: &StudyInstanceUid| {
                let subject = Subject { study: Some(study.to_string()), ..subject.clone() };
                self.inner.accesses.is_open(&entry(Outcome::Begun, subject))
            };
            let fresh = studies.iter().filter(|study| !is_open(study)).copied().cloned().collect();
            let bytes =
                if granted.request().is_look() { 0 } else { instances.iter().map(|one| one.data_set_bytes).sum() };
            if let Err(refused) = self.brake_opening(caller, fresh, bytes).await {
                #[expect(clippy::disallowed_methods, reason = "what is held back is recorded too")]
                self.inner.trail.append(entry(Outcome::Refused, subject)).await?;
                return Err(refused);
            }
        }
        let begun = studies.into_iter().map(async |study| {
            let subject = Subject { study: Some(study.to_string()), ..subject.clone() };
            #[expect(clippy::disallowed_methods, reason = "the one road: decided above, handed out below")]
            let append = async |mut entry: Entry| {
                entry.subject = self.with_patient(entry.subject).await?;
                let subject = entry.subject.clone();
                Ok((self.inner.trail.append(entry).await?, subject))
            };
            let access = self.inner.accesses.begin(entry(Outcome::Begun, subject), append).await?;
            Ok::<_, Refused>((study.clone(), access))
        });
        let accesses = futures::future::try_join_all(begun).await?;
        Ok((granted.scope().clone(), instances, accesses))
    }

    /// Counts the patients of studies that are about to be opened, and bytes that leave at
    /// once; holds them back beyond the caller's envelope.
    async fn brake_opening(&self, caller: &Caller, studies: Vec<StudyInstanceUid>, bytes: u64) -> Result<(), Refused> {
        if caller.kind().is_none() && !self.inner.registry.has_canaries() {
            return Ok(());
        }
        let mut opened = Vec::with_capacity(studies.len());
        for study in studies {
            let uid = study.to_string();
            let found = look_up(&self.inner.index, move |index| index.patient_of(&study)).await?;
            // Without a Patient ID each study is somebody of their own.
            opened.push(found.and_then(|(patient_id, _)| patient_id).filter(|id| !id.is_empty()).unwrap_or(uid));
        }
        self.brake(caller, Taken { opened, bytes, ..Taken::default() }).await
    }

    /// Whose study it is: "who saw this patient" asks by patient. One look-up a window.
    async fn with_patient(&self, subject: Subject) -> Result<Subject, Refused> {
        let Some(study) = subject.study.as_deref().and_then(|uid| StudyInstanceUid::parse(uid).ok()) else {
            return Ok(subject);
        };
        let found = look_up(&self.inner.index, move |index| index.patient_of(&study)).await?;
        let (patient_id, patient_name) = found.unwrap_or_default();
        Ok(Subject { patient_id, patient_name, ..subject })
    }

    /// Carries out an access to instances that another archive holds, in studies that the
    /// request names: `within` judges by the grant, `whose` then tells of the patients as far
    /// as they are known, and that they are accessed is durable, study by study, before this
    /// returns.
    pub(crate) async fn perform_foreign_access<R: Request>(
        &self,
        caller: &Caller,
        request: R,
        studies: &[StudyInstanceUid],
        within: impl FnOnce(&Reach) -> bool,
        whose: impl Future<Output = HashMap<StudyInstanceUid, String>>,
    ) -> Result<(GrantedScope, Vec<Access>), Refused> {
        let subject = request.subject();
        let granted = self.decided(caller, request, &subject).await?;
        let entry = |outcome, subject| Entry::of(caller, R::OPERATION, outcome, subject, self.now_ns());
        #[expect(clippy::disallowed_methods, reason = "the one road: decided above, handed out below")]
        let append = async |entry: Entry| {
            let subject = entry.subject.clone();
            Ok::<_, Refused>((self.inner.trail.append(entry).await?, subject))
        };
        if !within(granted.scope()) {
            append(entry(Outcome::Refused, subject)).await?;
            return Err(Refused::NotAllowed);
        }
        let whose = whose.await;
        let of = |study: &StudyInstanceUid| {
            let patient_id = whose.get(study).or(subject.patient_id.as_ref()).cloned();
            entry(Outcome::Begun, Subject { study: Some(study.to_string()), patient_id, ..subject.clone() })
        };
        let fresh = studies.iter().filter(|study| !self.inner.accesses.is_open(&of(study)));
        // Whose study nobody knows is somebody of their own.
        let opened = fresh.map(|study| whose.get(study).cloned().unwrap_or_else(|| study.to_string())).collect();
        if let Err(refused) = self.brake(caller, Taken { opened, ..Taken::default() }).await {
            append(entry(Outcome::Refused, subject)).await?;
            return Err(refused);
        }
        let begun = studies.iter().map(async |study| self.inner.accesses.begin(of(study), append).await);
        Ok((granted.scope().clone(), futures::future::try_join_all(begun).await?))
    }

    /// Decides; a refusal is durable in the trail when this returns it. While the trail cannot
    /// be written nothing is granted, though an entry that is there already would cover it.
    pub(crate) async fn decided<R: Request>(
        &self,
        caller: &Caller,
        request: R,
        subject: &Subject,
    ) -> Result<Granted<R>, Refused> {
        if let Some(reason) = self.inner.committer.read_only() {
            return Err(Refused::ReadOnly(reason));
        }
        #[expect(clippy::disallowed_methods, reason = "the one place that decides")]
        match decide(&self.inner.registry, caller, request, self.inner.clock.now()) {
            Ok(granted) => Ok(granted),
            Err(refused) => {
                let entry = Entry::of(caller, R::OPERATION, Outcome::Refused, subject.clone(), self.now_ns());
                #[expect(clippy::disallowed_methods, reason = "a refusal is recorded too")]
                self.inner.trail.append(entry).await?;
                Err(refused)
            }
        }
    }

    /// The clock in the unit of records.
    pub(crate) fn now_ns(&self) -> i64 {
        nanoseconds(self.inner.clock.now())
    }
}

/// Nanoseconds since 1970-01-01 UTC, 0 before.
pub(crate) fn nanoseconds(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or(0)
}
