//! What one caller took lately, and whether it may take more.

use std::collections::{HashMap, VecDeque};

use super::envelope::{Envelope, Kind};

const HOUR_NS: i64 = 3_600_000_000_000;
const MINUTE_NS: i64 = 60_000_000_000;
const DAY_NS: i64 = 24 * HOUR_NS;
/// How long a patient once opened is no news to the caller.
const KNOWN_NS: i64 = 30 * DAY_NS;
/// Most patients that are remembered as known to one caller.
const MOST_KNOWN: usize = 50_000;
/// Whoever confirmed who they are may take this many times as much, for an hour, once a day.
const CONFIRMED: u64 = 2;

/// A patient, as the brake counts them: a keyed hash.
pub(super) type PatientKey = u64;

/// What somebody is about to take.
#[derive(Clone, Debug, Default)]
pub(super) struct Taking {
    /// Patients whose images are opened.
    pub(super) opened: Vec<PatientKey>,
    /// Patients that rows tell of.
    pub(super) listed: Vec<PatientKey>,
    /// Bytes of images.
    pub(super) bytes: u64,
}

/// What came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Within the envelope: it is counted.
    Within,
    /// Beyond it: nothing was counted, nothing may leave.
    Beyond {
        /// Which limit.
        limit: Limit,
        /// Seconds until there may be room again.
        wait_s: u64,
        /// Whether it helps to say again who one is.
        step_up: bool,
        /// Whether it is news: the first time within an hour.
        is_news: bool,
    },
}

/// Which number of an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Patients opened within an hour.
    Opened,
    /// Patients listed within an hour.
    Listed,
    /// Bytes within an hour.
    Bytes,
    /// New patients within a day.
    New,
    /// The hour of the day.
    Hours,
}

impl Limit {
    /// For the caller, the trail and the officer.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Limit::Opened => "patients opened within an hour",
            Limit::Listed => "patients listed within an hour",
            Limit::Bytes => "bytes within an hour",
            Limit::New => "new patients within a day",
            Limit::Hours => "the hours of the day",
        }
    }
}

/// One caller's last hours.
#[derive(Default)]
pub(super) struct Drive {
    opened: Recent,
    listed: Recent,
    new: Recent,
    bytes: VecDeque<(i64, u64)>,
    /// Patients opened in the last thirty days: when last.
    known: HashMap<PatientKey, i64>,
    /// When it was told of last.
    told_ns: Option<i64>,
    /// When more was allowed last because the caller said again who they are.
    confirmed_ns: Option<i64>,
}

impl Drive {
    /// A drive that knows what was opened before, first and last, and listed.
    pub(super) fn resumed(
        opened: impl IntoIterator<Item = (PatientKey, i64, i64)>,
        listed: impl IntoIterator<Item = (PatientKey, i64)>,
        now_ns: i64,
    ) -> Drive {
        let mut drive = Drive::default();
        for (patient, first_ns, last_ns) in opened {
            drive.known.insert(patient, last_ns);
            if now_ns - first_ns < DAY_NS {
                drive.new.last.insert(patient, first_ns);
            }
            if now_ns - last_ns < HOUR_NS {
                drive.opened.last.insert(patient, last_ns);
            }
        }
        drive.listed.last.extend(listed.into_iter().filter(|(_, at)| now_ns - at < HOUR_NS));
        drive
    }

    /// Counts what is taken when it is within the envelope.
    pub(super) fn take(&mut self, taking: &Taking, envelope: &Envelope, kind: Kind, now_ns: i64) -> Verdict {
        let times = if self.was_confirmed(HOUR_NS, now_ns) { CONFIRMED } else { 1 };
        match self.beyond(taking, envelope, times, now_ns) {
            None => {
                self.count(taking, now_ns);
                Verdict::Within
            }
            Some((limit, wait_ns)) => {
                let is_news = self.told_ns.is_none_or(|told_ns| now_ns - told_ns >= HOUR_NS);
                if is_news {
                    self.told_ns = Some(now_ns);
                }
                let wait_s = u64::try_from(wait_ns.max(0) / 1_000_000_000).unwrap_or(0) + 1;
                let helps = limit != Limit::Hours && !self.was_confirmed(DAY_NS, now_ns);
                Verdict::Beyond { limit, wait_s, step_up: kind == Kind::Person && helps, is_news }
            }
        }
    }

    /// Counts bytes that were handed out under an earlier verdict.
    pub(super) fn charge(&mut self, bytes: u64, now_ns: i64) {
        let minute_ns = now_ns - now_ns.rem_euclid(MINUTE_NS);
        match self.bytes.back_mut() {
            Some((at, sum)) if *at == minute_ns => *sum = sum.saturating_add(bytes),
            _ if bytes > 0 => self.bytes.push_back((minute_ns, bytes)),
            _ => {}
        }
    }

    /// The caller, who was held lately, said again who they are. It helps once a day: whoever
    /// signs in again and again takes no more for it.
    pub(super) fn confirm(&mut self, now_ns: i64) {
        let was_held = self.told_ns.is_some_and(|told_ns| now_ns - told_ns < HOUR_NS);
        if was_held && !self.was_confirmed(DAY_NS, now_ns) {
            self.confirmed_ns = Some(now_ns);
        }
    }

    fn was_confirmed(&self, within_ns: i64, now_ns: i64) -> bool {
        self.confirmed_ns.is_some_and(|at| now_ns - at < within_ns)
    }

    /// Begins anew, but for what is known.
    pub(super) fn release(&mut self) {
        *self = Drive { known: std::mem::take(&mut self.known), ..Drive::default() };
    }

    /// Whether nothing is left to remember.
    pub(super) fn is_idle(&self, now_ns: i64) -> bool {
        self.opened.is_over(HOUR_NS, now_ns)
            && self.listed.is_over(HOUR_NS, now_ns)
            && self.new.is_over(DAY_NS, now_ns)
            && self.bytes.back().is_none_or(|(at, _)| now_ns - at >= HOUR_NS)
            && !self.was_confirmed(DAY_NS, now_ns)
    }

    /// The first limit that the taking would pass, and how long until it may not.
    fn beyond(&mut self, taking: &Taking, envelope: &Envelope, times: u64, now_ns: i64) -> Option<(Limit, i64)> {
        if let Some(hours) = envelope.hours {
            let moment = time::OffsetDateTime::from_unix_timestamp_nanos(now_ns.into()).ok()?;
            if !hours.hold(moment) {
                return Some((Limit::Hours, HOUR_NS));
            }
        }
        self.bytes.retain(|(at, _)| now_ns - at < HOUR_NS);
        let bytes = self.bytes.iter().map(|(_, bytes)| *bytes).sum::<u64>().saturating_add(taking.bytes);
        let takes_images = taking.bytes > 0 || taking.listed.is_empty();
        if takes_images && bytes > envelope.bytes_an_hour.saturating_mul(times) {
            return Some((Limit::Bytes, self.bytes.front().map_or(HOUR_NS, |(at, _)| at + HOUR_NS - now_ns)));
        }
        let new: Vec<PatientKey> =
            taking.opened.iter().copied().filter(|patient| self.is_new(*patient, now_ns)).collect();
        [
            (Limit::Opened, &mut self.opened, &taking.opened, HOUR_NS, envelope.patients_opened_an_hour),
            (Limit::Listed, &mut self.listed, &taking.listed, HOUR_NS, envelope.patients_listed_an_hour),
            (Limit::New, &mut self.new, &new, DAY_NS, envelope.new_patients_a_day),
        ]
        .into_iter()
        .find_map(|(limit, recent, more, window_ns, most)| {
            recent.exceeds(more, window_ns, most.saturating_mul(times), now_ns).map(|wait_ns| (limit, wait_ns))
        })
    }

    fn is_new(&self, patient: PatientKey, now_ns: i64) -> bool {
        self.known.get(&patient).is_none_or(|opened_ns| now_ns - opened_ns >= KNOWN_NS)
    }

    fn count(&mut self, taking: &Taking, now_ns: i64) {
        for patient in &taking.opened {
            if self.is_new(*patient, now_ns) {
                self.new.last.insert(*patient, now_ns);
            }
            self.opened.last.insert(*patient, now_ns);
            if self.known.len() >= MOST_KNOWN {
                self.known.retain(|_, opened_ns| now_ns - *opened_ns < DAY_NS);
            }
            self.known.insert(*patient, now_ns);
        }
        for patient in &taking.listed {
            self.listed.last.insert(*patient, now_ns);
        }
        self.charge(taking.bytes, now_ns);
    }
}

/// Patients of the last while: when each was taken last.
#[derive(Default)]
struct Recent {
    last: HashMap<PatientKey, i64>,
}

impl Recent {
    /// Whether there would be more than `most` with these; how long until the oldest leaves.
    fn exceeds(&mut self, more: &[PatientKey], window_ns: i64, most: u64, now_ns: i64) -> Option<i64> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        if more.is_empty() {
            return None;
        }
        let added = |last: &HashMap<PatientKey, i64>| {
            let distinct: std::collections::HashSet<_> = more.iter().filter(|key| !last.contains_key(key)).collect();
            distinct.len()
        };
        if added(&self.last) + self.last.len() <= most {
            return None;
        }
        self.last.retain(|_, at| now_ns - *at < window_ns);
        if added(&self.last) + self.last.len() <= most {
            return None;
        }
        let oldest = self.last.values().min();
        Some(oldest.map_or(window_ns, |oldest| oldest + window_ns - now_ns))
    }

    fn is_over(&self, window_ns: i64, now_ns: i64) -> bool {
        self.last.values().all(|at| now_ns - at >= window_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENVELOPE: Envelope = Envelope {
        patients_opened_an_hour: 3,
        patients_listed_an_hour: 10,
        bytes_an_hour: 1_000,
        new_patients_a_day: 5,
        hours: None,
    };

    fn open(patient: PatientKey) -> Taking {
        Taking { opened: vec![patient], ..Taking::default() }
    }

    fn limit(verdict: Verdict) -> Option<Limit> {
        match verdict {
            Verdict::Within => None,
            Verdict::Beyond { limit, .. } => Some(limit),
        }
    }

    #[test]
    fn the_same_patients_again_are_no_more_and_others_wait_for_the_hour() {
        let mut drive = Drive::default();
        let mut take =
            |patient, minutes: i64| drive.take(&open(patient), &ENVELOPE, Kind::Machine, minutes * 60_000_000_000);
        assert!((0..100).all(|n| take(n % 3, 0) == Verdict::Within));
        let Verdict::Beyond { limit: Limit::Opened, wait_s, step_up: false, is_news: true } = take(9, 10) else {
            panic!()
        };
        assert_eq!(wait_s, 50 * 60 + 1);
        assert!(matches!(take(9, 11), Verdict::Beyond { is_news: false, .. }), "told once");
        assert_eq!(take(9, 61), Verdict::Within);
    }

    #[test]
    fn a_person_may_say_again_who_they_are_and_then_take_twice_as_much() {
        let mut drive = Drive::default();
        let take = |drive: &mut Drive, patient| drive.take(&open(patient), &ENVELOPE, Kind::Person, 0);
        assert!((0..3).all(|n| take(&mut drive, n) == Verdict::Within));
        assert!(matches!(take(&mut drive, 3), Verdict::Beyond { step_up: true, .. }));
        drive.confirm(0);
        assert!((3..6).all(|n| take(&mut drive, n) == Verdict::Within));
        assert!(matches!(take(&mut drive, 6), Verdict::Beyond { step_up: false, .. }));
        drive.release();
        assert_eq!(take(&mut drive, 0), Verdict::Within);
    }

    #[test]
    fn saying_again_who_one_is_helps_once_a_day_and_never_at_night() {
        let hours = Some(super::super::envelope::Hours { from: 0, to: 4, utc_offset_minutes: 0 });
        let envelope = Envelope { hours, ..ENVELOPE };
        let mut drive = Drive::default();
        let until_held = |drive: &mut Drive, now_ns| {
            for taken in 0.. {
                let known = Taking { bytes: 150, ..Taking::default() };
                if let Verdict::Beyond { step_up, .. } = drive.take(&known, &envelope, Kind::Person, now_ns) {
                    return (taken, step_up);
                }
            }
            unreachable!()
        };
        assert_eq!(until_held(&mut drive, 0), (6, true));
        drive.confirm(1);
        assert_eq!(until_held(&mut drive, 2), (7, false), "twice as much in all");
        drive.confirm(HOUR_NS);
        assert_eq!(until_held(&mut drive, 2 * HOUR_NS), (6, false), "not again on that day");
        drive.confirm(2 * HOUR_NS);
        assert_eq!(until_held(&mut drive, 2 * HOUR_NS), (0, false));
        assert_eq!(until_held(&mut drive, DAY_NS + HOUR_NS), (6, true), "the next day it does");
        drive.confirm(DAY_NS + 2 * HOUR_NS - 1);
        let night = drive.take(&open(1), &envelope, Kind::Person, DAY_NS + 5 * HOUR_NS);
        assert!(matches!(night, Verdict::Beyond { limit: Limit::Hours, step_up: false, .. }), "{night:?}");
    }

    #[test]
    fn new_patients_are_counted_over_the_day_and_known_ones_are_not() {
        let day = |hours: i64| hours * HOUR_NS + HOUR_NS;
        let before = (100..110).map(|patient| (patient, -2 * DAY_NS, -HOUR_NS));
        let mut drive = Drive::resumed(before, [], 0);
        for hours in 0..5 {
            let known = drive.take(&open(100 + hours as u64), &ENVELOPE, Kind::Machine, day(2 * hours));
            let new = drive.take(&open(hours as u64), &ENVELOPE, Kind::Machine, day(2 * hours));
            assert_eq!((known, new), (Verdict::Within, Verdict::Within));
        }
        assert_eq!(limit(drive.take(&open(50), &ENVELOPE, Kind::Machine, day(12))), Some(Limit::New));
        assert_eq!(drive.take(&open(109), &ENVELOPE, Kind::Machine, day(12)), Verdict::Within);
    }

    #[test]
    fn what_was_taken_before_a_restart_counts_after_it() {
        let now_ns = 10 * DAY_NS;
        let opened = [(1, now_ns - 5, now_ns - 1), (2, now_ns - HOUR_NS, now_ns - HOUR_NS), (3, 0, now_ns - 2)];
        let listed = [(1, now_ns - 1), (9, now_ns - HOUR_NS)];
        let drive = Drive::resumed(opened, listed, now_ns);
        let keys = |recent: &Recent| {
            let mut keys: Vec<PatientKey> = recent.last.keys().copied().collect();
            keys.sort_unstable();
            keys
        };
        assert_eq!((keys(&drive.opened), keys(&drive.new), keys(&drive.listed)), (vec![1, 3], vec![1, 2], vec![1]));
    }

    #[test]
    fn rows_and_bytes_have_limits_of_their_own_and_nothing_beyond_is_counted() {
        let mut drive = Drive::default();
        let list = |keys: std::ops::Range<u64>| Taking { listed: keys.collect(), ..Taking::default() };
        assert_eq!(drive.take(&list(0..10), &ENVELOPE, Kind::Program, 0), Verdict::Within);
        assert_eq!(limit(drive.take(&list(5..11), &ENVELOPE, Kind::Program, 1)), Some(Limit::Listed));
        assert_eq!(drive.take(&list(0..10), &ENVELOPE, Kind::Program, 2), Verdict::Within);
        let bytes = |bytes| Taking { bytes, ..Taking::default() };
        assert_eq!(drive.take(&bytes(900), &ENVELOPE, Kind::Program, 3), Verdict::Within);
        drive.charge(100, 3);
        assert_eq!(limit(drive.take(&bytes(1), &ENVELOPE, Kind::Program, 4)), Some(Limit::Bytes));
        assert!(!drive.is_idle(4) && drive.is_idle(HOUR_NS + 4));
    }

    #[test]
    fn outside_of_the_hours_nothing_is_within() {
        let hours = Some(super::super::envelope::Hours { from: 7, to: 8, utc_offset_minutes: 0 });
        let envelope = Envelope { hours, ..ENVELOPE };
        let mut drive = Drive::default();
        assert_eq!(limit(drive.take(&open(1), &envelope, Kind::Person, 0)), Some(Limit::Hours));
        assert_eq!(drive.take(&open(1), &envelope, Kind::Person, 7 * HOUR_NS), Verdict::Within);
    }
}
