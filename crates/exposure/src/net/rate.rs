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
        if self.gap.is_zero() {
            return;
        }
        let turn = {
            let mut next = self.next.lock();
            let now = Instant::now();
            let late = now.checked_sub(LATE).unwrap_or(now);
            let turn = next.map_or(now, |next| next.max(late));
            *next = Some(turn + self.gap);
            if turn <= now {
                return;
            }
            turn
        };
        tokio::time::sleep_until(turn).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_pace_holds_over_time_and_pauses_earn_nothing() {
        let rate = Rate::per_second(2_000);
        let began = Instant::now();
        for _ in 0..2_000 {
            rate.turn().await;
        }
        let took = began.elapsed();
        assert!((Duration::from_millis(985)..Duration::from_millis(1_010)).contains(&took), "{took:?}");
        tokio::time::advance(Duration::from_secs(10)).await;
        let began = Instant::now();
        for _ in 0..1_000 {
            rate.turn().await;
        }
        assert!(began.elapsed() >= Duration::from_millis(490), "{:?}", began.elapsed());
    }
}
