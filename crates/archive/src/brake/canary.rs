//! Canary patients: nobody has a reason to look at them, so whoever does is told of.
//!
//! Each caller, canary and day has one review, which says how often in powers of ten: what
//! somebody repeats fills neither the queue nor the log. The entries of the searches and looks
//! themselves are on the trail, each. Deliberately absent: any difference to whoever looks.

use std::collections::{BTreeSet, HashMap};

use super::Taken;
use crate::access::Marked;
use crate::administer::Alarm;
use crate::change::ReviewFact;
use crate::trail::{Alert, Event, Subject};
use crate::{Archive, Caller, Refused};

/// A search that tells of so many patients at most was for somebody in particular.
const PARTICULAR: usize = 5;
const DAY_NS: i64 = 24 * 3_600_000_000_000;

/// Reviews of this day, by who touched which canary.
pub(super) type Songs = HashMap<(String, String), Song>;

/// What a review does not say yet.
pub(super) struct Song {
    review: String,
    day: i64,
    touches: u64,
}

impl Archive {
    /// Looks whether a canary is among what is taken: told, and let pass, so that whoever looks
    /// learns nothing.
    pub(super) fn watch_canaries(&self, caller: &Caller, taken: &Taken) {
        if !self.inner.registry.has_canaries() {
            return;
        }
        let mut touched: BTreeSet<&String> = taken.listed.iter().collect();
        if touched.len() > PARTICULAR {
            touched.clear();
        }
        touched.extend(&taken.opened);
        for patient in touched {
            if self.inner.registry.marks(&Marked::Patient(patient.clone())).canary {
                self.sing(caller, patient);
            }
        }
    }

    fn sing(&self, caller: &Caller, patient: &str) {
        let review = match self.heard(caller, patient) {
            Ok(Some(review)) => review,
            Ok(None) => return,
            Err(error) => return tracing::error!(%error, "a review could not be opened"),
        };
        let subject = Subject { patient_id: Some(patient.to_owned()), ..Subject::default() };
        let alert = Alert::of(Event::CanaryTouched).by(caller).about(subject).saying(review.detail.clone());
        let archive = self.clone();
        // Nobody waits for it, least of all whoever touched it.
        tokio::spawn(async move { archive.put_review(review, alert).await });
    }

    /// The review to write for one touch more; `None` when the last says enough.
    fn heard(&self, caller: &Caller, patient: &str) -> Result<Option<ReviewFact>, Refused> {
        let day = self.now_ns().div_euclid(DAY_NS);
        let mut songs = self.inner.brake.songs.lock();
        songs.retain(|_, song| song.day == day);
        let key = (caller.identity().to_owned(), patient.to_owned());
        let is_open = |song: &&mut Song| {
            // One that is not there yet is on its way.
            self.inner.registry.review(&song.review).is_none_or(|review| review.closed.is_none())
        };
        if let Some(song) = songs.get_mut(&key).filter(is_open) {
            song.touches += 1;
            let review = is_power_of_ten(song.touches).then(|| self.inner.registry.review(&song.review)).flatten();
            let detail = format!("a canary patient was touched, {} times that day", song.touches);
            return Ok(review.map(|review| ReviewFact { detail, ..review }));
        }
        let review =
            self.new_review(Alarm::Canary, caller, Some(patient.to_owned()), "a canary patient was touched")?;
        songs.insert(key, Song { review: review.id.clone(), day, touches: 1 });
        Ok(Some(review))
    }
}

fn is_power_of_ten(number: u64) -> bool {
    10_u64.checked_pow(number.ilog10()) == Some(number)
}
