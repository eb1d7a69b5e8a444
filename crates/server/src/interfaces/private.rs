//! The private address of one interface, for a clear-text listener.
//!
//! Such a listener is bound to one interface by name; an interface with a public address is
//! refused whole, for nobody can say what is routed to it.

use std::io;
use std::net::IpAddr;

pub use leadglass_archive::administer::legacy::is_private;

use super::netlink;

/// Why there is no private address to listen on.
#[derive(Debug, thiserror::Error)]
pub enum InterfaceError {
    /// No interface of that name.
    #[error("there is no network interface {0:?}")]
    Unknown(String),
    /// It has no address yet.
    #[error("network interface {0:?} has no private address (RFC 1918, RFC 4193) and is not the loopback")]
    NoAddress(String),
    /// It has a public one.
    #[error("network interface {name:?} has the public address {address}: clear text is not listened to there")]
    Public {
        /// The interface.
        name: String,
        /// Its address.
        address: IpAddr,
    },
    /// The kernel was asked and gave no answer.
    #[error("the addresses of network interfaces cannot be read")]
    Io(#[source] io::Error),
}

/// An interface without a public address, as it is at present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateInterface {
    /// Its number. One that is made anew under the name has another, and what is bound to the old
    /// one hears nothing.
    pub index: u32,
    /// All its addresses.
    pub addresses: Vec<IpAddr>,
    /// The first private one: where to listen.
    pub address: IpAddr,
}

impl PrivateInterface {
    /// The interface of that name.
    ///
    /// # Errors
    /// When there is none, when it has no private address, or when it has a public one too.
    pub fn named(name: &str) -> Result<PrivateInterface, InterfaceError> {
        let index = netlink::index(name).map_err(InterfaceError::Io)?;
        let index = index.ok_or_else(|| InterfaceError::Unknown(name.to_owned()))?;
        let all = netlink::addresses().map_err(InterfaceError::Io)?;
        let addresses: Vec<IpAddr> = all.into_iter().filter(|(at, _)| *at == index).map(|(_, own)| own).collect();
        let address = choose(name, &addresses)?;
        Ok(PrivateInterface { index, addresses, address })
    }
}

/// The address to listen on: the first private one of that interface.
///
/// # Errors
/// When there is none, or when the interface has a public one too.
pub fn private_address(name: &str) -> Result<IpAddr, InterfaceError> {
    PrivateInterface::named(name).map(|interface| interface.address)
}

fn choose(name: &str, addresses: &[IpAddr]) -> Result<IpAddr, InterfaceError> {
    // Link-local addresses are on every interface, lead nowhere else and are not listened on.
    let is_link_local = |address: &IpAddr| match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    let far = addresses.iter().find(|address| !is_private(**address) && !is_link_local(address));
    if let Some(address) = far {
        return Err(InterfaceError::Public { name: name.to_owned(), address: *address });
    }
    let private = addresses.iter().find(|address| is_private(**address));
    private.copied().ok_or_else(|| InterfaceError::NoAddress(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(list: &[&str]) -> Vec<IpAddr> {
        list.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_loopback_is_found_by_its_name() {
        assert_eq!(private_address("lo").unwrap(), IpAddr::from([127, 0, 0, 1]));
        assert!(matches!(private_address("no-such-0"), Err(InterfaceError::Unknown(_))));
    }

    #[test]
    fn one_public_address_is_one_too_many() {
        for public in ["8.8.8.8", "192.0.2.2", "2001:db8::1", "100.64.0.1", "172.32.0.1", "::ffff:8.8.8.8"] {
            let refused = choose("eth0", &parsed(&["10.1.2.3", public])).unwrap_err();
            assert!(matches!(refused, InterfaceError::Public { .. }), "{public}: {refused}");
        }
        let chosen = choose("eth0", &parsed(&["fe80::1", "169.254.3.4", "172.31.9.9", "fd00::7"])).unwrap();
        assert_eq!(chosen, parsed(&["172.31.9.9"])[0]);
        assert!(matches!(choose("eth0", &parsed(&["fe80::1"])), Err(InterfaceError::NoAddress(_))));
    }
}
