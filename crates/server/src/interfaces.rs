//! The addresses of this machine's own interfaces, and who could reach them.

mod netlink;
pub mod private;

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
/// interfaces. Link-local ones need an interface named and are left out.
pub fn addresses_behind(address: IpAddr) -> Vec<IpAddr> {
    if !address.is_unspecified() {
        return vec![address];
    }
    let is_behind = |own: &IpAddr| match own {
        IpAddr::V4(_) => true,
        IpAddr::V6(own) => address.is_ipv6() && !own.is_unicast_link_local(),
    };
    let all = netlink::addresses().unwrap_or_default().into_iter().map(|(_, own)| own);
    let mut behind: Vec<IpAddr> = all.filter(is_behind).collect();
    behind.sort_unstable();
    behind.dedup();
    behind
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_reached_by_whoever_reaches_any_interface() {
        assert!(addresses_behind(Ipv4Addr::UNSPECIFIED.into()).contains(&Ipv4Addr::LOCALHOST.into()));
        assert!(addresses_behind(Ipv6Addr::UNSPECIFIED.into()).contains(&Ipv4Addr::LOCALHOST.into()));
        assert!(addresses_behind(Ipv4Addr::UNSPECIFIED.into()).iter().all(IpAddr::is_ipv4));
        assert_eq!(Reachable::at("127.9.9.9".parse().unwrap()), Reachable::Loopback);
        assert_eq!(Reachable::at("192.168.1.7".parse().unwrap()), Reachable::Private);
        assert_eq!(Reachable::at("8.8.8.8".parse().unwrap()), Reachable::Public);
        assert_eq!(on_loopback("0.0.0.0:8443".parse().unwrap()), "127.0.0.1:8443".parse().unwrap());
        assert_eq!(on_loopback("[2001:db8::1]:1".parse().unwrap()), "[::1]:1".parse().unwrap());
    }
}
