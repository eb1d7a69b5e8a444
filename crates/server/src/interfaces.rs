//! The addresses of this machine's own interfaces, and who could reach them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use leadglass_exposure::scope::range::is_public;

/// Who could reach an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reachable {
    /// This machine alone.
    Loopback,
    /// Whoever is in the same private network.
    Private,
    /// Anybody.
    Public,
}

impl Reachable {
    /// Who could reach a listener at that address; at a wildcard, who could reach any of this
    /// machine's interfaces.
    pub fn at(address: IpAddr) -> Reachable {
        addresses_behind(address).into_iter().map(Reachable::of).max().unwrap_or(Reachable::Public)
    }

    fn of(address: IpAddr) -> Reachable {
        match address {
            _ if address.is_loopback() => Reachable::Loopback,
            _ if is_public(address) => Reachable::Public,
            _ => Reachable::Private,
        }
    }
}

/// The addresses that a listener answers at: its own, or for a wildcard those of all
/// interfaces.
pub fn addresses_behind(address: IpAddr) -> Vec<IpAddr> {
    match address {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => v4_of(&read("/proc/net/fib_trie")),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => {
            [v4_of(&read("/proc/net/fib_trie")), v6_of(&read("/proc/net/if_inet6"))].concat()
        }
        address => vec![address],
    }
}

/// The address on loopback with that port.
pub fn on_loopback(address: SocketAddr) -> SocketAddr {
    let loopback = match address.ip() {
        own if own.is_loopback() => own,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(loopback, address.port())
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// The kernel's routes to itself: `|-- ADDRESS` with `/32 host LOCAL` in the line below.
fn v4_of(trie: &str) -> Vec<IpAddr> {
    let lines: Vec<&str> = trie.lines().map(str::trim).collect();
    let local = lines.windows(2).filter(|pair| pair[1].starts_with("/32 host LOCAL"));
    let mut found: Vec<IpAddr> =
        local.filter_map(|pair| pair[0].strip_prefix("|-- ")?.parse::<Ipv4Addr>().ok()).map(IpAddr::V4).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// A line an address: 32 hexadecimal digits first. Link-local ones need an interface named
/// and are left out.
fn v6_of(table: &str) -> Vec<IpAddr> {
    let digits = table.lines().filter_map(|line| line.split_whitespace().next());
    let addresses = digits.filter_map(|digits| u128::from_str_radix(digits, 16).ok()).map(Ipv6Addr::from);
    addresses.filter(|address| !address.is_unicast_link_local()).map(IpAddr::V6).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIE: &str = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 10.1.0.0\n        /16 link UNICAST\n     |-- 10.1.2.3\n        \
                        /32 host LOCAL\nLocal:\n     |-- 10.1.2.3\n        /32 host LOCAL\n     |-- 127.0.0.1\n        \
                        /32 host LOCAL\n     |-- 10.1.255.255\n        /32 link BROADCAST\n";

    #[test]
    fn the_kernels_tables_are_read() {
        let expected: Vec<IpAddr> = ["10.1.2.3", "127.0.0.1"].iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(v4_of(TRIE), expected);
        let table =
            "00000000000000000000000000000001 01 80 10 80 lo\nfe800000000000000000000000000001 02 40 20 80 eth0\n";
        assert_eq!(v6_of(table), [IpAddr::V6(Ipv6Addr::LOCALHOST)]);
        assert_eq!((v4_of(""), v6_of("nonsense")), (vec![], vec![]));
    }

    #[test]
    fn a_wildcard_is_reached_by_whoever_reaches_any_interface() {
        assert!(addresses_behind(Ipv4Addr::UNSPECIFIED.into()).contains(&Ipv4Addr::LOCALHOST.into()));
        assert_eq!(Reachable::at("127.9.9.9".parse().unwrap()), Reachable::Loopback);
        assert_eq!(Reachable::at("192.168.1.7".parse().unwrap()), Reachable::Private);
        assert_eq!(Reachable::at("8.8.8.8".parse().unwrap()), Reachable::Public);
        assert_eq!(on_loopback("0.0.0.0:8443".parse().unwrap()), "127.0.0.1:8443".parse().unwrap());
        assert_eq!(on_loopback("[2001:db8::1]:1".parse().unwrap()), "[::1]:1".parse().unwrap());
    }
}
