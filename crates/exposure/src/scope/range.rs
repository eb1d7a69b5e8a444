//! Sets of addresses, as sorted ranges: excludes are cut out once and never tested again.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

/// A set of addresses: sorted ranges that do not touch. IPv4 as its mapped IPv6 number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeSet(Vec<(u128, u128)>);

/// Where the IPv4 addresses are among the IPv6 numbers: `::ffff:0:0/96`.
const MAPPED: u128 = 0xffff_0000_0000;

impl RangeSet {
    /// From ranges in any order, ends included.
    pub fn new(ranges: impl IntoIterator<Item = (IpAddr, IpAddr)>) -> RangeSet {
        let mut ranges: Vec<_> = ranges.into_iter().map(|(low, high)| (number(low), number(high))).collect();
        ranges.retain(|(low, high)| low <= high);
        ranges.sort_unstable();
        let mut merged: Vec<(u128, u128)> = Vec::with_capacity(ranges.len());
        for (low, high) in ranges {
            match merged.last_mut() {
                Some((_, end)) if low <= end.saturating_add(1) => *end = high.max(*end),
                _ => merged.push((low, high)),
            }
        }
        RangeSet(merged)
    }

    /// What is in this set and not in the other.
    pub fn without(&self, other: &RangeSet) -> RangeSet {
        let mut left = Vec::with_capacity(self.0.len());
        let mut at = 0;
        for &(low, high) in &self.0 {
            while other.0.get(at).is_some_and(|(_, to)| *to < low) {
                at += 1;
            }
            let mut next = Some(low);
            for &(from, to) in &other.0[at..] {
                let Some(start) = next.filter(|_| from <= high) else { break };
                if from > start {
                    left.push((start, from - 1));
                }
                next = to.checked_add(1).filter(|next| *next <= high);
            }
            left.extend(next.map(|start| (start, high)));
        }
        RangeSet(left)
    }

    /// The union with another set.
    pub fn union(&self, other: &RangeSet) -> RangeSet {
        RangeSet::new(self.ranges().chain(other.ranges()))
    }

    /// What is in both this set and the other.
    pub fn within(&self, other: &RangeSet) -> RangeSet {
        self.without(&self.without(other))
    }

    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.width_around(address).is_some()
    }

    /// How many addresses the range holds that the address is in.
    pub fn width_around(&self, address: IpAddr) -> Option<u128> {
        let address = number(address);
        let at = self.0.partition_point(|(_, high)| *high < address);
        self.0.get(at).filter(|(low, _)| *low <= address).map(|(low, high)| (high - low).saturating_add(1))
    }

    /// How many addresses there are.
    pub fn len(&self) -> u128 {
        self.0.iter().fold(0, |sum: u128, (low, high)| sum.saturating_add((high - low).saturating_add(1)))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The address at an index, counted from the lowest.
    pub fn nth(&self, mut index: u128) -> Option<IpAddr> {
        for (low, high) in &self.0 {
            let width = (high - low).saturating_add(1);
            if index < width {
                return Some(address(low + index));
            }
            index -= width;
        }
        None
    }

    /// This set cut where one of the others begins or ends: each piece lies in each of them
    /// wholly or not at all. The first address and how many there are.
    pub fn pieces<'a>(&self, others: impl Iterator<Item = &'a RangeSet>) -> Vec<(IpAddr, u128)> {
        let bounds = others.flat_map(|other| &other.0).flat_map(|(low, high)| [Some(*low), high.checked_add(1)]);
        let mut bounds: Vec<u128> = bounds.flatten().collect();
        bounds.sort_unstable();
        bounds.dedup();
        let mut pieces = Vec::with_capacity(self.0.len());
        for &(mut low, high) in &self.0 {
            let first = bounds.partition_point(|bound| *bound <= low);
            for bound in bounds[first..].iter().take_while(|bound| **bound <= high) {
                pieces.push((address(low), bound - low));
                low = *bound;
            }
            pieces.push((address(low), (high - low).saturating_add(1)));
        }
        pieces
    }

    /// The ranges, ends included.
    pub fn ranges(&self) -> impl Iterator<Item = (IpAddr, IpAddr)> + '_ {
        self.0.iter().map(|(low, high)| (address(*low), address(*high)))
    }
}

/// Whether an address can be routed in the internet: see [`not_public`].
pub fn is_public(address: IpAddr) -> bool {
    !not_public().contains(address)
}

/// Addresses that are not routed in the internet: private (RFC 1918, RFC 4193), loopback,
/// link-local, shared (RFC 6598), for documentation and benchmarks, and [`no_hosts`].
pub fn not_public() -> &'static RangeSet {
    static NOT_PUBLIC: LazyLock<RangeSet> = LazyLock::new(|| {
        let ranges = RangeSet::new([
            v4([10, 0, 0, 0], 8),
            v4([172, 16, 0, 0], 12),
            v4([192, 168, 0, 0], 16),
            v4([127, 0, 0, 0], 8),
            v4([169, 254, 0, 0], 16),
            v4([100, 64, 0, 0], 10),
            v4([192, 0, 2, 0], 24),
            v4([198, 51, 100, 0], 24),
            v4([203, 0, 113, 0], 24),
            v4([198, 18, 0, 0], 15),
            v6([0, 0, 0, 0, 0, 0, 0, 1], 128),
            v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),
            v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
            v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
        ]);
        ranges.union(no_hosts())
    });
    &NOT_PUBLIC
}

/// Addresses that no host has: unspecified (RFC 1122 3.2.1.3), multicast, reserved, broadcast.
pub fn no_hosts() -> &'static RangeSet {
    static NO_HOSTS: LazyLock<RangeSet> = LazyLock::new(|| {
        let unspecified = v6([0; 8], 128);
        RangeSet::new([v4([0, 0, 0, 0], 8), v4([224, 0, 0, 0], 3), unspecified, v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8)])
    });
    &NO_HOSTS
}

fn v4(network: [u8; 4], length: u32) -> (IpAddr, IpAddr) {
    let low = u32::from_be_bytes(network);
    (IpAddr::V4(Ipv4Addr::from(low)), IpAddr::V4(Ipv4Addr::from(low | (u32::MAX >> length))))
}

fn v6(network: [u16; 8], length: u32) -> (IpAddr, IpAddr) {
    let low = Ipv6Addr::from(network);
    let high = u128::from(low) | u128::MAX.checked_shr(length).unwrap_or(0);
    (IpAddr::V6(low), IpAddr::V6(Ipv6Addr::from(high)))
}

fn number(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(v4) => MAPPED | u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

fn address(number: u128) -> IpAddr {
    if number >> 32 == MAPPED >> 32 {
        return IpAddr::V4(Ipv4Addr::from((number & 0xffff_ffff) as u32));
    }
    IpAddr::V6(Ipv6Addr::from(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ranges: &[(&str, &str)]) -> RangeSet {
        RangeSet::new(ranges.iter().map(|(low, high)| (low.parse().unwrap(), high.parse().unwrap())))
    }

    #[test]
    fn excludes_are_cut_out() {
        let all = set(&[("10.0.0.0", "10.0.0.255"), ("10.0.1.0", "10.0.1.9")]);
        let left = all.without(&set(&[("10.0.0.5", "10.0.0.6"), ("10.0.1.9", "10.0.2.0"), ("9.0.0.0", "10.0.0.0")]));
        assert_eq!(left, set(&[("10.0.0.1", "10.0.0.4"), ("10.0.0.7", "10.0.1.8")]));
        assert_eq!(left.len(), 4 + 249 + 9);
        assert_eq!(left.nth(4), Some("10.0.0.7".parse().unwrap()));
        assert_eq!(left.nth(262), None);
    }

    #[test]
    fn private_and_loopback_addresses_are_not_public() {
        for private in ["10.1.2.3", "172.31.0.1", "192.168.0.1", "127.9.9.9", "fd00::1", "::1", "::ffff:10.0.0.1"] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["8.8.8.8", "172.32.0.1", "2001:4860::1", "::ffff:8.8.8.8"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }
}
