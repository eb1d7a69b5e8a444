//! What each peer holds at once: so many and no more.

use std::collections::HashMap;
use std::sync::Arc;

use leadglass_dicom::AeTitle;
use parking_lot::Mutex;

/// Counts by AE title. Clones count together.
#[derive(Clone, Default)]
pub struct Tally {
    held: Arc<Mutex<HashMap<AeTitle, u32>>>,
}

impl Tally {
    /// Counts one more of that peer; `None` when it holds `most` already.
    pub fn enter(&self, ae: &AeTitle, most: u32) -> Option<Counted> {
        let mut held = self.held.lock();
        let count = held.get(ae).copied().unwrap_or_default();
        if count >= most {
            return None;
        }
        held.insert(ae.clone(), count + 1);
        Some(Counted { tally: self.clone(), ae: ae.clone() })
    }
}

/// One that is counted; dropping it gives the place back.
pub struct Counted {
    tally: Tally,
    ae: AeTitle,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut held = self.tally.held.lock();
        if let Some(count) = held.get_mut(&self.ae) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.ae);
            }
        }
    }
}

#[cfg(test)]
mod tests {
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
