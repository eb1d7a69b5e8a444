//! Who an entry is about, sealed apart from what was done.
//!
//! A trail record has one part or two. Part 0, JSON under the trail key, says who did what,
//! when, from where and how it ended. What identifies a patient (Patient ID and name, study,
//! what was searched for, words about it) is part 1, under the key of that patient; of the
//! study when no patient is known; of the day when neither is. Part 0 then names the key:
//! `"identity"`. A record of one part without that field is one of format 1, which had all
//! in part 0, or one that names nobody.
//!
//! Destroying a subject's key makes every part 1 sealed with it unreadable: the records,
//! their leaves and their proofs stay as they are. Deliberately absent: deciding about that.

use serde::{Deserialize, Serialize};

use super::{Act, Entry, Outcome, Subject};
use crate::Operation;
use crate::log::{Kind, LogError, NewRecord, Part, RecordId, RecordView};
use crate::seal::{KeyError, KeyId, Keyring, SealError, seal_blob};

/// Nanoseconds of a day.
const DAY_NS: i64 = 86_400_000_000_000;

/// Part 0.
#[derive(Serialize, Deserialize)]
struct Operational {
    #[serde(flatten)]
    entry: Entry,
    /// Hex of the id of the key that part 1 is sealed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity: Option<String>,
}

/// Part 1.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Identity {
    #[serde(skip_serializing_if = "Option::is_none")]
    patient_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patient_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    study: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// Whose key seals part 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose<'a> {
    /// The patient of that Patient ID.
    Patient(&'a str),
    /// The study, of no known patient.
    Study(&'a str),
    /// Whoever was searched for on that day since 1970.
    Day(i64),
}

impl Whose<'_> {
    /// What the keyring makes the tag of.
    pub(crate) fn text(self) -> String {
        match self {
            Whose::Patient(id) => format!("patient {id}"),
            Whose::Study(uid) => format!("study {uid}"),
            Whose::Day(day) => format!("day {day}"),
        }
    }
}

/// Why a record cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    /// The keyring gives no key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The seal.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// What was sealed is no entry.
    #[error("a trail record holds no entry")]
    Malformed(#[from] serde_json::Error),
}

/// Takes out whom an entry is about when that was erased after the entry it closes was written:
/// what ends late must not bring it back.
pub(crate) fn leave_out_erased(keyring: &Keyring, entry: &mut Entry) {
    let Some(closes) = entry.closes else { return };
    let tag = whose(entry).map(|whose| keyring.subject_tag(whose.text().as_bytes()));
    if tag.is_some_and(|tag| keyring.was_destroyed(tag, closes)) {
        let Subject { count, purpose, .. } = std::mem::take(&mut entry.subject);
        entry.subject = Subject { count, purpose, ..Subject::default() };
    }
}

/// The record of an entry, and the key of its identifying part. A subject met for the first time gets a key, which the committer
/// makes durable before the record.
pub(crate) fn record_of(keyring: &Keyring, entry: &Entry) -> Result<(NewRecord, Option<KeyId>), IdentityError> {
    let trail = keyring.trail_key();
    let id = RecordId::random()?;
    let seal =
        |key, part, plain: &[u8]| Ok::<Part, SealError>(seal_blob(key, id.context(Kind::Trail, part), plain)?.into());
    let Some(whose) = whose(entry) else {
        let parts = vec![seal(&trail.1, 0, &serde_json::to_vec(entry)?)?];
        return Ok((NewRecord { kind: Kind::Trail, id, key: trail.0, parts }, None));
    };
    let (key_id, key) = keyring.subject_key(keyring.subject_tag(known(keyring, whose, entry).text().as_bytes()))?;
    let mut entry = entry.clone();
    let Subject { patient_id, patient_name, study, query, detail, .. } = &mut entry.subject;
    let identity = Identity {
        patient_id: patient_id.take(),
        patient_name: patient_name.take(),
        study: study.take(),
        query: query.take(),
        detail: detail.take(),
    };
    let operational = Operational { entry, identity: Some(key_id.to_string()) };
    let parts =
        vec![seal(&trail.1, 0, &serde_json::to_vec(&operational)?)?, seal(&key, 1, &serde_json::to_vec(&identity)?)?];
    Ok((NewRecord { kind: Kind::Trail, id, key: trail.0, parts }, Some(key_id)))
}

/// The entry of a record, and the key of its identifying part; without either when that key
/// was destroyed.
pub(crate) fn entry_of(keyring: &Keyring, record: &RecordView<'_>) -> Result<(Entry, Option<KeyId>), IdentityError> {
    let plain = record.open_part(0, &keyring.key(record.header.key)?)?;
    let Operational { mut entry, identity } = serde_json::from_slice(&plain)?;
    let key = identity.as_deref().and_then(key_id).filter(|id| keyring.has_key(*id));
    if let Some(id) = key {
        let plain = record.open_part(1, &keyring.key(id)?)?;
        let Identity { patient_id, patient_name, study, query, detail } = serde_json::from_slice(&plain)?;
        entry.subject = Subject { patient_id, patient_name, study, query, detail, ..entry.subject };
    }
    Ok((entry, key))
}

/// The id of the key that part 1 is sealed with, given the plain bytes of part 0.
pub(crate) fn identity_key(plain: &[u8]) -> Option<KeyId> {
    #[derive(Deserialize)]
    struct Named {
        identity: String,
    }
    key_id(&serde_json::from_slice::<Named>(plain).ok()?.identity)
}

/// The id of those hexadecimal digits.
pub(super) fn key_id(hex_digits: &str) -> Option<KeyId> {
    Some(KeyId::from_bytes(hex::decode(hex_digits).ok()?.try_into().ok()?))
}

/// Keys are made for patients who are here, not for whomever somebody names who is refused:
/// nobody may fill the keyring by asking. Those share the day's.
fn known<'a>(keyring: &Keyring, whose: Whose<'a>, entry: &Entry) -> Whose<'a> {
    let refused = matches!(entry.outcome, Outcome::Refused | Outcome::Unanswerable);
    let is_known = || keyring.subject(keyring.subject_tag(whose.text().as_bytes())).is_some();
    if refused && !is_known() { Whose::Day(entry.time_ns.div_euclid(DAY_NS)) } else { whose }
}

/// Whose the identifying fields are; `None` when the entry identifies nobody.
fn whose(entry: &Entry) -> Option<Whose<'_>> {
    let subject = &entry.subject;
    let asked = matches!(entry.act, Act::Operation(Operation::Search | Operation::Store))
        || subject.query.is_some()
        || subject.patient_name.is_some();
    match (&subject.patient_id, &subject.study) {
        (Some(id), _) => Some(Whose::Patient(id)),
        (None, Some(uid)) => Some(Whose::Study(uid)),
        (None, None) => asked.then(|| Whose::Day(entry.time_ns.div_euclid(DAY_NS))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Door, Source};

    fn entry(subject: Subject) -> Entry {
        let source = Source { address: None, door: Door::Dimse };
        Entry { subject, act: Operation::Retrieve.into(), ..Entry::of_strangers(&source, "", 0, 5) }
    }

    #[test]
    fn the_patient_comes_before_the_study_and_the_day_last() {
        let (patient, study) = (Some("P1".to_owned()), Some("1.2".to_owned()));
        let of = |patient_id: &Option<String>, study: &Option<String>| {
            entry(Subject { patient_id: patient_id.clone(), study: study.clone(), ..Subject::default() })
        };
        assert_eq!(whose(&of(&patient, &study)), Some(Whose::Patient("P1")));
        assert_eq!(whose(&of(&None, &study)), Some(Whose::Study("1.2")));
        assert_eq!(whose(&of(&None, &None)), None);
        let search = Entry { act: Operation::Search.into(), ..of(&None, &None) };
        assert_eq!(whose(&search), Some(Whose::Day(0)));
    }

    #[test]
    fn the_operational_part_names_nobody_and_an_old_record_reads_as_it_did() {
        let dir = tempfile::tempdir().unwrap();
        let source = crate::KeySource::File(dir.path().join("master.key"));
        let keyring = Keyring::open_or_create(&dir.path().join("data"), &source).unwrap();
        let subject = Subject {
            patient_id: Some("CANARY-ID".into()),
            patient_name: Some("CANARY^NAME".into()),
            study: Some("1.2.99999".into()),
            detail: Some("CANARY detail".into()),
            query: Some("CANARYQ=".into()),
            count: 7,
            purpose: Some("viewing".into()),
        };
        let entry = entry(subject);
        let (record, _) = record_of(&keyring, &entry).unwrap();
        assert_eq!(record.parts.len(), 2);
        let Part::Inline { pieces, .. } = &record.parts[0] else { panic!() };
        let context = record.id.context(Kind::Trail, 0);
        let plain = crate::seal::open_blob(&keyring.trail_key().1, context, &pieces.concat()).unwrap();
        let text = String::from_utf8(plain.clone()).unwrap();
        assert!(!text.contains("CANARY") && !text.contains("99999") && text.contains("viewing"), "{text}");
        assert!(identity_key(&plain).is_some_and(|id| keyring.has_key(id)));
        let old = r#"{"time_ns":1,"caller":"CT1","door":"dimse","operation":"store","outcome":"done",
            "patient_id":"P","study":"1.2","count":3}"#;
        let Operational { entry, identity } = serde_json::from_str(old).unwrap();
        assert_eq!((entry.subject.patient_id.as_deref(), entry.subject.count, identity), (Some("P"), 3, None));
        assert_eq!(entry.act, Act::Operation(Operation::Store));
    }
}
