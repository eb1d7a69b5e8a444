//! The brake: what made archives leak by the million was volume, so volume is what it holds.
//!
//! Each caller has an [`Envelope`], set or learnt from what it did before. What is about to
//! leave is counted first: patients whose images are opened, patients that rows tell of,
//! bytes. Within the envelope nothing happens; beyond it nothing leaves, the privacy officer
//! is told, and a review waits for an answer. Deliberately absent: a way to switch it off.
//! The host's operator, who holds the master key, is not counted.

mod canary;
mod drive;
mod envelope;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use parking_lot::Mutex;

use crate::administer::Alarm;
use crate::index::Past;
use crate::trail::{Alert, Event, Outcome};
use crate::{Archive, Caller, Refused, blocking, index_failed};

use drive::{Drive, PatientKey, Taking, Verdict};
pub use envelope::{Envelope, Hours};
pub(crate) use envelope::{Habit, Kind};

/// How far back a caller's habit is looked at.
const HABIT_NS: i64 = 30 * DAY_NS;
const DAY_NS: i64 = 24 * 3_600_000_000_000;
/// Most callers that are told apart; idle ones are forgotten first.
const MOST: usize = 10_000;

/// What callers took lately.
#[derive(Default)]
pub(crate) struct Brake {
    hasher: RandomState,
    drives: Mutex<HashMap<String, Known>>,
    songs: Mutex<canary::Songs>,
}

/// A caller with the envelope that its habit leaves.
#[derive(Default)]
struct Known {
    drive: Drive,
    habit: Habit,
    /// The day, since 1970 in UTC, on which the habit was looked up.
    looked_up: i64,
}

/// What is about to leave.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken {
    /// Patient IDs whose images are opened.
    pub(crate) opened: Vec<String>,
    /// Patient IDs that rows tell of.
    pub(crate) listed: Vec<String>,
    /// Bytes of images.
    pub(crate) bytes: u64,
}

impl Archive {
    /// Counts what that caller is about to take, or holds it back.
    ///
    /// # Errors
    /// [`Refused::Braked`] beyond the caller's envelope: nothing was counted, nothing may leave.
    pub(crate) async fn brake(&self, caller: &Caller, taken: Taken) -> Result<(), Refused> {
        self.watch_canaries(caller, &taken);
        let Some(kind) = caller.kind() else { return Ok(()) };
        let name = caller.identity().to_owned();
        if !self.inner.brake.knows(&name, self.now_ns()) {
            let past = self.past_of(name.clone()).await?;
            self.inner.brake.meet(name.clone(), past, self.now_ns());
        }
        let envelope = self.inner.registry.envelope(&name);
        match self.inner.brake.take(&name, kind, envelope, &taken, self.now_ns()) {
            Verdict::Within => Ok(()),
            Verdict::Beyond { limit, wait_s, step_up, is_news } => {
                if is_news {
                    let said = format!("beyond the envelope: {}", limit.words());
                    let alert = Alert::of(Event::EnvelopeExceeded).by(caller).ended(Outcome::Refused).saying(said);
                    self.raise(Alarm::Envelope, caller, None, limit.words(), alert).await;
                }
                Err(Refused::Braked { limit: limit.words(), wait_s, step_up: step_up && caller.has_session() })
            }
        }
    }

    /// Somebody has just shown once more who they are, with a second factor. When the brake held
    /// them lately, they may take twice as much for an hour.
    pub(crate) fn stepped_up(&self, user: &str) {
        self.inner.brake.confirm(user, self.now_ns());
    }

    /// Counts bytes that leave under an earlier verdict: frames of a study that is looked at.
    pub(crate) fn charge(&self, caller: &str, bytes: u64) {
        self.inner.brake.charge(caller, bytes, self.now_ns());
    }

    async fn past_of(&self, name: String) -> Result<Past, Refused> {
        let (index, now_ns) = (self.inner.index.clone(), self.now_ns());
        let read = blocking(move || index.past_of(&name, now_ns - HABIT_NS, now_ns)).await?;
        read.map_err(|error| index_failed(&error))
    }
}

impl Brake {
    fn confirm(&self, name: &str, now_ns: i64) {
        if let Some(known) = self.drives.lock().get_mut(name) {
            known.drive.confirm(now_ns);
        }
    }

    /// The caller begins anew.
    pub(crate) fn release(&self, name: &str) {
        if let Some(known) = self.drives.lock().get_mut(name) {
            known.drive.release();
        }
    }

    /// Whether its habit was looked up today: people begin to work otherwise, and new ones to work at all.
    fn knows(&self, name: &str, now_ns: i64) -> bool {
        self.drives.lock().get(name).is_some_and(|known| known.looked_up == now_ns.div_euclid(DAY_NS))
    }

    fn meet(&self, name: String, past: Past, now_ns: i64) {
        let opened = past.opened.iter().map(|opened| (self.key(&opened.patient), opened.first_ns, opened.last_ns));
        let listed = past.listed.iter().map(|(patient, at)| (self.key(patient), *at));
        let (habit, looked_up) = (past.habit, now_ns.div_euclid(DAY_NS));
        let mut drives = self.drives.lock();
        if let Some(known) = drives.get_mut(&name) {
            // What it took is counted here already, bytes too.
            (known.habit, known.looked_up) = (habit, looked_up);
            return;
        }
        let drive = Drive::resumed(opened, listed, now_ns);
        if drives.len() >= MOST {
            drives.retain(|_, known| !known.drive.is_idle(now_ns));
        }
        drives.insert(name, Known { drive, habit, looked_up });
    }

    fn take(&self, name: &str, kind: Kind, set: Option<Envelope>, taken: &Taken, now_ns: i64) -> Verdict {
        let keys = |patients: &[String]| patients.iter().map(|patient| self.key(patient)).collect();
        let taking = Taking { opened: keys(&taken.opened), listed: keys(&taken.listed), bytes: taken.bytes };
        let mut drives = self.drives.lock();
        let known = drives.entry(name.to_owned()).or_default();
        let envelope = set.unwrap_or_else(|| kind.envelope().narrowed(known.habit));
        known.drive.take(&taking, &envelope, kind, now_ns)
    }

    fn charge(&self, name: &str, bytes: u64, now_ns: i64) {
        if let Some(known) = self.drives.lock().get_mut(name) {
            known.drive.charge(bytes, now_ns);
        }
    }

    fn key(&self, patient: &str) -> PatientKey {
        self.hasher.hash_one(patient)
    }
}
