//! So many connects a second, evenly.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How late a timer may be without slowing the pace down.
const LATE: Duration = Duration::from_millis(5);

/// A pace that all who connect share.
pub struct Rate {
    /// Between two connects; zero means no limit.
    gap: Duration,
    next: Mutex<Option<Instant>>,
}

impl Rate {
    /// So many a second; 0 means no limit.
    pub fn per_second(connects: u32) -> Rate {
        let gap = Duration::from_secs(1).checked_div(connects).unwrap_or_default();
        Rate { gap, next: Mutex::new(None) }
    }

    /// Waits for its turn. What was not used before now is lost, but for the few milliseconds
    /// that timers are late: there are no bursts.
    pub async fn turn(&self) {
        if let Some(turn) = self.reserve(Instant::now()) {
            tokio::time::sleep_until(turn).await;
        }
    }

    /// Takes the next turn; gives when it is, unless it is now.
    fn reserve(&self, now: Instant) -> Option<Instant> {
        if self.gap.is_zero() {
            return None;
        }
        let mut next = self.next.lock();
        let late = now.checked_sub(LATE).unwrap_or(now);
        let turn = next.map_or(now, |next| next.max(late));
        *next = Some(turn + self.gap);
        (turn > now).then_some(turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long so many turns take of somebody whose timers are 1 ms late.
    fn take(rate: &Rate, from: Instant, turns: u32) -> Instant {
        (0..turns).fold(from, |now, _| rate.reserve(now).map_or(now, |turn| turn + Duration::from_millis(1)))
    }

    #[test]
    fn the_pace_holds_over_time_and_pauses_earn_nothing() {
        let rate = Rate::per_second(2_000);
        let began = Instant::now();
        let ended = take(&rate, began, 2_001);
        let took = ended - began;
        assert!((Duration::from_millis(990)..Duration::from_millis(1_010)).contains(&took), "{took:?}");
        let later = ended + Duration::from_secs(10);
        let took = take(&rate, later, 1_001) - later;
        assert!((Duration::from_millis(485)..Duration::from_millis(510)).contains(&took), "{took:?}");
    }

    #[test]
    fn no_limit_waits_for_nothing() {
        let rate = Rate::per_second(0);
        assert!((0..1000).all(|_| rate.reserve(Instant::now()).is_none()));
    }
}
