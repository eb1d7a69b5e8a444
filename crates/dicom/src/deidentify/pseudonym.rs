//! What stands in for identifiers: the same for the same within a project, nobody's outside it.
//!
//! Everything is derived from one keyed hash (HMAC-SHA-256 under the project's key), so there is
//! no table to keep: whoever holds the key can find out again, nobody else can. Deliberately
//! absent: the key, and any cryptography.

use std::fmt;
use std::sync::Arc;

use crate::Uid;

/// Days that dates move back: at least, and how many choices there are.
const LEAST_DAYS: u32 = 30;
const DAYS: u32 = 3650;
/// Crockford's digits, which nobody mistakes for each other.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A keyed hash: HMAC-SHA-256 under a project's key.
pub type KeyedHash = dyn Fn(&[u8]) -> [u8; 32] + Send + Sync;

/// Makes a project's pseudonyms.
#[derive(Clone)]
pub struct Pseudonyms {
    hash: Arc<KeyedHash>,
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonyms")
    }
}

impl Pseudonyms {
    /// Those of the project whose key that is.
    pub fn new(hash: Arc<KeyedHash>) -> Pseudonyms {
        Pseudonyms { hash }
    }

    /// The UID that stands for that one: under the root 2.25 of PS3.5 B.2, from a UUID of version
    /// 8 (RFC 9562). `uid` is any text, padding not counted.
    pub fn uid(&self, uid: &str) -> Uid {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = self.of("uid", uid);
        let bytes = [a, b, c, d, e, f, g & 0x0F | 0x80, h, i & 0x3F | 0x80, j, k, l, m, n, o, p];
        Uid::from_random(u128::from_be_bytes(bytes))
    }

    /// What stands for a patient, as ID and as name: 16 characters of 80 bits.
    pub fn patient(&self, patient: &PatientKey) -> String {
        let hash = self.of("patient", &patient.0);
        let mut bits = hash.iter().take(10).fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        let mut text = [0_u8; 16];
        for place in text.iter_mut().rev() {
            *place = DIGITS[(bits & 31) as usize];
            bits >>= 5;
        }
        text.iter().map(|digit| char::from(*digit)).collect()
    }

    /// Days by which that patient's dates move, always back.
    pub fn shift_days(&self, patient: &PatientKey) -> i32 {
        let [a, b, c, d, ..] = self.of("shift", &patient.0);
        let days = LEAST_DAYS + u32::from_be_bytes([a, b, c, d]) % DAYS;
        -i32::try_from(days).unwrap_or(0)
    }

    fn of(&self, what: &str, subject: &str) -> [u8; 32] {
        (self.hash)(format!("leadglass deidentify {what}\0{subject}").as_bytes())
    }
}

/// Whose pseudonym it is: the Patient ID, or the study where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatientKey(String);

impl PatientKey {
    /// Of that Patient ID (0010,0020) and Study Instance UID (0020,000D), as they came.
    pub fn of(patient_id: Option<&str>, study: &str) -> PatientKey {
        match patient_id.map(str::trim).filter(|id| !id.is_empty()) {
            Some(id) => PatientKey(format!("id\0{id}")),
            None => PatientKey(format!("study\0{study}")),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A hash that is keyed enough for tests.
    pub(in crate::deidentify) fn pseudonyms(key: u8) -> Pseudonyms {
        Pseudonyms::new(Arc::new(move |bytes: &[u8]| {
            let mut state = [key; 32];
            for (at, byte) in bytes.iter().enumerate() {
                let place = at % 32;
                state[place] = state[place].wrapping_mul(31).wrapping_add(*byte).rotate_left(3);
                state[(place + 7) % 32] ^= state[place].wrapping_mul(17);
            }
            state
        }))
    }

    #[test]
    fn the_same_stays_the_same_and_other_keys_give_others() {
        let (one, other) = (pseudonyms(1), pseudonyms(2));
        let patient = PatientKey::of(Some(" P1 "), "1.2");
        assert_eq!(one.uid("1.2.3"), one.uid("1.2.3"));
        assert_ne!(one.uid("1.2.3"), one.uid("1.2.4"));
        assert_ne!(one.uid("1.2.3"), other.uid("1.2.3"));
        assert_eq!(one.patient(&patient), one.patient(&PatientKey::of(Some("P1"), "1.3")));
        assert_ne!(one.patient(&patient), other.patient(&patient));
        assert_ne!(one.patient(&patient), one.patient(&PatientKey::of(None, "1.2")));
        assert_eq!(one.patient(&patient).len(), 16);
    }

    #[test]
    fn uids_are_valid_and_dates_always_move() {
        let one = pseudonyms(1);
        for number in 0..200 {
            let uid = one.uid(&format!("1.2.{number}"));
            assert!(Uid::parse(uid.as_str()).is_ok() && uid.as_str().starts_with("2.25."), "{uid}");
            let days = one.shift_days(&PatientKey::of(Some(&number.to_string()), ""));
            assert!((-3680..=-30).contains(&days), "{days}");
        }
    }
}
