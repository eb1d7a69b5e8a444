//! Carrying out what was decided, again after a crash until it is done.
//!
//! An object that was taken in is forgotten only when the archive keeps it; one that the archive
//! has already is not taken twice, whatever happened in between.

use leadglass_dicom::{SopClassUid, SopInstanceUid, TransferSyntax, Uid};

use super::decide::TakenIn;
use super::view::{about, subjects};
use super::{Decision, spool_failed};
use crate::change::{Change, HeldFact};
use crate::spool::Waiting;
use crate::store::{Incoming, StoreOutcome, StoreRefused};
use crate::trail::{Alert, Event, Outcome};
use crate::{Archive, Refused, blocking};

/// Held from a decision until it is carried out.
pub(super) type Deciding = tokio::sync::OwnedMutexGuard<()>;

impl Archive {
    /// Goes on with decisions about what waits that a crash or an error interrupted. For the host,
    /// when it starts, and for the upkeep; decides nothing itself.
    pub async fn carry_on_held(&self) {
        for held in self.inner.registry.all_held() {
            if held.decision == Decision::CarriedOut {
                continue;
            }
            let carrying = self.one_decision().await;
            match self.carried_out(&held.sender, carrying).await {
                Ok(taken) if taken == TakenIn::default() => {}
                Ok(taken) => tracing::info!(sender = held.sender, ?taken, "an interrupted decision was carried out"),
                Err(error) => tracing::error!(sender = held.sender, %error, "a decision is not carried out"),
            }
        }
    }

    /// Until the guard is dropped nobody else decides, carries out, or destroys what expired.
    pub(super) async fn one_decision(&self) -> Deciding {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            self.inner.held.runtime.get_or_init(|| runtime);
        }
        self.inner.held.carrying.clone().lock_owned().await
    }

    /// Carries out the decision about that sender, to its end even when whoever decided has
    /// gone meanwhile.
    pub(super) async fn carried_out(&self, sender: &str, carrying: Deciding) -> Result<TakenIn, Refused> {
        let (archive, sender) = (self.clone(), sender.to_owned());
        let carried = tokio::spawn(async move {
            let _one_at_a_time = carrying;
            archive.carry_out(&sender).await
        });
        let stopped = |_| Err(Refused::Broken("a decision was not carried out to its end".into()));
        carried.await.unwrap_or_else(stopped)
    }

    /// Has decisions tried again that are made and not carried out.
    pub(super) fn retry_decisions(&self) {
        let pending = self.inner.registry.all_held().iter().any(|held| held.decision != Decision::CarriedOut);
        if let (true, Some(runtime)) = (pending, self.inner.held.runtime.get()) {
            let archive = self.clone();
            runtime.spawn(async move { archive.carry_on_held().await });
        }
    }

    async fn carry_out(&self, sender: &str) -> Result<TakenIn, Refused> {
        let Some(fact) = self.inner.registry.held(sender) else { return Ok(TakenIn::default()) };
        let taken = match fact.decision {
            Decision::CarriedOut => return Ok(TakenIn::default()),
            Decision::Accept | Decision::Enrol => self.take_in(&fact).await?,
            Decision::Discard => self.destroy(&fact).await?,
        };
        let said = format!(
            "unknown sender {} ({sender}), decided by {}: {} kept, {} already there, {} quarantined, {} discarded, {} left",
            fact.ae, fact.by, taken.kept, taken.already_there, taken.quarantined, taken.discarded, taken.left
        );
        let entry = Alert::of(Event::HeldEnds).saying(said).into_entry(self.now_ns());
        let held = HeldFact { decision: Decision::CarriedOut, ..fact };
        self.inner.committer.change_of_ours(Change::HeldDecided { held }, entry).await?;
        Ok(taken)
    }

    async fn take_in(&self, fact: &HeldFact) -> Result<TakenIn, Refused> {
        let spool = self.inner.held.spool()?;
        let mut taken = TakenIn::default();
        for waiting in spool.waiting_of(&fact.sender, fact.through) {
            match self.take_one(fact, &waiting).await {
                Ok(outcome) => {
                    match outcome {
                        StoreOutcome::Kept => taken.kept += 1,
                        StoreOutcome::AlreadyThere => taken.already_there += 1,
                        StoreOutcome::Quarantined => taken.quarantined += 1,
                    }
                    spool.forget(waiting.number).await.map_err(|refused| spool_failed(&refused))?;
                    self.inner.held.rooms.leave(&fact.sender, 1, waiting.bytes);
                }
                // Another day it may be taken in: the decision is not carried out yet.
                Err(StoreRefused::Refused(
                    refused @ (Refused::ReadOnly(_) | Refused::OutOfResources(_) | Refused::Broken(_)),
                )) => return Err(refused),
                Err(refused) => {
                    tracing::warn!(number = waiting.number, %refused, "an object of an unknown sender waits on");
                    taken.left += 1;
                }
            }
        }
        spool.settle_sender(&fact.sender).await.map_err(|refused| spool_failed(&refused))?;
        Ok(taken)
    }

    /// One object, the way every object takes.
    async fn take_one(&self, fact: &HeldFact, waiting: &Waiting) -> Result<StoreOutcome, StoreRefused> {
        let failed = |refused| StoreRefused::Refused(spool_failed(&refused));
        let sheet = &waiting.sheet;
        let damaged = |_| StoreRefused::CannotUnderstand("its sheet names no UIDs".into());
        let caller = self.standing_in(fact, sheet.shown.as_ref().and_then(|shown| shown.address));
        let announced = (
            SopClassUid::parse(&sheet.sop_class).map_err(damaged)?,
            SopInstanceUid::parse(&sheet.sop_instance).map_err(damaged)?,
        );
        let incoming = Incoming {
            transfer_syntax: TransferSyntax::from_uid(Uid::parse(&sheet.transfer_syntax).map_err(damaged)?),
            announced: Some(announced),
            expected_study: None,
        };
        let mut ingest = self.store(&caller, incoming).await?;
        let mut reader = self.inner.held.spool()?.read(waiting.number).await.map_err(failed)?;
        while let Some(piece) = reader.next().await.map_err(failed)? {
            ingest.push(&piece).await?;
        }
        Ok(ingest.finish().await?.outcome)
    }

    /// What is about to be destroyed is on record, study by study, before the first of it is.
    async fn destroy(&self, fact: &HeldFact) -> Result<TakenIn, Refused> {
        let spool = self.inner.held.spool()?.clone();
        let over = spool.waiting_of(&fact.sender, fact.through);
        let (read, scan, listed) = (spool.clone(), self.inner.settings.scan.clone(), over.clone());
        let abouts =
            blocking(move || listed.iter().filter_map(|waiting| about(&read, waiting, &scan).ok()).collect::<Vec<_>>());
        for mut subject in subjects(abouts.await?.iter()) {
            subject.detail = Some(format!("discarded unread, as {} decided: unknown sender {}", fact.by, fact.ae));
            self.alert_durably(Alert::of(Event::HeldEnds).ended(Outcome::Done).about(subject)).await?;
        }
        let destroyed = spool.destroy(&fact.sender, fact.through).await;
        self.inner.held.give_back(&spool, &fact.sender, &over);
        let discarded = destroyed.map_err(|refused| spool_failed(&refused))?;
        Ok(TakenIn { discarded, ..TakenIn::default() })
    }
}
