//! Records as they are in the log: header, leaf, sealed parts. See `crates/archive/src/log/mod.rs`.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::merkle::{Hash, sha256};

/// Bytes of a header before its part table, and of a line of that table.
const FIXED: usize = 92;
const PART: usize = 56;
/// Bytes of a chunk before sealing, of its tag, of the salt in front.
const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;
const SALT: usize = 32;
/// Kind of a trail entry.
const TRAIL: u8 = 3;
/// Version of the sealed format.
const SEAL_VERSION: u8 = 1;

/// A header that says what its leaf says.
#[derive(Debug)]
pub struct Header {
    /// Number in the log, from 1.
    pub sequence: u64,
    /// The leaf in the tree.
    pub leaf: Hash,
    id: [u8; 16],
    parts: Vec<(u64, Hash)>,
}

impl Header {
    /// Reads the header of a trail record; `None` when it is not one, or its leaf is not its own.
    pub fn read(bytes: &[u8]) -> Option<Header> {
        let (fields, leaf) = bytes.split_at_checked(bytes.len().checked_sub(32)?)?;
        let leaf: Hash = leaf.try_into().ok()?;
        let count = usize::from(*fields.get(10)?);
        let sound = fields.starts_with(b"LGRECORD")
            && fields.get(8) == Some(&1)
            && fields.get(9) == Some(&TRAIL)
            && fields.len() == FIXED + count * PART
            && sha256(&[&[0], fields]) == leaf;
        if !sound {
            return None;
        }
        let parts = fields[FIXED..].chunks_exact(PART).map(|part| {
            let bytes = part[..8].iter().fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
            part[24..].try_into().ok().map(|digest| (bytes, digest))
        });
        Some(Header {
            sequence: u64::from_be_bytes(fields[12..20].try_into().ok()?),
            leaf,
            id: fields[44..60].try_into().ok()?,
            parts: parts.collect::<Option<_>>()?,
        })
    }

    /// How many parts there are.
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// Whether these are the sealed bytes of that part.
    pub fn has_part(&self, number: usize, sealed: &[u8]) -> bool {
        let digest = *blake3::hash(sealed).as_bytes();
        self.parts.get(number) == Some(&(sealed.len() as u64, digest))
    }

    /// The plain bytes of a part, opened with its one key: AES-256-GCM in chunks, each with its
    /// number and whether it is the last as nonce, bound to kind, part and record.
    pub fn open(&self, number: usize, sealed: &[u8], key: &[u8]) -> Option<Vec<u8>> {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
        let aad = [&[SEAL_VERSION, TRAIL, u8::try_from(number).ok()?], self.id.as_slice()].concat();
        let body = sealed.get(SALT..)?;
        let chunks = body.chunks(CHUNK + TAG).count();
        let mut plain = Vec::with_capacity(body.len());
        for (at, chunk) in body.chunks(CHUNK + TAG).enumerate() {
            let mut nonce = [0; 12];
            nonce[3..11].copy_from_slice(&(at as u64).to_be_bytes());
            nonce[11] = u8::from(at + 1 == chunks);
            let mut chunk = chunk.to_vec();
            let nonce = Nonce::assume_unique_for_key(nonce);
            plain.extend_from_slice(key.open_in_place(nonce, Aad::from(&aad), &mut chunk).ok()?);
        }
        Some(plain)
    }
}
