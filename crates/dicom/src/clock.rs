//! Time as an argument: whoever needs the hour is handed a [`Clock`].

use std::sync::{LazyLock, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// The hour of the day, as it goes into records.
    fn now(&self) -> SystemTime;

    /// How long it has run. Goes on evenly, whatever the hour is set to; time in which the machine
    /// was off or asleep is none.
    fn uptime(&self) -> Duration;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn uptime(&self) -> Duration {
        static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);
        BEGINNING.elapsed()
    }
}

/// A clock that moves only when told, for tests.
#[derive(Debug)]
pub struct ManualClock(Mutex<(SystemTime, Duration)>);

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn new(now: SystemTime) -> ManualClock {
        ManualClock(Mutex::new((now, Duration::ZERO)))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let (hour, uptime) = &mut *self.hands();
        *hour += by;
        *uptime += by;
    }

    /// Sets the hour, in no time.
    pub fn set(&self, now: SystemTime) {
        self.hands().0 = now;
    }

    fn hands(&self) -> MutexGuard<'_, (SystemTime, Duration)> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        self.hands().0
    }

    fn uptime(&self) -> Duration {
        self.hands().1
    }
}
