//! What a record is: its kinds, its header, what is handed in to be appended.

use super::merkle::leaf_hash;
use super::{Hash, LogError, SpilledObject};
use crate::digest::Digest;
use crate::seal::{KeyError, KeyId, SealContext, SealedBlob};

/// Most parts a record may have.
const MAX_PARTS: usize = 8;
/// What every record begins with.
pub(super) const MAGIC: &[u8; 8] = b"LGRECORD";
const VERSION: u8 = 1;
/// Bytes of a header before its part table.
const FIXED_BYTES: usize = 92;
const PART_BYTES: usize = 56;
/// Bytes of the longest header.
pub(super) const MAX_HEADER_BYTES: usize = FIXED_BYTES + MAX_PARTS * PART_BYTES + 32;

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A stored instance: attributes, data set.
    Instance = 1,
    /// A change: peer, token, label, correction, tombstone.
    Change = 2,
    /// A trail entry.
    Trail = 3,
    /// A signed checkpoint of the tree: its text is public, not sealed.
    Checkpoint = 4,
    /// All attributes of a settled series.
    SeriesSummary = 5,
    /// An instance whose SOP Instance UID is taken by other bytes.
    Quarantine = 6,
}

impl Kind {
    /// The kind of that number; `None` for one this version does not know.
    pub fn from_number(number: u8) -> Option<Kind> {
        Some(match number {
            1 => Kind::Instance,
            2 => Kind::Change,
            3 => Kind::Trail,
            4 => Kind::Checkpoint,
            5 => Kind::SeriesSummary,
            6 => Kind::Quarantine,
            _ => return None,
        })
    }
}

/// A random name of a record, chosen before its place in the log is known; its parts are
/// sealed to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RecordId(pub [u8; 16]);

impl RecordId {
    /// A fresh one.
    pub fn random() -> Result<RecordId, KeyError> {
        let mut id = [0; 16];
        crate::seal::random_bytes(&mut id)?;
        Ok(RecordId(id))
    }

    /// What part `part` of this record is sealed to.
    pub fn context(self, kind: Kind, part: u8) -> SealContext {
        SealContext { kind: kind as u8, part, id: self.0 }
    }
}

/// Where a record's header begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// Number of the segment, from 1.
    pub segment: u32,
    /// Byte in the segment.
    pub offset: u64,
}

/// A record to append.
#[derive(Debug)]
pub struct NewRecord {
    /// What it is about.
    pub kind: Kind,
    /// The name its parts are sealed to.
    pub id: RecordId,
    /// The data key its parts are sealed with; [`KeyId::NONE`] when they are public.
    pub key: KeyId,
    /// Its parts, at most eight.
    pub parts: Vec<Part>,
}

/// Sealed bytes of a record to append.
#[derive(Debug)]
pub enum Part {
    /// Into the segment, after the header.
    Inline {
        /// The sealed bytes, one piece after the other.
        pieces: Vec<Vec<u8>>,
        /// Their digest, made where they were sealed.
        digest: Digest,
    },
    /// Already durable in a file of its own.
    Spilled(SpilledObject),
}

impl From<SealedBlob> for Part {
    fn from(blob: SealedBlob) -> Part {
        Part::Inline { digest: blob.sealed.digest, pieces: vec![blob.bytes] }
    }
}

/// The header of a record in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Number of the kind; see [`Kind::from_number`].
    pub kind: u8,
    /// Place in the log, from 1, without gaps. The leaf index is one less.
    pub sequence: u64,
    /// Sequence of the first record of the same append.
    pub batch_first: u64,
    /// The data key its parts are sealed with.
    pub key: KeyId,
    /// The name its parts are sealed to.
    pub id: RecordId,
    /// Leaf of the record before.
    pub previous: Hash,
    /// Its parts.
    pub parts: Vec<PartHeader>,
    /// Its own leaf in the tree.
    pub leaf: Hash,
}

/// What the header says of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartHeader {
    /// Sealed bytes.
    pub bytes: u64,
    /// Name of its file in `objects/`, when it has one.
    pub object: Option<[u8; 16]>,
    /// Of the sealed bytes.
    pub digest: Digest,
}

impl Header {
    /// The kind, when this version knows it.
    pub fn known_kind(&self) -> Option<Kind> {
        Kind::from_number(self.kind)
    }

    /// Bytes of the header itself.
    pub(super) fn bytes(&self) -> u64 {
        (FIXED_BYTES + self.parts.len() * PART_BYTES + 32) as u64
    }

    /// Bytes of header and parts in the segment.
    pub(super) fn record_bytes(&self) -> u64 {
        self.inline_before(self.parts.len()).saturating_add(self.bytes())
    }

    /// Where in the segment an inline part begins, from the record's first byte.
    pub(super) fn part_offset(&self, part: usize) -> u64 {
        self.inline_before(part).saturating_add(self.bytes())
    }

    fn inline_before(&self, part: usize) -> u64 {
        let inline = self.parts.iter().take(part).filter(|part| part.object.is_none());
        inline.fold(0, |sum: u64, part| sum.saturating_add(part.bytes))
    }

    /// The header of a record about to be appended.
    pub(super) fn of(record: &NewRecord, sequence: u64, batch_first: u64, previous: Hash) -> Result<Header, LogError> {
        if record.parts.len() > MAX_PARTS {
            return Err(LogError::TooLarge("more than eight parts"));
        }
        let parts = record.parts.iter().map(|part| match part {
            Part::Inline { pieces, digest } => {
                let bytes = pieces.iter().map(|piece| piece.len() as u64).sum();
                PartHeader { bytes, object: None, digest: *digest }
            }
            Part::Spilled(object) => {
                PartHeader { bytes: object.bytes(), object: Some(object.name()), digest: object.digest() }
            }
        });
        let mut header = Header {
            kind: record.kind as u8,
            sequence,
            batch_first,
            key: record.key,
            id: record.id,
            previous,
            parts: parts.collect(),
            leaf: [0; 32],
        };
        header.leaf = leaf_hash(&header.encode_fields());
        Ok(header)
    }

    /// The header as it is on disk.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = self.encode_fields();
        out.extend_from_slice(&self.leaf);
        out
    }

    fn encode_fields(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(MAX_HEADER_BYTES);
        let spilled =
            self.parts.iter().enumerate().fold(0, |bits, (n, part)| bits | u8::from(part.object.is_some()) << n);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&[VERSION, self.kind, self.parts.len() as u8, spilled]);
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&self.batch_first.to_be_bytes());
        out.extend_from_slice(&self.key.to_bytes());
        out.extend_from_slice(&self.id.0);
        out.extend_from_slice(&self.previous);
        for part in &self.parts {
            out.extend_from_slice(&part.bytes.to_be_bytes());
            out.extend_from_slice(&part.object.unwrap_or_default());
            out.extend_from_slice(&part.digest);
        }
        out
    }

    /// Reads a header at the start of `bytes`; `None` when it is not one, or not whole, or
    /// its leaf is not its own.
    pub(super) fn decode(bytes: &[u8]) -> Option<Header> {
        let (&[version, kind, count, spilled], rest) = bytes.strip_prefix(MAGIC)?.split_first_chunk()?;
        let length = FIXED_BYTES + usize::from(count) * PART_BYTES;
        if version != VERSION || usize::from(count) > MAX_PARTS {
            return None;
        }
        let (fields, leaf) = (bytes.get(..length)?, bytes.get(length..length + 32)?);
        if leaf_hash(fields) != leaf {
            return None;
        }
        let (sequence, rest) = rest.split_first_chunk()?;
        let (batch_first, rest) = rest.split_first_chunk()?;
        let (key, rest) = rest.split_first_chunk()?;
        let (id, rest) = rest.split_first_chunk()?;
        let (previous, rest) = rest.split_first_chunk()?;
        let parts = rest.chunks_exact(PART_BYTES).take(usize::from(count)).enumerate();
        let parts = parts.map(|(n, part)| decode_part(part, spilled >> n & 1 == 1)).collect::<Option<_>>()?;
        Some(Header {
            kind,
            sequence: u64::from_be_bytes(*sequence),
            batch_first: u64::from_be_bytes(*batch_first),
            key: KeyId::from_bytes(*key),
            id: RecordId(*id),
            previous: *previous,
            parts,
            leaf: leaf.try_into().ok()?,
        })
    }
}

fn decode_part(bytes: &[u8], spilled: bool) -> Option<PartHeader> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (name, rest) = rest.split_first_chunk()?;
    let (digest, _) = rest.split_first_chunk()?;
    Some(PartHeader { bytes: u64::from_be_bytes(*length), object: spilled.then_some(*name), digest: *digest })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(parts: usize) -> Header {
        let parts = (0..parts).map(|n| Part::Inline { pieces: vec![vec![1; n]], digest: [n as u8; 32] }).collect();
        let record = NewRecord { kind: Kind::Trail, id: RecordId([3; 16]), key: KeyId::from_bytes([4; 16]), parts };
        Header::of(&record, 7, 6, [9; 32]).unwrap()
    }

    #[test]
    fn a_header_reads_back_and_every_flipped_bit_shows() {
        for parts in 0..=MAX_PARTS {
            let header = header(parts);
            let bytes = header.encode();
            assert_eq!(bytes.len() as u64, header.bytes());
            assert_eq!(Header::decode(&bytes).as_ref(), Some(&header));
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Header::decode(&flipped), None);
            }
            for cut in 0..bytes.len() {
                assert_eq!(Header::decode(&bytes[..cut]), None);
            }
        }
    }

    #[test]
    fn nine_parts_are_too_many() {
        let parts = (0..9).map(|_| Part::Inline { pieces: vec![], digest: [0; 32] }).collect();
        let record = NewRecord { kind: Kind::Trail, id: RecordId([3; 16]), key: KeyId::NONE, parts };
        assert!(matches!(Header::of(&record, 1, 1, [0; 32]), Err(LogError::TooLarge(_))));
    }
}
