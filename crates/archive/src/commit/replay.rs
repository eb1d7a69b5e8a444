//! Records back into what they mean: after a crash, and when the index is made again.

use std::ops::ControlFlow;

use leadglass_dicom::scan::Limits;
use leadglass_dicom::{DataSet, json};

use super::batch::{Effect, applied};
use super::records::{ATTRIBUTES, SHEET, Sheet, SummaryFacts, decompress};
use crate::change::Change;
use crate::index::{Index, Writer};
use crate::log::{Kind, Location, Log, RecordView};
use crate::seal::{Keyring, SealContext, open_blob};
use crate::settings::OpenError;
use crate::trail::identity::entry_of;

/// Records applied in one transaction of the index.
const BATCH: usize = 500;

/// What a replay did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Replay {
    /// Records applied.
    pub(crate) records: u64,
    /// Places of records that could not be read; what they held is not in the index.
    pub(crate) damaged: Vec<Location>,
}

/// Applies to the index every record it has not seen. `progress` hears how many.
pub(crate) fn replay(
    log: &Log,
    keyring: &Keyring,
    index: &Index,
    writer: &mut Writer,
    progress: &mut dyn FnMut(u64),
) -> Result<Replay, OpenError> {
    let mut done = Replay::default();
    let mut waiting: Vec<(u64, Location, Effect)> = Vec::new();
    let mut failure = None;
    let visited = log.replay(writer.applied() + 1, None, &mut |record| {
        match effect(&record, keyring) {
            Some(effect) => waiting.push((record.header.sequence, record.location, effect)),
            None => done.damaged.push(record.location),
        }
        if waiting.len() < BATCH {
            return ControlFlow::Continue(());
        }
        match apply(&mut waiting, index, writer) {
            Ok(records) => {
                done.records += records;
                progress(done.records);
                ControlFlow::Continue(())
            }
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    if let Some(error) = failure {
        return Err(error);
    }
    done.records += apply(&mut waiting, index, writer)?;
    done.damaged.extend(visited.damaged);
    Ok(done)
}

fn apply(waiting: &mut Vec<(u64, Location, Effect)>, index: &Index, writer: &mut Writer) -> Result<u64, OpenError> {
    let mut records = std::mem::take(waiting);
    set_aside(&mut records, index)?;
    let changes: Vec<_> =
        records.iter().flat_map(|(sequence, location, effect)| applied(effect, *sequence, *location)).collect();
    writer.apply(&changes).map_err(|error| OpenError::Damaged(error.to_string()))?;
    Ok(records.len() as u64)
}

/// An instance record whose UID is taken by other bytes was set aside when it came; the
/// record does not say so, its place in the log does.
fn set_aside(records: &mut [(u64, Location, Effect)], index: &Index) -> Result<(), OpenError> {
    let mut seen = std::collections::HashSet::new();
    for (sequence, _, effect) in records {
        let Effect::Instance(facts, key, ..) = effect else { continue };
        let known =
            index.instance_by_sop(&facts.sop_instance).map_err(|error| OpenError::Damaged(error.to_string()))?;
        let taken = known.is_some_and(|known| known.sequence != *sequence) || !seen.insert(facts.sop_instance.clone());
        if taken {
            *effect = Effect::Quarantine(facts.clone(), *key);
        }
    }
    Ok(())
}

/// What a record means; `None` when it cannot be read. What was erased means nothing.
fn effect(record: &RecordView<'_>, keyring: &Keyring) -> Option<Effect> {
    let key = record.header.key;
    let Some(kind) = Kind::from_number(record.header.kind) else { return Some(Effect::Nothing) };
    if kind == Kind::Checkpoint || !keyring.has_key(key) {
        return Some(Effect::Nothing);
    }
    match kind {
        Kind::Instance | Kind::Quarantine => {
            let facts = Sheet::decode(&open(record, keyring, SHEET)?).ok()?.facts;
            let attributes = decompress(&open(record, keyring, ATTRIBUTES)?)?;
            let header = header(&attributes)?;
            Some(Effect::Instance(Box::new(facts), key, Box::new(header), None))
        }
        Kind::Change => {
            let change = Change::decode(&open(record, keyring, 0)?).ok()?;
            Some(Effect::Change(change.facts().ok()?))
        }
        Kind::Trail => {
            let (entry, identity) = entry_of(keyring, record).ok()?;
            Some(Effect::Trail(Box::new(entry), identity))
        }
        Kind::SeriesSummary => {
            let facts: SummaryFacts = serde_json::from_slice(&open(record, keyring, 0)?).ok()?;
            Some(Effect::Summary(facts, key))
        }
        Kind::Checkpoint => Some(Effect::Nothing),
    }
}

/// The attributes of our own making, parsed.
pub(crate) fn header(attributes: &[u8]) -> Option<DataSet> {
    json::parse(attributes, &Limits::default()).ok()?.into_iter().next()
}

fn open(record: &RecordView<'_>, keyring: &Keyring, part: usize) -> Option<Vec<u8>> {
    let key = keyring.key(record.header.key).ok()?;
    let context = SealContext { kind: record.header.kind, part: u8::try_from(part).ok()?, id: record.header.id.0 };
    open_blob(&key, context, &record.part(part).ok()?).ok()
}
