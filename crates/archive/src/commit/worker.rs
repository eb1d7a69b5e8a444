//! The committer's thread.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use leadglass_dicom::SopInstanceUid;
use leadglass_dicom::clock::Clock;
use tokio::sync::oneshot;

use super::batch::{Batch, Effect, Reply, inline_bytes};
use super::indexer::{Durable, Indexer};
use super::records::small_record;
use super::stores::StoreEntries;
use super::{Committer, Prepared, ReadOnly, Thread, Work};
use crate::Refused;
use crate::access::registry::Registry;
use crate::change::Change;
use crate::index::{Index, Writer};
use crate::log::{Appended, Checkpoint, Kind, Log, LogError, Part};
use crate::perform::nanoseconds;
use crate::seal::Keyring;
use crate::store::StoreOutcome;
use crate::trail::identity::{leave_out_erased, record_of};
use crate::trail::{Entry, Outcome};

/// Quarantined objects remembered, so that one sent again and again fills no disk.
const QUARANTINE_REMEMBERED: usize = 4096;

/// Entries nobody waits for that are kept while there is no room for them.
const UNWRITTEN_KEPT: usize = 4096;

/// How long work that nobody waits for is open to more.
const RIDING: Duration = Duration::from_millis(10);

/// Instances on their way into the index that are remembered before those that have arrived
/// are forgotten.
const RECENT: usize = 1024;

/// What the committer works with.
pub(crate) struct Parts {
    /// Where records go.
    pub(crate) log: Arc<Log>,
    /// The view of them.
    pub(crate) index: Index,
    /// The keys.
    pub(crate) keyring: Arc<Keyring>,
    /// Told of each change that is durable.
    pub(crate) registry: Arc<Registry>,
    /// The hour.
    pub(crate) clock: Arc<dyn Clock>,
    /// Held until the last record is written, so that no other process begins before.
    #[expect(dead_code, reason = "held, not read")]
    pub(crate) lock: Arc<std::fs::File>,
}

/// Starts the committer; `writer` is the index's.
pub(crate) fn start(parts: Parts, writer: Writer) -> std::io::Result<Committer> {
    let (queue, work) = mpsc::channel();
    let read_only = ReadOnly::default();
    let worker = Worker {
        index: parts.index.as_applied(),
        indexer: Indexer::start(parts.index.clone(), writer, read_only.clone())?,
        recent: HashMap::new(),
        parts,
        read_only: read_only.clone(),
        stores: StoreEntries::default(),
        quarantined: HashSet::new(),
        unwritten: VecDeque::new(),
        closed: None,
    };
    let thread = std::thread::Builder::new().name("committer".into()).spawn(move || worker.run(&work))?;
    let thread = Arc::new(Thread(parking_lot::Mutex::new(Some(thread))));
    Ok(Committer { queue, read_only, _thread: thread })
}

struct Worker {
    /// As far as it is applied; what is on its way is in `recent`.
    index: Index,
    indexer: Indexer,
    /// Digests and sequence numbers of instances that are durable, and may not be in the index yet.
    recent: HashMap<SopInstanceUid, ([u8; 32], u64)>,
    parts: Parts,
    read_only: ReadOnly,
    stores: StoreEntries,
    quarantined: HashSet<(SopInstanceUid, [u8; 32])>,
    /// Entries nobody waits for, for which there was no room.
    unwritten: VecDeque<Entry>,
    closed: Option<oneshot::Sender<()>>,
}

/// What the batch being made holds already: digests by SOP Instance UID.
type InBatch = HashMap<SopInstanceUid, [u8; 32]>;

impl Worker {
    fn run(mut self, queue: &mpsc::Receiver<Work>) {
        while self.closed.is_none() {
            let Ok(first) = queue.recv() else { break };
            let (mut batch, mut in_batch) = (Batch::default(), InBatch::new());
            self.take(first, &mut batch, &mut in_batch);
            self.gather(queue, &mut batch, &mut in_batch);
            let wanted = batch.take_checkpoints();
            if self.commit(batch) && !self.unwritten.is_empty() {
                self.write_unwritten();
            }
            self.checkpoint_if_due();
            self.checkpoint_for(wanted);
        }
        while !self.unwritten.is_empty() && self.write_unwritten() {}
        if !self.unwritten.is_empty() {
            tracing::error!(entries = self.unwritten.len(), "no room for the trail: entries were lost");
        }
        let result = self.parts.log.checkpoint(self.parts.clock.now());
        if let Err(error) = result
            && self.read_only.reason().is_none()
        {
            tracing::warn!(%error, "no checkpoint at close");
        }
        let closed = self.closed.take();
        // Whoever waits for the close may open the directory again: let go of it first.
        drop(self);
        if let Some(reply) = closed {
            let _ = reply.send(());
        }
    }

    /// Takes what waits already. A batch that nobody waits for stays open for a moment: what it
    /// holds rides with the next that somebody waits for, and nobody waits for two syncs.
    fn gather(&mut self, queue: &mpsc::Receiver<Work>, batch: &mut Batch, in_batch: &mut InBatch) {
        let until = Instant::now() + RIDING;
        while self.closed.is_none() && batch.has_room() {
            let next = match queue.try_recv() {
                Err(mpsc::TryRecvError::Empty) if !batch.is_awaited() => {
                    queue.recv_timeout(until.saturating_duration_since(Instant::now())).ok()
                }
                next => next.ok(),
            };
            let Some(next) = next else { break };
            self.take(next, batch, in_batch);
        }
    }

    fn take(&mut self, work: Work, batch: &mut Batch, in_batch: &mut InBatch) {
        match work {
            Work::Keep(prepared, reply) => self.take_instance(*prepared, reply, batch, in_batch),
            Work::Change(change, entry, reply) => {
                let taken = change.map_or(Ok(()), |change| self.take_change(&change, batch));
                match taken.and_then(|()| self.take_entry(entry, batch)) {
                    Ok(number) => batch.answer(Reply::Sequence(reply, number)),
                    Err(refused) => drop(reply.send(Err(refused))),
                }
            }
            Work::Record(entry, reply) => match self.take_entry(entry, batch) {
                Ok(number) => batch.answer(Reply::Sequence(reply, number)),
                Err(refused) => drop(reply.send(Err(refused))),
            },
            Work::Note(entry) => self.take_note(entry, batch),
            Work::Summary(summary) => {
                let key = summary.record.key;
                batch.add(summary.record, Effect::Summary(summary.facts, key));
            }
            Work::Tick => {}
            Work::Checkpoint(reply) => batch.answer(Reply::Checkpoint(reply)),
            #[cfg(any(test, feature = "testing"))]
            Work::Settle(reply) => batch.answer(Reply::Settled(reply)),
            Work::Close(reply) => self.closed = Some(reply),
        }
    }

    fn take_change(&mut self, change: &Change, batch: &mut Batch) -> Result<(), Refused> {
        if matches!(change, Change::TrailErased { .. }) {
            self.stores.part();
        }
        let facts = change.facts().map_err(broken)?;
        let plain = change.encode().map_err(broken)?;
        let record = small_record(Kind::Change, &self.parts.keyring.change_key(), &plain).map_err(broken)?;
        batch.add(record, Effect::Change(facts));
        Ok(())
    }

    fn take_entry(&mut self, mut entry: Entry, batch: &mut Batch) -> Result<usize, Refused> {
        leave_out_erased(&self.parts.keyring, &mut entry);
        let (record, identity) = record_of(&self.parts.keyring, &entry).map_err(broken)?;
        Ok(batch.add(record, Effect::Trail(Box::new(entry), identity)))
    }

    /// Takes an entry that nobody waits for.
    fn take_note(&mut self, entry: Entry, batch: &mut Batch) {
        match self.take_entry(entry, batch) {
            Ok(number) => batch.note(number),
            Err(error) => tracing::error!(%error, "a trail entry was lost"),
        }
    }

    fn take_instance(
        &mut self,
        prepared: Prepared,
        reply: oneshot::Sender<Result<StoreOutcome, Refused>>,
        batch: &mut Batch,
        in_batch: &mut InBatch,
    ) {
        let outcome = match self.outcome(&prepared, in_batch) {
            Ok(outcome) => outcome,
            Err(refused) => return drop(reply.send(Err(refused))),
        };
        if outcome == StoreOutcome::Quarantined {
            self.take_quarantined(prepared, batch);
        } else {
            self.stores.count(&Entry { outcome: Outcome::Done, ..prepared.entry });
            if outcome == StoreOutcome::Kept {
                in_batch.insert(prepared.facts.sop_instance.clone(), prepared.facts.digest);
                let key = prepared.record.key;
                let effect =
                    Effect::Instance(Box::new(prepared.facts), key, Box::new(prepared.header), Some(prepared.held));
                batch.add(prepared.record, effect);
            }
        }
        batch.answer(Reply::Stored(reply, outcome));
    }

    /// Whether there is room, and what is there under that UID already.
    fn outcome(&self, prepared: &Prepared, in_batch: &InBatch) -> Result<StoreOutcome, Refused> {
        let facts = &prepared.facts;
        let recent = || self.recent.get(&facts.sop_instance).map(|(digest, _)| *digest);
        let there = match in_batch.get(&facts.sop_instance).copied().or_else(recent) {
            Some(digest) => Some(digest),
            None => self.index.instance_by_sop(&facts.sop_instance).map_err(broken)?.map(|known| known.digest),
        };
        match there {
            Some(digest) if digest == facts.digest => return Ok(StoreOutcome::AlreadyThere),
            _ => {}
        }
        let spilled = prepared.record.parts.iter().any(|part| matches!(part, Part::Spilled(_)));
        let bytes = if spilled { 0 } else { inline_bytes(&prepared.record) as u64 };
        if !self.parts.log.has_room(bytes).map_err(broken)? {
            return Err(Refused::OutOfResources("the disk is full but its reserve".into()));
        }
        Ok(if there.is_none() { StoreOutcome::Kept } else { StoreOutcome::Quarantined })
    }

    fn take_quarantined(&mut self, prepared: Prepared, batch: &mut Batch) {
        let entry = Entry { outcome: Outcome::Quarantined, ..prepared.entry };
        if let Err(error) = self.take_entry(entry, batch) {
            tracing::error!(%error, "a trail entry was lost");
        }
        if self.quarantined.len() >= QUARANTINE_REMEMBERED {
            self.quarantined.clear();
        }
        if self.quarantined.insert((prepared.facts.sop_instance.clone(), prepared.facts.digest)) {
            let key = prepared.record.key;
            batch.add(prepared.record, Effect::Quarantine(Box::new(prepared.facts), key));
        }
    }

    /// Writes the batch and answers; whether it is durable.
    fn commit(&mut self, batch: Batch) -> bool {
        self.try_commit(batch)
            .map_err(|(notes, refused)| {
                self.unwritten.extend(notes);
                self.bound_unwritten(&refused);
            })
            .is_ok()
    }

    /// The same; the entries that nobody waited for come back when it is not durable, with why.
    fn try_commit(&mut self, mut batch: Batch) -> Result<(), (Vec<Entry>, Refused)> {
        let mut stores = std::mem::take(&mut self.stores);
        stores.write(|entry| self.take_entry(entry, &mut batch).ok());
        self.stores = stores;
        if batch.is_empty() {
            return Ok(());
        }
        match self.write(&mut batch) {
            Ok(appended) => {
                self.stores.written(&appended, nanoseconds(self.parts.clock.now()));
                batch.succeed(&appended);
                Ok(())
            }
            Err(refused) => {
                self.stores.failed();
                self.quarantined.clear();
                let notes = batch.take_notes();
                batch.fail(&refused);
                Err((notes, refused))
            }
        }
    }

    /// Of the entries kept for when there is room again the newest are lost first: what began it
    /// all is worth most.
    fn bound_unwritten(&mut self, why: &Refused) {
        let room = if matches!(why, Refused::OutOfResources(_)) { UNWRITTEN_KEPT } else { 0 };
        let lost = self.unwritten.len().saturating_sub(room);
        if lost > 0 {
            self.unwritten.truncate(room);
            tracing::error!(entries = lost, "entries of the trail that nobody waited for were lost");
        }
    }

    /// Writes some of what there was no room for; whether it is durable now.
    fn write_unwritten(&mut self) -> bool {
        let mut batch = Batch::default();
        while batch.has_room()
            && let Some(entry) = self.unwritten.pop_front()
        {
            self.take_note(entry, &mut batch);
        }
        self.try_commit(batch)
            .map_err(|(notes, refused)| {
                // They are older than what is kept.
                notes.into_iter().rev().for_each(|entry| self.unwritten.push_front(entry));
                self.bound_unwritten(&refused);
            })
            .is_ok()
    }

    /// Keys durable, records durable, registry and index told: in that order.
    fn write(&mut self, batch: &mut Batch) -> Result<Vec<Appended>, Refused> {
        if let Some(reason) = self.read_only.reason() {
            return Err(Refused::ReadOnly(reason));
        }
        self.parts.keyring.persist().map_err(|error| self.fail_for_ever(&error.to_string()))?;
        let records = std::mem::take(&mut batch.records);
        let appended = match self.parts.log.append(records) {
            Ok(appended) => appended,
            Err(LogError::NoRoom) => return Err(Refused::OutOfResources("the disk is full".into())),
            Err(error @ LogError::TooLarge(_)) => return Err(broken(error)),
            Err(error) => return Err(self.fail_for_ever(&error.to_string())),
        };
        let effects = std::mem::take(&mut batch.effects);
        let learned = effects.iter().flat_map(Effect::facts).try_for_each(|fact| self.parts.registry.learn(fact));
        // Whatever was learned of it: what is announced is applied, or readers would wait for ever.
        self.remember(&effects, &appended);
        self.indexer.apply(Durable { effects, appended: appended.clone() });
        learned.map_err(|error| self.fail_for_ever(&error.to_string()))?;
        Ok(appended)
    }

    /// From now on searches wait for these, and their UIDs are taken.
    fn remember(&mut self, effects: &[Effect], appended: &[Appended]) {
        if self.recent.len() > RECENT {
            let applied = self.index.applied();
            self.recent.retain(|_, (_, sequence)| *sequence > applied);
        }
        let mut searched = 0;
        for (effect, appended) in effects.iter().zip(appended) {
            if effect.is_searched() {
                searched = appended.sequence;
            }
            if let Effect::Instance(facts, ..) = effect {
                self.recent.insert(facts.sop_instance.clone(), (facts.digest, appended.sequence));
            }
        }
        self.index.announce(searched, appended.last().map_or(0, |appended| appended.sequence));
    }

    fn checkpoint_if_due(&mut self) {
        let now = self.parts.clock.now();
        if self.read_only.reason().is_some() || !self.parts.log.checkpoint_due(now) {
            return;
        }
        match self.parts.log.checkpoint(now) {
            Ok(_) => {}
            Err(LogError::NoRoom) => tracing::warn!("no room for a checkpoint"),
            Err(error) => drop(self.fail_for_ever(&error.to_string())),
        }
    }

    /// Signs a checkpoint for who wants one now.
    fn checkpoint_for(&self, wanted: Vec<oneshot::Sender<Result<Checkpoint, Refused>>>) {
        if wanted.is_empty() {
            return;
        }
        let signed = match self.read_only.reason() {
            Some(reason) => Err(Refused::ReadOnly(reason)),
            None => self.parts.log.checkpoint(self.parts.clock.now()).map_err(|error| match error {
                LogError::NoRoom => Refused::OutOfResources("no room for a checkpoint".into()),
                error => self.fail_for_ever(&error.to_string()),
            }),
        };
        wanted.into_iter().for_each(|reply| drop(reply.send(signed.clone())));
    }

    fn fail_for_ever(&self, reason: &str) -> Refused {
        self.read_only.set(reason);
        Refused::ReadOnly(reason.to_owned())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.closed.is_none() && std::thread::panicking() {
            self.read_only.set("the committer stopped");
        }
    }
}

fn broken(error: impl std::fmt::Display) -> Refused {
    Refused::Broken(error.to_string())
}
