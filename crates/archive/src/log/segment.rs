//! Segments: preallocated files of records. Each begins with what the log was when it was
//! made, so that a walk can start at any segment.
//!
//! ```text
//! "LGSEGMNT" version(4) number(4) leaves before(8) leaf before(32) peaks(4) peak(32)… zeros | SHA-256(32)
//! ```
//! 4,096 bytes; records follow.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use rustix::fs::{FallocateFlags, SeekFrom, fallocate, statvfs};
use rustix::io::Errno;

use super::files::{Files, read_up_to, sync_directory};
use super::{Hash, LogError, Tree, sha256};

/// Bytes before a segment's first record.
pub(super) const SEGMENT_HEADER_BYTES: u64 = 4096;
const MAGIC: &[u8; 8] = b"LGSEGMNT";
const VERSION: u32 = 1;
const FIXED_BYTES: usize = 60;
const BODY_BYTES: usize = SEGMENT_HEADER_BYTES as usize - 32;
/// The smallest segment made when space is short.
const SMALL_SEGMENT_BYTES: u64 = 4 << 20;

/// The state of the log before a record: what a walk goes on from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Before {
    /// All leaves before.
    pub tree: Tree,
    /// Leaf of the record before, zeros before the first.
    pub previous: Hash,
}

/// Makes a segment, preallocated and durable; gives it with its length. When space is short
/// it is made as small as `needed` allows; [`LogError::NoRoom`] leaves everything as it was.
pub(super) fn create(files: &Files, number: u32, before: &Before, sizes: Sizes) -> Result<(File, u64), LogError> {
    let path = files.segment_path(number);
    let io = |what| LogError::io(what, &path);
    let free = free_bytes(files)?;
    let wanted = sizes.wanted.max(sizes.needed);
    let bytes = if free >= wanted.saturating_add(sizes.reserve) {
        wanted
    } else {
        sizes.needed.max(SMALL_SEGMENT_BYTES.min(wanted))
    };
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .map_err(io("cannot create"))?;
    let made = preallocate(&file, bytes)
        .and_then(|()| file.write_all_at(&encode_header(number, before), 0))
        .and_then(|()| file.sync_all());
    if let Err(source) = made {
        std::fs::remove_file(&path).map_err(io("cannot remove"))?;
        let full = matches!(source.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded);
        return Err(if full { LogError::NoRoom } else { io("cannot preallocate")(source) });
    }
    sync_directory(files.log())?;
    Ok((file, bytes))
}

/// How large a segment shall be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// When there is space.
    pub wanted: u64,
    /// At least.
    pub needed: u64,
    /// Free bytes to leave if the segment is as large as wanted.
    pub reserve: u64,
}

/// Free bytes of the file system the log is on.
pub(super) fn free_bytes(files: &Files) -> Result<u64, LogError> {
    let space = statvfs(files.log()).map_err(LogError::io("cannot measure", files.log()))?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize))
}

fn preallocate(file: &File, bytes: u64) -> std::io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, bytes) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => file.set_len(bytes),
        done => Ok(done?),
    }
}

/// Turns bytes into zeros, keeping the file's length. The blocks are given back.
pub(super) fn punch(file: &File, offset: u64, bytes: u64) -> std::io::Result<()> {
    if bytes == 0 {
        return Ok(());
    }
    match fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, offset, bytes) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => write_zeros(file, offset, bytes),
        done => Ok(done?),
    }
}

fn write_zeros(file: &File, mut offset: u64, mut bytes: u64) -> std::io::Result<()> {
    let zeros = vec![0; 1 << 16];
    while bytes > 0 {
        let piece = &zeros[..zeros.len().min(usize::try_from(bytes).unwrap_or(usize::MAX))];
        file.write_all_at(piece, offset)?;
        offset += piece.len() as u64;
        bytes -= piece.len() as u64;
    }
    Ok(())
}

/// The first byte from `offset` on that is not zero, skipping what the file system knows to
/// be holes.
pub(super) fn first_data(file: &File, mut offset: u64) -> std::io::Result<Option<u64>> {
    let (from, length) = (offset, file.metadata()?.len());
    while offset < length {
        offset = match rustix::fs::seek(file, SeekFrom::Data(offset)) {
            Ok(data) => data,
            Err(Errno::NXIO) => return Ok(None),
            Err(_) => offset,
        };
        let hole = rustix::fs::seek(file, SeekFrom::Hole(offset)).unwrap_or(length);
        while offset < hole {
            let piece = read_up_to(file, offset, (1 << 18).min(usize::try_from(hole - offset).unwrap_or(1 << 18)))?;
            if let Some(at) = first_non_zero(&piece) {
                return Ok(Some(offset + at as u64));
            }
            if piece.is_empty() {
                return Ok(None);
            }
            offset += piece.len() as u64;
        }
    }
    // Zeros that were read count as data from now on, unless the cache forgets them.
    let _ = rustix::fs::fadvise(file, from, None, rustix::fs::Advice::DontNeed);
    Ok(None)
}

fn first_non_zero(bytes: &[u8]) -> Option<usize> {
    const ZEROS: [u8; 4096] = [0; 4096];
    // Whole pages are compared at the memory's speed.
    let page = bytes.chunks(ZEROS.len()).position(|page| *page != ZEROS[..page.len()])?;
    let from = page * ZEROS.len();
    Some(from + bytes.get(from..)?.iter().position(|byte| *byte != 0)?)
}

/// The state of the log a segment's header tells; `None` when the header is not whole.
pub(super) fn read_header(file: &File, number: u32) -> std::io::Result<Option<Before>> {
    let bytes = read_up_to(file, 0, SEGMENT_HEADER_BYTES as usize)?;
    Ok(decode_header(&bytes, number))
}

fn encode_header(number: u32, before: &Before) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&VERSION.to_be_bytes());
    out.extend_from_slice(&number.to_be_bytes());
    out.extend_from_slice(&before.tree.size().to_be_bytes());
    out.extend_from_slice(&before.previous);
    out.extend_from_slice(&(before.tree.peaks().len() as u32).to_be_bytes());
    before.tree.peaks().iter().for_each(|peak| out.extend_from_slice(peak));
    out.resize(BODY_BYTES, 0);
    let sum = sha256(&[&out]);
    out.extend_from_slice(&sum);
    out
}

fn decode_header(bytes: &[u8], number: u32) -> Option<Before> {
    let (body, sum) = bytes.split_at_checked(BODY_BYTES)?;
    if sha256(&[body]) != sum {
        return None;
    }
    let (version, rest) = body.strip_prefix(MAGIC)?.split_first_chunk()?;
    let (own_number, rest) = rest.split_first_chunk()?;
    let (size, rest) = rest.split_first_chunk()?;
    let (previous, rest) = rest.split_first_chunk()?;
    let (peaks, _) = rest.split_first_chunk()?;
    if u32::from_be_bytes(*version) != VERSION || u32::from_be_bytes(*own_number) != number {
        return None;
    }
    let peaks = decode_hashes(body.get(FIXED_BYTES..)?.get(..u32::from_be_bytes(*peaks) as usize * 32)?);
    Some(Before { tree: Tree::from_peaks(u64::from_be_bytes(*size), peaks)?, previous: *previous })
}

/// Hashes one after another.
pub(super) fn decode_hashes(bytes: &[u8]) -> Vec<Hash> {
    bytes.as_chunks::<32>().0.to_vec()
}
