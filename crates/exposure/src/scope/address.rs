//! Addresses as an owner writes them: `10.0.0.5`, `10.0.0.0/24`, `10.0.0.5-10.0.0.9`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::range::{self, RangeSet};

/// What a `/8` holds, and an IPv6 `/104`: nothing wider is looked at.
pub(super) const WIDEST: u128 = 1 << 24;
/// What a `/24` holds, and an IPv6 `/120`: nothing wider of public addresses is looked at.
const WIDEST_PUBLIC: u128 = 1 << 8;

/// A range, ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) low: IpAddr,
    pub(super) high: IpAddr,
}

/// What is wrong with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AddressMistake {
    #[error("is no address")]
    NoAddress,
    #[error("has no such prefix length")]
    Prefix,
    #[error("names a network by an address inside of it")]
    HostBits,
    #[error("mixes IPv4 and IPv6")]
    Mixed,
    #[error("ends before it begins")]
    Reversed,
    #[error("is the whole internet")]
    Everything,
    #[error("is wider than a /8 (or an IPv6 /104)")]
    TooWide,
    #[error("is no address of a host: it is unspecified, multicast or reserved")]
    NoHost,
    #[error("is public, and the asset does not say that it is yours")]
    PublicNotOwned,
    #[error("holds more than 256 public addresses")]
    PublicTooWide,
}

impl AddressMistake {
    /// What to write instead.
    pub(super) fn mend(self) -> &'static str {
        match self {
            AddressMistake::NoAddress | AddressMistake::Prefix | AddressMistake::Mixed => {
                "write one address, a network as 10.0.0.0/24, or a range as 10.0.0.5-10.0.0.9"
            }
            AddressMistake::HostBits => {
                "write the network's first address before the slash, or the one address without it"
            }
            AddressMistake::Reversed => "write the lower address first",
            AddressMistake::Everything | AddressMistake::TooWide => {
                "list the networks that you are authorised for, none wider than a /8"
            }
            AddressMistake::NoHost => "remove it",
            AddressMistake::PublicNotOwned => {
                "remove it, or give the asset public_owned = true when it is registered to the owner"
            }
            AddressMistake::PublicTooWide => "list public addresses one by one, or in networks no wider than a /24",
        }
    }
}

impl Written {
    /// Reads an address, a network or a range; of any width.
    pub(super) fn parse(text: &str) -> Result<Written, AddressMistake> {
        if let Some((network, length)) = text.split_once('/') {
            return Written::network(network.trim(), length.trim());
        }
        let one = |text: &str| text.trim().parse::<IpAddr>().map(|address| address.to_canonical());
        let (low, high) = text.split_once('-').unwrap_or((text, text));
        let low = one(low).map_err(|_| AddressMistake::NoAddress)?;
        let high = one(high).map_err(|_| AddressMistake::NoAddress)?;
        if low.is_ipv4() != high.is_ipv4() {
            return Err(AddressMistake::Mixed);
        }
        if low > high {
            return Err(AddressMistake::Reversed);
        }
        Ok(Written { low, high })
    }

    /// Whether it may be looked at: not too wide, hosts only, public ones declared.
    pub(super) fn check(self, public_owned: bool) -> Result<(), AddressMistake> {
        let set = self.set();
        if set.len() > WIDEST {
            let whole = self.low.is_unspecified() && set.len() >= 1 << 32;
            return Err(if whole { AddressMistake::Everything } else { AddressMistake::TooWide });
        }
        if set.without(range::no_hosts()).len() < set.len() {
            return Err(AddressMistake::NoHost);
        }
        if set.without(range::not_public()).is_empty() {
            return Ok(());
        }
        if !public_owned {
            return Err(AddressMistake::PublicNotOwned);
        }
        if set.len() > WIDEST_PUBLIC { Err(AddressMistake::PublicTooWide) } else { Ok(()) }
    }

    /// Whether it is one address, written by itself.
    pub(super) fn is_single(self) -> bool {
        self.low == self.high
    }

    /// As a set.
    pub(super) fn set(self) -> RangeSet {
        RangeSet::new([(self.low, self.high)])
    }

    fn network(network: &str, length: &str) -> Result<Written, AddressMistake> {
        let network: IpAddr = network.parse().map_err(|_| AddressMistake::NoAddress)?;
        let length: u32 = length.parse().map_err(|_| AddressMistake::Prefix)?;
        match network {
            IpAddr::V4(v4) => {
                let hosts = 32_u32.checked_sub(length).ok_or(AddressMistake::Prefix)?;
                let mask = u32::MAX.checked_shr(32 - hosts).unwrap_or(0);
                let low = u32::from(v4);
                let high = IpAddr::V4(Ipv4Addr::from(low | mask));
                if low & mask == 0 { Ok(Written { low: network, high }) } else { Err(AddressMistake::HostBits) }
            }
            IpAddr::V6(v6) => {
                let hosts = 128_u32.checked_sub(length).ok_or(AddressMistake::Prefix)?;
                let mask = u128::MAX.checked_shr(128 - hosts).unwrap_or(0);
                let low = u128::from(v6);
                if low & mask != 0 {
                    return Err(AddressMistake::HostBits);
                }
                let high = IpAddr::V6(Ipv6Addr::from(low | mask));
                let (low, high) = (network.to_canonical(), high.to_canonical());
                // A network that holds all mapped IPv4 addresses and more ends outside of them.
                if low.is_ipv4() == high.is_ipv4() { Ok(Written { low, high }) } else { Err(AddressMistake::Mixed) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(low: &str, high: &str) -> Result<Written, AddressMistake> {
        Ok(Written { low: low.parse().unwrap(), high: high.parse().unwrap() })
    }

    #[test]
    fn the_three_ways_to_write_addresses() {
        assert_eq!(Written::parse("10.0.0.5"), written("10.0.0.5", "10.0.0.5"));
        assert_eq!(Written::parse("10.0.0.0/24"), written("10.0.0.0", "10.0.0.255"));
        assert_eq!(Written::parse("0.0.0.0/0"), written("0.0.0.0", "255.255.255.255"));
        assert_eq!(Written::parse("10.0.0.5/32"), written("10.0.0.5", "10.0.0.5"));
        assert_eq!(Written::parse("10.0.0.5 - 10.0.1.9"), written("10.0.0.5", "10.0.1.9"));
        assert_eq!(Written::parse("fd00::/120"), written("fd00::", "fd00::ff"));
        assert_eq!(Written::parse("::ffff:10.0.0.0/120"), written("10.0.0.0", "10.0.0.255"));
        assert_eq!(Written::parse("::ffff:10.0.0.1"), written("10.0.0.1", "10.0.0.1"));
    }

    #[test]
    fn what_is_no_range_is_named() {
        let mistakes = [
            ("", AddressMistake::NoAddress),
            ("pacs.hospital.example", AddressMistake::NoAddress),
            ("10.0.0.256", AddressMistake::NoAddress),
            ("10.0.0.5-", AddressMistake::NoAddress),
            ("10.0.0.0/33", AddressMistake::Prefix),
            ("10.0.0.0/-1", AddressMistake::Prefix),
            ("fd00::/129", AddressMistake::Prefix),
            ("10.0.0.5/24", AddressMistake::HostBits),
            ("fd00::1/64", AddressMistake::HostBits),
            ("10.0.0.9-10.0.0.5", AddressMistake::Reversed),
            ("10.0.0.9-fd00::1", AddressMistake::Mixed),
        ];
        for (text, mistake) in mistakes {
            assert_eq!(Written::parse(text), Err(mistake), "{text}");
        }
    }

    #[test]
    fn what_may_not_be_looked_at_is_named() {
        let refused = [
            ("0.0.0.0/0", true, AddressMistake::Everything),
            ("::/0", true, AddressMistake::Everything),
            ("10.0.0.0/7", false, AddressMistake::TooWide),
            ("9.255.255.255-10.255.255.255", true, AddressMistake::TooWide),
            ("fd00::/103", false, AddressMistake::TooWide),
            ("224.0.0.1", false, AddressMistake::NoHost),
            ("0.0.0.0", false, AddressMistake::NoHost),
            ("ff02::1", true, AddressMistake::NoHost),
            ("8.8.8.8", false, AddressMistake::PublicNotOwned),
            ("10.255.255.255-11.0.0.0", false, AddressMistake::PublicNotOwned),
            ("::fffe:ffff:fff0-::fffe:ffff:ffff", false, AddressMistake::PublicNotOwned),
            ("8.8.8.0/23", true, AddressMistake::PublicTooWide),
            ("2001:4860::/119", true, AddressMistake::PublicTooWide),
        ];
        for (text, owned, mistake) in refused {
            assert_eq!(Written::parse(text).unwrap().check(owned), Err(mistake), "{text}");
        }
        for (text, owned) in
            [("10.0.0.0/8", false), ("127.0.0.0/8", false), ("fd00::/104", false), ("8.8.8.0/24", true)]
        {
            assert_eq!(Written::parse(text).unwrap().check(owned), Ok(()), "{text}");
        }
    }
}
