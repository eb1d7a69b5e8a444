//! What the parts of each kind of record hold, before sealing and after opening.
//!
//! | record | part 0 | part 1 | part 2 |
//! |---|---|---|---|
//! | instance | attributes: zstd(DICOM JSON) | sheet: facts, frame table, bulk table | data set as it came |
//! | change | JSON | | |
//! | trail entry | JSON | who it is about: JSON, see `trail::identity` | |
//! | series summary | facts: JSON | zstd(attributes of each instance) | |

use std::time::SystemTime;

use leadglass_dicom::scan::{BulkValue, PixelDataLayout};
use leadglass_dicom::{SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid, TransferSyntax, Uid};
use serde::{Deserialize, Serialize};

use crate::log::{Kind, NewRecord, Part, RecordId};
use crate::seal::{DataKey, KeyId, SealError, seal_blob};

/// Part of an instance record with its attributes.
pub(crate) const ATTRIBUTES: usize = 0;
/// Part of an instance record with its sheet.
pub(crate) const SHEET: usize = 1;
/// Part of an instance record with its data set.
pub(crate) const DATA_SET: usize = 2;
/// Part of a summary record with the attributes of each instance.
pub(crate) const SUMMARY: usize = 1;

/// How hard attributes are compressed: level 3 takes 50 µs for a CT's.
const ZSTD_LEVEL: i32 = 3;

/// What is known of an instance beside its attributes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// Study Instance UID.
    #[serde(with = "as_text")]
    pub(crate) study: StudyInstanceUid,
    /// Series Instance UID.
    #[serde(with = "as_text")]
    pub(crate) series: SeriesInstanceUid,
    /// SOP Instance UID.
    #[serde(with = "as_text")]
    pub(crate) sop_instance: SopInstanceUid,
    /// SOP Class UID.
    #[serde(with = "as_text")]
    pub(crate) sop_class: SopClassUid,
    /// Transfer Syntax UID.
    #[serde(with = "as_text")]
    pub(crate) transfer_syntax: Uid,
    /// BLAKE3 of the data set as it came.
    pub(crate) digest: [u8; 32],
    /// Its bytes.
    pub(crate) data_set_bytes: u64,
    /// Its bytes after inflating, the same unless it came deflated.
    pub(crate) inflated_bytes: u64,
    /// Number of Frames, 0 without pixels.
    pub(crate) frames: u32,
    /// When it came.
    pub(crate) received: SystemTime,
    /// Who sent it.
    pub(crate) caller: String,
    /// The AE title that sent it, for C-STORE.
    pub(crate) calling_ae: Option<String>,
}

impl Facts {
    /// The transfer syntax.
    pub(crate) fn transfer_syntax(&self) -> TransferSyntax {
        TransferSyntax::from_uid(self.transfer_syntax.clone())
    }
}

/// Part 1 of an instance record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sheet {
    /// What is known of the instance.
    pub(crate) facts: Facts,
    /// The frame table, packed; hex.
    layout: Option<String>,
    /// Values that stay in the data set.
    bulk: Vec<BulkLine>,
}

/// A value that stays in the data set: path, offset, length.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct BulkLine(String, u64, u64);

impl Sheet {
    /// The sheet of an instance.
    pub(crate) fn new(facts: Facts, layout: Option<&PixelDataLayout>, bulk: &[BulkValue]) -> Sheet {
        Sheet {
            facts,
            layout: layout.map(|layout| hex::encode(layout.to_bytes())),
            bulk: bulk.iter().map(|value| BulkLine(value.path.clone(), value.offset, value.length)).collect(),
        }
    }

    /// The frame table.
    pub(crate) fn layout(&self) -> Option<PixelDataLayout> {
        PixelDataLayout::from_bytes(&hex::decode(self.layout.as_deref()?).ok()?)
    }

    /// Offset and length of the bulk value of that path.
    pub(crate) fn bulk(&self, path: &str) -> Option<(u64, u64)> {
        self.bulk.iter().find(|line| line.0 == path).map(|line| (line.1, line.2))
    }

    /// As part 1.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// From part 1.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Sheet, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

/// A series summary ready to be committed.
pub(crate) struct NewSummary {
    /// The record.
    pub(crate) record: NewRecord,
    /// Its facts.
    pub(crate) facts: SummaryFacts,
}

/// Part 0 of a series summary.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SummaryFacts {
    /// The study.
    #[serde(with = "as_text")]
    pub(crate) study: StudyInstanceUid,
    /// The series.
    #[serde(with = "as_text")]
    pub(crate) series: SeriesInstanceUid,
    /// How many instances are in it.
    pub(crate) instances: u64,
}

/// A record of one small part.
pub(crate) fn small_record(kind: Kind, key: &(KeyId, DataKey), plain: &[u8]) -> Result<NewRecord, SealError> {
    let id = RecordId::random().map_err(|_| SealError::Broken)?;
    let part: Part = seal_blob(&key.1, id.context(kind, 0), plain)?.into();
    Ok(NewRecord { kind, id, key: key.0, parts: vec![part] })
}

/// The record of a series summary: `instances` are UIDs with their DICOM JSON.
pub(crate) fn summary_record(
    facts: SummaryFacts,
    key: &(KeyId, DataKey),
    instances: &[(SopInstanceUid, bytes::Bytes)],
) -> Result<NewSummary, SealError> {
    let mut plain = Vec::with_capacity(instances.iter().map(|(_, json)| json.len() + 72).sum());
    for (uid, json) in instances {
        let lengths = (u8::try_from(uid.as_str().len()), u32::try_from(json.len()));
        let (Ok(uid_length), Ok(json_length)) = lengths else { return Err(SealError::Broken) };
        plain.push(uid_length);
        plain.extend_from_slice(uid.as_str().as_bytes());
        plain.extend_from_slice(&json_length.to_le_bytes());
        plain.extend_from_slice(json);
    }
    let packed = compress(&plain)?;
    let id = RecordId::random().map_err(|_| SealError::Broken)?;
    let about = serde_json::to_vec(&facts).map_err(|_| SealError::Broken)?;
    let kind = Kind::SeriesSummary;
    let parts = vec![
        seal_blob(&key.1, id.context(kind, 0), &about)?.into(),
        seal_blob(&key.1, id.context(kind, 1), &packed)?.into(),
    ];
    Ok(NewSummary { record: NewRecord { kind, id, key: key.0, parts }, facts })
}

/// The instances of an opened summary part, in the order they were written.
pub(crate) fn summary_instances(packed: &[u8]) -> Option<Vec<(String, bytes::Bytes)>> {
    let plain = bytes::Bytes::from(decompress(packed)?);
    let mut instances = Vec::new();
    let mut rest = plain;
    while !rest.is_empty() {
        let uid_length = usize::from(*rest.first()?);
        let uid = std::str::from_utf8(rest.get(1..1 + uid_length)?).ok()?.to_owned();
        let lengths_at = 1 + uid_length;
        let json_length: [u8; 4] = rest.get(lengths_at..lengths_at + 4)?.try_into().ok()?;
        let json_length = usize::try_from(u32::from_le_bytes(json_length)).ok()?;
        let json_at = lengths_at + 4;
        rest.get(json_at..json_at.checked_add(json_length)?)?;
        instances.push((uid, rest.slice(json_at..json_at + json_length)));
        rest = rest.slice(json_at + json_length..);
    }
    Some(instances)
}

/// Compresses attributes.
pub(crate) fn compress(plain: &[u8]) -> Result<Vec<u8>, SealError> {
    zstd::bulk::compress(plain, ZSTD_LEVEL).map_err(|_| SealError::Broken)
}

/// What [`compress`] made, back. The bytes are our own, opened from their seal.
pub(crate) fn decompress(packed: &[u8]) -> Option<Vec<u8>> {
    zstd::stream::decode_all(packed).ok()
}

/// UIDs as their text.
mod as_text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, T: FromStr, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        let text = String::deserialize(deserializer)?;
        T::from_str(&text).map_err(|_| de::Error::custom("no UID"))
    }
}
