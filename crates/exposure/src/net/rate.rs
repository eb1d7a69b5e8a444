//! So many connects a second, evenly.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

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

    /// Waits for its turn. What was not used before now is lost: there are no bursts.
    pub async fn turn(&self) {
        if self.gap.is_zero() {
            return;
        }
        let turn = {
            let mut next = self.next.lock();
            let now = Instant::now();
            let turn = next.map_or(now, |next| next.max(now));
            *next = Some(turn + self.gap);
            turn
        };
        tokio::time::sleep_until(turn).await;
    }
}
