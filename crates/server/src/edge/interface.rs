//! Which addresses an interface has, and whether others than its own network could reach them.
//!
//! Asked of the kernel by netlink (RTM_GETADDR), without any C in between. A clear-text
//! listener is bound to one interface by name; an interface with a public address is refused
//! whole, for nobody can say what is routed to it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
/// NLM_F_REQUEST and NLM_F_DUMP.
const REQUEST_DUMP: u16 = 0x0301;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const HEADER_BYTES: usize = 16;
const ADDRESS_MESSAGE_BYTES: usize = 8;

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

/// The address to listen on: the first private one of that interface.
///
/// # Errors
/// When there is none, or when the interface has a public one too.
pub fn private_address(name: &str) -> Result<IpAddr, InterfaceError> {
    choose(name, &addresses(name)?)
}

/// Whether only this machine or its private network can have that address: loopback,
/// RFC 1918, RFC 4193.
pub fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    }
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

fn addresses(name: &str) -> Result<Vec<IpAddr>, InterfaceError> {
    let errno = |error: rustix::io::Errno| InterfaceError::Io(error.into());
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None);
    let socket = socket.map_err(errno)?;
    let any = rustix::net::socket(AddressFamily::INET, SocketType::DGRAM, None).map_err(errno)?;
    let index = rustix::net::netdevice::name_to_index(&any, name);
    let index = index.map_err(|_| InterfaceError::Unknown(name.to_owned()))?;
    rustix::net::send(&socket, &request(), SendFlags::empty()).map_err(errno)?;
    let mut found = Vec::new();
    loop {
        let mut buffer = vec![0; 64 << 10];
        let (length, _) = rustix::net::recv(&socket, &mut buffer[..], RecvFlags::empty()).map_err(errno)?;
        let mut rest = buffer.get(..length).unwrap_or_default();
        if rest.is_empty() {
            return Err(InterfaceError::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        while let Some((kind, body, after)) = message(rest) {
            match kind {
                NLMSG_DONE => return Ok(found),
                NLMSG_ERROR => return Err(InterfaceError::Io(io::Error::other("the kernel refuses the question"))),
                RTM_NEWADDR => found.extend(address_of(body, index)),
                _ => {}
            }
            rest = after;
        }
    }
}

/// The question for all addresses: a header and an empty `ifaddrmsg`.
fn request() -> Vec<u8> {
    let length = (HEADER_BYTES + ADDRESS_MESSAGE_BYTES) as u32;
    let head = [length.to_ne_bytes().as_slice(), &RTM_GETADDR.to_ne_bytes(), &REQUEST_DUMP.to_ne_bytes()].concat();
    [head, vec![0; 8 + ADDRESS_MESSAGE_BYTES]].concat()
}

/// The first message: its type, its body, what follows it.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(*bytes.first_chunk()?)).ok()?;
    let kind = u16::from_ne_bytes(*bytes.get(4..)?.first_chunk()?);
    let body = bytes.get(HEADER_BYTES..length)?;
    Some((kind, body, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

/// The address in an RTM_NEWADDR body, when it is of that interface. Point-to-point links
/// name their own end in IFA_LOCAL and the other in IFA_ADDRESS.
fn address_of(body: &[u8], index: u32) -> Option<IpAddr> {
    if u32::from_ne_bytes(*body.get(4..)?.first_chunk()?) != index {
        return None;
    }
    let (mut rest, mut address, mut local) = (body.get(ADDRESS_MESSAGE_BYTES..)?, None, None);
    while let Some(length) = rest.first_chunk().map(|length| usize::from(u16::from_ne_bytes(*length))) {
        let Some(value) = rest.get(4..length) else { break };
        let kind = u16::from_ne_bytes(*rest.get(2..)?.first_chunk()?);
        match kind {
            IFA_ADDRESS => address = ip(value),
            IFA_LOCAL => local = ip(value),
            _ => {}
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    local.or(address)
}

fn ip(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(value).ok()?).into()),
        16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(value).ok()?).into()),
        _ => None,
    }
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

    #[test]
    fn messages_that_lie_about_their_length_end_the_reading() {
        let whole = request();
        assert!(message(&whole).is_some());
        for cut in 0..whole.len() {
            assert!(message(&whole[..cut]).is_none());
        }
        assert!(address_of(&[0; 7], 0).is_none());
        assert!(address_of(&[0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 1, 0, 9], 0).is_none());
        assert!(address_of(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 0).is_none(), "a length of zero is no step");
    }
}
