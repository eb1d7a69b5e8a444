//! Attributes of stored instances as DICOM JSON, from their records or a series summary.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use leadglass_dicom::{DataSet, SeriesInstanceUid, StudyInstanceUid};

use crate::access::GrantedScope;
use crate::commit::records::{ATTRIBUTES, SUMMARY, SummaryFacts, decompress, summary_instances, summary_record};
use crate::commit::replay::header;
use crate::commit::{key_id, log_location};
use crate::index::{KnownInstance, SeriesSummary};
use crate::{Inner, Refused, index_failed, log_failed};

/// Fewest instances of a series that are worth a summary.
const WORTH_A_SUMMARY: usize = 4;

/// The attributes of one instance, found under a grant.
pub(super) fn of_one(inner: &Inner, _scope: &GrantedScope, known: &KnownInstance) -> Result<Bytes, Refused> {
    unpacked(inner, known)
}

/// The attributes of one instance; `None` when its record is damaged.
fn of_one_whole(inner: &Inner, scope: &GrantedScope, known: &KnownInstance) -> Result<Option<Bytes>, Refused> {
    match of_one(inner, scope, known) {
        Ok(json) => Ok(Some(json)),
        Err(Refused::Damaged(what)) => {
            tracing::error!(what, segment = known.location.segment, offset = known.location.offset, "left out");
            Ok(None)
        }
        Err(refused) => Err(refused),
    }
}

fn unpacked(inner: &Inner, known: &KnownInstance) -> Result<Bytes, Refused> {
    let packed = part(inner, known.location, known.key_id, ATTRIBUTES)?;
    decompress(&packed).map(Bytes::from).ok_or_else(|| Refused::Damaged("the attributes of a record".into()))
}

/// The attributes of one instance as a data set; `None` when they cannot be read.
pub(crate) fn attributes(inner: &Inner, scope: &GrantedScope, known: &KnownInstance) -> Option<DataSet> {
    header(&of_one(inner, scope, known).ok()?)
}

/// The attributes of all these instances, in their order; `None` for one whose record is
/// damaged. [`Refused::Damaged`] when all are.
pub(super) fn of_all(
    inner: &Inner,
    scope: &GrantedScope,
    instances: &[KnownInstance],
) -> Result<Vec<Option<Bytes>>, Refused> {
    let mut all = Vec::with_capacity(instances.len());
    for series in instances.chunk_by(|one, next| one.series == next.series && one.study == next.study) {
        of_series(inner, scope, series, &mut all)?;
    }
    if !all.is_empty() && all.iter().all(Option::is_none) {
        return Err(Refused::Damaged("the attributes of every record asked for".into()));
    }
    Ok(all)
}

fn of_series(
    inner: &Inner,
    scope: &GrantedScope,
    series: &[KnownInstance],
    all: &mut Vec<Option<Bytes>>,
) -> Result<(), Refused> {
    let Some(first) = series.first() else { return Ok(()) };
    if series.len() < WORTH_A_SUMMARY {
        return series.iter().try_for_each(|known| of_one_whole(inner, scope, known).map(|json| all.push(json)));
    }
    let summary = inner.index.series_summary(&first.study, &first.series).map_err(|error| index_failed(&error))?;
    // A summary that cannot be read is a view lost, nothing more.
    let read = summary.as_ref().and_then(|summary| Some((summary.instances, summarized(inner, summary)?)));
    let (of, summarized) = read.unwrap_or_default();
    let missing = series.iter().filter(|known| !summarized.contains_key(known.sop_instance.as_str())).count();
    for known in series {
        match summarized.get(known.sop_instance.as_str()) {
            Some(json) => all.push(Some(json.clone())),
            None => all.push(of_one_whole(inner, scope, known)?),
        }
    }
    // A summary of the whole series lacks what is damaged, and would lack it again.
    let is_stale = || Ok(of < inner.index.instances_of_series(&first.study, &first.series)?);
    if missing > 0 && is_stale().map_err(|error| index_failed(&error))? {
        summarize(inner, &first.study, &first.series)?;
    }
    Ok(())
}

/// Writes a summary of that series: its next reader needs one read.
pub(crate) fn summarize(inner: &Inner, study: &StudyInstanceUid, series: &SeriesInstanceUid) -> Result<(), Refused> {
    let known = inner.index.whole_series(study, series).map_err(|error| index_failed(&error))?;
    let Some(first) = known.first() else { return Ok(()) };
    let mut instances = Vec::with_capacity(known.len());
    let mut seen = HashSet::new();
    for known in known.iter().filter(|known| seen.insert(&known.sop_instance)) {
        // A damaged record stays out; it is told of when it is asked for itself.
        if let Ok(json) = unpacked(inner, known) {
            instances.push((known.sop_instance.clone(), json));
        }
    }
    let facts = SummaryFacts { study: study.clone(), series: series.clone(), instances: known.len() as u64 };
    let key = key_id(first.key_id);
    let data_key = inner.keyring.key(key).map_err(|_| Refused::NotFound)?;
    let summary =
        summary_record(facts, &(key, data_key), &instances).map_err(|error| Refused::Broken(error.to_string()))?;
    inner.committer.summarize(summary);
    Ok(())
}

fn summarized(inner: &Inner, summary: &SeriesSummary) -> Option<HashMap<String, Bytes>> {
    let packed = part(inner, summary.location, summary.key_id, SUMMARY).ok()?;
    Some(summary_instances(&packed)?.into_iter().collect())
}

fn part(inner: &Inner, location: crate::index::Location, key: u128, part: usize) -> Result<Vec<u8>, Refused> {
    let key = inner.keyring.key(key_id(key)).map_err(|_| Refused::NotFound)?;
    let reader = inner.log.open_part(log_location(location)?, part, &key).map_err(|error| log_failed(&error))?;
    reader.read(0..reader.plain_bytes()).map_err(|error| log_failed(&error))
}
