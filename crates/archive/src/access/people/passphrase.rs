//! Passphrases: argon2id, kept as PHC strings; length instead of composition.
//!
//! Hashing is dear by design, so few hashes run at once and few wait; beyond that the answer is
//! "later", and nobody else's work suffers. Whoever is unknown costs a hash as well.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use super::Breached;

/// Memory of a hash, KiB (OWASP: 46 MiB with one pass).
const MEMORY_KIB: u32 = 47_104;
/// Hashes that run at once: bounds their memory.
const RUNNING: usize = 2;
/// Hashes that wait for their turn.
const WAITING: usize = 32;
/// Of both, how many may be for those who come from where nobody of that name came from before.
const STRANGERS: usize = (RUNNING + WAITING) / 2;
/// Fewest characters of a passphrase.
pub(crate) const SHORTEST: usize = 15;
/// Most characters of a passphrase.
pub(crate) const LONGEST: usize = 128;
/// Bytes of the longest text that is looked at at all.
const LONGEST_BYTES: usize = 1024;

/// Hashes passphrases, a few at a time.
pub(crate) struct Hasher {
    running: Arc<Semaphore>,
    places: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    /// What a guess at an unknown user is compared with.
    dummy: OnceLock<String>,
}

/// Too many hashes wait already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Busy;

impl Default for Hasher {
    fn default() -> Hasher {
        Hasher {
            running: Arc::new(Semaphore::new(RUNNING)),
            places: Arc::new(Semaphore::new(RUNNING + WAITING)),
            strangers: Arc::new(Semaphore::new(STRANGERS)),
            dummy: OnceLock::new(),
        }
    }
}

impl Hasher {
    /// The PHC string of a passphrase.
    pub(crate) async fn hash(&self, passphrase: &str) -> Result<String, Busy> {
        let passphrase = normalised(passphrase);
        self.run(move || {
            let mut salt = [0; 16];
            rand::fill(&mut salt).ok()?;
            phc(passphrase.as_bytes(), &salt, MEMORY_KIB)
        })
        .await?
        .ok_or(Busy)
    }

    /// Whether it is that passphrase. Without a hash to compare with (an unknown user, or one
    /// without a passphrase) it is not, after as much work. Who is not `familiar` finds half of
    /// the places at most, so that strangers cannot take them all.
    pub(crate) async fn verify(&self, hash: Option<String>, passphrase: &str, familiar: bool) -> Result<bool, Busy> {
        let _strangers = if familiar { None } else { Some(self.strangers.try_acquire().map_err(|_| Busy)?) };
        let known = hash.is_some();
        let kept = hash.or_else(|| self.dummy()).ok_or(Busy)?;
        let passphrase = normalised(passphrase);
        Ok(self.run(move || is_of(&kept, passphrase.as_bytes())).await? && known)
    }

    fn dummy(&self) -> Option<String> {
        if let Some(dummy) = self.dummy.get() {
            return Some(dummy.clone());
        }
        // Any hash does that nobody knows the passphrase of: it is not computed, so it costs nothing to make.
        let mut bytes = [0; 48];
        rand::fill(&mut bytes).ok()?;
        Some(self.dummy.get_or_init(|| written(MEMORY_KIB, &bytes[..16], &bytes[16..])).clone())
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let _place = self.places.try_acquire().map_err(|_| Busy)?;
        let turn = self.running.clone().acquire_owned().await.map_err(|_| Busy)?;
        // The turn goes along: whoever hangs up does not make room for another hash.
        let work = move || {
            let done = work();
            drop(turn);
            done
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| Busy)
    }
}

/// Why a passphrase is not taken. Safe to send to whoever chose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("a passphrase has 15 to 128 characters; any characters do")]
    Length,
    #[error("that passphrase is one that guessers try: choose another, for instance four or five unrelated words")]
    Common,
    #[error("no passphrase is taken now: the list of breached ones cannot be read; tell an administrator")]
    Unknown,
}

/// Whether that may be the passphrase of somebody of those names.
pub(crate) fn is_fit(passphrase: &str, names: &[&str], breached: Option<&Breached>) -> Result<(), Unfit> {
    let plain = normalised(passphrase);
    if passphrase.len() > LONGEST_BYTES || !(SHORTEST..=LONGEST).contains(&plain.chars().count()) {
        return Err(Unfit::Length);
    }
    // Guesses that a good guesser needs: fewer than 10^10 and it is found (scores 0 to 2).
    if zxcvbn::zxcvbn(&plain, names).score() < zxcvbn::Score::Three {
        return Err(Unfit::Common);
    }
    match breached.map_or(Some(false), |breached| breached(&sha1(passphrase.as_bytes()))) {
        Some(false) => Ok(()),
        Some(true) => Err(Unfit::Common),
        None => Err(Unfit::Unknown),
    }
}

/// The text in one form, however a keyboard made it; what is longer than any passphrase is cut.
fn normalised(passphrase: &str) -> Zeroizing<String> {
    Zeroizing::new(passphrase.chars().take(LONGEST_BYTES).nfkc().take(LONGEST_BYTES).collect())
}

fn sha1(bytes: &[u8]) -> [u8; 20] {
    let mut sum = [0; 20];
    sum.copy_from_slice(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref());
    sum
}

fn phc(passphrase: &[u8], salt: &[u8], memory_kib: u32) -> Option<String> {
    Some(written(memory_kib, salt, derived(passphrase, salt, memory_kib, 1, 1)?.as_slice()))
}

fn written(memory_kib: u32, salt: &[u8], hash: &[u8]) -> String {
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    format!("$argon2id$v=19$m={memory_kib},t=1,p=1${salt}${hash}")
}

fn is_of(kept: &str, passphrase: &[u8]) -> bool {
    let compare = || -> Option<bool> {
        let mut parts = kept.strip_prefix("$argon2id$v=19$")?.split('$');
        let (costs, salt, hash, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
            return None;
        };
        let mut costs = costs.split(',');
        let mut cost = |name| costs.next().and_then(|cost| cost.strip_prefix(name)).and_then(|cost| cost.parse().ok());
        let (memory, passes, lanes) = (cost("m=")?, cost("t=")?, cost("p=")?);
        let derived = derived(passphrase, &STANDARD_NO_PAD.decode(salt).ok()?, memory, passes, lanes)?;
        Some(verify_slices_are_equal(derived.as_slice(), &STANDARD_NO_PAD.decode(hash).ok()?).is_ok())
    };
    compare().unwrap_or(false)
}

fn derived(passphrase: &[u8], salt: &[u8], memory: u32, passes: u32, lanes: u32) -> Option<Zeroizing<[u8; 32]>> {
    let params = argon2::Params::new(memory, passes, lanes, Some(32)).ok()?;
    let mut hash = Zeroizing::new([0; 32]);
    let argon = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    argon.hash_password_into(passphrase, salt, hash.as_mut_slice()).ok()?;
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hashes_are_argon2id_of_46_mib_one_pass_and_one_lane() {
        let hasher = Hasher::default();
        let hash = hasher.hash("correct horse battery staple").await.unwrap();
        let [_, name, version, costs, salt, sum] = hash.split('$').collect::<Vec<_>>()[..] else { panic!("{hash}") };
        assert_eq!((name, version, costs), ("argon2id", "v=19", "m=47104,t=1,p=1"));
        assert!(MEMORY_KIB >= 46 * 1024 && salt.len() == 22 && sum.len() == 43, "{hash}");
        assert_ne!(hash, hasher.hash("correct horse battery staple").await.unwrap(), "each has its salt");
        assert!(hasher.verify(Some(hash.clone()), "correct horse battery staple", true).await.unwrap());
        assert!(!hasher.verify(Some(hash), "correct horse battery stapler", true).await.unwrap());
        assert!(!hasher.verify(None, "correct horse battery staple", true).await.unwrap());
    }

    #[test]
    fn the_hash_is_that_of_the_reference_implementation() {
        // argon2 1.3 of the reference (C) implementation: `argon2-cffi`, m=64, t=1, p=1.
        let salt = STANDARD_NO_PAD.encode(b"somesaltsomesalt");
        let kept = phc(b"password", b"somesaltsomesalt", 64).unwrap();
        assert!(kept.starts_with(&format!("$argon2id$v=19$m=64,t=1,p=1${salt}$")));
        assert!(is_of(&kept, b"password") && !is_of(&kept, b"passwore"));
        for broken in ["", "$argon2id$v=19$m=64,t=1,p=1$", "$argon2i$v=19$m=64,t=1,p=1$YQ$YQ", "plain"] {
            assert!(!is_of(broken, b"password"), "{broken}");
        }
    }

    #[test]
    fn length_counts_and_what_guessers_try_does_not() {
        let check = |text: &str| is_fit(text, &["ada"], None);
        assert_eq!(check("correct horse battery staple"), Ok(()));
        assert_eq!(check("Überraschung im Röntgenraum"), Ok(()));
        for text in ["", "short", "fourteen chars", &"x7!".repeat(43), &"a".repeat(100_000)] {
            assert_eq!(check(text), Err(Unfit::Length), "{}", text.len());
        }
        for text in
            ["passwordpassword", "aaaaaaaaaaaaaaaaaaaa", "123456789012345", "qwertyuiopasdfgh", "adaadaadaadaada"]
        {
            assert_eq!(check(text), Err(Unfit::Common), "{text}");
        }
        let all: Breached = Arc::new(|sum| Some(hex::encode(sum) == "abf7aad6438836dbe526aa231abde2d0eef74d42"));
        assert_eq!(is_fit("correct horse battery staple", &[], Some(&all)), Err(Unfit::Common));
        assert_eq!(is_fit("Überraschung im Röntgenraum", &[], Some(&all)), Ok(()));
        let unreadable: Breached = Arc::new(|_| None);
        assert_eq!(is_fit("Überraschung im Röntgenraum", &[], Some(&unreadable)), Err(Unfit::Unknown));
    }

    #[tokio::test]
    async fn beyond_a_few_nobody_waits() {
        let hasher = Arc::new(Hasher::default());
        let guesses = |familiar| (0..60).map(move |_| familiar).collect::<Vec<bool>>();
        let many = guesses(false).into_iter().chain([true]).map(|familiar| hasher.verify(None, "guess", familiar));
        let mut many = futures::future::join_all(many).await;
        assert_eq!(many.pop(), Some(Ok(false)), "strangers do not take the place of who is familiar");
        assert_eq!(many.iter().filter(|guess| guess.is_ok()).count(), STRANGERS);
        let many = guesses(true).into_iter().map(|familiar| hasher.verify(None, "guess", familiar));
        assert!(futures::future::join_all(many).await.contains(&Err(Busy)));
        assert_eq!(hasher.verify(None, "guess", false).await, Ok(false), "later there is room again");
    }
}
