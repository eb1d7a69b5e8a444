//! How much waits of whom, what is on its way in counted too: the bounds hold at every moment.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::HeldSettings;
use crate::perform::nanoseconds;

const DAY_NS: i64 = 24 * 3600 * 1_000_000_000;

/// What waits of each sender. Clones share it.
#[derive(Clone)]
pub(super) struct Rooms {
    settings: Arc<HeldSettings>,
    of: Arc<Mutex<HashMap<String, Room>>>,
}

/// What waits of one, and comes.
#[derive(Clone, Debug, Default)]
struct Room {
    /// SHA-256 of the certificate it showed.
    certificate: String,
    objects: u64,
    bytes: u64,
    /// The day of the last object of which was told.
    told: Option<i64>,
}

/// A place for one object. Dropped before [`Place::keep`], it is given back.
pub(super) struct Place {
    rooms: Rooms,
    sender: String,
    bytes: u64,
    kept: bool,
}

impl Rooms {
    pub(super) fn new(settings: &HeldSettings) -> Rooms {
        Rooms { settings: Arc::new(settings.clone()), of: Arc::default() }
    }

    /// An object that waits already, since then.
    pub(super) fn count(&self, sender: &str, certificate: &str, bytes: u64, received_ns: i64) {
        let mut of = self.of.lock();
        let room = of.entry(sender.to_owned()).or_default();
        certificate.clone_into(&mut room.certificate);
        room.objects += 1;
        room.bytes += bytes;
        room.told = room.told.max(Some(received_ns.div_euclid(DAY_NS)));
    }

    /// A place for one more object of that sender; what is full comes back as an error.
    pub(super) fn enter(&self, sender: &str, certificate: &str) -> Result<Place, &'static str> {
        let mut of = self.of.lock();
        let objects: u64 = of.values().map(|room| room.objects).sum();
        let waiting = || of.values().filter(|room| room.objects > 0);
        let room = of.get(sender).cloned().unwrap_or_default();
        if room.objects == 0 && waiting().count() as u64 >= self.settings.senders {
            return Err("the approval queue has as many senders as it may");
        }
        let titles = waiting().filter(|room| room.certificate == certificate).count() as u64;
        if room.objects == 0 && titles >= self.settings.senders_per_certificate {
            return Err("the approval queue has as many titles of this certificate as it may");
        }
        if room.objects >= self.settings.objects_per_sender || room.bytes >= self.settings.bytes_per_sender {
            return Err("the approval queue has as much of this sender as it may");
        }
        if objects >= self.settings.objects {
            return Err("the approval queue has as many objects as it may");
        }
        let room = of.entry(sender.to_owned()).or_default();
        certificate.clone_into(&mut room.certificate);
        room.objects += 1;
        Ok(Place { rooms: self.clone(), sender: sender.to_owned(), bytes: 0, kept: false })
    }

    /// An object that waited does so no longer.
    pub(super) fn leave(&self, sender: &str, objects: u64, bytes: u64) {
        let mut of = self.of.lock();
        let Some(room) = of.get_mut(sender) else { return };
        room.objects = room.objects.saturating_sub(objects);
        room.bytes = room.bytes.saturating_sub(bytes);
        // Who comes and goes leaves no trace here; a day is remembered as long as something waits.
        if room.objects == 0 {
            of.remove(sender);
        }
    }

    /// Whether it is news of this day that something of that sender waits.
    pub(super) fn is_news(&self, sender: &str, now: std::time::SystemTime) -> bool {
        let today = nanoseconds(now).div_euclid(DAY_NS);
        let mut of = self.of.lock();
        let Some(room) = of.get_mut(sender) else { return false };
        let is_news = room.told.is_none_or(|told| told < today);
        room.told = room.told.max(Some(today));
        is_news
    }
}

impl Place {
    /// So many more bytes came.
    pub(super) fn grow(&mut self, bytes: u64) -> Result<(), &'static str> {
        let mut of = self.rooms.of.lock();
        let Some(room) = of.get_mut(&self.sender) else { return Err("the approval queue lost count") };
        if room.bytes.saturating_add(bytes) > self.rooms.settings.bytes_per_sender {
            return Err("the approval queue has as much of this sender as it may");
        }
        room.bytes += bytes;
        self.bytes += bytes;
        Ok(())
    }

    /// The object waits, and its file has so many bytes.
    pub(super) fn keep(mut self, bytes: u64) {
        let mut of = self.rooms.of.lock();
        if let Some(room) = of.get_mut(&self.sender) {
            room.bytes = room.bytes.saturating_sub(self.bytes).saturating_add(bytes);
        }
        self.kept = true;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.kept {
            self.rooms.leave(&self.sender, 1, self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rooms() -> Rooms {
        let settings = HeldSettings {
            senders: 2,
            senders_per_certificate: 2,
            objects_per_sender: 2,
            bytes_per_sender: 100,
            objects: 3,
            ..HeldSettings::default()
        };
        Rooms::new(&settings)
    }

    #[test]
    fn every_bound_holds_while_objects_are_on_their_way() {
        let rooms = rooms();
        let mut first = rooms.enter("a", "a certificate").unwrap();
        let second = rooms.enter("a", "a certificate").unwrap();
        assert!(rooms.enter("a", "a certificate").is_err(), "objects of one");
        let other = rooms.enter("b", "a certificate").unwrap();
        assert!(rooms.enter("c", "a certificate").is_err(), "senders");
        assert!(rooms.enter("b", "a certificate").is_err(), "objects of all");
        first.grow(60).unwrap();
        assert!(first.grow(41).is_err(), "bytes of one");
        drop((second, other));
        first.keep(70);
        drop(rooms.enter("c", "a certificate").unwrap());
        rooms.leave("a", 1, 70);
        assert!(rooms.of.lock().is_empty());
    }

    #[test]
    fn one_certificate_does_not_take_all_the_places_by_many_titles() {
        let rooms = Rooms::new(&HeldSettings { senders: 4, senders_per_certificate: 2, ..HeldSettings::default() });
        rooms.count("a", "one", 1, 0);
        let _second = rooms.enter("b", "one").unwrap();
        assert!(rooms.enter("c", "one").is_err());
        let _more = (rooms.enter("a", "one").unwrap(), rooms.enter("d", "other").unwrap());
        rooms.leave("a", 2, 1);
        assert!(rooms.enter("c", "one").is_ok(), "a place that is free again");
    }

    #[test]
    fn a_sender_is_news_once_a_day() {
        let rooms = rooms();
        let at = |hours: u64| std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(hours * 3600);
        let _place = rooms.enter("a", "a certificate").unwrap();
        assert_eq!([1, 5, 23, 24, 30].map(|hour| rooms.is_news("a", at(hour))), [true, false, false, true, false]);
    }
}
