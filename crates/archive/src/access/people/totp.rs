//! One-time codes (RFC 6238): HMAC-SHA-1, six digits, 30 seconds, as every app makes them.
//!
//! A code holds for its step and the one before and after; each step is accepted once.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{hmac, rand};

/// Seconds of a step.
const STEP: u64 = 30;
/// Bytes of a secret: those of a SHA-1 (RFC 4226 4, R6).
const SECRET: usize = 20;
/// The alphabet of base32 (RFC 4648 6).
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A fresh secret, hex.
pub(crate) fn fresh_secret() -> Option<String> {
    let mut secret = [0; SECRET];
    rand::fill(&mut secret).ok()?;
    Some(hex::encode(secret))
}

/// The secret as people type it.
pub(crate) fn base32(secret: &str) -> String {
    let bytes = hex::decode(secret).unwrap_or_default();
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let digit = |five: &[u8]| five.iter().fold(0usize, |value, bit| value << 1 | usize::from(*bit));
    bits.chunks(5).map(|five| char::from(BASE32[(digit(five) << (5 - five.len())) % 32])).collect()
}

/// The step whose code that is, when it is one that holds and is later than `last`.
pub(crate) fn step_of(secret: &str, code: &str, last: u64, now: SystemTime) -> Option<u64> {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).take(7).collect();
    if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let secret = hex::decode(secret).ok()?;
    let step = now.duration_since(UNIX_EPOCH).ok()?.as_secs() / STEP;
    let is = |step: &u64| verify_slices_are_equal(self::code(&secret, *step).as_bytes(), code.as_bytes()).is_ok();
    // All three are computed, whichever it is.
    let found: Vec<u64> = [step.saturating_sub(1), step, step + 1].into_iter().filter(is).collect();
    found.into_iter().find(|step| *step > last)
}

fn code(secret: &[u8], step: u64) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret), &step.to_be_bytes());
    let tag = tag.as_ref();
    // RFC 4226 5.3: dynamic truncation.
    let offset = usize::from(tag[tag.len() - 1] & 15);
    let number = tag[offset..offset + 4].iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte));
    format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
}

/// The code of that hour, from the secret in base32: what an app does.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn code_at(base32: &str, now: SystemTime) -> String {
    let value = |letter: u8| BASE32.iter().position(|known| *known == letter).unwrap_or(0);
    let bits: Vec<usize> =
        base32.bytes().flat_map(|letter| (0..5).rev().map(move |bit| value(letter) >> bit & 1)).collect();
    let byte = |eight: &[usize]| eight.iter().fold(0u8, |byte, bit| byte << 1 | u8::from(*bit == 1));
    let secret: Vec<u8> = bits.chunks_exact(8).map(byte).collect();
    code(&secret, now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()) / STEP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// RFC 6238 appendix B, SHA-1, the last six of eight digits.
    #[test]
    fn codes_are_those_of_the_rfc() {
        let secret = hex::encode("12345678901234567890");
        for (time, expected) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code_at(&base32(&secret), UNIX_EPOCH + Duration::from_secs(time)), expected);
        }
        assert_eq!(base32(&secret), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }

    #[test]
    fn a_code_holds_for_its_step_and_its_neighbours_once() {
        let secret = fresh_secret().unwrap();
        let at = |seconds: u64| UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds);
        let code = code_at(&base32(&secret), at(0));
        let step = step_of(&secret, &code, 0, at(0)).unwrap();
        assert_eq!(step_of(&secret, &format!("{} {}", &code[..3], &code[3..]), 0, at(59)), Some(step));
        assert_eq!(step_of(&secret, &code, step, at(1)), None, "accepted once");
        assert_eq!(step_of(&secret, &code, 0, at(60)), None, "too late");
        for wrong in ["", "12345", "1234567", "abcdef", "１２３４５６", "-12345"] {
            assert_eq!(step_of(&secret, wrong, 0, at(0)), None, "{wrong}");
        }
    }
}
