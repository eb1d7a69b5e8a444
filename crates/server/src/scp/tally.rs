//! What each peer holds at once: so many and no more.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// Counts by AE title, and who has none that counts by certificate. Clones count together.
#[derive(Clone, Default)]
pub struct Tally {
    held: Arc<Mutex<HashMap<String, u32>>>,
}

impl Tally {
    /// Counts one more of that peer; `None` when it holds `most` already.
    pub fn enter(&self, who: &impl ToString, most: u32) -> Option<Counted> {
        let who = who.to_string();
        let mut held = self.held.lock();
        let count = held.get(&who).copied().unwrap_or_default();
        if count >= most {
            return None;
        }
        held.insert(who.clone(), count + 1);
        Some(Counted { tally: self.clone(), who })
    }
}

/// One that is counted; dropping it gives the place back.
pub struct Counted {
    tally: Tally,
    who: String,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut held = self.tally.held.lock();
        if let Some(count) = held.get_mut(&self.who) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.who);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use leadglass_dicom::AeTitle;

    use super::*;

    #[test]
    fn each_peer_has_its_own_places_and_gets_them_back() {
        let tally = Tally::default();
        let (one, other) = (AeTitle::parse("ONE").unwrap(), AeTitle::parse("OTHER").unwrap());
        let held = (tally.enter(&one, 2), tally.enter(&one, 2));
        assert!(held.0.is_some() && held.1.is_some());
        assert!(tally.enter(&one, 2).is_none());
        assert!(tally.enter(&other, 2).is_some());
        drop(held.0);
        assert!(tally.enter(&one, 2).is_some());
        drop(held.1);
        assert!(tally.held.lock().is_empty());
    }
}
