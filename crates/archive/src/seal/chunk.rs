//! Where plain bytes lie in a sealed blob, and the other way round: arithmetic, no keys.
//!
//! ```text
//! salt (32) | chunk 0: ≤ 65,536 bytes + tag (16) | chunk 1 … | last chunk + tag
//! ```
//! Every chunk but the last is full. The last is empty only when the blob is empty.

use std::ops::Range;

/// Plain bytes of a full chunk.
pub const CHUNK_BYTES: u64 = 64 * 1024;
/// Bytes of the authentication tag after each chunk.
pub const TAG_BYTES: u64 = 16;
/// Bytes of the salt a sealed blob begins with.
pub const SALT_BYTES: u64 = 32;

/// Bytes of a full chunk as sealed.
pub(super) const SEALED_CHUNK_BYTES: u64 = CHUNK_BYTES + TAG_BYTES;

/// Number of chunks of a blob of that many plain bytes: at least one.
pub(super) fn chunks(plain: u64) -> u64 {
    plain.div_ceil(CHUNK_BYTES).max(1)
}

/// Sealed bytes of a blob of that many plain bytes.
pub fn sealed_bytes(plain: u64) -> u64 {
    let tags = chunks(plain).saturating_mul(TAG_BYTES);
    plain.saturating_add(tags).saturating_add(SALT_BYTES)
}

/// Plain bytes of a blob of that many sealed bytes; `None` when no blob is that long.
pub fn plain_bytes(sealed: u64) -> Option<u64> {
    let body = sealed.checked_sub(SALT_BYTES)?;
    let plain = body.checked_sub(body.div_ceil(SEALED_CHUNK_BYTES).max(1) * TAG_BYTES)?;
    (sealed_bytes(plain) == sealed).then_some(plain)
}

/// The sealed bytes (whole chunks) one must have to open those plain bytes of a blob of
/// `plain_total`. Empty when the plain range is empty or outside.
pub fn sealed_range(plain: Range<u64>, plain_total: u64) -> Range<u64> {
    let end = plain.end.min(plain_total);
    if plain.start >= end {
        return if plain_total == 0 && plain.start == 0 {
            SALT_BYTES..SALT_BYTES + TAG_BYTES
        } else {
            SALT_BYTES..SALT_BYTES
        };
    }
    let first = plain.start / CHUNK_BYTES;
    let last = (end - 1) / CHUNK_BYTES;
    let from = SALT_BYTES + first * SEALED_CHUNK_BYTES;
    let to = SALT_BYTES + (last + 1) * SEALED_CHUNK_BYTES;
    from..to.min(sealed_bytes(plain_total))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lengths_invert(plain in 0u64..10 * CHUNK_BYTES) {
            prop_assert_eq!(plain_bytes(sealed_bytes(plain)), Some(plain));
        }

        #[test]
        fn only_true_lengths_are_lengths(sealed in 0u64..5 * SEALED_CHUNK_BYTES) {
            if let Some(plain) = plain_bytes(sealed) {
                prop_assert_eq!(sealed_bytes(plain), sealed);
            }
        }
    }

    #[test]
    fn a_tag_without_a_byte_is_no_last_chunk() {
        assert_eq!(plain_bytes(SALT_BYTES + SEALED_CHUNK_BYTES + TAG_BYTES), None);
        assert_eq!(plain_bytes(SALT_BYTES + TAG_BYTES), Some(0));
        assert_eq!(plain_bytes(SALT_BYTES), None);
    }

    #[test]
    fn a_range_takes_whole_chunks() {
        let total = 3 * CHUNK_BYTES + 5;
        assert_eq!(sealed_range(0..1, total), 32..32 + SEALED_CHUNK_BYTES);
        let second = SALT_BYTES + SEALED_CHUNK_BYTES;
        assert_eq!(sealed_range(CHUNK_BYTES..CHUNK_BYTES + 1, total), second..second + SEALED_CHUNK_BYTES);
        assert_eq!(sealed_range(0..u64::MAX, total), SALT_BYTES..sealed_bytes(total));
        assert_eq!(sealed_range(total..total + 9, total), SALT_BYTES..SALT_BYTES);
    }
}
