//! Which indices of a sweep are behind it, although they are settled in any order.

use std::net::SocketAddr;
use std::ops::Range;

use parking_lot::Mutex;

use crate::engine::plan::Plan;

/// Indices between the first that is not settled and the last that was taken.
const WIDTH: u64 = 1 << 16;

/// What became of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Not known yet.
    Pending,
    /// The port took the connection.
    Open,
    /// The host said no.
    Refused,
    /// Nobody answered, or there is no way there.
    Silent,
    /// The scope does not allow it.
    NotAllowed,
    /// The index leads nowhere.
    Nowhere,
}

/// What a sweep came past since it was last asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// All indices below are settled: where a resumed sweep begins.
    pub upto: u64,
    /// Refused.
    pub refused: u64,
    /// Silent.
    pub silent: u64,
    /// Open, in the order of the sweep.
    pub opens: Vec<SocketAddr>,
    /// How many indices were passed.
    pub indices: u64,
}

impl Passed {
    /// Whether it did not get on.
    pub fn is_empty(&self) -> bool {
        self.indices == 0
    }
}

/// The indices under way. Counts only grow with the first index, so that what is counted and
/// where a resumed sweep begins always agree.
pub(super) struct Window(Mutex<Inner>);

struct Inner {
    /// The first that is not settled.
    first: u64,
    /// The first that was not taken.
    next: u64,
    end: u64,
    fates: Box<[Fate]>,
    passed: Passed,
    /// Indices that were open, since last asked.
    open: Vec<u64>,
}

impl Window {
    pub(super) fn new(from: u64, end: u64) -> Window {
        let fates = vec![Fate::Pending; WIDTH as usize].into_boxed_slice();
        let from = from.min(end);
        Window(Mutex::new(Inner { first: from, next: from, end, fates, passed: Passed::default(), open: Vec::new() }))
    }

    /// Takes up to so many indices: none when there are no more, an empty range when too many are under way.
    pub(super) fn take(&self, count: u64) -> Option<Range<u64>> {
        let mut inner = self.0.lock();
        if inner.next == inner.end {
            return None;
        }
        let from = inner.next;
        let upto = (from + count).min(inner.end).min(inner.first + WIDTH);
        inner.next = upto;
        Some(from..upto)
    }

    /// Notes down what became of some indices, and empties the list.
    pub(super) fn settle(&self, settled: &mut Vec<(u64, Fate)>) {
        let mut inner = self.0.lock();
        for (index, fate) in settled.drain(..) {
            inner.fates[(index % WIDTH) as usize] = fate;
        }
        inner.advance();
    }

    /// All indices below are settled.
    pub(super) fn upto(&self) -> u64 {
        self.0.lock().first
    }

    /// Whether something open was passed since last asked.
    pub(super) fn has_opens(&self) -> bool {
        !self.0.lock().open.is_empty()
    }

    /// What was passed since last asked.
    pub(super) fn passed(&self, plan: &Plan) -> Passed {
        let (mut passed, open) = {
            let mut inner = self.0.lock();
            let upto = inner.first;
            (Passed { upto, ..std::mem::take(&mut inner.passed) }, std::mem::take(&mut inner.open))
        };
        let opens = open.into_iter().filter_map(|index| plan.target(index));
        passed.opens = opens.map(|target| SocketAddr::new(target.address, target.port)).collect();
        passed
    }

    /// Whether everything is settled.
    pub(super) fn is_over(&self) -> bool {
        let inner = self.0.lock();
        inner.first == inner.end
    }
}

impl Inner {
    fn advance(&mut self) {
        while self.first < self.next {
            let place = (self.first % WIDTH) as usize;
            match std::mem::replace(&mut self.fates[place], Fate::Pending) {
                Fate::Pending => return,
                Fate::Open => self.open.push(self.first),
                Fate::Refused => self.passed.refused += 1,
                Fate::Silent => self.passed.silent += 1,
                Fate::NotAllowed | Fate::Nowhere => {}
            }
            self.first += 1;
            self.passed.indices += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::order::Shard;
    use crate::testing;

    #[test]
    fn counts_grow_with_the_first_unsettled_index_only() {
        let scope = Arc::new(testing::scope());
        let plan = Plan::new(scope, &[104], 1, Shard::WHOLE, true, true).unwrap();
        let window = Window::new(10, 74);
        assert_eq!((window.take(32), window.take(32), window.take(32)), (Some(10..42), Some(42..74), None));
        window.settle(&mut vec![(12, Fate::Open), (11, Fate::Refused)]);
        assert!(window.passed(&plan).is_empty());
        window.settle(&mut vec![(10, Fate::Silent), (13, Fate::NotAllowed), (15, Fate::Open)]);
        let passed = window.passed(&plan);
        assert_eq!((passed.upto, passed.indices, passed.refused, passed.silent), (14, 4, 1, 1));
        let target = plan.target(12).unwrap();
        assert_eq!(passed.opens, [SocketAddr::new(target.address, target.port)]);
        window.settle(&mut (14..74).filter(|index| *index != 15).map(|index| (index, Fate::Refused)).collect());
        assert_eq!(window.passed(&plan).opens.len(), 1);
        assert!(window.is_over());
    }

    #[test]
    fn the_window_is_not_wider_than_its_ring() {
        let window = Window::new(0, WIDTH * 3);
        assert_eq!(window.take(u64::MAX / 2), Some(0..WIDTH));
        assert_eq!(window.take(1), Some(WIDTH..WIDTH));
        window.settle(&mut vec![(0, Fate::Refused)]);
        assert_eq!(window.take(5), Some(WIDTH..WIDTH + 1));
    }
}
