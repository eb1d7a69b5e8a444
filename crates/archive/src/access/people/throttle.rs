//! How often somebody may guess, so that guessing is hopeless and nobody can lock others out.
//!
//! Buckets that fill again. Passphrases: ten tries a minute for an account from an address,
//! thirty for an address (more for the IPv6 networks around it, which one subscriber may have),
//! and a hundred with ten more a minute for an account from wherever. The last does not count
//! where the account's owner has signed in before: a stranger who empties it keeps out strangers.
//! None of them counts with a browser that the owner has signed in with: it has a bucket of its
//! own. A right passphrase gives the address its try back, so a house behind one address is not
//! kept out by its own change of shift. Second factors: twenty for an account, then twenty a day,
//! apart where its owner is at home. The same for accounts that do not exist.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
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
/// Networks of IPv6 around an address: what a subscriber has, and what a site has.
const AROUND: [(u8, Rate); 2] = [(56, Rate { most: 60, every_ms: 1_000 }), (48, Rate { most: 120, every_ms: 500 })];
/// Challenges ask for no account and can be guessed by nobody: many people share an address.
const CHALLENGE: Rate = Rate { most: 120, every_ms: 500 };
const ACCOUNT: Rate = Rate { most: 100, every_ms: 6_000 };
const SECOND: Rate = Rate { most: 20, every_ms: 24 * 3_600_000 / 20 };

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Pair(String, String),
    Address(String),
    Account(String),
    Challenge(String),
    Second(String, bool),
}

/// Who tries, and from where.
pub(crate) struct Try<'a> {
    /// Whose account, as it was typed.
    pub(crate) account: &'a str,
    /// From where.
    pub(crate) address: Option<IpAddr>,
    /// Whether the account's owner has signed in from there before.
    pub(crate) familiar: bool,
    /// A browser that the account's owner has signed in with, by its digest.
    pub(crate) browser: Option<&'a str>,
}

/// When a bucket is full again, milliseconds; it holds as many tries less as that is away.
#[derive(Default)]
pub(crate) struct Throttle {
    full_at: HashMap<Key, u64>,
}

impl Throttle {
    /// Takes a try, or says how long to wait.
    pub(crate) fn take(&mut self, tried: &Try<'_>, now_ms: u64) -> Result<(), Duration> {
        let account = sha256_hex(tried.account.as_bytes());
        if let Some(browser) = tried.browser {
            return self.take_all(vec![(Key::Pair(account, browser.to_owned()), PAIR)], now_ms);
        }
        let mut asked = addresses(tried.address);
        asked.push((Key::Pair(account.clone(), network(tried.address)), PAIR));
        if !tried.familiar {
            asked.push((Key::Account(account), ACCOUNT));
        }
        self.take_all(asked, now_ms)
    }

    /// Takes a challenge for somebody at that address, or says how long to wait.
    pub(crate) fn take_challenge(&mut self, address: Option<IpAddr>, now_ms: u64) -> Result<(), Duration> {
        self.take_all(vec![(Key::Challenge(network(address)), CHALLENGE)], now_ms)
    }

    /// Takes a guess at the second factor of who has shown the first, and says how many still count
    /// with this one; or how long to wait.
    pub(crate) fn take_second(&mut self, account: &str, familiar: bool, now_ms: u64) -> Result<u64, Duration> {
        let key = Key::Second(sha256_hex(account.as_bytes()), familiar);
        self.take_all(vec![(key.clone(), SECOND)], now_ms)?;
        let full_at = self.full_at.get(&key).copied().unwrap_or(now_ms);
        Ok(full_at.saturating_sub(now_ms).div_ceil(SECOND.every_ms))
    }

    /// The try was right: what the account's owner mistyped there before is forgotten.
    pub(crate) fn forgive(&mut self, account: &str, address: Option<IpAddr>, browser: Option<&String>) {
        let account = sha256_hex(account.as_bytes());
        self.full_at.remove(&Key::Pair(account.clone(), network(address)));
        if let Some(browser) = browser {
            self.full_at.remove(&Key::Pair(account, browser.clone()));
        }
    }

    /// The second factor was right.
    pub(crate) fn forgive_second(&mut self, account: &str, familiar: bool) {
        self.full_at.remove(&Key::Second(sha256_hex(account.as_bytes()), familiar));
    }

    /// The passphrase was right: the address has its try back.
    pub(crate) fn give_back(&mut self, address: Option<IpAddr>, now_ms: u64) {
        for (key, rate) in addresses(address) {
            if let Some(full_at) = self.full_at.get_mut(&key) {
                *full_at = full_at.saturating_sub(rate.every_ms).max(now_ms);
            }
        }
    }

    /// Takes one of each, or none and says how long to wait.
    fn take_all(&mut self, asked: Vec<(Key, Rate)>, now_ms: u64) -> Result<(), Duration> {
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
            // Second factors are those of users: few, and never to be had by a flood.
            self.full_at.retain(|key, _| matches!(key, Key::Second(..)));
        }
    }
}

/// An address as it is counted: IPv6 by its /64, which is what one network gets.
pub(crate) fn network(address: Option<IpAddr>) -> String {
    match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => within(address, 64),
        None => "host".to_owned(),
    }
}

/// The buckets of an address: its own, and of IPv6 those of the networks around it.
fn addresses(address: Option<IpAddr>) -> Vec<(Key, Rate)> {
    let mut asked = vec![(Key::Address(network(address)), ADDRESS)];
    if let Some(IpAddr::V6(address)) = address.map(|address| address.to_canonical()) {
        asked.extend(AROUND.map(|(bits, rate)| (Key::Address(within(address, bits)), rate)));
    }
    asked
}

fn within(address: Ipv6Addr, bits: u8) -> String {
    let network = Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - bits)));
    format!("{network}/{bits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> Option<IpAddr> {
        Some(IpAddr::from((0x0a00_0000 + n).to_be_bytes()))
    }

    fn take(
        throttle: &mut Throttle,
        account: &str,
        address: Option<IpAddr>,
        familiar: bool,
        now_ms: u64,
    ) -> Result<(), Duration> {
        throttle.take(&Try { account, address, familiar, browser: None }, now_ms)
    }

    #[test]
    fn ten_a_minute_for_an_account_from_an_address() {
        let mut throttle = Throttle::default();
        let minutes = 20;
        let tries = (0..60_000 * minutes).step_by(100);
        let taken = tries.filter(|now| take(&mut throttle, "ada", address(1), false, *now).is_ok()).count();
        assert!((190..=210).contains(&taken), "{taken}");
        let _ = take(&mut throttle, "ada", address(1), false, 60_000 * minutes);
        let wait = take(&mut throttle, "ada", address(1), false, 60_000 * minutes).unwrap_err();
        assert!(wait <= Duration::from_secs(6), "{wait:?}");
    }

    #[test]
    fn ten_thousand_guesses_from_everywhere_do_not_lock_the_owner_out() {
        let mut throttle = Throttle::default();
        let from = |n: &u32| take(&mut throttle, "ada", address(n % 2_000 + 10), false, 1_000).is_ok();
        assert_eq!((0..10_000u32).filter(from).count(), 100);
        assert!(take(&mut throttle, "ada", address(5_000), false, 1_000).is_err(), "a stranger waits");
        assert!(take(&mut throttle, "ada", address(1), true, 1_000).is_ok(), "the owner does not");
        assert!(take(&mut throttle, "bob", address(2), false, 1_000).is_ok(), "nor do others");
    }

    #[test]
    fn one_address_guesses_at_few_accounts_and_a_64_is_one_address() {
        let mut throttle = Throttle::default();
        let from = |n: u32| Some(IpAddr::from(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, n as u16)));
        let tries = |n: &u32| take(&mut throttle, &format!("user {n}"), from(*n), false, 0).is_ok();
        assert_eq!((0..1_000).filter(tries).count(), 30);
    }

    #[test]
    fn a_56_and_a_48_are_counted_too() {
        for (networks, most) in [(0..256u16, 60), (0..65_535, 120)] {
            let mut throttle = Throttle::default();
            let from = |n: u16| Some(IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, n, 0, 0, 0, 1)));
            let tries = |n: &u16| take(&mut throttle, &format!("user {n}"), from(*n), false, 0).is_ok();
            assert_eq!(networks.filter(tries).count(), most);
        }
    }

    #[test]
    fn a_house_behind_one_address_signs_in_and_is_kept_out_by_nobody_in_it() {
        let mut throttle = Throttle::default();
        for n in 0..200 {
            assert!(take(&mut throttle, &format!("user {n}"), address(1), true, 0).is_ok(), "{n}");
            throttle.give_back(address(1), 0);
        }
        while take(&mut throttle, "nobody", address(1), false, 0).is_ok() {}
        for n in 0..30 {
            let _ = take(&mut throttle, &format!("wrong {n}"), address(1), false, 0);
        }
        assert!(take(&mut throttle, "ada", address(1), true, 0).is_err(), "the address is used up");
        let own = Try { account: "ada", address: address(1), familiar: true, browser: Some("ada's own") };
        assert_eq!(
            (0..100).filter(|_| throttle.take(&own, 0).is_ok()).count(),
            10,
            "her browser is not, within bounds"
        );
    }

    #[test]
    fn second_factors_are_twenty_a_day_and_those_of_the_owner_apart() {
        let mut throttle = Throttle::default();
        let day = 24 * 3_600_000;
        let counted: Vec<u64> = (0..30).filter_map(|_| throttle.take_second("ada", false, 0).ok()).collect();
        assert_eq!(counted, (1..=20).collect::<Vec<u64>>());
        assert!(throttle.take_second("ada", true, 0).is_ok(), "at home");
        let week = (1..7 * day).step_by(60_000).filter(|now| throttle.take_second("ada", false, *now).is_ok()).count();
        assert!((135..=141).contains(&week), "{week}");
        throttle.forgive_second("ada", false);
        assert_eq!(throttle.take_second("ada", false, 7 * day), Ok(1));
    }

    #[test]
    fn a_right_try_forgives_the_wrong_ones_and_memory_is_bounded() {
        let mut throttle = Throttle::default();
        while take(&mut throttle, "ada", address(1), true, 0).is_ok() {}
        throttle.forgive("ada", address(1), None);
        assert!(take(&mut throttle, "ada", address(1), true, 0).is_ok());
        for n in 0..200_000 {
            let _ = take(&mut throttle, &format!("{n}"), address(n), false, 0);
            assert!(throttle.full_at.len() <= MOST + 3);
        }
    }
}
