//! What time brings: windows of the trail close, checkpoints fall due, series settle.
//!
//! A thread looks every second; what is due is told by the archive's clock, so tests call
//! [`Archive::tend`] themselves. Deliberately absent: anything somebody waits for.

use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use crate::perform::nanoseconds;
use crate::trail::{Alert, Event};
use crate::{Archive, Inner, retrieve};

const DAY_S: u64 = 24 * 3600;
/// How often the thread looks.
const TICK: Duration = Duration::from_secs(1);
/// A series is settled when nothing came for so long.
const SETTLED: Duration = Duration::from_secs(10);
/// Most series summarized in one go.
const SERIES: u32 = 4;

/// Starts the thread; it ends with the archive.
pub(crate) fn start(inner: &Arc<Inner>) -> std::io::Result<()> {
    let inner: Weak<Inner> = Arc::downgrade(inner);
    let look = move || {
        loop {
            std::thread::sleep(TICK);
            let Some(inner) = inner.upgrade() else { return };
            let archive = Archive { inner };
            archive.tend(Some(nanoseconds(archive.inner.clock.now())));
            archive.summarize_settled();
        }
    };
    std::thread::Builder::new().name("upkeep".into()).spawn(look).map(drop)
}

impl Archive {
    /// Writes the trail entries whose windows are over (all of them when `now_ns` is
    /// `None`) and lets the committer see whether a checkpoint is due.
    pub(crate) fn tend(&self, now_ns: Option<i64>) {
        let over = self.inner.accesses.close_over(now_ns).into_iter().chain(self.inner.failures.close_over(now_ns));
        let over = over.chain(self.inner.alerts.close_over(now_ns));
        over.for_each(|entry| self.inner.trail.note(entry));
        if now_ns.is_some() {
            self.remind();
            self.tend_held();
        }
        self.inner.committer.tick();
    }

    /// Tells of peers' certificates that end, of legacy peers, and at the start and each day of reviews that still
    /// wait; ends emergencies.
    fn remind(&self) {
        let now = self.inner.clock.now();
        let before = self.inner.reminded.lock().replace(now);
        self.tell_certificates_ending(before, now);
        self.tell_of_legacy_peers(before, now);
        // While something else is changed, they end with the next look.
        if let (Ok(one_at_a_time), None) = (self.inner.changing.try_lock(), self.inner.committer.read_only()) {
            futures::executor::block_on(self.end_emergencies(one_at_a_time));
        }
        let days =
            |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs() / DAY_S);
        // At each start too: it may have been down when the day began.
        let due = if before.is_none_or(|before| days(now) > days(before)) { self.open_reviews() } else { 0 };
        if due > 0 {
            self.alert(Alert::of(Event::ReviewDue).saying(format!("{due} reviews wait for somebody")));
        }
    }

    /// Writes summaries of series that have settled. Blocks.
    pub(crate) fn summarize_settled(&self) {
        let settled = i64::try_from(SETTLED.as_nanos()).unwrap_or(i64::MAX);
        let before = nanoseconds(self.inner.clock.now()).saturating_sub(settled);
        if self.inner.committer.read_only().is_some() {
            return;
        }
        let series = match self.inner.index.settled_series(before, SERIES) {
            Ok(series) => series,
            Err(error) => return tracing::warn!(%error, "settled series could not be listed"),
        };
        for (study, series) in series {
            if let Err(error) = retrieve::summarize(&self.inner, &study, &series) {
                tracing::warn!(%error, "a series summary could not be written");
            }
        }
    }
}
