//! Strangers turned away, counted so that a flood of them fills no disk.
//!
//! The first failure of a source is recorded at once; what follows within a minute is
//! counted and recorded as one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use parking_lot::Mutex;

use super::{Door, Source};
use crate::trail::Entry;

/// How long failures of one source share an entry.
const WINDOW: Duration = Duration::from_secs(60);
/// Most sources told apart; the rest share one entry.
const MOST: usize = 1024;

/// Failures of the last minute.
#[derive(Default)]
pub(crate) struct Failures {
    sources: Mutex<HashMap<(Option<IpAddr>, Door), Window>>,
}

struct Window {
    since_ns: i64,
    reason: &'static str,
    uncounted: u64,
}

impl Failures {
    /// A failure; an entry to write comes back for the first of a window.
    pub(crate) fn count(&self, source: &Source, reason: &'static str, now_ns: i64) -> Option<Entry> {
        let mut sources = self.sources.lock();
        let crowded = sources.len() >= MOST && !sources.contains_key(&(source.address, source.door));
        let source = if crowded { Source { address: None, door: source.door } } else { source.clone() };
        match sources.get_mut(&(source.address, source.door)) {
            Some(window) => {
                window.uncounted += 1;
                window.reason = reason;
                None
            }
            None => {
                sources.insert((source.address, source.door), Window { since_ns: now_ns, reason, uncounted: 0 });
                Some(Entry::of_strangers(&source, reason, 1, now_ns))
            }
        }
    }

    /// Entries for the windows that are over (all when `now_ns` is `None`).
    pub(crate) fn close_over(&self, now_ns: Option<i64>) -> Vec<Entry> {
        let window_ns = i64::try_from(WINDOW.as_nanos()).unwrap_or(i64::MAX);
        let mut entries = Vec::new();
        self.sources.lock().retain(|(address, door), window| {
            if now_ns.is_some_and(|now_ns| now_ns.saturating_sub(window.since_ns) < window_ns) {
                return true;
            }
            if window.uncounted > 0 {
                let source = Source { address: *address, door: *door };
                entries.push(Entry::of_strangers(&source, window.reason, window.uncounted, window.since_ns));
            }
            false
        });
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn a_flood_is_two_entries() {
        let failures = Failures::default();
        let source = Source { address: Some([10, 0, 0, 1].into()), door: Door::Dimse };
        let written = (0..100_000).filter_map(|n| failures.count(&source, "unknown certificate", n)).count();
        assert_eq!(written, 1);
        assert!(failures.close_over(Some(SECOND)).is_empty());
        let rest = failures.close_over(Some(61 * SECOND));
        assert_eq!(rest.iter().map(|entry| entry.subject.count).collect::<Vec<_>>(), [99_999]);
        assert!(failures.count(&source, "unknown certificate", 62 * SECOND).is_some());
    }

    #[test]
    fn many_sources_take_bounded_memory() {
        let failures = Failures::default();
        let written = (0..100_000u32)
            .filter_map(|n| {
                failures.count(&Source { address: Some(n.to_be_bytes().into()), door: Door::Dimse }, "no", 0)
            })
            .count();
        assert_eq!(written, MOST + 1);
    }
}
