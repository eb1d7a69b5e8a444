//! Sealed blobs: AES-256-GCM in 64 KiB chunks with a counter and a last-chunk flag.
//!
//! The key of a blob is HKDF-SHA-256(data key, salt = 32 random bytes the blob begins
//! with). The nonce of chunk *n* is `n` as 11 big-endian bytes and one byte that is 1 on
//! the last chunk (the STREAM construction): chunks cannot be reordered, dropped or cut
//! off. What the blob belongs to is bound to every chunk as associated data.
//! [`super::chunk`] has the arithmetic of offsets.

use std::ops::Range;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};

use super::chunk::{self, CHUNK_BYTES, SALT_BYTES, SEALED_CHUNK_BYTES, TAG_BYTES};
use super::{DataKey, KeyError};
use crate::digest::{Digest, Digester};

/// Version of the sealed format, bound into every chunk.
const FORMAT_VERSION: u8 = 1;
/// What the key of a blob is derived for.
const BLOB_INFO: &[u8] = b"leadglass blob 1";
const CHUNK: usize = CHUNK_BYTES as usize;
const TAG: usize = TAG_BYTES as usize;
const SALT: usize = SALT_BYTES as usize;

/// What a blob belongs to. A blob opens only with the context it was sealed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealContext {
    /// Kind of record, as in its header; 0 for blobs outside the log.
    pub kind: u8,
    /// Which part of the record.
    pub part: u8,
    /// Random id of the record ([`crate::log::RecordId`]) or other name of 16 bytes.
    pub id: [u8; 16],
}

/// Why sealed bytes do not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Changed, cut, moved, or sealed with another key or context.
    #[error("sealed bytes do not open: chunk {chunk} is damaged or not what it should be")]
    Damaged {
        /// The chunk, from 0.
        chunk: u64,
    },
    /// No sealed blob has that many bytes, or the bytes handed in are not the range asked for.
    #[error("sealed bytes do not open: {0} bytes cannot be a sealed blob or those chunks of it")]
    Length(u64),
    /// The cryptographic module refuses.
    #[error("the cryptographic module failed")]
    Broken,
}

/// Length and digest of sealed bytes; what the log keeps of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedDigest {
    /// Plain bytes that went in.
    pub plain_bytes: u64,
    /// Sealed bytes that came out.
    pub sealed_bytes: u64,
    /// Of the sealed bytes.
    pub digest: Digest,
}

/// A small blob sealed at once.
#[derive(Clone, Debug)]
pub struct SealedBlob {
    /// The sealed bytes.
    pub bytes: Vec<u8>,
    /// Their length and digest.
    pub sealed: SealedDigest,
}

/// Seals a stream: push plain bytes, take sealed ones. They come in pieces, the salt and then
/// a chunk each, so that no byte is moved again once it is sealed.
pub struct Sealer {
    cipher: Cipher,
    chunk: u64,
    /// Plain bytes of the chunk not yet sealed, since it may be the last.
    held: Vec<u8>,
    /// Sealed pieces that nobody took yet.
    ready: Vec<Vec<u8>>,
    ready_bytes: usize,
    digester: Digester,
    plain_bytes: u64,
    sealed_bytes: u64,
}

impl Sealer {
    /// Begins a blob; its salt is the first that comes out.
    pub fn new(key: &DataKey, context: SealContext) -> Result<Sealer, KeyError> {
        let mut salt = [0; SALT];
        super::random_bytes(&mut salt)?;
        let cipher = Cipher::new(key, context, &salt).map_err(|_| KeyError::Broken)?;
        let mut sealer = Sealer {
            cipher,
            chunk: 0,
            held: Vec::new(),
            ready: Vec::new(),
            ready_bytes: 0,
            digester: Digester::default(),
            plain_bytes: 0,
            sealed_bytes: 0,
        };
        sealer.put(salt.to_vec());
        Ok(sealer)
    }

    /// Takes plain bytes; seals each chunk that is complete and not the last.
    pub fn push(&mut self, mut plain: &[u8]) -> Result<(), SealError> {
        self.plain_bytes += plain.len() as u64;
        while self.held.len() + plain.len() > CHUNK {
            let (now, later) = plain.split_at(CHUNK - self.held.len());
            plain = later;
            self.hold(now);
            self.seal_held(false)?;
        }
        self.hold(plain);
        Ok(())
    }

    /// Bytes of memory it holds.
    pub fn memory(&self) -> usize {
        self.held.capacity() + self.ready_bytes
    }

    /// Sealed bytes that can be taken.
    pub fn ready(&self) -> usize {
        self.ready_bytes
    }

    /// Takes the sealed pieces there are.
    pub fn take(&mut self) -> Vec<Vec<u8>> {
        self.ready_bytes = 0;
        std::mem::take(&mut self.ready)
    }

    /// Ends the blob: the rest of the sealed pieces, and what they all are.
    pub fn finish(mut self) -> Result<(Vec<Vec<u8>>, SealedDigest), SealError> {
        self.seal_held(true)?;
        let digest = self.digester.finish();
        Ok((self.ready, SealedDigest { plain_bytes: self.plain_bytes, sealed_bytes: self.sealed_bytes, digest }))
    }

    fn hold(&mut self, plain: &[u8]) {
        match self.chunk {
            // It may be all there is.
            0 => self.held.reserve(plain.len() + TAG),
            // It will be full, as a rule.
            _ => self.held.reserve_exact(CHUNK + TAG - self.held.len()),
        }
        self.held.extend_from_slice(plain);
    }

    /// Seals what is held as the next chunk.
    fn seal_held(&mut self, last: bool) -> Result<(), SealError> {
        let mut chunk = std::mem::take(&mut self.held);
        let (nonce, aad) = (nonce(self.chunk, last), Aad::from(self.cipher.aad));
        let tag = self.cipher.key.seal_in_place_separate_tag(nonce, aad, &mut chunk).map_err(|_| SealError::Broken)?;
        chunk.extend_from_slice(tag.as_ref());
        self.chunk += 1;
        self.put(chunk);
        Ok(())
    }

    fn put(&mut self, sealed: Vec<u8>) {
        self.digester.update(&sealed);
        self.sealed_bytes += sealed.len() as u64;
        self.ready_bytes += sealed.len();
        self.ready.push(sealed);
    }
}

/// Opens any range of a sealed blob.
pub struct Opener {
    cipher: Cipher,
    plain_bytes: u64,
}

impl Opener {
    /// For a blob of `sealed_bytes` that begins with `salt`.
    pub fn new(key: &DataKey, context: SealContext, salt: &[u8; 32], sealed_bytes: u64) -> Result<Opener, SealError> {
        let plain_bytes = chunk::plain_bytes(sealed_bytes).ok_or(SealError::Length(sealed_bytes))?;
        Ok(Opener { cipher: Cipher::new(key, context, salt)?, plain_bytes })
    }

    /// Plain bytes of the whole blob.
    pub fn plain_bytes(&self) -> u64 {
        self.plain_bytes
    }

    /// The sealed bytes needed to [`Opener::open`] that range.
    pub fn sealed_range(&self, plain: Range<u64>) -> Range<u64> {
        chunk::sealed_range(plain, self.plain_bytes)
    }

    /// Opens the plain range; `sealed` holds exactly the bytes of
    /// [`Opener::sealed_range`]. A range past the end is cut to the end.
    pub fn open(&self, plain: Range<u64>, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let needed = self.sealed_range(plain.clone());
        if needed.end - needed.start != sealed.len() as u64 {
            return Err(SealError::Length(sealed.len() as u64));
        }
        let first = (needed.start - SALT_BYTES) / SEALED_CHUNK_BYTES;
        let last = chunk::chunks(self.plain_bytes) - 1;
        let mut opened = vec![0; sealed.len() - sealed.len().div_ceil(CHUNK + TAG) * TAG];
        let pieces = sealed.chunks(CHUNK + TAG).zip(Pieces(&mut opened));
        for (number, (sealed, out)) in (first..).zip(pieces) {
            self.cipher.open(number, number == last, sealed, out)?;
        }
        let base = first * CHUNK_BYTES;
        let skip = plain.start.min(self.plain_bytes).saturating_sub(base) as usize;
        let end = plain.end.min(self.plain_bytes).saturating_sub(base) as usize;
        opened.truncate(end);
        opened.drain(..skip.min(opened.len()));
        Ok(opened)
    }
}

/// Seals a small blob at once.
pub fn seal_blob(key: &DataKey, context: SealContext, plain: &[u8]) -> Result<SealedBlob, SealError> {
    let mut sealer = Sealer::new(key, context).map_err(|_| SealError::Broken)?;
    sealer.push(plain)?;
    let (pieces, sealed) = sealer.finish()?;
    let bytes = pieces.concat();
    Ok(SealedBlob { bytes, sealed })
}

/// Opens a whole blob at once.
pub fn open_blob(key: &DataKey, context: SealContext, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    let (salt, body) = sealed.split_first_chunk::<SALT>().ok_or(SealError::Length(sealed.len() as u64))?;
    Opener::new(key, context, salt, sealed.len() as u64)?.open(0..u64::MAX, body)
}

/// The key of one blob alone: who is shown it can open this blob and no other. For proofs
/// that leave the house.
pub(crate) fn blob_key(key: &DataKey, sealed: &[u8]) -> Result<[u8; 32], SealError> {
    let salt = sealed.get(..SALT).ok_or(SealError::Length(sealed.len() as u64))?;
    let extracted = Salt::new(HKDF_SHA256, salt).extract(key.secret());
    let expanded = extracted.expand(&[BLOB_INFO], HKDF_SHA256).map_err(|_| SealError::Broken)?;
    let mut out = [0; 32];
    expanded.fill(&mut out).map_err(|_| SealError::Broken)?;
    Ok(out)
}

/// The key of one blob, and what its chunks are bound to.
struct Cipher {
    key: LessSafeKey,
    aad: [u8; 19],
}

impl Cipher {
    fn new(key: &DataKey, context: SealContext, salt: &[u8]) -> Result<Cipher, SealError> {
        let extracted = Salt::new(HKDF_SHA256, salt).extract(key.secret());
        let expanded = extracted.expand(&[BLOB_INFO], &AES_256_GCM).map_err(|_| SealError::Broken)?;
        let mut aad = [0; 19];
        aad[..3].copy_from_slice(&[FORMAT_VERSION, context.kind, context.part]);
        aad[3..].copy_from_slice(&context.id);
        Ok(Cipher { key: LessSafeKey::new(UnboundKey::from(expanded)), aad })
    }

    fn open(&self, chunk: u64, last: bool, sealed: &[u8], out: &mut [u8]) -> Result<(), SealError> {
        let damaged = SealError::Damaged { chunk };
        let (text, tag) = sealed.split_at_checked(out.len()).ok_or(damaged)?;
        self.key.open_separate_gather(nonce(chunk, last), Aad::from(self.aad), text, tag, out).map_err(|_| damaged)
    }
}

/// The nonce of a chunk: counter and last flag.
fn nonce(chunk: u64, last: bool) -> Nonce {
    let mut nonce = [0; 12];
    nonce[3..11].copy_from_slice(&chunk.to_be_bytes());
    nonce[11] = u8::from(last);
    Nonce::assume_unique_for_key(nonce)
}

/// Cuts a buffer into chunks; the last may be short, and there is one even when it is empty.
struct Pieces<'a>(&'a mut [u8]);

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a mut [u8];

    fn next(&mut self) -> Option<&'a mut [u8]> {
        let rest = std::mem::take(&mut self.0);
        let (piece, rest) = rest.split_at_mut(CHUNK.min(rest.len()));
        self.0 = rest;
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CONTEXT: SealContext = SealContext { kind: 1, part: 1, id: [7; 16] };

    fn plain(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|n| (n * 31 + n / 251) as u8).collect()
    }

    fn sealed(key: &DataKey, plain: &[u8]) -> Vec<u8> {
        seal_blob(key, CONTEXT, plain).unwrap().bytes
    }

    #[test]
    fn edges_of_chunks_come_back() {
        let key = DataKey::random().unwrap();
        for bytes in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1] {
            let plain = plain(bytes);
            let blob = seal_blob(&key, CONTEXT, &plain).unwrap();
            assert_eq!(blob.bytes.len() as u64, chunk::sealed_bytes(bytes as u64));
            assert_eq!(blob.sealed.sealed_bytes, blob.bytes.len() as u64);
            assert_eq!(blob.sealed.plain_bytes, bytes as u64);
            assert_eq!(blob.sealed.digest, crate::digest::digest(&blob.bytes));
            assert_eq!(open_blob(&key, CONTEXT, &blob.bytes).unwrap(), plain);
        }
    }

    #[test]
    fn another_key_part_or_record_does_not_open() {
        let key = DataKey::random().unwrap();
        let blob = sealed(&key, b"words");
        assert!(open_blob(&DataKey::random().unwrap(), CONTEXT, &blob).is_err());
        assert!(open_blob(&key, SealContext { part: 0, ..CONTEXT }, &blob).is_err());
        assert!(open_blob(&key, SealContext { kind: 2, ..CONTEXT }, &blob).is_err());
        assert!(open_blob(&key, SealContext { id: [8; 16], ..CONTEXT }, &blob).is_err());
    }

    #[test]
    fn cut_and_swapped_chunks_do_not_open() {
        let key = DataKey::random().unwrap();
        let blob = sealed(&key, &plain(3 * CHUNK));
        let whole = CHUNK + TAG;
        assert!(open_blob(&key, CONTEXT, &blob[..SALT + 2 * whole]).is_err());
        let swapped = [
            &blob[..SALT],
            &blob[SALT + whole..SALT + 2 * whole],
            &blob[SALT..SALT + whole],
            &blob[SALT + 2 * whole..],
        ];
        assert_eq!(open_blob(&key, CONTEXT, &swapped.concat()), Err(SealError::Damaged { chunk: 0 }));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn any_way_of_pushing_is_the_same_blob(bytes in 0usize..200_000, cuts in proptest::collection::vec(0usize..200_000, 0..6)) {
            let key = DataKey::random().unwrap();
            let plain = plain(bytes);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes)).chain([0, bytes]).collect();
            cuts.sort_unstable();
            let mut sealer = Sealer::new(&key, CONTEXT).unwrap();
            let mut out = Vec::new();
            for (round, pair) in cuts.windows(2).enumerate() {
                sealer.push(&plain[pair[0]..pair[1]]).unwrap();
                if round % 2 == 1 {
                    let chunks = sealer.plain_bytes.saturating_sub(1) / CHUNK_BYTES;
                    prop_assert_eq!((sealer.ready() + out.len()) as u64, SALT_BYTES + chunks * SEALED_CHUNK_BYTES);
                    out.extend(sealer.take().concat());
                }
            }
            let (rest, digest) = sealer.finish().unwrap();
            out.extend(rest.concat());
            prop_assert_eq!(digest.sealed_bytes, out.len() as u64);
            prop_assert_eq!(digest.digest, crate::digest::digest(&out));
            prop_assert_eq!(open_blob(&key, CONTEXT, &out).unwrap(), plain);
        }

        #[test]
        fn any_range_opens_from_its_chunks(bytes in 0u64..200_000, a in 0u64..210_000, b in 0u64..210_000) {
            let key = DataKey::random().unwrap();
            let plain = plain(bytes as usize);
            let blob = sealed(&key, &plain);
            let range = a.min(b)..a.max(b);
            let opener = Opener::new(&key, CONTEXT, &blob[..SALT].try_into().unwrap(), blob.len() as u64).unwrap();
            let need = opener.sealed_range(range.clone());
            let got = opener.open(range.clone(), &blob[need.start as usize..need.end as usize]).unwrap();
            let wanted = &plain[range.start.min(bytes) as usize..range.end.min(bytes) as usize];
            prop_assert_eq!(&got, wanted);
        }

        #[test]
        fn any_flipped_bit_is_found(bytes in 0usize..140_000, at in any::<proptest::sample::Index>(), bit in 0u8..8) {
            let key = DataKey::random().unwrap();
            let mut blob = sealed(&key, &plain(bytes));
            let at = at.index(blob.len());
            blob[at] ^= 1 << bit;
            prop_assert!(open_blob(&key, CONTEXT, &blob).is_err());
        }
    }
}
