//! The breaker of a whole run: hosts that had answered and stop answering end it.

/// So many hosts at least, before a share means anything.
const FEW: u64 = 3;
/// Per cent of the hosts looked at that may fall silent.
const PER_CENT: u64 = 2;

/// Counts hosts that were looked at after they had answered, and those that fell silent.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    looked_at: u64,
    silent: u64,
}

impl Breaker {
    /// Notes down a host; `true` when the run must end.
    pub(super) fn saw(&mut self, fell_silent: bool) -> bool {
        self.looked_at += 1;
        self.silent += u64::from(fell_silent);
        self.silent >= FEW && self.silent * 100 > self.looked_at * PER_CENT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_per_cent_and_at_least_three() {
        let mut breaker = Breaker::default();
        assert!(!breaker.saw(true) && !breaker.saw(true), "two hosts may be a coincidence");
        assert!(breaker.saw(true));
        let mut breaker = Breaker::default();
        assert!((0..147).all(|_| !breaker.saw(false)));
        assert!(!breaker.saw(true) && !breaker.saw(true) && !breaker.saw(true), "three of 150 are two per cent");
        assert!(breaker.saw(true));
    }
}
