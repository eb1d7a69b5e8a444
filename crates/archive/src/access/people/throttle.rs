//! How often somebody may guess, so that guessing is hopeless and nobody can lock others out.
//!
//! Three measures, each a bucket that fills again: ten tries a minute for an account from an
//! address, thirty for an address, and a hundred with ten more a minute for an account from
//! wherever. The last does not count where the account's owner has signed in before: a
//! stranger who empties it keeps out strangers. The same for accounts that do not exist.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::access::secret::sha256_hex;

/// Most buckets kept; beyond, those that are full again go, then all of the fullest kind.
const MOST: usize = 50_000;

/// A rate: so many at once, one more each so often.
#[derive(Clone, Copy)]
struct Rate {
    most: u32,
    every_ms: u64,
}

const PAIR: Rate = Rate { most: 10, every_ms: 6_000 };
const ADDRESS: Rate = Rate { most: 30, every_ms: 2_000 };
/// Challenges ask for no account and can be guessed by nobody: many people share an address.
const CHALLENGE: Rate = Rate { most: 120, every_ms: 500 };
const ACCOUNT: Rate = Rate { most: 100, every_ms: 6_000 };

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Pair(String, String),
    Address(String),
    Account(String),
    Challenge(String),
}

/// When a bucket is full again, milliseconds; it holds as many tries less as that is away.
#[derive(Default)]
pub(crate) struct Throttle {
    full_at: HashMap<Key, u64>,
}

impl Throttle {
    /// Takes a try, or says how long to wait. `familiar` is where the account's owner has
    /// signed in before.
    pub(crate) fn take(
        &mut self,
        account: &str,
        address: Option<IpAddr>,
        familiar: bool,
        now_ms: u64,
    ) -> Result<(), Duration> {
        let (account, address) = (sha256_hex(account.as_bytes()), network(address));
        let pair = (Key::Pair(account.clone(), address.clone()), PAIR);
        let mut asked = vec![pair, (Key::Address(address), ADDRESS)];
        if !familiar {
            asked.push((Key::Account(account), ACCOUNT));
        }
        let wait = asked.iter().map(|(key, rate)| self.wait(key, *rate, now_ms)).max().unwrap_or(0);
        if wait > 0 {
            return Err(Duration::from_millis(wait));
        }
        self.make_room(now_ms);
        for (key, rate) in asked {
            let full_at = self.full_at.entry(key).or_insert(now_ms);
            *full_at = (*full_at).max(now_ms) + rate.every_ms;
        }
        Ok(())
    }

    /// Takes a challenge for somebody at that address, or says how long to wait.
    pub(crate) fn take_challenge(&mut self, address: Option<IpAddr>, now_ms: u64) -> Result<(), Duration> {
        let key = Key::Challenge(network(address));
        match self.wait(&key, CHALLENGE, now_ms) {
            0 => {
                self.make_room(now_ms);
                let full_at = self.full_at.entry(key).or_insert(now_ms);
                *full_at = (*full_at).max(now_ms) + CHALLENGE.every_ms;
                Ok(())
            }
            wait => Err(Duration::from_millis(wait)),
        }
    }

    /// The try was right: what the account's owner mistyped there before is forgotten.
    pub(crate) fn forgive(&mut self, account: &str, address: Option<IpAddr>) {
        self.full_at.remove(&Key::Pair(sha256_hex(account.as_bytes()), network(address)));
    }

    /// Milliseconds until there is a try in that bucket.
    fn wait(&self, key: &Key, rate: Rate, now_ms: u64) -> u64 {
        let full_at = self.full_at.get(key).copied().unwrap_or(0);
        full_at.saturating_sub(now_ms + rate.every_ms * u64::from(rate.most - 1))
    }

    fn make_room(&mut self, now_ms: u64) {
        if self.full_at.len() < MOST {
            return;
        }
        self.full_at.retain(|_, full_at| *full_at > now_ms);
        if self.full_at.len() >= MOST {
            self.full_at.retain(|key, _| !matches!(key, Key::Pair(..)));
        }
        if self.full_at.len() >= MOST {
            self.full_at.clear();
        }
    }
}

/// An address as it is counted: IPv6 by its /64, which is what one subscriber gets.
pub(crate) fn network(address: Option<IpAddr>) -> String {
    match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        None => "host".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> Option<IpAddr> {
        Some(IpAddr::from((0x0a00_0000 + n).to_be_bytes()))
    }

    #[test]
    fn ten_a_minute_for_an_account_from_an_address() {
        let mut throttle = Throttle::default();
        let minutes = 20;
        let tries = (0..60_000 * minutes).step_by(100);
        let taken = tries.filter(|now| throttle.take("ada", address(1), false, *now).is_ok()).count();
        assert!((190..=210).contains(&taken), "{taken}");
        let _ = throttle.take("ada", address(1), false, 60_000 * minutes);
        let wait = throttle.take("ada", address(1), false, 60_000 * minutes).unwrap_err();
        assert!(wait <= Duration::from_secs(6), "{wait:?}");
    }

    #[test]
    fn ten_thousand_guesses_from_everywhere_do_not_lock_the_owner_out() {
        let mut throttle = Throttle::default();
        let guesses = (0..10_000u32).filter(|n| throttle.take("ada", address(n % 2_000 + 10), false, 1_000).is_ok());
        assert_eq!(guesses.count(), 100);
        assert!(throttle.take("ada", address(5_000), false, 1_000).is_err(), "a stranger waits");
        assert!(throttle.take("ada", address(1), true, 1_000).is_ok(), "the owner does not");
        assert!(throttle.take("bob", address(2), false, 1_000).is_ok(), "nor do others");
    }

    #[test]
    fn one_address_guesses_at_few_accounts_and_a_64_is_one_address() {
        let mut throttle = Throttle::default();
        let from = |n: u32| Some(IpAddr::from(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, n as u16)));
        let taken = (0..1_000).filter(|n| throttle.take(&format!("user {n}"), from(*n), false, 0).is_ok()).count();
        assert_eq!(taken, 30);
    }

    #[test]
    fn a_right_try_forgives_the_wrong_ones_and_memory_is_bounded() {
        let mut throttle = Throttle::default();
        while throttle.take("ada", address(1), true, 0).is_ok() {}
        throttle.forgive("ada", address(1));
        assert!(throttle.take("ada", address(1), true, 0).is_ok());
        for n in 0..200_000 {
            let _ = throttle.take(&format!("{n}"), address(n), false, 0);
            assert!(throttle.full_at.len() <= MOST + 3);
        }
    }
}
