//! A part of the trail with its proofs, to be checked by others: `leadglass-verify`.
//!
//! A bundle is text, a JSON object a line: the log's public key; a signed checkpoint; proofs
//! that older checkpoints, where some were shown, are of the same log; and each entry with its
//! records as they are on disk, the audit path of each, and the key of each sealed part alone
//! (it opens that part and no other). Whoever has the bundle needs nothing else, and can tell
//! whether an entry was altered, moved or made up. What was erased comes sealed, without key.
//!
//! | line | fields |
//! |---|---|
//! | 1 | `leadglass_trail_bundle`: 1, `verifier`: the note verifier key |
//! | 2 | `checkpoint`: a signed note (C2SP tlog-checkpoint) |
//! | per older checkpoint | `consistent_with`: its note, `proof`: hashes |
//! | per entry | `entry`: as read, `records`: `sequence`, `header`, `parts`, `keys`, `proof` |
//!
//! Bytes are base64. A header is as `log` documents it; its leaf is its last 32 bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::identity::identity_key;
use crate::access::decide::{Granted, GrantedScope};
use crate::index::{TrailQuery, TrailRow};
use crate::log::{Checkpoint, Hash, Proofs, RecordView};
use crate::review::TrailRequest;
use crate::seal::{KeyError, Keyring, blob_key};
use crate::{Archive, Caller, Inner, Refused, blocking, index_failed, log_failed};

/// Most entries in one bundle.
const MOST: u32 = 20_000;
/// Entries taken from the index at once.
const PAGE: u32 = 1000;
/// Most older checkpoints compared.
const MOST_CHECKPOINTS: usize = 100;

impl Archive {
    /// The entries asked for (newest first, at most 20,000, whatever `limit` beyond says) with
    /// proofs against a checkpoint signed now, and against those shown in `since`.
    ///
    /// # Errors
    /// [`Refused::Invalid`] for a checkpoint that this log did not sign, or that covers more
    /// than the log has: then the log was cut or put back, and should be looked at.
    pub async fn trail_bundle(
        &self,
        caller: &Caller,
        query: TrailQuery,
        since: Vec<String>,
    ) -> Result<String, Refused> {
        let query = TrailQuery { limit: query.limit.min(MOST), ..query };
        self.perform(caller, TrailRequest { query, bundle: true }, async |granted: &Granted<TrailRequest>| {
            let (inner, query, scope) = (self.inner.clone(), granted.request().query.clone(), granted.scope().clone());
            let rows = blocking(move || found(&inner, query, &scope)).await??;
            let since = self.older(since)?;
            let checkpoint = self.inner.committer.checkpoint().await?;
            if let Some(longer) = since.iter().find(|older| older.size > checkpoint.size) {
                return Err(Refused::Invalid(format!(
                    "a checkpoint covers {} records, the log has {}: it was cut off or put back",
                    longer.size, checkpoint.size
                )));
            }
            let inner = self.inner.clone();
            blocking(move || written(&inner, &rows, &checkpoint, &since)).await?
        })
        .await
    }

    fn older(&self, notes: Vec<String>) -> Result<Vec<Checkpoint>, Refused> {
        if notes.len() > MOST_CHECKPOINTS {
            return Err(Refused::Invalid(format!("at most {MOST_CHECKPOINTS} checkpoints at once")));
        }
        let key = self.inner.keyring.checkpoint_key().map_err(|error| Refused::Broken(error.to_string()))?;
        let open = |note: String| key.verifier().open(&note);
        let opened: Result<Vec<_>, _> = notes.into_iter().map(open).collect();
        opened.map_err(|error| Refused::Invalid(error.to_string()))
    }
}

/// The entries asked for. Only which they are, and of which records, is the index's to say.
fn found(inner: &Inner, mut query: TrailQuery, scope: &GrantedScope) -> Result<Vec<TrailRow>, Refused> {
    let mut rows: Vec<TrailRow> = Vec::new();
    let mut left = query.limit;
    while left > 0 {
        query.limit = left.min(PAGE);
        let page = inner.index.trail(&query, scope).map_err(|error| index_failed(&error))?;
        let Some(last) = page.last() else { break };
        query.after = Some((last.time_ns, last.entry));
        left = left.saturating_sub(PAGE);
        rows.extend(page);
    }
    Ok(rows)
}

/// Walks the log once and writes everything down. What an entry says is what its last record
/// said when it was opened here, not what the index said before or says by now: the bundle is
/// of one point, whatever is closed or erased meanwhile.
fn written(inner: &Inner, rows: &[TrailRow], checkpoint: &Checkpoint, since: &[Checkpoint]) -> Result<String, Refused> {
    let wanted: BTreeSet<u64> = rows.iter().flat_map(sequences).filter(|number| *number <= checkpoint.size).collect();
    let older = since.iter().map(|older| older.size);
    let mut proofs = Proofs::of(checkpoint.size, wanted.iter().map(|sequence| sequence - 1), older);
    let mut records = BTreeMap::new();
    let mut failed = None;
    let walked = inner.log.replay(1, None, &mut |record| {
        let sequence = record.header.sequence;
        if sequence > checkpoint.size {
            return ControlFlow::Break(());
        }
        proofs.push(record.header.leaf);
        if wanted.contains(&sequence) {
            match shown(&inner.keyring, &record) {
                Ok(shown) => drop(records.insert(sequence, shown)),
                Err(refused) => failed = Some(refused),
            }
        }
        if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    walked.map_err(|error| log_failed(&error))?;
    if let Some(refused) = failed {
        return Err(refused);
    }
    if proofs.root() != Some(checkpoint.root) {
        return Err(Refused::Damaged("the log does not have the root that was signed: run `leadglass verify`".into()));
    }
    let key = inner.keyring.checkpoint_key().map_err(|error| Refused::Broken(error.to_string()))?;
    let mut lines = vec![
        json!({ "leadglass_trail_bundle": 1, "verifier": key.verifier().text() }),
        json!({ "checkpoint": checkpoint.note }),
    ];
    for older in since {
        let proof = proofs.consistency(older.size).unwrap_or_default();
        lines.push(json!({ "consistent_with": older.note, "proof": hashes(&proof) }));
    }
    for row in rows {
        // An entry none of whose records can be read is shown without proof, and seen to be.
        let mut entry: Value = serde_json::from_str(&row.detail).unwrap_or_default();
        let mut proven = Vec::new();
        for sequence in sequences(row) {
            let Some((shown, proof)) = records.get(&sequence).zip(proofs.inclusion(sequence - 1)) else { continue };
            entry = Value::Object(shown.says.clone());
            let mut record = shown.record.clone();
            record["proof"] = hashes(&proof);
            proven.push(record);
        }
        lines.push(json!({ "entry": entry, "number": row.entry, "records": proven }));
    }
    Ok(lines.iter().map(|line| format!("{line}\n")).collect())
}

/// The records that an entry is made of: the first, and the last that closed it.
fn sequences(row: &TrailRow) -> impl Iterator<Item = u64> + use<> {
    std::iter::once(row.entry).chain(row.closed_by).filter(|sequence| *sequence > 0)
}

/// A record as it goes into the bundle, and what it says there.
struct Shown {
    record: Value,
    says: Map<String, Value>,
}

/// A record as it is on disk, with the key of each part that is not erased, and what those
/// parts say: of each key there is one look, so that both tell the same.
fn shown(keyring: &Keyring, record: &RecordView<'_>) -> Result<Shown, Refused> {
    let broken = |error: &dyn std::fmt::Display| Refused::Broken(error.to_string());
    let (mut parts, mut keys, mut says) = (Vec::new(), Vec::new(), Map::new());
    let mut identity = None;
    for number in 0..record.header.parts.len() {
        let sealed = record.part(number).map_err(|error| log_failed(&error))?;
        let id = if number == 0 { Some(record.header.key) } else { identity };
        let key = match id.map(|id| keyring.key(id)) {
            None => None,
            Some(Err(KeyError::NoSuchKey(_))) if number > 0 => None,
            Some(key) => Some(key.map_err(|error| broken(&error))?),
        };
        if let Some(key) = &key {
            let plain = record.open_part(number, key).map_err(|error| log_failed(&error))?;
            if number == 0 {
                identity = identity_key(&plain);
            }
            says.extend(serde_json::from_slice::<Map<String, Value>>(&plain).map_err(|error| broken(&error))?);
        }
        let key = key.map(|key| blob_key(&key, &sealed)).transpose().map_err(|error| broken(&error))?;
        keys.push(key.map(|key| STANDARD.encode(key)));
        parts.push(STANDARD.encode(&sealed));
    }
    says.remove("identity");
    let record = json!({
        "sequence": record.header.sequence,
        "header": STANDARD.encode(record.header_bytes()),
        "parts": parts,
        "keys": keys,
    });
    Ok(Shown { record, says })
}

fn hashes(proof: &[Hash]) -> Value {
    proof.iter().map(|hash| STANDARD.encode(hash)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Scope;
    use crate::testing::{Sample, TestArchive};

    #[tokio::test]
    async fn what_is_erased_while_a_bundle_is_made_leaves_it_whole() {
        let test = TestArchive::new();
        let host = test.host().await;
        for patient in 1..=2 {
            test.store(&host, &Sample::new(patient, 1, 1)).await.unwrap();
        }
        let inner = &test.archive().inner;
        let everything = GrantedScope::for_test(Scope::everything());
        let rows = found(inner, TrailQuery { limit: 1000, ..TrailQuery::default() }, &everything).unwrap();
        assert!(rows.iter().any(|row| row.patient_id.as_deref() == Some("PAT-2")));
        assert!(test.archive().erase_from_trail(&host, "PAT-2").await.unwrap());
        let checkpoint = inner.committer.checkpoint().await.unwrap();
        let bundle = written(inner, &rows, &checkpoint, &[]).unwrap();
        let checked = leadglass_verify::check(&bundle, None, None).unwrap();
        assert!(checked.erased > 0 && !bundle.contains("PAT-2") && bundle.contains("PAT-1"), "{checked:?}");
    }
}
