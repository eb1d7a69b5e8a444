//! The clock's jumps, recorded: times in the trail are the clock's, and who moves it moves them.
//!
//! The number of an entry, not its time, says what came first.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use leadglass_archive::trail::{Alert, Event};
use tokio_util::sync::CancellationToken;

use crate::host::Host;

/// How often the clock is compared with the time that passes.
const LOOK: Duration = Duration::from_secs(1);

/// Watches until `stop`.
pub(super) async fn watch(host: Arc<Host>, stop: CancellationToken) {
    let jump = Duration::from_secs(host.config.trail.clock_jump_s);
    let mut watch = Watch { clock: host.clock.now(), passed: Instant::now(), jump };
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        if let Some(seconds) = watch.look(host.clock.now(), Instant::now()) {
            tracing::warn!(seconds, "the clock jumped");
            host.archive.alert(Alert::of(Event::ClockJumped).saying(format!("the clock jumped by {seconds} s")));
        }
    }
}

/// Where clock and passing time were at the last look that agreed.
struct Watch {
    clock: SystemTime,
    passed: Instant,
    jump: Duration,
}

impl Watch {
    /// By how many seconds the clock went otherwise than time, once that is a jump.
    fn look(&mut self, clock: SystemTime, passed: Instant) -> Option<i64> {
        let expected = self.clock + passed.saturating_duration_since(self.passed);
        let (sign, off) = match clock.duration_since(expected) {
            Ok(ahead) => (1, ahead),
            Err(behind) => (-1, behind.duration()),
        };
        // Slow drift, and steps as time services make them, are followed.
        (self.clock, self.passed) = (clock, passed);
        (off >= self.jump).then(|| sign * i64::try_from(off.as_secs()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jumps_either_way_are_told_once_and_drift_is_not() {
        let (begin, at) = (Instant::now(), |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        let mut watch = Watch { clock: at(1_000_000), passed: begin, jump: Duration::from_secs(30) };
        let later = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(watch.look(at(1_000_011), later(10)), None);
        assert_eq!(watch.look(at(1_003_612), later(11)), Some(3600));
        assert_eq!(watch.look(at(1_003_613), later(12)), None);
        assert_eq!(watch.look(at(900_000), later(13)), Some(-103_614));
        assert_eq!(watch.look(at(900_010), later(23)), None);
        // Time that passes while the machine sleeps is no jump of the clock's.
        assert_eq!(watch.look(at(903_610), later(3623)), None);
    }
}
