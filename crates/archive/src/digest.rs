//! Digests of contents: BLAKE3, and this is the only place that says so.
//!
//! Every byte stored is digested twice, plain and sealed, so this is what a store costs most
//! after encryption, and BLAKE3 takes a fraction of SHA-256's time even where the processor
//! has instructions for the latter. The tree of the log and its proofs stay SHA-256 (RFC 6962):
//! a leaf commits to the digests of its record's parts.

/// A BLAKE3 digest.
pub type Digest = [u8; 32];

/// Digests contents as they come.
#[derive(Clone, Default)]
pub(crate) struct Digester(blake3::Hasher);

impl Digester {
    /// Takes the next bytes. Many at once are digested faster than few.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all that was taken.
    pub(crate) fn finish(&self) -> Digest {
        *self.0.finalize().as_bytes()
    }
}

/// The digest of bytes in memory.
pub(crate) fn digest(bytes: &[u8]) -> Digest {
    *blake3::hash(bytes).as_bytes()
}
