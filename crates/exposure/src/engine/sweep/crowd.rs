//! How many connects are under way: one to a host, 16 to a /24, and as many in all as there
//! are descriptors for.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Connects under way to one /24 (IPv4) or /64 (IPv6).
const OF_A_NET: u8 = 16;

/// Who is being connected to.
pub(super) struct Crowd {
    most: usize,
    inside: Mutex<Inside>,
    change: Notify,
}

#[derive(Default)]
struct Inside {
    hosts: BTreeSet<IpAddr>,
    nets: HashMap<IpAddr, u8>,
}

impl Crowd {
    pub(super) fn new(most: usize) -> Crowd {
        Crowd { most, inside: Mutex::default(), change: Notify::new() }
    }

    /// Whether there is room for one more connect to this host; if so it takes the room.
    pub(super) fn enter(&self, host: IpAddr) -> bool {
        let mut inside = self.inside.lock();
        if inside.hosts.len() >= self.most || inside.hosts.contains(&host) {
            return false;
        }
        let of_net = inside.nets.entry(net(host)).or_default();
        if *of_net >= OF_A_NET {
            return false;
        }
        *of_net += 1;
        inside.hosts.insert(host)
    }

    pub(super) fn leave(&self, host: IpAddr) {
        let mut inside = self.inside.lock();
        inside.hosts.remove(&host);
        let net = net(host);
        if let Some(of_net) = inside.nets.get_mut(&net) {
            *of_net = of_net.saturating_sub(1);
            if *of_net == 0 {
                inside.nets.remove(&net);
            }
        }
        drop(inside);
        self.change.notify_waiters();
    }

    /// Until somebody left, or a moment passed: who asks looks again.
    pub(super) async fn change(&self) {
        let moment = tokio::time::sleep(std::time::Duration::from_millis(5));
        tokio::select! {
            () = self.change.notified() => {}
            () = moment => {}
        }
    }
}

fn net(host: IpAddr) -> IpAddr {
    match host {
        IpAddr::V4(v4) => IpAddr::from((u32::from(v4) & 0xffff_ff00).to_be_bytes()),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_to_a_host_and_sixteen_to_a_net() {
        let crowd = Crowd::new(20);
        let host = |c: u8, d: u8| IpAddr::from([127, 0, c, d]);
        assert!(crowd.enter(host(1, 1)));
        assert!(!crowd.enter(host(1, 1)), "a second one to the same host");
        assert_eq!((2..=40).filter(|d| crowd.enter(host(1, *d))).count(), 15);
        assert_eq!((2..=40).filter(|d| crowd.enter(host(2, *d))).count(), 4, "twenty in all");
        crowd.leave(host(1, 1));
        assert!(crowd.enter(host(1, 99)));
    }
}
