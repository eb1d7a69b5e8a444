//! One batch: records to append, what each means to the index, and who waits for it.

use leadglass_dicom::{AeTitle, DataSet};
use tokio::sync::oneshot;

use super::InFlight;
use super::records::{Facts, SummaryFacts};
use crate::Refused;
use crate::change::Fact;
use crate::index;
use crate::log::{Appended, Checkpoint, Location, NewRecord, Part};
use crate::perform::nanoseconds;
use crate::seal::KeyId;
use crate::store::StoreOutcome;
use crate::trail::Entry;

/// Most pieces of work in one batch.
const MOST_WORK: usize = 256;
/// Sealed bytes in memory after which a batch takes no more.
const MOST_BYTES: usize = 32 << 20;

/// Records that become durable together.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) records: Vec<NewRecord>,
    pub(super) effects: Vec<Effect>,
    replies: Vec<Reply>,
    /// Numbers of the records that are entries nobody waits for, ascending.
    notes: Vec<usize>,
    work: usize,
    bytes: usize,
}

impl Effect {
    /// What is true from now on.
    pub(super) fn facts(&self) -> &[Fact] {
        match self {
            Effect::Change(facts) => facts,
            _ => &[],
        }
    }

    /// Whether searches show it: what only readers of the trail see, they need not wait for.
    pub(super) fn is_searched(&self) -> bool {
        !matches!(self, Effect::Trail(..) | Effect::Nothing)
    }
}

/// What a record means to the index.
pub(crate) enum Effect {
    /// An instance kept.
    Instance(
        Box<Facts>,
        KeyId,
        Box<DataSet>,
        #[expect(dead_code, reason = "held until it is applied")] Option<InFlight>,
    ),
    /// An instance set aside.
    Quarantine(Box<Facts>, KeyId),
    /// What is true from now on.
    Change(Vec<Fact>),
    /// A trail entry.
    Trail(Box<Entry>, Option<KeyId>),
    /// A series summary.
    Summary(SummaryFacts, KeyId),
    /// Nothing; the position moves.
    Nothing,
}

/// Who waits, and for what.
pub(super) enum Reply {
    /// A sender.
    Stored(oneshot::Sender<Result<StoreOutcome, Refused>>, StoreOutcome),
    /// Who wants the sequence number of that record of the batch.
    Sequence(oneshot::Sender<Result<u64, Refused>>, usize),
    /// Who wants a checkpoint of it.
    Checkpoint(oneshot::Sender<Result<Checkpoint, Refused>>),
    /// Who wants to know that it is over, either way.
    #[cfg(any(test, feature = "testing"))]
    Settled(oneshot::Sender<()>),
}

impl Batch {
    /// Whether it takes more work.
    pub(super) fn has_room(&self) -> bool {
        self.work < MOST_WORK && self.bytes < MOST_BYTES
    }

    /// Whether somebody waits for it.
    pub(super) fn is_awaited(&self) -> bool {
        !self.replies.is_empty()
    }

    /// Whether nothing is to be done.
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.replies.is_empty()
    }

    /// Adds a record; its number in the batch comes back.
    pub(super) fn add(&mut self, record: NewRecord, effect: Effect) -> usize {
        self.work += 1;
        self.bytes += inline_bytes(&record);
        self.records.push(record);
        self.effects.push(effect);
        self.records.len() - 1
    }

    /// Says that the record of that number is an entry nobody waits for.
    pub(super) fn note(&mut self, record: usize) {
        self.notes.push(record);
    }

    /// Takes out the entries that nobody waits for: of a batch that had no room, to be written later.
    pub(super) fn take_notes(&mut self) -> Vec<Entry> {
        let notes = std::mem::take(&mut self.notes);
        let effects = std::mem::take(&mut self.effects).into_iter().enumerate();
        effects
            .filter(|(record, _)| notes.binary_search(record).is_ok())
            .filter_map(|(_, effect)| if let Effect::Trail(entry, _) = effect { Some(*entry) } else { None })
            .collect()
    }

    /// Adds someone who waits for the batch.
    pub(super) fn answer(&mut self, reply: Reply) {
        self.work += 1;
        self.replies.push(reply);
    }

    /// Takes out who wants a checkpoint.
    pub(super) fn take_checkpoints(&mut self) -> Vec<oneshot::Sender<Result<Checkpoint, Refused>>> {
        let (wanted, replies) = std::mem::take(&mut self.replies)
            .into_iter()
            .partition::<Vec<Reply>, _>(|reply| matches!(reply, Reply::Checkpoint(_)));
        self.replies = replies;
        wanted
            .into_iter()
            .filter_map(|reply| if let Reply::Checkpoint(sender) = reply { Some(sender) } else { None })
            .collect()
    }

    /// Everything is durable.
    pub(super) fn succeed(self, appended: &[Appended]) {
        for reply in self.replies {
            match reply {
                Reply::Stored(sender, outcome) => drop(sender.send(Ok(outcome))),
                Reply::Sequence(sender, record) => {
                    let sequence = appended.get(record).map_or(0, |appended| appended.sequence);
                    drop(sender.send(Ok(sequence)));
                }
                Reply::Checkpoint(_) => {}
                #[cfg(any(test, feature = "testing"))]
                Reply::Settled(sender) => drop(sender.send(())),
            }
        }
    }

    /// Nothing is.
    pub(super) fn fail(self, why: &Refused) {
        for reply in self.replies {
            match reply {
                Reply::Stored(sender, _) => drop(sender.send(Err(why.clone()))),
                Reply::Sequence(sender, _) => drop(sender.send(Err(why.clone()))),
                Reply::Checkpoint(_) => {}
                #[cfg(any(test, feature = "testing"))]
                Reply::Settled(sender) => drop(sender.send(())),
            }
        }
    }
}

/// Bytes a record takes in its segment, headers aside.
pub(super) fn inline_bytes(record: &NewRecord) -> usize {
    record
        .parts
        .iter()
        .map(|part| match part {
            Part::Inline { pieces, .. } => pieces.iter().map(Vec::len).sum(),
            Part::Spilled(_) => 0,
        })
        .sum()
}

/// What the index has to apply for one record: usually one change, for a change record as
/// many as it has facts.
pub(crate) fn applied<'a>(effect: &'a Effect, sequence: u64, location: Location) -> Vec<index::Applied<'a>> {
    let location = index_location(location);
    let one = |change| vec![index::Applied { sequence, change }];
    match effect {
        Effect::Instance(facts, key, header, _) => one(index::Change::Instance(Box::new(index::InstanceRow {
            location,
            key_id: key_number(*key),
            study: facts.study.clone(),
            series: facts.series.clone(),
            sop_instance: facts.sop_instance.clone(),
            sop_class: facts.sop_class.clone(),
            transfer_syntax: facts.transfer_syntax(),
            digest: facts.digest,
            data_set_bytes: facts.data_set_bytes,
            frames: facts.frames,
            header,
            received_ns: nanoseconds(facts.received),
            calling_ae: facts.calling_ae.as_deref().and_then(|ae| AeTitle::parse(ae).ok()),
        }))),
        Effect::Quarantine(facts, key) => one(index::Change::Quarantine(index::QuarantineRow {
            sop_instance: facts.sop_instance.clone(),
            location,
            key_id: key_number(*key),
            digest: facts.digest,
            data_set_bytes: facts.data_set_bytes,
            received_ns: nanoseconds(facts.received),
            caller: facts.caller.clone(),
            reason: "other bytes of that SOP Instance UID are kept already".into(),
        })),
        Effect::Change(facts) if facts.is_empty() => one(index::Change::Nothing),
        Effect::Change(facts) => {
            facts.iter().map(|fact| index::Applied { sequence, change: fact_change(fact) }).collect()
        }
        Effect::Trail(entry, identity) => one(index::Change::Trail(trail_row(entry, *identity, sequence))),
        Effect::Summary(facts, key) => one(index::Change::SeriesSummary(index::SeriesSummary {
            study: facts.study.clone(),
            series: facts.series.clone(),
            instances: facts.instances,
            location,
            key_id: key_number(*key),
        })),
        Effect::Nothing => one(index::Change::Nothing),
    }
}

fn fact_change(fact: &Fact) -> index::Change<'static> {
    match crate::trail::erase::erased(fact) {
        Some((key, patient_id)) => index::Change::TrailErased { key_id: key_number(key), patient_id },
        None => index::Change::Registry {
            kind: fact.kind.to_owned(),
            key: fact.name.clone(),
            json: Some(fact.document.clone()),
        },
    }
}

fn trail_row(entry: &Entry, identity: Option<KeyId>, sequence: u64) -> index::TrailRow {
    index::TrailRow {
        entry: entry.closes.unwrap_or(sequence),
        time_ns: entry.time_ns,
        caller: entry.caller.clone(),
        person: entry.person.clone(),
        peer: entry.peer.clone(),
        address: entry.address.map(|address| address.to_string()),
        door: entry.door.name().to_owned(),
        action: entry.act.name().to_owned(),
        event: entry.event_code().map(str::to_owned),
        outcome: entry.outcome.name().to_owned(),
        patient_id: entry.subject.patient_id.clone(),
        study: entry.subject.study.as_deref().and_then(|uid| uid.parse().ok()),
        count: entry.subject.count,
        detail: serde_json::to_string(entry).unwrap_or_default(),
        closed_by: entry.closes.map(|_| sequence),
        identity: identity.map(key_number),
    }
}

/// A place in the log as the index keeps it.
pub(crate) fn index_location(location: Location) -> index::Location {
    index::Location { segment: u64::from(location.segment), offset: location.offset }
}

/// A place in the log as the log knows it.
pub(crate) fn log_location(location: index::Location) -> Result<Location, Refused> {
    let segment = u32::try_from(location.segment).map_err(|_| Refused::Broken("the index is damaged".into()))?;
    Ok(Location { segment, offset: location.offset })
}

/// A key's name as the index keeps it.
pub(crate) fn key_number(key: KeyId) -> u128 {
    u128::from_be_bytes(key.to_bytes())
}

/// A key's name as the keyring knows it.
pub(crate) fn key_id(number: u128) -> KeyId {
    KeyId::from_bytes(number.to_be_bytes())
}
