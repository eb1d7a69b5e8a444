//! A network of the test's own, and what is listened on there.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::Command;

/// Set in the network of the test's own.
pub const OWN_NETWORK: &str = "LEADGLASS_OWN_NETWORK";
/// Its addresses off the loopback: one of a private network, one that anybody would reach.
pub const PRIVATE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
pub const PUBLIC: Ipv4Addr = Ipv4Addr::new(8, 8, 8, 8);
/// Makes them in a fresh namespace, and runs there what it is given.
const LINKS: &str = "ip link set lo up && { ip link add doors type dummy || ip link add doors type bridge; } 2>/dev/null \
    && ip addr add 10.77.0.1/24 dev doors && ip addr add 8.8.8.8/32 dev doors && ip link set doors up && exec \"$@\"";

/// Runs a test of this file in a network of its own; says whether one can be made.
pub fn in_own_network(test: &str) -> bool {
    let within = |flags: &str| {
        let mut command = Command::new("unshare");
        command.args([flags, "sh", "-c", LINKS, "sh"]);
        command
    };
    let able = |flags: &&str| within(flags).arg("true").output().is_ok_and(|done| done.status.success());
    let Some(flags) = ["-n", "-rn"].into_iter().find(able) else { return false };
    let mut inner = within(flags);
    inner.arg(std::env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]).env(OWN_NETWORK, "1");
    let done = inner.output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    let passed = done.status.success() && said.contains("1 passed");
    assert!(passed, "{said}{}", String::from_utf8_lossy(&done.stderr));
    said.lines().filter(|line| line.contains(" configurations, ")).for_each(|line| println!("{line}"));
    true
}

/// Where a stranger finds a door: at a wildcard, under each address.
pub fn each(at: SocketAddr) -> Vec<SocketAddr> {
    let v4 = [Ipv4Addr::LOCALHOST, PRIVATE, PUBLIC].map(IpAddr::from);
    let addresses = match at.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => v4.to_vec(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => std::iter::once(Ipv6Addr::LOCALHOST.into()).chain(v4).collect(),
        own => vec![own],
    };
    addresses.into_iter().map(|address| SocketAddr::new(address, at.port())).collect()
}

/// What this process listens on: its sockets in the kernel's tables, TCP and UDP.
pub fn listening() -> BTreeSet<(&'static str, SocketAddr)> {
    let own: BTreeSet<String> = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let mut found = BTreeSet::new();
    for (table, protocol, state) in
        [("tcp", "tcp", "0A"), ("tcp6", "tcp", "0A"), ("udp", "udp", "07"), ("udp6", "udp", "07")]
    {
        let text = std::fs::read_to_string(format!("/proc/self/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if fields.get(3) == Some(&state) && fields.get(9).is_some_and(|inode| own.contains(*inode)) {
                found.insert((protocol, address(fields[1])));
            }
        }
    }
    found
}

/// An address as the kernel writes it: words of its own byte order, a colon, the port.
fn address(text: &str) -> SocketAddr {
    let (ip, port) = text.split_once(':').unwrap();
    let port = u16::from_str_radix(port, 16).unwrap();
    let words: Vec<[u8; 4]> =
        (0..ip.len() / 8).map(|at| u32::from_str_radix(&ip[8 * at..8 * at + 8], 16).unwrap().to_ne_bytes()).collect();
    match words.as_slice() {
        [v4] => SocketAddr::new(IpAddr::from(*v4), port),
        words => SocketAddr::new(IpAddr::from(<[u8; 16]>::try_from(words.concat()).unwrap()), port),
    }
}
