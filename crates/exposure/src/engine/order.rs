//! The order of a run: a seed and an index say which host and which of its ports come next.
//!
//! A permutation of all hosts is walked once for each port, so a host is touched once a walk.
//! Order, shard, resume and reproducibility are one seed and one number; nothing is kept of
//! what was tried. Deliberately absent: secrecy. Who knows the seed knows the order.

use std::fmt;
use std::str::FromStr;

/// Rounds of the Feistel network. Four mix well; six leave no visible pattern in small scopes.
const ROUNDS: usize = 6;

/// A permutation of `0..size`: a Feistel network over the next power of two, walked on until
/// it falls below `size`, which takes less than two steps on average.
#[derive(Clone, Debug)]
pub struct Permutation {
    size: u64,
    high_bits: u32,
    low_bits: u32,
    keys: [u64; ROUNDS],
}

impl Permutation {
    /// The permutation of `0..size` that a seed gives.
    pub fn new(size: u64, seed: u64) -> Permutation {
        let bits = u64::BITS - size.saturating_sub(1).leading_zeros();
        let mut state = seed;
        let keys = std::array::from_fn(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            mix(state)
        });
        Permutation { size, high_bits: bits / 2, low_bits: bits - bits / 2, keys }
    }

    /// What stands at a position; both below `size`.
    pub fn at(&self, position: u64) -> u64 {
        debug_assert!(position < self.size);
        let mut value = position;
        loop {
            value = self.forward(value);
            if value < self.size {
                return value;
            }
        }
    }

    /// At which position a value stands: the inverse of [`Permutation::at`].
    pub fn position(&self, value: u64) -> u64 {
        debug_assert!(value < self.size);
        let mut position = value;
        loop {
            position = self.backward(position);
            if position < self.size {
                return position;
            }
        }
    }

    fn forward(&self, value: u64) -> u64 {
        let (mut high, mut low) = self.split(value);
        for (round, key) in self.keys.iter().enumerate() {
            self.round(round, *key, &mut high, &mut low);
        }
        (high << self.low_bits) | low
    }

    fn backward(&self, value: u64) -> u64 {
        let (mut high, mut low) = self.split(value);
        for (round, key) in self.keys.iter().enumerate().rev() {
            self.round(round, *key, &mut high, &mut low);
        }
        (high << self.low_bits) | low
    }

    fn split(&self, value: u64) -> (u64, u64) {
        (value >> self.low_bits, value & mask(self.low_bits))
    }

    /// One half is changed by the other, so doing it again undoes it.
    fn round(&self, round: usize, key: u64, high: &mut u64, low: &mut u64) {
        if round.is_multiple_of(2) {
            *high ^= mix(*low ^ key) & mask(self.high_bits);
        } else {
            *low ^= mix(*high ^ key) & mask(self.low_bits);
        }
    }
}

/// The finaliser of SplitMix64.
fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

fn mask(bits: u32) -> u64 {
    1u64.checked_shl(bits).map_or(u64::MAX, |bit| bit - 1)
}

/// Which part of the hosts a run takes: every `of`-th of the permuted order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shard {
    number: u32,
    of: u32,
}

impl Shard {
    /// All hosts.
    pub const WHOLE: Shard = Shard { number: 1, of: 1 };

    /// The `number`-th of `of` shards, counted from 1.
    pub fn new(number: u32, of: u32) -> Option<Shard> {
        (1..=of).contains(&number).then_some(Shard { number, of })
    }

    /// Which one, from 1.
    pub fn number(self) -> u32 {
        self.number
    }

    /// Of how many.
    pub fn of(self) -> u32 {
        self.of
    }

    /// Whether it is everything.
    pub fn is_whole(self) -> bool {
        self.of == 1
    }

    /// Whether it takes what stands at a position.
    pub fn takes(self, position: u64) -> bool {
        position % u64::from(self.of) == u64::from(self.number - 1)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Shard, &'static str> {
        let (number, of) = text.split_once('/').ok_or("a shard is k/n, such as 1/4")?;
        let shard = number.parse().ok().zip(of.parse().ok()).and_then(|(number, of)| Shard::new(number, of));
        shard.ok_or("a shard is k/n with k from 1 to n")
    }
}

/// The order in which one shard's hosts are walked, a pass for each port.
#[derive(Clone, Debug)]
pub struct Order {
    permutation: Permutation,
    shard: Shard,
    hosts: u64,
    passes: u32,
}

impl Order {
    /// Of `hosts` hosts, `passes` times.
    pub fn new(hosts: u64, passes: u32, seed: u64, shard: Shard) -> Order {
        let before = u64::from(shard.number - 1);
        let hosts_here = hosts.saturating_sub(before).div_ceil(u64::from(shard.of));
        Order { permutation: Permutation::new(hosts, seed), shard, hosts: hosts_here, passes }
    }

    /// How many hosts the shard has.
    pub fn hosts(&self) -> u64 {
        self.hosts
    }

    /// How many indices there are.
    pub fn len(&self) -> u64 {
        self.hosts.saturating_mul(u64::from(self.passes))
    }

    /// Whether there is nothing to walk.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Which host, in which pass, comes at an index below [`Order::len`].
    pub fn at(&self, index: u64) -> (u64, u32) {
        let position = (index % self.hosts) * u64::from(self.shard.of) + u64::from(self.shard.number - 1);
        (self.permutation.at(position), (index / self.hosts) as u32)
    }

    /// Where a host stands in the order of all shards together.
    pub fn position(&self, host: u64) -> u64 {
        self.permutation.position(host)
    }

    /// Whether the shard takes a host.
    pub fn takes(&self, host: u64) -> bool {
        self.shard.takes(self.permutation.position(host))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_pair_comes_once_and_shards_part_the_hosts(
            hosts in 0u64..3000, passes in 1u32..5, seed: u64, of in 1u32..6
        ) {
            let mut seen = BTreeSet::new();
            for number in 1..=of {
                let shard = Order::new(hosts, passes, seed, Shard::new(number, of).unwrap());
                for index in 0..shard.len() {
                    let pair = shard.at(index);
                    prop_assert!(shard.takes(pair.0));
                    prop_assert!(seen.insert(pair), "{pair:?} came twice");
                }
            }
            prop_assert_eq!(seen.len() as u64, hosts * u64::from(passes));
            prop_assert!(seen.iter().all(|(host, pass)| *host < hosts && *pass < passes));
        }

        #[test]
        fn a_walk_goes_on_where_it_stood(hosts in 1u64..5000, passes in 1u32..4, seed: u64, part in 0.0f64..1.0) {
            let order = Order::new(hosts, passes, seed, Shard::WHOLE);
            let at = (order.len() as f64 * part) as u64;
            let whole: Vec<_> = (0..order.len()).map(|index| order.at(index)).collect();
            let again = Order::new(hosts, passes, seed, Shard::WHOLE);
            let rest: Vec<_> = (at..again.len()).map(|index| again.at(index)).collect();
            prop_assert_eq!(&whole[at as usize..], &rest[..]);
        }

        #[test]
        fn a_position_is_found_again(size in 1u64..u64::MAX / 2, seed: u64, part: u64) {
            let permutation = Permutation::new(size, seed);
            let position = part % size;
            prop_assert_eq!(permutation.position(permutation.at(position)), position);
        }

        #[test]
        fn a_pass_touches_every_host_before_the_next_begins(hosts in 1u64..500, seed: u64) {
            let order = Order::new(hosts, 3, seed, Shard::WHOLE);
            for pass in 0..3 {
                let touched: BTreeSet<_> = (pass * hosts..(pass + 1) * hosts).map(|index| order.at(index)).collect();
                prop_assert_eq!(touched.len() as u64, hosts);
                prop_assert!(touched.iter().all(|(_, of)| u64::from(*of) == pass));
            }
        }
    }

    #[test]
    fn a_shard_is_k_of_n() {
        assert_eq!("2/3".parse::<Shard>().unwrap().to_string(), "2/3");
        for wrong in ["", "1", "0/2", "3/2", "1/0", "-1/2", "a/b", "1/2/3"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn another_seed_is_another_order() {
        let walk = |seed| (0..256).map(|at| Permutation::new(256, seed).at(at)).collect::<Vec<_>>();
        assert_ne!(walk(1), walk(2));
        let in_place = walk(1).iter().zip(0..).filter(|(host, at)| *host == at).count();
        assert!(in_place < 10, "{in_place} of 256 stayed where they were");
    }
}
