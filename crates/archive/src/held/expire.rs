//! What nobody decides on expires, and is told of before.
//!
//! What expires is lost, though its sender was told that it had arrived: so the warnings are
//! security alerts, a week and a day before, and each loss is on record with whose it was.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::view::{about, subjects, time};
use super::{DAY, Decision};
use crate::Archive;
use crate::spool::{Spool, Waiting};
use crate::trail::{Alert, Event};

/// Days before the first of a sender's objects expires at which it is told of.
const WARNINGS: [u32; 2] = [1, 7];
/// How often it is looked.
const LOOK: Duration = Duration::from_secs(60);

impl Archive {
    /// Warns of what expires soon, and destroys what has. Blocks.
    pub(crate) fn tend_held(&self) {
        let now = self.inner.clock.now();
        let Ok(spool) = self.inner.held.spool() else { return };
        let before = {
            let mut looked = self.inner.held.looked.lock();
            if looked.is_some_and(|before| now.duration_since(before).is_ok_and(|since| since < LOOK)) {
                return;
            }
            looked.replace(now)
        };
        // What is being decided on does not expire meanwhile.
        let Ok(_one_at_a_time) = self.inner.held.carrying.try_lock() else { return };
        let mut senders: BTreeMap<String, Vec<Waiting>> = BTreeMap::new();
        for waiting in spool.all_waiting() {
            senders.entry(waiting.sender.to_string()).or_default().push(waiting);
        }
        for (sender, waiting) in senders {
            let decided = self.inner.registry.held(&sender).is_some_and(|held| held.decision != Decision::CarriedOut);
            if decided || self.inner.committer.read_only().is_some() {
                continue;
            }
            let (over, soon): (Vec<Waiting>, Vec<Waiting>) =
                waiting.into_iter().partition(|one| self.expires(one) <= now);
            if !over.is_empty() {
                self.expire(spool, &sender, &over);
            }
            self.warn_of_expiry(&sender, &soon, before, now);
        }
    }

    fn expires(&self, waiting: &Waiting) -> SystemTime {
        time(waiting.sheet.received_ns) + self.inner.held.settings.expires
    }

    /// On record, then gone.
    fn expire(&self, spool: &Spool, sender: &str, over: &[Waiting]) {
        let scan = &self.inner.settings.scan;
        let abouts: Vec<_> = over.iter().filter_map(|waiting| about(spool, waiting, scan).ok()).collect();
        let ae = over.first().map(|waiting| waiting.sheet.calling_ae.clone()).unwrap_or_default();
        let mut alerts: Vec<Alert> = Vec::new();
        for mut subject in subjects(abouts.iter()) {
            subject.detail = Some(format!("expired unapproved and is destroyed: unknown sender {ae}"));
            alerts.push(Alert::of(Event::HeldEnds).about(subject));
        }
        let said =
            format!("{} objects of unknown sender {ae} ({sender}) expired unapproved and are destroyed", over.len());
        alerts.push(Alert::of(Event::HeldEnds).saying(said));
        for alert in alerts {
            if let Err(error) = futures::executor::block_on(self.alert_durably(alert)) {
                tracing::error!(%error, "what expires stays, as that cannot be recorded");
                return;
            }
        }
        let numbers: Vec<u64> = over.iter().map(|waiting| waiting.number).collect();
        match spool.forget_blocking(sender, &numbers) {
            Ok(()) => {
                let bytes = over.iter().map(|waiting| waiting.bytes).sum();
                self.inner.held.rooms.leave(sender, over.len() as u64, bytes);
            }
            Err(error) => tracing::error!(%error, "what expired cannot be destroyed"),
        }
    }

    fn warn_of_expiry(&self, sender: &str, waiting: &[Waiting], before: Option<SystemTime>, now: SystemTime) {
        let Some(first) = waiting.first() else { return };
        let expires = self.expires(first);
        let due = |at: SystemTime| WARNINGS.into_iter().find(|days| at + DAY * *days >= expires);
        let Some(days) = due(now).filter(|_| before.is_none_or(|before| due(before) != due(now))) else { return };
        let ae = &first.sheet.calling_ae;
        let number = waiting.iter().filter(|one| now + DAY * days >= self.expires(one)).count();
        let plural = if days == 1 { "" } else { "s" };
        let said = format!(
            "{number} objects of unknown sender {ae} ({sender}) expire within {days} day{plural} and are lost then: accept, \
             enrol or discard"
        );
        self.alert(Alert::of(Event::SenderWaits).saying(said));
    }
}
