//! What a run knows: its scope, its key, its clock, its pace, and whether it is to stop.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use leadglass_dicom::clock::Clock;
use leadglass_dicom::{AeTitle, Uid};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::evidence::Hash;
use crate::net::rate::Rate;
use crate::probe::version::Rules;
use crate::scope::Scope;
use crate::tries::Tries;

/// One run of the audit.
pub struct Run {
    /// What may be looked at.
    pub scope: Arc<Scope>,
    /// Where canaries and keyed hashes come from.
    pub key: RunKey,
    /// The hour.
    pub clock: Arc<dyn Clock>,
    /// Connects a second, all hosts together.
    pub rate: Rate,
    /// Time limits.
    pub limits: Limits,
    /// Known versions: [`Rules::built_in`], or a newer file of the same form.
    pub rules: Arc<Rules>,
    /// Credential tries made so far.
    pub tries: Tries,
    /// Told when the run is to end: nobody begins a connection after it.
    pub stop: CancellationToken,
}

/// Bounds of every conversation.
#[derive(Clone, Debug)]
pub struct Limits {
    /// For a connection to be made; just under a second, so that no SYN is sent twice.
    pub connect: Duration,
    /// For a whole conversation on one connection.
    pub conversation: Duration,
    /// Bytes read on one connection.
    pub bytes: u64,
    /// Pause between two connections to the same host.
    pub spacing: Duration,
    /// Pause between the two credential tries on one host, where the owner opted in.
    pub between_log_ins: Duration,
    /// For all that is done with one host.
    pub host: Duration,
    /// Pause before a host that says it is too busy (A-ASSOCIATE-RJ, source 3) is asked once more.
    pub congestion: Duration,
    /// Hosts that are looked at side by side.
    pub hosts_at_once: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connect: Duration::from_millis(950),
            conversation: Duration::from_secs(10),
            bytes: 256 * 1024,
            spacing: Duration::from_secs(1),
            between_log_ins: Duration::from_secs(60),
            host: Duration::from_secs(300),
            congestion: Duration::from_secs(30),
            hosts_at_once: 50,
        }
    }
}

/// 32 random bytes from which a run derives its canaries and keyed hashes. Never in a report.
///
/// Hashes come from the key alone, so that runs with one key can be compared. Canaries come
/// from the second of the run's beginning too: who saw one knows none of the next run's.
pub struct RunKey {
    key: Zeroizing<[u8; 32]>,
    begun: i64,
}

impl RunKey {
    /// From random bytes, for a run that began at a second since 1970: a run that is resumed
    /// takes the second of its log's first line.
    pub fn new(bytes: [u8; 32], begun: i64) -> RunKey {
        RunKey { key: Zeroizing::new(bytes), begun }
    }

    /// A hash that can be compared within this run and nowhere else.
    pub fn hash(&self, purpose: &str, bytes: &[u8]) -> Hash {
        let mut hash = [0; 16];
        let derived = self.derive(purpose, bytes);
        hash.copy_from_slice(&derived[..16]);
        Hash(hash)
    }

    /// A UID that no object has: `2.25.` and 120 derived bits (PS3.5 B.2).
    pub fn canary_uid(&self, purpose: &str) -> Uid {
        let mut number = [0; 16];
        number[1..].copy_from_slice(&self.of_this_run("uid", purpose)[..15]);
        let text = format!("2.25.{}", u128::from_be_bytes(number) | 1 << 119);
        #[expect(clippy::expect_used, reason = "digits after 2.25., at most 41 characters")]
        Uid::parse(&text).expect("a number is a UID component")
    }

    /// An AE Title that nobody has: twelve derived letters.
    pub fn random_ae(&self, purpose: &str) -> AeTitle {
        let derived = self.of_this_run("ae", purpose);
        let text: String = derived.iter().take(12).map(|byte| char::from(b'A' + byte % 26)).collect();
        #[expect(clippy::expect_used, reason = "twelve capital letters")]
        AeTitle::parse(&text).expect("capital letters are an AE title")
    }

    fn of_this_run(&self, kind: &str, purpose: &str) -> [u8; 32] {
        self.derive(kind, &[&self.begun.to_be_bytes(), purpose.as_bytes()].concat())
    }

    /// 32 bytes derived for a purpose.
    pub fn derive(&self, purpose: &str, bytes: &[u8]) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*self.key);
        let mut context = hmac::Context::with_key(&key);
        context.update(purpose.as_bytes());
        context.update(&[0]);
        context.update(bytes);
        let mut derived = [0; 32];
        derived.copy_from_slice(context.sign().as_ref());
        derived
    }
}

impl Run {
    /// The second, since 1970.
    pub fn now(&self) -> i64 {
        seconds(self.clock.now())
    }
}

/// Seconds since 1970.
pub fn seconds(time: SystemTime) -> i64 {
    let after = time.duration_since(UNIX_EPOCH).map(|since| since.as_secs());
    after.ok().and_then(|seconds| i64::try_from(seconds).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canaries_are_of_one_run_and_hashes_of_one_key() {
        let (first, second, resumed) = (RunKey::new([7; 32], 1), RunKey::new([7; 32], 2), RunKey::new([7; 32], 1));
        assert_ne!(first.canary_uid("D-07"), second.canary_uid("D-07"));
        assert_ne!(first.random_ae("D-02"), second.random_ae("D-02"));
        assert_eq!(first.canary_uid("D-07"), resumed.canary_uid("D-07"));
        assert_eq!(first.random_ae("D-02"), resumed.random_ae("D-02"));
        assert_eq!(first.hash("folder", b"x"), second.hash("folder", b"x"));
    }
}
