//! The keyring on disk: a header, then frames of entries, each frame appended by one write.
//!
//! ```text
//! header: "LGKEYRNG" version(4) salt(32) memory passes lanes(4 each) | check: nonce(12) tag(16) | checksum(16)
//! frame:  "LGKF" length(4) checksum(16) | entries
//! entry:  type(1) name length(1) sealed length(4) | name | nonce(12) ciphertext tag(16)
//! ```
//! The checksum is the head of a SHA-256; big-endian numbers. A frame that is cut off at the
//! end was never said to be durable and is forgotten; one in the middle is damage.

use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use zeroize::Zeroizing;

use super::master::Stretch;
use super::{KeyError, MasterKey};
use crate::log::sha256;

const MAGIC: &[u8; 8] = b"LGKEYRNG";
const VERSION: u32 = 1;
const FRAME_MAGIC: &[u8; 4] = b"LGKF";
const FRAME_HEAD: usize = 24;
const ENTRY_HEAD: usize = 6;
const NONCE: usize = 12;
const CHECK_AT: usize = 56;
/// Bytes of the header.
pub(super) const HEADER_BYTES: usize = 100;

/// What an entry holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryKind {
    /// A data key, named by its id.
    Key = 1,
    /// A secret, named by a word.
    Secret = 2,
    /// Which data key is a subject's: named by the subject's tag and the key's id, no secret.
    Subject = 3,
}

/// Wraps and unwraps by the master key.
pub(super) struct Wrap(LessSafeKey);

impl Wrap {
    /// The wrapping key of a master key under a keyring's salt.
    pub fn new(master: &MasterKey, stretch: &Stretch) -> Result<Wrap, KeyError> {
        let extracted = Salt::new(HKDF_SHA256, &stretch.salt).extract(master.secret());
        let expanded = extracted.expand(&[b"leadglass keyring 1"], &AES_256_GCM).map_err(|_| KeyError::Broken)?;
        Ok(Wrap(LessSafeKey::new(UnboundKey::from(expanded))))
    }

    /// `nonce ‖ ciphertext ‖ tag`, bound to kind and name.
    pub fn seal(&self, kind: EntryKind, name: &[u8], secret: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut nonce = [0; NONCE];
        super::random_bytes(&mut nonce)?;
        let mut out = nonce.to_vec();
        out.extend_from_slice(secret);
        let aad = Aad::from(binding(kind, name));
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, aad, &mut out[NONCE..]).map_err(|_| KeyError::Broken)?;
        out.extend_from_slice(tag.as_ref());
        Ok(out)
    }

    /// The secret of [`Wrap::seal`]; [`KeyError::Wrong`] when it does not open.
    pub fn open(&self, kind: EntryKind, name: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE>().ok_or(KeyError::Wrong)?;
        let mut text = Zeroizing::new(text.to_vec());
        let aad = Aad::from(binding(kind, name));
        let opened =
            self.0.open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut text).map_err(|_| KeyError::Wrong)?;
        let length = opened.len();
        text.truncate(length);
        Ok(text)
    }
}

fn binding(kind: EntryKind, name: &[u8]) -> Vec<u8> {
    [&[kind as u8], name].concat()
}

/// The header of a keyring.
pub(super) fn encode_header(stretch: &Stretch, wrap: &Wrap) -> Result<Vec<u8>, KeyError> {
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&VERSION.to_be_bytes());
    out.extend_from_slice(&stretch.salt);
    for number in [stretch.memory_kib, stretch.passes, stretch.lanes] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    let check = wrap.seal(EntryKind::Secret, &out, &[])?;
    out.extend_from_slice(&check);
    let sum = checksum(&out);
    out.extend_from_slice(&sum);
    Ok(out)
}

/// Reads the header: how the master key is stretched.
pub(super) fn decode_header(path: &Path, bytes: &[u8]) -> Result<Stretch, KeyError> {
    let damaged = || KeyError::Damaged { path: path.to_owned(), offset: 0 };
    let header = bytes.get(..HEADER_BYTES).ok_or_else(damaged)?;
    let (fields, sum) = header.split_at(HEADER_BYTES - 16);
    if checksum(fields) != sum || !fields.starts_with(MAGIC) || number(fields, 8) != VERSION {
        return Err(damaged());
    }
    let mut salt = [0; 32];
    salt.copy_from_slice(&fields[12..44]);
    Ok(Stretch { salt, memory_kib: number(fields, 44), passes: number(fields, 48), lanes: number(fields, 52) })
}

/// Whether the master key is the one the header was made with.
pub(super) fn check_master(header: &[u8], wrap: &Wrap) -> Result<(), KeyError> {
    let (fields, check) = (&header[..CHECK_AT], &header[CHECK_AT..HEADER_BYTES - 16]);
    wrap.open(EntryKind::Secret, fields, check).map(drop)
}

/// Appends an entry.
pub(super) fn encode_entry(kind: EntryKind, name: &[u8], sealed: &[u8], out: &mut Vec<u8>) {
    out.push(kind as u8);
    out.push(name.len() as u8);
    out.extend_from_slice(&(sealed.len() as u32).to_be_bytes());
    out.extend_from_slice(name);
    out.extend_from_slice(sealed);
}

/// A frame of those entries.
pub(super) fn encode_frame(entries: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(FRAME_HEAD + entries.len());
    out.extend_from_slice(FRAME_MAGIC);
    out.extend_from_slice(&(entries.len() as u32).to_be_bytes());
    out.extend_from_slice(&checksum(entries));
    out.extend_from_slice(entries);
    out
}

/// Takes kind, name and sealed bytes of an entry.
type Visit<'a> = dyn FnMut(u8, &[u8], &[u8]) + 'a;

/// Visits every entry (kind, name, sealed) of every whole frame in the file's bytes; tells where the last
/// whole frame ends.
pub(super) fn decode_frames(path: &Path, bytes: &[u8], visit: &mut Visit<'_>) -> Result<u64, KeyError> {
    let mut at = HEADER_BYTES;
    while let Some(entries) = frame_at(bytes, at) {
        decode_entries(entries, visit).ok_or(KeyError::Damaged { path: path.to_owned(), offset: at as u64 })?;
        at += FRAME_HEAD + entries.len();
    }
    let rest = bytes.get(at..).unwrap_or_default();
    let later =
        rest.windows(4).enumerate().skip(1).any(|(n, head)| head == FRAME_MAGIC && frame_at(bytes, at + n).is_some());
    match later {
        true => Err(KeyError::Damaged { path: path.to_owned(), offset: at as u64 }),
        false => Ok(at as u64),
    }
}

fn frame_at(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let (head, rest) = bytes.get(at..)?.split_at_checked(FRAME_HEAD)?;
    let entries = rest.get(..number(head, 4) as usize)?;
    (head.starts_with(FRAME_MAGIC) && checksum(entries) == head[8..]).then_some(entries)
}

fn decode_entries(mut entries: &[u8], visit: &mut Visit<'_>) -> Option<()> {
    while !entries.is_empty() {
        let (head, rest) = entries.split_at_checked(ENTRY_HEAD)?;
        let (name, rest) = rest.split_at_checked(usize::from(head[1]))?;
        let (sealed, rest) = rest.split_at_checked(number(head, 2) as usize)?;
        visit(head[0], name, sealed);
        entries = rest;
    }
    Some(())
}

fn number(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn checksum(bytes: &[u8]) -> [u8; 16] {
    let mut sum = [0; 16];
    sum.copy_from_slice(&sha256(&[bytes])[..16]);
    sum
}
