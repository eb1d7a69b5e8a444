//! How many connections a door holds, in all and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

/// Connections beyond the cap that are still answered, to be told so in their protocol.
const POLITE: u32 = 32;

/// Counts the connections of one door.
#[derive(Clone)]
pub struct Caps(Arc<Inner>);

struct Inner {
    total: u32,
    per_address: u32,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    total: u32,
    by_address: HashMap<IpAddr, u32>,
}

/// A counted connection; dropping it gives the place back.
pub struct Place {
    caps: Caps,
    address: IpAddr,
    over: bool,
}

impl Caps {
    /// Caps of a door.
    pub fn new(total: u32, per_address: u32) -> Caps {
        Caps(Arc::new(Inner { total, per_address, open: Mutex::default() }))
    }

    /// Counts a connection. `None`: close it at once. A place may be over the cap: then it
    /// is told so and closed.
    pub fn enter(&self, address: IpAddr) -> Option<Place> {
        let mut open = self.0.open.lock();
        let here = open.by_address.get(&address).copied().unwrap_or(0);
        if open.total >= self.0.total + POLITE || here >= self.0.per_address + POLITE {
            return None;
        }
        let over = open.total >= self.0.total || here >= self.0.per_address;
        open.total += 1;
        open.by_address.insert(address, here + 1);
        Some(Place { caps: self.clone(), address, over })
    }

    /// How many are open.
    pub fn open(&self) -> u32 {
        self.0.open.lock().total
    }
}

impl Place {
    /// Whether this connection is one too many.
    pub fn is_over(&self) -> bool {
        self.over
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.caps.0.open.lock();
        open.total -= 1;
        if let Some(here) = open.by_address.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                open.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_cap_a_few_are_told_and_the_rest_closed() {
        let caps = Caps::new(100, 2);
        let (a, b) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let mut places: Vec<Place> = (0..2 + POLITE).map(|_| caps.enter(a).unwrap()).collect();
        assert_eq!(places.iter().filter(|p| !p.is_over()).count(), 2);
        assert!(caps.enter(a).is_none());
        assert!(!caps.enter(b).unwrap().is_over(), "another address is not affected");
        places.clear();
        assert_eq!(caps.open(), 0);
        assert!(caps.0.open.lock().by_address.is_empty(), "nothing is remembered of who left");
    }
}
