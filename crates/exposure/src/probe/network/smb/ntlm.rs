//! The three messages of NTLMSSP (MS-NLMP 2.2.1), for nobody and for Guest with a blank password.
//!
//! Deliberately absent: any other account, any other password.

use super::md5::hmac_md5;
use crate::probe::network::talk::{le16, le32};

const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";
/// UNICODE, REQUEST_TARGET, NTLM, ALWAYS_SIGN, EXTENDED_SESSIONSECURITY, TARGET_INFO, 128, 56.
const FLAGS: u32 = 0x0000_0001 | 0x4 | 0x200 | 0x8000 | 0x8_0000 | 0x80_0000 | 0x2000_0000 | 0x8000_0000;
/// ANONYMOUS.
const ANONYMOUS: u32 = 0x800;
/// NTOWFv1 of no password: MD4 of nothing (MS-NLMP 3.3.1).
const NO_PASSWORD: [u8; 16] =
    [0x31, 0xd6, 0xcf, 0xe0, 0xd1, 0x6a, 0xe9, 0x31, 0xb7, 0x3c, 0x59, 0xd7, 0xe0, 0xc0, 0x89, 0xc0];
/// Length of the fixed part of AUTHENTICATE_MESSAGE without version and MIC.
const FIXED: usize = 64;

/// NEGOTIATE_MESSAGE.
pub(super) fn negotiate() -> Vec<u8> {
    let mut message = SIGNATURE.to_vec();
    message.extend(1u32.to_le_bytes());
    message.extend(FLAGS.to_le_bytes());
    message.resize(32, 0);
    message
}

/// What is needed of a CHALLENGE_MESSAGE.
pub(super) struct Challenge {
    nonce: [u8; 8],
    target: Vec<u8>,
}

impl Challenge {
    /// Reads one.
    pub(super) fn read(message: &[u8]) -> Option<Challenge> {
        if !message.starts_with(SIGNATURE) || le32(message, 8)? != 2 {
            return None;
        }
        let nonce = message.get(24..32)?.try_into().ok()?;
        let length = usize::from(le16(message, 40)?);
        let offset = usize::try_from(le32(message, 44)?).ok()?;
        let target = message.get(offset..offset.checked_add(length)?)?.to_vec();
        Some(Challenge { nonce, target })
    }
}

/// AUTHENTICATE_MESSAGE of nobody: an LM response of one zero byte, all else empty.
pub(super) fn anonymous() -> Vec<u8> {
    authenticate(&[0], &[], &[], FLAGS | ANONYMOUS)
}

/// AUTHENTICATE_MESSAGE of Guest with a blank password, by NTLMv2 (MS-NLMP 3.3.2).
pub(super) fn guest(challenge: &Challenge, client: &[u8], now: i64) -> Vec<u8> {
    let utf16 = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let key = hmac_md5(&NO_PASSWORD, &utf16("GUEST"));
    // 100 ns since 1601.
    let filetime = now.saturating_add(11_644_473_600).saturating_mul(10_000_000);
    let mut blob = vec![1, 1, 0, 0, 0, 0, 0, 0];
    blob.extend(filetime.to_le_bytes());
    blob.extend(client);
    blob.extend([0; 4]);
    blob.extend(&challenge.target);
    blob.extend([0; 4]);
    let proof = hmac_md5(&key, &[&challenge.nonce[..], &blob].concat());
    let lm = hmac_md5(&key, &[&challenge.nonce[..], client].concat());
    authenticate(&[&lm[..], client].concat(), &[&proof[..], &blob].concat(), &utf16("Guest"), FLAGS)
}

fn authenticate(lm: &[u8], nt: &[u8], user: &[u8], flags: u32) -> Vec<u8> {
    let mut message = SIGNATURE.to_vec();
    message.extend(3u32.to_le_bytes());
    let mut offset = FIXED;
    // LM, NT, domain, user, workstation, session key: length twice, and where.
    for field in [lm, nt, &[], user, &[], &[]] {
        let length = (field.len() as u16).to_le_bytes();
        message.extend([length, length].concat());
        message.extend((offset as u32).to_le_bytes());
        offset += field.len();
    }
    message.extend(flags.to_le_bytes());
    [&message, lm, nt, user].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_the_one_of_the_standard() {
        // MS-NLMP 4.2.4: NTOWFv2 of User, Domain, Password; here only the keyed hash is ours.
        let ntowf_v1 = hex::decode("a4f49c406510bdcab6824ee7c30fd852").unwrap();
        let named: Vec<u8> = "USERDomain".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(hex::encode(hmac_md5(&ntowf_v1, &named)), "0c868a403bfd7a93a3001ef22ef02e3f");
    }

    #[test]
    fn half_a_challenge_is_none() {
        let mut message = SIGNATURE.to_vec();
        message.extend([2, 0, 0, 0]);
        message.resize(48, 0);
        assert!(Challenge::read(&message).is_some());
        message[40] = 9;
        message[44] = 48;
        assert!(Challenge::read(&message).is_none());
        assert!(Challenge::read(&message[..30]).is_none());
    }
}
