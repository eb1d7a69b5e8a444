//! The addresses of this machine's interfaces, asked of the kernel by netlink (RTM_GETADDR),
//! without any C in between.

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

/// The number of the interface of that name, when there is one.
pub(super) fn index(name: &str) -> io::Result<Option<u32>> {
    let any = rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    Ok(rustix::net::netdevice::name_to_index(&any, name).ok())
}

/// All addresses of this machine, each with the number of its interface.
pub(super) fn addresses() -> io::Result<Vec<(u32, IpAddr)>> {
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    rustix::net::send(&socket, &request(), SendFlags::empty())?;
    let mut found = Vec::new();
    loop {
        let mut buffer = vec![0; 64 << 10];
        let (length, _) = rustix::net::recv(&socket, &mut buffer[..], RecvFlags::empty())?;
        let mut rest = buffer.get(..length).unwrap_or_default();
        if rest.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        while let Some((kind, body, after)) = message(rest) {
            match kind {
                NLMSG_DONE => return Ok(found),
                NLMSG_ERROR => return Err(io::Error::other("the kernel refuses the question")),
                RTM_NEWADDR => found.extend(address_of(body)),
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

/// Interface and address of an RTM_NEWADDR body. Point-to-point links name their own end in
/// IFA_LOCAL and the other in IFA_ADDRESS.
fn address_of(body: &[u8]) -> Option<(u32, IpAddr)> {
    let index = u32::from_ne_bytes(*body.get(4..)?.first_chunk()?);
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
    local.or(address).map(|address| (index, address))
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

    #[test]
    fn this_machine_has_a_loopback() {
        let loopback = index("lo").unwrap().unwrap();
        assert!(addresses().unwrap().contains(&(loopback, Ipv4Addr::LOCALHOST.into())));
        assert_eq!(index("no-such-wire").unwrap(), None);
    }

    #[test]
    fn messages_that_lie_about_their_length_end_the_reading() {
        let whole = request();
        assert!(message(&whole).is_some());
        for cut in 0..whole.len() {
            assert!(message(&whole[..cut]).is_none());
        }
        assert!(address_of(&[0; 7]).is_none());
        assert!(address_of(&[0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 1, 0, 9]).is_none());
        assert!(address_of(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_none(), "a length of zero is no step");
    }
}
