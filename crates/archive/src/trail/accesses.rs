//! "Instances accessed": one entry per caller, study and purpose within five minutes.
//!
//! PS3.15 A.5.3.4 records access per study. The first access of a window is durable before
//! anything is handed out; whoever looks at a thousand frames of the study in the next
//! minutes costs no further sync. The counts follow when the window closes, at the latest
//! five minutes on.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::{Entry, Outcome, Subject};
use crate::Refused;
use crate::access::Door;

/// How long accesses share an entry.
const WINDOW: Duration = Duration::from_secs(300);

/// The windows that are open.
#[derive(Default)]
pub(crate) struct Accesses {
    windows: Mutex<Windows>,
}

#[derive(Default)]
struct Windows {
    open: HashMap<Key, Arc<Window>>,
    /// Those that are over and still read under.
    over: Vec<Arc<Window>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    caller: String,
    address: Option<IpAddr>,
    door: Door,
    purpose: Option<String>,
    study: Option<String>,
}

impl Key {
    fn of(entry: &Entry) -> Key {
        Key {
            caller: entry.caller.clone(),
            address: entry.address,
            door: entry.door,
            purpose: entry.subject.purpose.clone(),
            study: entry.subject.study.clone(),
        }
    }
}

struct Window {
    /// The number of the entry, once it is durable.
    sequence: OnceCell<u64>,
    entry: Mutex<Counted>,
}

struct Counted {
    entry: Entry,
    /// Whether the log says less than is known here.
    changed: bool,
}

/// One access under a window's entry.
#[derive(Clone)]
pub(crate) struct Access {
    window: Arc<Window>,
}

impl Accesses {
    /// The access that entry describes: under the window that is open, or under a new one
    /// that `append` completes (whose study it is) and makes durable first. Two who come at
    /// once wait for the same entry.
    pub(crate) async fn begin(
        &self,
        entry: Entry,
        append: impl AsyncFnOnce(Entry) -> Result<(u64, Subject), Refused>,
    ) -> Result<Access, Refused> {
        let window = self.window(&entry);
        let opened = async || {
            let (sequence, subject) = append(Entry { outcome: Outcome::Begun, ..entry }).await?;
            let mut counted = window.entry.lock();
            counted.entry.subject = Subject { count: counted.entry.subject.count, ..subject };
            Ok::<_, Refused>(sequence)
        };
        window.sequence.get_or_try_init(opened).await?;
        Ok(Access { window })
    }

    /// Whether an access that entry describes would be under a window that is open.
    pub(crate) fn is_open(&self, entry: &Entry) -> bool {
        let windows = self.windows.lock();
        let window = windows.open.get(&Key::of(entry)).filter(|window| window.sequence.initialized());
        window.is_some_and(|window| is_open(&window.entry.lock().entry, entry.time_ns))
    }

    /// Takes out the entries of windows that are over (all of them when `now_ns` is `None`)
    /// and have news.
    pub(crate) fn close_over(&self, now_ns: Option<i64>) -> Vec<Entry> {
        let is_over = |window: &Window| now_ns.is_none_or(|now_ns| !is_open(&window.entry.lock().entry, now_ns));
        let mut entries = Vec::new();
        let mut is_kept = |window: &Arc<Window>| {
            if !is_over(window) {
                return true;
            }
            entries.extend(window.news());
            // Who still reads under it reports to it once more: keep it until they have gone.
            Arc::strong_count(window) > 1 && now_ns.is_some()
        };
        let mut windows = self.windows.lock();
        windows.open.retain(|_, window| is_kept(window));
        windows.over.retain(is_kept);
        entries
    }

    /// Whom open windows are about is no longer to be said.
    pub(crate) fn forget(&self, patient_id: &str) {
        let windows = self.windows.lock();
        for window in windows.open.values().chain(&windows.over) {
            let subject = &mut window.entry.lock().entry.subject;
            if subject.patient_id.as_deref() == Some(patient_id) {
                *subject = Subject { count: subject.count, purpose: subject.purpose.take(), ..Subject::default() };
            }
        }
    }

    fn window(&self, entry: &Entry) -> Arc<Window> {
        let key = Key::of(entry);
        let fresh = || {
            let mut entry = entry.clone();
            entry.subject.count = 0;
            entry.outcome = Outcome::Done;
            Arc::new(Window { sequence: OnceCell::new(), entry: Mutex::new(Counted { entry, changed: false }) })
        };
        let mut windows = self.windows.lock();
        let Windows { open, over } = &mut *windows;
        let window = open.entry(key).or_insert_with(fresh);
        // However long somebody reads under it: what comes later is an entry of its own.
        if !is_open(&window.entry.lock().entry, entry.time_ns) {
            over.push(std::mem::replace(window, fresh()));
        }
        window.clone()
    }
}

impl Access {
    /// Whose study it is, when that is known.
    pub(crate) fn patient_id(&self) -> Option<String> {
        self.window.entry.lock().entry.subject.patient_id.clone()
    }

    /// So many instances were handed out, to their end or not. The entry as it is now
    /// comes back.
    pub(crate) fn report(&self, instances: u64, outcome: Outcome) {
        let mut counted = self.window.entry.lock();
        counted.entry.subject.count += instances;
        if outcome != Outcome::Done {
            counted.entry.outcome = outcome;
        }
        counted.changed = true;
    }

    /// The entry with the counts so far, to be written now; `None` when the log knows.
    pub(crate) fn news(&self) -> Option<Entry> {
        self.window.news()
    }
}

impl Window {
    fn news(&self) -> Option<Entry> {
        let sequence = *self.sequence.get()?;
        let mut counted = self.entry.lock();
        std::mem::take(&mut counted.changed).then(|| Entry { closes: Some(sequence), ..counted.entry.clone() })
    }
}

fn is_open(entry: &Entry, now_ns: i64) -> bool {
    i64::try_from(WINDOW.as_nanos()).is_ok_and(|window_ns| now_ns.saturating_sub(entry.time_ns) < window_ns)
}
