//! A visit to an identity provider: kept by the browser that makes it, sealed, so that strangers
//! who begin visits push nobody else's out.
//!
//! The key lives as long as the process. A visit could come back twice within its time; what it
//! is shown with, the code, cannot: the provider takes it once.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// How long a visit may take.
const VISIT: Duration = Duration::from_secs(300);
/// Bytes of the longest text that is looked at.
const LONGEST: usize = 2048;
/// What is sealed, so that nothing else sealed by that key could be taken for it.
const WHAT: &[u8] = b"a visit to an identity provider";

/// What a visit needs when it comes back.
#[derive(Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Visit {
    /// To whom.
    pub(super) provider: String,
    /// `state` (RFC 6749 10.12).
    pub(super) state: String,
    /// `nonce` (OpenID Connect Core 3.1.2.1).
    pub(super) nonce: String,
    /// `code_verifier` (RFC 7636 4.1).
    pub(super) verifier: String,
}

/// What visits are sealed by.
pub(super) struct Visits(RandomizedNonceKey);

impl Visits {
    /// By a fresh key; `None` when the system gives no randomness.
    pub(super) fn new() -> Option<Visits> {
        let key = zeroize::Zeroizing::new(crate::tls::authority::random::<32>().ok()?);
        RandomizedNonceKey::new(&AES_256_GCM, key.as_slice()).ok().map(Visits)
    }

    /// The visit that begins now, as its browser keeps it.
    pub(super) fn seal(&self, visit: &Visit, now: SystemTime) -> Option<String> {
        let mut sealed = serde_json::to_vec(&(seconds(now), visit)).ok()?;
        let nonce = self.0.seal_in_place_append_tag(Aad::from(WHAT), &mut sealed).ok()?;
        Some(URL_SAFE_NO_PAD.encode([nonce.as_ref().as_slice(), &sealed].concat()))
    }

    /// The visit that a browser brings back, when it is one of ours and not too old.
    pub(super) fn open(&self, text: &str, now: SystemTime) -> Option<Visit> {
        if text.len() > LONGEST {
            return None;
        }
        let mut bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let opened = self.0.open_in_place(nonce, Aad::from(WHAT), sealed).ok()?;
        let (since, visit): (u64, Visit) = serde_json::from_slice(opened).ok()?;
        let age = seconds(now).checked_sub(since)?;
        (age < VISIT.as_secs()).then_some(visit)
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visit_is_its_browsers_for_five_minutes_and_nobody_elses() {
        let visits = Visits::new().unwrap();
        let visit = |n: usize| Visit {
            provider: "idp".into(),
            state: format!("state {n}"),
            nonce: "nonce".into(),
            verifier: "verifier".into(),
        };
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let kept = visits.seal(&visit(0), now).unwrap();
        // A flood of other visits takes nothing away from it.
        assert!((1..20_000).all(|n| visits.seal(&visit(n), now).is_some()));
        assert_eq!(visits.open(&kept, now + Duration::from_secs(299)), Some(visit(0)));
        assert_eq!(visits.open(&kept, now + VISIT), None);
        assert_eq!(visits.open(&kept, now - VISIT), None);
        assert!(!kept.contains("state") && kept != visits.seal(&visit(0), now).unwrap());
        let mut forged = kept.clone().into_bytes();
        let last = forged.len() - 3;
        forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
        for text in ["", "A", &kept[..20], &String::from_utf8(forged).unwrap(), &"A".repeat(100_000)] {
            assert_eq!(visits.open(text, now), None);
        }
        assert_eq!(Visits::new().unwrap().open(&kept, now), None, "another process's");
    }
}
