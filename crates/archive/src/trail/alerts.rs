//! Events beside operations: the one way for them into the trail.
//!
//! What strangers can bring about is counted, so that a flood of it fills no disk: the first
//! of an event from an address is recorded at once, what follows within a minute as one
//! entry with its number. Deliberately absent: a way to take one back.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use parking_lot::Mutex;

use super::{Alert, Entry, Event};
use crate::{Archive, Refused};

/// How long events of one address share an entry.
const WINDOW: Duration = Duration::from_secs(60);
/// Most addresses told apart; the rest share one entry an event.
const MOST: usize = 1024;

impl Archive {
    /// Records what happened beside operations: it rides with the next commit of the log.
    /// For whoever sees it: TLS, the edge, start and stop, the rights' own changes.
    pub fn alert(&self, alert: Alert) {
        let entry = alert.into_entry(self.now_ns());
        if let Some(entry) = self.inner.alerts.admit(entry) {
            self.inner.trail.note(entry);
        }
    }

    /// As [`Archive::alert`], durable when this returns: for what must be on record before
    /// something is handed out on its strength (an emergency override).
    ///
    /// # Errors
    /// [`Refused::ReadOnly`] when the trail cannot be written: then it did not happen.
    pub async fn alert_durably(&self, alert: Alert) -> Result<(), Refused> {
        let entry = alert.into_entry(self.now_ns());
        #[expect(clippy::disallowed_methods, reason = "the one way for events, beside the one road of operations")]
        self.inner.trail.append(entry).await.map(drop)
    }
}

/// Events of the last minute that strangers brought about.
#[derive(Default)]
pub(crate) struct Alerts {
    windows: Mutex<HashMap<(Event, Option<IpAddr>), Window>>,
}

struct Window {
    since_ns: i64,
    last: Entry,
    uncounted: u64,
}

impl Alerts {
    /// The entry to write now; none when it is counted.
    fn admit(&self, mut entry: Entry) -> Option<Entry> {
        let super::Act::Event(event) = entry.act else { return Some(entry) };
        if !entry.caller.is_empty() || entry.address.is_none() {
            return Some(entry);
        }
        let mut windows = self.windows.lock();
        if windows.len() >= MOST && !windows.contains_key(&(event, entry.address)) {
            entry.address = None;
        }
        entry.subject.count = entry.subject.count.max(1);
        match windows.get_mut(&(event, entry.address)) {
            Some(window) => {
                window.uncounted += entry.subject.count;
                window.last = entry;
                None
            }
            None => {
                let window = Window { since_ns: entry.time_ns, last: entry.clone(), uncounted: 0 };
                windows.insert((event, entry.address), window);
                Some(entry)
            }
        }
    }

    /// Entries for the windows that are over (all when `now_ns` is `None`).
    pub(crate) fn close_over(&self, now_ns: Option<i64>) -> Vec<Entry> {
        let window_ns = i64::try_from(WINDOW.as_nanos()).unwrap_or(i64::MAX);
        let mut entries = Vec::new();
        self.windows.lock().retain(|_, window| {
            if now_ns.is_some_and(|now_ns| now_ns.saturating_sub(window.since_ns) < window_ns) {
                return true;
            }
            if window.uncounted > 0 {
                let mut entry = window.last.clone();
                (entry.subject.count, entry.time_ns) = (window.uncounted, window.since_ns);
                entries.push(entry);
            }
            false
        });
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Door, Source};

    #[test]
    fn a_flood_is_two_entries_and_what_we_do_ourselves_is_each_recorded() {
        let alerts = Alerts::default();
        let source = Source { address: Some([192, 0, 2, 1].into()), door: Door::Dimse };
        let stranger = Alert::of(Event::NodeAuthenticationFailed).from(&source);
        let admitted = (0..50_000).filter_map(|n| alerts.admit(stranger.clone().into_entry(n))).count();
        assert_eq!(admitted, 1);
        assert!(alerts.close_over(Some(1)).is_empty());
        let rest = alerts.close_over(Some(61_000_000_000));
        assert_eq!(rest.iter().map(|entry| entry.subject.count).collect::<Vec<_>>(), [49_999]);
        let ours = Alert::of(Event::SecurityRolesChanged);
        assert_eq!((0..10).filter_map(|n| alerts.admit(ours.clone().into_entry(n))).count(), 10);
    }

    #[test]
    fn many_addresses_take_bounded_memory() {
        let alerts = Alerts::default();
        let of = |n: u32| {
            let source = Source { address: Some(n.to_be_bytes().into()), door: Door::Dimse };
            Alert::of(Event::NodeAuthenticationFailed).from(&source).into_entry(0)
        };
        assert_eq!((0..10_000).filter_map(|n| alerts.admit(of(n))).count(), MOST + 1);
    }
}
