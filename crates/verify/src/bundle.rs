//! A bundle, line by line.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::merkle::{Hash, verify_consistency, verify_inclusion};
use super::note::{Checkpoint, Verifier};
use super::record::Header;

/// What was checked and is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The key that signed, to be compared with the one that is known.
    pub verifier: String,
    /// Records that the checkpoint covers.
    pub size: u64,
    /// Entries that are in the log as shown.
    pub entries: u64,
    /// Of those, entries whose identifying part was erased: proven, not readable.
    pub erased: u64,
    /// Entries that ended after the checkpoint: the bundle proves how they began.
    pub open: u64,
    /// Older checkpoints that are of the same log.
    pub consistent: u64,
}

/// What is not right. Number of the line, from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// Not a bundle.
    #[error("line {0}: not what a bundle has there")]
    Malformed(usize),
    /// Another key than the one that is known.
    #[error("the bundle is signed by another key than the one named")]
    OtherKey,
    /// The checkpoint was not signed by the key.
    #[error("line {0}: the signature of the checkpoint is not valid")]
    Signature(usize),
    /// A record is not in the log that was signed.
    #[error("line {0}: a record is not in the log that was signed: altered, moved or made up")]
    NotIncluded(usize),
    /// A sealed part is not the record's.
    #[error("line {0}: a sealed part is not that of its record: altered")]
    Part(usize),
    /// What is shown is not what is sealed.
    #[error("line {0}: the entry shown is not the entry sealed")]
    Shown(usize),
    /// The older checkpoint is of more records than the log has now.
    #[error("the log was cut short or put back: {had} records were signed, the bundle is of {has}")]
    Shorter {
        /// Records of the older checkpoint.
        had: u64,
        /// Records of the bundle's.
        has: u64,
    },
    /// The older checkpoint is of another history.
    #[error("the log is not the one that the older checkpoint was of: its beginning was changed")]
    OtherHistory,
    /// The bundle has no proof for the older checkpoint.
    #[error("the bundle does not compare with that checkpoint: export it again with `--since`")]
    NotCompared,
}

/// Checks everything in the bundle. `key` is the verifier key known from elsewhere; `since` an
/// older checkpoint note kept elsewhere.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(bundle: &str, key: Option<&str>, since: Option<&str>) -> Result<Checked, Wrong> {
    let mut lines = bundle.lines().enumerate().map(|(at, line)| {
        let value = serde_json::from_str::<Value>(line).map_err(|_| Wrong::Malformed(at + 1))?;
        Ok((at + 1, value))
    });
    let (at, head) = lines.next().ok_or(Wrong::Malformed(1))??;
    if head["leadglass_trail_bundle"] != 1 {
        return Err(Wrong::Malformed(at));
    }
    let verifier = head["verifier"].as_str().and_then(Verifier::parse).ok_or(Wrong::Malformed(at))?;
    if key.is_some_and(|known| known.trim() != verifier.text) {
        return Err(Wrong::OtherKey);
    }
    let (at, line) = lines.next().ok_or(Wrong::Malformed(2))??;
    let note = line["checkpoint"].as_str().ok_or(Wrong::Malformed(at))?;
    let checkpoint = verifier.open(note).ok_or(Wrong::Signature(at))?;
    let verifier_text = verifier.text.clone();
    let mut checked =
        Checked { verifier: verifier_text, size: checkpoint.size, entries: 0, erased: 0, open: 0, consistent: 0 };
    let mut compared = Vec::new();
    for line in lines {
        let (at, line) = line?;
        if let Some(note) = line["consistent_with"].as_str() {
            let older = verifier.open(note).ok_or(Wrong::Signature(at))?;
            let proof = hashes(&line["proof"]).ok_or(Wrong::Malformed(at))?;
            if !verify_consistency(older.size, &older.root, checkpoint.size, &checkpoint.root, &proof) {
                return Err(Wrong::OtherHistory);
            }
            compared.push(older);
            checked.consistent += 1;
        } else {
            entry(at, &line, &checkpoint, &mut checked)?;
        }
    }
    if let Some(note) = since {
        older(&verifier, note, &checkpoint, &compared)?;
    }
    Ok(checked)
}

fn older(verifier: &Verifier, note: &str, now: &Checkpoint, compared: &[Checkpoint]) -> Result<(), Wrong> {
    let older = verifier.open(note).ok_or(Wrong::Signature(0))?;
    if older.size > now.size {
        return Err(Wrong::Shorter { had: older.size, has: now.size });
    }
    if older.size == now.size {
        return if older.root == now.root { Ok(()) } else { Err(Wrong::OtherHistory) };
    }
    match compared.iter().find(|compared| compared.size == older.size) {
        Some(same) if same.root == older.root => Ok(()),
        Some(_) => Err(Wrong::OtherHistory),
        None => Err(Wrong::NotCompared),
    }
}

/// One entry: all its records are in the log, and it is what the last of them says.
fn entry(at: usize, line: &Value, checkpoint: &Checkpoint, checked: &mut Checked) -> Result<(), Wrong> {
    let number = line["number"].as_u64().ok_or(Wrong::Malformed(at))?;
    let records = line["records"].as_array().ok_or(Wrong::Malformed(at))?;
    let mut last = None;
    for record in records {
        let (sequence, plain, is_erased) = opened(at, record, checkpoint)?;
        let names = plain.get("closes").and_then(Value::as_u64).unwrap_or(sequence);
        if names != number {
            return Err(Wrong::Shown(at));
        }
        last = Some((plain, is_erased));
    }
    let (plain, is_erased) = last.ok_or(Wrong::Malformed(at))?;
    let shown = line["entry"].as_object().ok_or(Wrong::Malformed(at))?;
    // An entry that went on after the checkpoint is shown further than it is proven.
    let begins = plain.get("closes").is_none() && shown.contains_key("closes");
    checked.entries += 1;
    checked.erased += u64::from(is_erased);
    checked.open += u64::from(begins);
    let same = |field: &str| begins && ["closes", "outcome", "count", "detail"].contains(&field);
    let agrees = |(field, value): (&String, &Value)| shown.get(field) == Some(value) || same(field);
    let all = plain.iter().filter(|(field, _)| *field != "identity").all(agrees);
    let no_more = shown.keys().all(|field| plain.contains_key(field) || same(field));
    if all && no_more { Ok(()) } else { Err(Wrong::Shown(at)) }
}

/// A record that is in the log: its number, what its parts say together, whether one is erased.
fn opened(at: usize, record: &Value, checkpoint: &Checkpoint) -> Result<(u64, Map<String, Value>, bool), Wrong> {
    let malformed = || Wrong::Malformed(at);
    let header = bytes(&record["header"]).ok_or_else(malformed)?;
    let header = Header::read(&header).ok_or(Wrong::NotIncluded(at))?;
    if record["sequence"].as_u64() != Some(header.sequence) {
        return Err(Wrong::Shown(at));
    }
    let proof = hashes(&record["proof"]).ok_or_else(malformed)?;
    let index = header.sequence.checked_sub(1).ok_or_else(malformed)?;
    if !verify_inclusion(&header.leaf, index, checkpoint.size, &proof, &checkpoint.root) {
        return Err(Wrong::NotIncluded(at));
    }
    let parts = record["parts"].as_array().filter(|parts| parts.len() == header.parts()).ok_or_else(malformed)?;
    let keys = record["keys"].as_array().filter(|keys| keys.len() == parts.len()).ok_or_else(malformed)?;
    let (mut says, mut is_erased) = (Map::new(), false);
    for (number, (part, key)) in parts.iter().zip(keys).enumerate() {
        let sealed = bytes(part).ok_or_else(malformed)?;
        if !header.has_part(number, &sealed) {
            return Err(Wrong::Part(at));
        }
        if key.is_null() && number > 0 {
            is_erased = true;
            continue;
        }
        let plain = header.open(number, &sealed, &bytes(key).ok_or_else(malformed)?).ok_or(Wrong::Part(at))?;
        let plain: Map<String, Value> = serde_json::from_slice(&plain).map_err(|_| malformed())?;
        says.extend(plain);
    }
    Ok((header.sequence, says, is_erased))
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    STANDARD.decode(value.as_str()?).ok()
}

fn hashes(value: &Value) -> Option<Vec<Hash>> {
    value.as_array()?.iter().map(|hash| bytes(hash)?.try_into().ok()).collect()
}
