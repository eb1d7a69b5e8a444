//! What nobody decides on expires, and is told of before.
//!
//! What expires is lost, though its sender was told that it had arrived: so the warnings are
//! security alerts, a week and a day before, and each loss is on record with whose it was. The
//! hour alone destroys nothing, for it can be wrong, and the archive can have been off: what
//! expired goes when the last warning of it is durable and the archive has run for a day since.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime};

use super::view::{about, subjects, time};
use super::{DAY, Decision};
use crate::Archive;
use crate::spool::{Spool, Waiting};
use crate::trail::{Alert, Event};

/// The last warning, in days before an object expires.
const LAST_WARNING: u32 = 1;
/// Days before an object expires at which it is told of.
const WARNINGS: [u32; 2] = [LAST_WARNING, 7];
/// How often it is looked.
const LOOK: Duration = Duration::from_secs(60);
/// Objects of one sender that come within a warning in this time share an alert.
const SHARED: Duration = Duration::from_secs(3600);

/// What was told since the archive was opened, by its uptime.
#[derive(Default)]
pub(super) struct Warnings {
    /// When it was looked last.
    looked: Option<Duration>,
    /// Of each object the last warning, in days, and when.
    objects: HashMap<u64, (u32, Duration)>,
    /// When a sender had one of so many days last.
    senders: HashMap<(String, u32), Duration>,
}

impl Archive {
    /// Warns of what expires soon, destroys what has, and has decisions tried again that are not
    /// carried out. Blocks.
    pub(crate) fn tend_held(&self) {
        let (now, uptime) = (self.inner.clock.now(), self.inner.clock.uptime());
        let Ok(spool) = self.inner.held.spool() else { return };
        let mut warnings = self.inner.held.warnings.lock();
        if warnings.looked.is_some_and(|before| uptime.saturating_sub(before) < LOOK) {
            return;
        }
        warnings.looked = Some(uptime);
        // What is being decided on does not expire meanwhile.
        let Ok(_one_at_a_time) = self.inner.held.carrying.try_lock() else { return };
        self.retry_decisions();
        if self.inner.committer.read_only().is_some() {
            return;
        }
        let all = spool.all_waiting();
        warnings.keep(&all, |one| self.due(one, now), uptime);
        let mut senders: BTreeMap<String, Vec<Waiting>> = BTreeMap::new();
        for waiting in all {
            senders.entry(waiting.sender.to_string()).or_default().push(waiting);
        }
        for (sender, waiting) in senders {
            if self.inner.registry.held(&sender).is_some_and(|held| held.decision != Decision::CarriedOut) {
                continue;
            }
            for days in WARNINGS {
                self.warn_of_expiry(&mut warnings, &sender, &waiting, days, now);
            }
            let is_over = |one: &Waiting| self.expires(one) <= now && warnings.is_a_day_ago(one.number, uptime);
            let over: Vec<Waiting> = waiting.into_iter().filter(is_over).collect();
            if !over.is_empty() {
                self.expire(spool, &sender, &over);
            }
        }
    }

    fn expires(&self, waiting: &Waiting) -> SystemTime {
        time(waiting.sheet.received_ns) + self.inner.held.settings.expires
    }

    /// The warning that is due of an object.
    fn due(&self, waiting: &Waiting, now: SystemTime) -> Option<u32> {
        WARNINGS.into_iter().find(|days| now + DAY * *days >= self.expires(waiting))
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
        if let Err(error) = spool.forget_blocking(sender, &numbers) {
            tracing::error!(%error, "what expired cannot be destroyed");
        }
        self.inner.held.give_back(spool, sender, over);
    }

    /// Tells of objects of a sender that came within a warning of so many days and were not told
    /// of; durable, or it was not told.
    fn warn_of_expiry(&self, warnings: &mut Warnings, sender: &str, all: &[Waiting], days: u32, now: SystemTime) {
        let uptime = self.inner.clock.uptime();
        let is_news = |one: &&Waiting| self.due(one, now) == Some(days) && warnings.is_news(one.number, days);
        let news: Vec<&Waiting> = all.iter().filter(is_news).collect();
        let Some(first) = news.first().filter(|_| warnings.may_tell_of(sender, days)) else { return };
        let ae = &first.sheet.calling_ae;
        let number = all.iter().filter(|one| now + DAY * days >= self.expires(one)).count();
        let plural = if days == 1 { "" } else { "s" };
        let said = format!(
            "{number} objects of unknown sender {ae} ({sender}) expire within {days} day{plural} and are lost then: accept, \
             enrol or discard"
        );
        match futures::executor::block_on(self.alert_durably(Alert::of(Event::SenderWaits).saying(said))) {
            Ok(()) => warnings.told(sender, news.iter().map(|one| one.number), days, uptime),
            Err(error) => tracing::error!(%error, "what expires soon stays, as nobody can be warned"),
        }
    }
}

impl Warnings {
    /// Forgets what waits no more, and warnings that were none: the hour has been set back since.
    fn keep(&mut self, all: &[Waiting], due: impl Fn(&Waiting) -> Option<u32>, uptime: Duration) {
        let due: HashMap<u64, u32> = all.iter().filter_map(|one| Some((one.number, due(one)?))).collect();
        self.objects.retain(|number, (days, _)| due.get(number).is_some_and(|due| due <= days));
        self.senders.retain(|_, at| uptime.saturating_sub(*at) < SHARED);
    }

    fn is_news(&self, number: u64, days: u32) -> bool {
        self.objects.get(&number).is_none_or(|(told, _)| *told > days)
    }

    fn may_tell_of(&self, sender: &str, days: u32) -> bool {
        !self.senders.contains_key(&(sender.to_owned(), days))
    }

    fn told(&mut self, sender: &str, objects: impl Iterator<Item = u64>, days: u32, uptime: Duration) {
        self.objects.extend(objects.map(|number| (number, (days, uptime))));
        self.senders.insert((sender.to_owned(), days), uptime);
    }

    /// Whether the last warning of an object was a day ago.
    fn is_a_day_ago(&self, number: u64, uptime: Duration) -> bool {
        let told = self.objects.get(&number);
        told.is_some_and(|(days, at)| *days == LAST_WARNING && uptime.saturating_sub(*at) >= DAY)
    }
}
