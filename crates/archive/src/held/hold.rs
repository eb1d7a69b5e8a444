//! An unknown sender's object on its way into the queue.
//!
//! Durable and sealed, and on record, before its sender is told. What is refused is told once a
//! minute an address: who is nobody cannot fill the trail.

use leadglass_dicom::scan::Identity;
use leadglass_dicom::{SopClassUid, SopInstanceUid, TransferSyntax};

use super::room::Place;
use super::spool_failed;
use super::view::shortened;
use crate::access::decide::{Granted, Request};
use crate::ingest::Share;
use crate::spool::{Arrival, Sheet, Shown, SpoolRefused, sender_id};
use crate::store::StoreRefused;
use crate::trail::{Alert, Entry, Event, Outcome, Subject};
use crate::{Archive, Caller, Operation, Refused, Source};

/// What is announced before the data set's first byte.
#[derive(Clone, Debug)]
pub struct Arriving {
    /// The transfer syntax of the bytes to come.
    pub transfer_syntax: TransferSyntax,
    /// Affected SOP Class UID, which the data set must repeat.
    pub sop_class: SopClassUid,
    /// Affected SOP Instance UID, the same.
    pub sop_instance: SopInstanceUid,
    /// What the sender showed, for people; certificate and address are the caller's.
    pub shown: Shown,
}

struct HoldRequest;

impl Request for HoldRequest {
    const OPERATION: Operation = Operation::Hold;
}

/// An object on its way into the queue. Dropped before [`Hold::finish`], it leaves nothing.
pub struct Hold {
    archive: Archive,
    caller: Caller,
    granted: Granted<HoldRequest>,
    sender: String,
    arrival: Arrival,
    place: Place,
    memory: Share,
}

impl Archive {
    /// Opens the way into the queue for one object of an unknown sender.
    ///
    /// # Errors
    /// [`Refused::NotAllowed`] for everybody else, [`Refused::OutOfResources`] when the queue
    /// has as much as it may, [`Refused::ReadOnly`].
    pub async fn hold(&self, caller: &Caller, arriving: Arriving) -> Result<Hold, StoreRefused> {
        let granted = self.decided(caller, HoldRequest, &HoldRequest.subject()).await?;
        let begun = self.begin_hold(caller, granted, arriving);
        if let Err(refused) = &begun {
            self.tell_not_held(caller, refused);
        }
        begun
    }

    fn begin_hold(
        &self,
        caller: &Caller,
        granted: Granted<HoldRequest>,
        arriving: Arriving,
    ) -> Result<Hold, StoreRefused> {
        self.has_room()?;
        let calling_ae = caller.ae_title().unwrap_or_default().to_owned();
        // Certificate and address are what the caller was recognized by.
        let shown = Shown {
            certificate_sha256: caller.certificate_sha256().unwrap_or_default().to_owned(),
            address: caller.address(),
            ..arriving.shown
        };
        let sender = sender_id(&shown.certificate_sha256, &calling_ae);
        let place = self.inner.held.rooms.enter(&sender, &shown.certificate_sha256);
        let place = place.map_err(|full| Refused::OutOfResources(full.into()))?;
        let sheet = Sheet {
            calling_ae,
            sop_class: arriving.sop_class.to_string(),
            sop_instance: arriving.sop_instance.to_string(),
            transfer_syntax: arriving.transfer_syntax.uid().to_string(),
            received_ns: 0,
            shown: Some(shown),
        };
        let arrival = self.inner.held.spool()?.begin(sheet).map_err(refused_by_spool)?;
        Ok(Hold {
            archive: self.clone(),
            caller: caller.clone(),
            granted,
            sender,
            arrival,
            place,
            memory: self.inner.held.memory.share(),
        })
    }

    /// Something of an unknown sender is not kept.
    fn tell_not_held(&self, caller: &Caller, refused: &StoreRefused) {
        let outcome = match refused {
            StoreRefused::CannotUnderstand(_) | StoreRefused::DoesNotMatch(_) => Outcome::Unanswerable,
            StoreRefused::Refused(refused) => Outcome::of::<()>(&Err(refused.clone())),
        };
        let source = Source { address: caller.address(), door: caller.door() };
        let said = format!("not kept for approval of {}: {refused}", caller.name());
        self.alert(Alert::of(Event::SenderWaits).from(&source).ended(outcome).saying(said));
    }
}

impl Hold {
    /// Takes the next bytes of the data set. Memory stays bounded.
    ///
    /// # Errors
    /// As soon as it is clear that the object will not be kept.
    pub async fn push(&mut self, chunk: &[u8]) -> Result<(), StoreRefused> {
        let grown = self.place.grow(chunk.len() as u64);
        let mut taken = grown.map_err(|full| StoreRefused::Refused(Refused::OutOfResources(full.into())));
        if taken.is_ok() {
            taken = self.arrival.push(chunk).await.map_err(refused_by_spool);
            self.memory.hold(self.arrival.memory());
        }
        if taken.is_ok() && self.memory.is_beyond(self.archive.inner.held.settings.memory_bytes) {
            let much = "unknown senders have as much on its way in as they may: later";
            taken = Err(Refused::OutOfResources(much.into()).into());
        }
        if let Err(refused) = &taken {
            self.archive.tell_not_held(&self.caller, refused);
        }
        taken
    }

    /// Ends the object: it waits, and would after a power cut, and that is on record, when this
    /// returns. Dropped meanwhile, it goes on to its end: nothing waits that is not on record.
    ///
    /// # Errors
    /// Says whose fault it is; nothing is kept then.
    pub async fn finish(self) -> Result<(), StoreRefused> {
        let (archive, caller) = (self.archive.clone(), self.caller.clone());
        let ended = tokio::spawn(async move {
            let kept = self.end().await;
            if let Err(refused) = &kept {
                archive.tell_not_held(&caller, refused);
            }
            kept
        });
        ended.await.unwrap_or_else(|_| Err(Refused::Broken("an object was not held to its end".into()).into()))
    }

    async fn end(self) -> Result<(), StoreRefused> {
        let Hold { archive, caller, granted, sender, arrival, place, memory: _memory } = self;
        if !archive.is_current(&caller) {
            return Err(Refused::NotAllowed.into());
        }
        let identity = arrival.identity().cloned();
        let number = arrival.finish().await.map_err(refused_by_spool)?;
        let spool = archive.inner.held.spool()?;
        let entry = Entry::of(&caller, Operation::Hold, Outcome::Done, subject(identity), archive.now_ns());
        if let Err(refused) = archive.inner.committer.change(&granted, None, entry).await {
            // Not on record, so it did not happen.
            spool.forget(number).await.map_err(|error| spool_failed(&error))?;
            return Err(refused.into());
        }
        let bytes = spool.bytes_of(number).unwrap_or_default();
        place.keep(bytes);
        if archive.inner.held.rooms.is_news(&sender, archive.inner.clock.now()) {
            let said = format!("{} waits for approval: leadglass held show {sender}", caller.name());
            archive.alert(Alert::of(Event::SenderWaits).by(&caller).saying(said));
        }
        Ok(())
    }
}

fn subject(identity: Option<Identity>) -> Subject {
    let (patient_id, study) = match identity {
        Some(identity) => (identity.patient_id.as_deref().map(shortened), Some(identity.study.to_string())),
        None => (None, None),
    };
    Subject { patient_id, study, count: 1, ..Subject::default() }
}

fn refused_by_spool(refused: SpoolRefused) -> StoreRefused {
    match refused {
        SpoolRefused::CannotUnderstand(why) => StoreRefused::CannotUnderstand(why),
        SpoolRefused::DoesNotMatch(why) => StoreRefused::DoesNotMatch(why.into()),
        other => StoreRefused::Refused(spool_failed(&other)),
    }
}
