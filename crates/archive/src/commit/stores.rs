//! Trail entries of stores: one per caller and study within five minutes, not one an image.
//!
//! Each batch that stores writes the entry anew with the count so far; it replaces the one
//! before it in views, and the log keeps all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::access::Door;
use crate::log::Appended;
use crate::trail::Entry;

/// How long stores of one caller into one study share an entry.
const WINDOW: Duration = Duration::from_secs(300);
/// Most windows remembered.
const MOST: usize = 4096;

/// The windows that are open.
#[derive(Default)]
pub(super) struct StoreEntries {
    windows: HashMap<Key, Window>,
    /// Of the batch being made.
    pending: HashMap<Key, Entry>,
    /// Record numbers of entries that open a window.
    opening: Vec<(Key, usize)>,
}

type Key = (String, Option<IpAddr>, Door, Option<String>);

struct Window {
    sequence: u64,
    begun_ns: i64,
    count: u64,
}

impl StoreEntries {
    /// Counts one store.
    pub(super) fn count(&mut self, entry: &Entry) {
        let key = (entry.caller.clone(), entry.address, entry.door, entry.subject.study.clone());
        let pending = self.pending.entry(key).or_insert_with(|| {
            let mut entry = entry.clone();
            entry.subject.count = 0;
            entry
        });
        pending.subject.count += 1;
    }

    /// The entries of this batch; `add` puts one into it and says its number.
    pub(super) fn write(&mut self, mut add: impl FnMut(Entry) -> Option<usize>) {
        for (key, mut entry) in std::mem::take(&mut self.pending) {
            let window = self.windows.get_mut(&key).filter(|window| is_open(window, entry.time_ns));
            if let Some(window) = window {
                window.count += entry.subject.count;
                entry.closes = Some(window.sequence);
                entry.subject.count = window.count;
                entry.time_ns = window.begun_ns;
                add(entry);
                continue;
            }
            let (count, begun_ns) = (entry.subject.count, entry.time_ns);
            if let Some(number) = add(entry) {
                self.windows.insert(key.clone(), Window { sequence: 0, begun_ns, count });
                self.opening.push((key, number));
            }
        }
    }

    /// The batch is durable.
    pub(super) fn written(&mut self, appended: &[Appended], now_ns: i64) {
        for (key, number) in self.opening.drain(..) {
            if let (Some(window), Some(appended)) = (self.windows.get_mut(&key), appended.get(number)) {
                window.sequence = appended.sequence;
            }
        }
        if self.windows.len() > MOST {
            self.windows.retain(|_, window| is_open(window, now_ns));
        }
        if self.windows.len() > MOST {
            self.windows.clear();
        }
    }

    /// What is stored from now on has entries of its own.
    pub(super) fn part(&mut self) {
        self.windows.clear();
    }

    /// The batch failed: nothing of it is known any more.
    pub(super) fn failed(&mut self) {
        self.pending.clear();
        self.opening.clear();
        self.windows.clear();
    }
}

fn is_open(window: &Window, now_ns: i64) -> bool {
    i64::try_from(WINDOW.as_nanos()).is_ok_and(|window_ns| now_ns.saturating_sub(window.begun_ns) < window_ns)
}
