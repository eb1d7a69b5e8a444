//! How many requests are under way, in all and for each caller.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Problem;

/// Counts requests under way. Clones count together.
#[derive(Clone)]
pub(super) struct Occupancy {
    counts: Arc<Mutex<Counts>>,
    all: usize,
    per_caller: usize,
}

#[derive(Default)]
struct Counts {
    all: usize,
    callers: HashMap<String, usize>,
}

/// A place among the requests under way; dropping it makes room.
pub(super) struct Place {
    counts: Arc<Mutex<Counts>>,
    caller: String,
}

impl Occupancy {
    pub(super) fn new(all: usize, per_caller: usize) -> Occupancy {
        Occupancy { counts: Arc::default(), all, per_caller }
    }

    /// A place for one more request of that caller: 503 when the house is full, 429 when the
    /// caller already has too many.
    pub(super) fn enter(&self, caller: &str) -> Result<Place, Problem> {
        let mut counts = self.counts.lock();
        if counts.all >= self.all {
            return Err(Problem::unavailable("too many requests are under way"));
        }
        let of_caller = counts.callers.get(caller).copied().unwrap_or(0);
        if of_caller >= self.per_caller {
            return Err(Problem::too_many_requests());
        }
        counts.all += 1;
        counts.callers.insert(caller.to_owned(), of_caller + 1);
        Ok(Place { counts: self.counts.clone(), caller: caller.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        counts.all = counts.all.saturating_sub(1);
        if let Some(count) = counts.callers.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                counts.callers.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_with_too_many_waits_and_others_do_not() {
        let house = Occupancy::new(3, 2);
        let places = [house.enter("a").unwrap(), house.enter("a").unwrap()];
        assert_eq!(house.enter("a").err().unwrap().status(), 429);
        let other = house.enter("b").unwrap();
        assert_eq!(house.enter("c").err().unwrap().status(), 503);
        drop(places);
        drop(house.enter("a").unwrap());
        drop(other);
        assert!(house.counts.lock().callers.is_empty());
    }
}
