//! Sealed blobs: AES-256-GCM in 64 KiB chunks with a counter and a last-chunk flag.
//!
//! The key of a blob is HKDF-SHA-256(data key, salt = 32 random bytes the blob begins
//! with). The nonce of chunk *n* is `n` as 11 big-endian bytes and one byte that is 1 on
//! the last chunk (the STREAM construction): chunks cannot be reordered, dropped or cut
//! off. What the blob belongs to is bound to every chunk as associated data.
//! [`super::chunk`] has the arithmetic of offsets.

use std::ops::Range;

use super::{DataKey, KeyError};

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

/// Length and SHA-256 of sealed bytes; what the log keeps of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedDigest {
    /// Plain bytes that went in.
    pub plain_bytes: u64,
    /// Sealed bytes that came out.
    pub sealed_bytes: u64,
    /// SHA-256 of the sealed bytes.
    pub sha256: [u8; 32],
}

/// A small blob sealed at once.
#[derive(Clone, Debug)]
pub struct SealedBlob {
    /// The sealed bytes.
    pub bytes: Vec<u8>,
    /// Their length and digest.
    pub digest: SealedDigest,
}

/// Seals a stream: push plain bytes, take sealed ones.
pub struct Sealer {}

impl Sealer {
    /// Begins a blob; its salt is the first that comes out.
    pub fn new(_key: &DataKey, _context: SealContext) -> Result<Sealer, KeyError> {
        todo!()
    }

    /// Takes plain bytes; appends to `out` the chunks that are complete. Keeps at most one
    /// chunk back.
    pub fn push(&mut self, _plain: &[u8], _out: &mut Vec<u8>) -> Result<(), SealError> {
        todo!()
    }

    /// Ends the blob: appends the last chunk.
    pub fn finish(self, _out: &mut Vec<u8>) -> Result<SealedDigest, SealError> {
        todo!()
    }
}

/// Opens any range of a sealed blob.
pub struct Opener {}

impl Opener {
    /// For a blob of `sealed_bytes` that begins with `salt`.
    pub fn new(_key: &DataKey, _context: SealContext, _salt: &[u8; 32], _sealed_bytes: u64) -> Result<Opener, SealError> {
        todo!()
    }

    /// Plain bytes of the whole blob.
    pub fn plain_bytes(&self) -> u64 {
        todo!()
    }

    /// The sealed bytes needed to [`Opener::open`] that range.
    pub fn sealed_range(&self, _plain: Range<u64>) -> Range<u64> {
        todo!()
    }

    /// Opens the plain range; `sealed` holds exactly the bytes of
    /// [`Opener::sealed_range`]. A range past the end is cut to the end.
    pub fn open(&self, _plain: Range<u64>, _sealed: Vec<u8>) -> Result<Vec<u8>, SealError> {
        todo!()
    }
}

/// Seals a small blob at once.
pub fn seal_blob(_key: &DataKey, _context: SealContext, _plain: &[u8]) -> Result<SealedBlob, SealError> {
    todo!()
}

/// Opens a whole blob at once.
pub fn open_blob(_key: &DataKey, _context: SealContext, _sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    todo!()
}
