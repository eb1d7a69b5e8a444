//! Recovery codes: ten, each good once in place of a second factor that was lost.

use aws_lc_rs::rand;

use crate::access::secret::sha256_hex;

/// How many there are.
const CODES: usize = 10;
/// No vowels, no look-alikes: 20 letters.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters of a code: 121 bits, so that not even who has the digests can try them.
const LENGTH: usize = 28;

/// Fresh codes as they are shown, once, and their digests as they are kept.
pub(crate) fn fresh() -> Option<(Vec<String>, Vec<String>)> {
    let codes: Vec<String> = (0..CODES).map(|_| code()).collect::<Option<_>>()?;
    let digests = codes.iter().filter_map(|code| digest(code)).collect();
    Some((codes, digests))
}

/// The digest a code is found by; `None` for what cannot be one.
pub(crate) fn digest(code: &str) -> Option<String> {
    if code.len() > 64 {
        return None;
    }
    let code: String =
        code.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_uppercase()).collect();
    (code.len() == LENGTH && code.bytes().all(|letter| LETTERS.contains(&letter))).then(|| sha256_hex(code.as_bytes()))
}

fn code() -> Option<String> {
    let mut letters = Vec::new();
    while letters.len() < LENGTH {
        let mut byte = [0];
        rand::fill(&mut byte).ok()?;
        // 240 is a multiple of 20: every letter is as likely.
        if byte[0] < 240 {
            letters.push(LETTERS[usize::from(byte[0]) % LETTERS.len()]);
        }
    }
    let letters: Vec<&str> = letters.chunks(4).filter_map(|four| std::str::from_utf8(four).ok()).collect();
    Some(letters.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_different_and_found_however_they_are_typed() {
        let (codes, digests) = fresh().unwrap();
        assert_eq!((codes.len(), digests.len()), (CODES, CODES));
        assert_eq!(digest(&format!(" {} ", codes[3].to_lowercase().replace('-', " "))).as_ref(), Some(&digests[3]));
        assert!(codes.iter().collect::<std::collections::BTreeSet<_>>().len() == CODES);
        assert_eq!(digest(&["AAAA"; LENGTH / 4].join("-")), None);
        assert!((LENGTH as f64) * (LETTERS.len() as f64).log2() >= 112.0);
        assert!(codes.iter().all(|code| code.len() == LENGTH + LENGTH / 4 - 1), "{}", codes[0].len());
    }
}
