//! MD5 (RFC 1321) and HMAC (RFC 2104) with it: NTLM knows nothing better. For nothing else.

/// HMAC-MD5.
pub(super) fn hmac_md5(key: &[u8], message: &[u8]) -> [u8; 16] {
    let mut block = [0; 64];
    let hashed = md5(key);
    let key = if key.len() > 64 { &hashed[..] } else { key };
    block[..key.len()].copy_from_slice(key);
    let inner = md5(&[&block.map(|byte| byte ^ 0x36)[..], message].concat());
    md5(&[&block.map(|byte| byte ^ 0x5c)[..], &inner].concat())
}

const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

fn md5(message: &[u8]) -> [u8; 16] {
    let mut padded = message.to_vec();
    padded.push(0x80);
    padded.resize((padded.len() + 8).next_multiple_of(64) - 8, 0);
    padded.extend((message.len() as u64 * 8).to_le_bytes());
    let mut state = [0x6745_2301u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded.chunks_exact(64) {
        mix(&mut state, block);
    }
    let mut digest = [0; 16];
    for (part, word) in digest.chunks_exact_mut(4).zip(state) {
        part.copy_from_slice(&word.to_le_bytes());
    }
    digest
}

fn mix(state: &mut [u32; 4], block: &[u8]) {
    let word = |at: usize| block[at * 4..at * 4 + 4].iter().rev().fold(0u32, |word, byte| word << 8 | u32::from(*byte));
    let [mut a, mut b, mut c, mut d] = *state;
    for step in 0..64 {
        let (f, at) = match step / 16 {
            0 => ((b & c) | (!b & d), step),
            1 => ((d & b) | (!d & c), (5 * step + 1) % 16),
            2 => (b ^ c ^ d, (3 * step + 5) % 16),
            _ => (c ^ (b | !d), (7 * step) % 16),
        };
        // §3.4: the integer part of 2^32 times |sin(step + 1)|.
        let constant = (((step + 1) as f64).sin().abs() * 4_294_967_296.0) as u32;
        let sum = a.wrapping_add(f).wrapping_add(constant).wrapping_add(word(at));
        (a, d, c) = (d, c, b);
        b = b.wrapping_add(sum.rotate_left(SHIFTS[step / 16][step % 4]));
    }
    for (word, by) in state.iter_mut().zip([a, b, c, d]) {
        *word = word.wrapping_add(by);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_rfc() {
        assert_eq!(hex::encode(md5(b"")), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(hex::encode(md5(b"message digest")), "f96b697d7cb7938d525a2f31aaf161d0");
        let digits = b"12345678901234567890123456789012345678901234567890123456789012345678901234567890";
        assert_eq!(hex::encode(md5(digits)), "57edf4a22be3c955ac49da2e2107b67a");
    }

    #[test]
    fn codes_are_those_of_the_rfc() {
        // RFC 2104, the second test vector.
        let code = hmac_md5(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(hex::encode(code), "750c783e6ab0b503eaa86e310a5db738");
    }
}
