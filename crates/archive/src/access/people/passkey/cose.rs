//! A COSE key (RFC 9052 7) as authenticators write it: a flat CBOR map of small integers and
//! byte strings, read within its bytes. Deliberately absent: the rest of CBOR.

use crate::access::public_key::PublicKey;

/// ECDSA over P-256 with SHA-256.
pub(crate) const ES256: i64 = -7;
/// Ed25519.
pub(crate) const EDDSA: i64 = -8;
/// RSASSA-PKCS1-v1_5 with SHA-256.
pub(crate) const RS256: i64 = -257;

/// Labels of a key's members.
const KTY: i64 = 1;
const ALG: i64 = 3;
/// Most members of a key.
const MOST: u64 = 16;

enum Item<'a> {
    Number(i64),
    Bytes(&'a [u8]),
}

/// The key at the beginning of these bytes, and its algorithm; extensions may follow.
pub(crate) fn key(mut bytes: &[u8]) -> Option<(PublicKey, i64)> {
    let (5, count) = head(&mut bytes)? else { return None };
    if count > MOST {
        return None;
    }
    let mut members = Vec::new();
    for _ in 0..count {
        let Item::Number(label) = item(&mut bytes)? else { return None };
        members.push((label, item(&mut bytes)?));
    }
    let find = |wanted| members.iter().find(|(label, _)| *label == wanted).map(|(_, item)| item);
    let number = |wanted| match find(wanted)? {
        Item::Number(number) => Some(*number),
        Item::Bytes(_) => None,
    };
    let bytes = |wanted| match find(wanted)? {
        Item::Bytes(bytes) => Some(*bytes),
        Item::Number(_) => None,
    };
    let algorithm = number(ALG)?;
    // RFC 9053 7.1 and 7.2, RFC 8230 4: key types 1 OKP, 2 EC2, 3 RSA; curves 1 P-256, 6 Ed25519.
    let key = match (number(KTY)?, algorithm) {
        (2, ES256) if number(-1)? == 1 => PublicKey::p256(bytes(-2)?, bytes(-3)?)?,
        (1, EDDSA) if number(-1)? == 6 => PublicKey::ed25519(bytes(-2)?.to_vec())?,
        (3, RS256) => PublicKey::rsa(bytes(-1)?.to_vec(), bytes(-2)?.to_vec())?,
        _ => return None,
    };
    Some((key, algorithm))
}

fn item<'a>(bytes: &mut &'a [u8]) -> Option<Item<'a>> {
    let (kind, argument) = head(bytes)?;
    let number = i64::try_from(argument).ok()?;
    match kind {
        0 => Some(Item::Number(number)),
        1 => Some(Item::Number(-1 - number)),
        2 => {
            let (value, rest) = bytes.split_at_checked(usize::try_from(argument).ok()?)?;
            *bytes = rest;
            Some(Item::Bytes(value))
        }
        _ => None,
    }
}

/// Major type and argument of definite length (RFC 8949 3).
fn head(bytes: &mut &[u8]) -> Option<(u8, u64)> {
    let (first, rest) = bytes.split_first()?;
    let (kind, short) = (first >> 5, first & 31);
    let length = match short {
        0..=23 => {
            *bytes = rest;
            return Some((kind, u64::from(short)));
        }
        24..=27 => 1 << (short - 24),
        _ => return None,
    };
    let (argument, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some((kind, argument.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_a_key_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = key(&bytes);
        }
    }

    #[test]
    fn lengths_that_lie_are_no_key() {
        for hex in ["", "a5", "bb7fffffffffffffff", "a1015bffffffffffffffff", "a10158ff", "bf0102ff", "a2010203260000"]
        {
            assert!(key(&hex::decode(hex).unwrap()).is_none(), "{hex}");
        }
    }
}
