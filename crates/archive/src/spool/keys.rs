//! The keys of a spool: one at a time seals what arrives of a sender; an old one is destroyed
//! once no object needs it, so that what was sent on is unreadable even where its bytes remain.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

use crate::seal::{DataKey, KeyError, KeyId, Keyring};

/// How long a key seals what arrives.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Holding one keeps its key.
#[derive(Clone)]
pub(super) struct HeldKey(Arc<KeyId>);

impl HeldKey {
    pub(super) fn id(&self) -> KeyId {
        *self.0
    }
}

/// The keys in use.
pub(super) struct Keys {
    keyring: Arc<Keyring>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By sender.
    current: HashMap<String, (HeldKey, DataKey, SystemTime)>,
    held: HashMap<KeyId, HeldKey>,
    /// Those that may seal nothing that is not kept already, by sender.
    closed: HashMap<KeyId, String>,
}

impl Keys {
    /// The keys of a keyring; none is current yet.
    pub(super) fn open(keyring: Arc<Keyring>) -> Result<Keys, KeyError> {
        let held = keyring.key_ids().into_iter().map(|id| (id, HeldKey(Arc::new(id)))).collect();
        Ok(Keys { keyring, state: Mutex::new(State { held, ..State::default() }) })
    }

    /// Holds a key that an object needs.
    pub(super) fn held(&self, id: KeyId) -> HeldKey {
        let mut state = self.state.lock();
        state.held.entry(id).or_insert_with(|| HeldKey(Arc::new(id))).clone()
    }

    /// The key that seals what arrives of that sender now; durable before it is given out.
    pub(super) fn current(&self, sender: &str, now: SystemTime) -> Result<(HeldKey, DataKey), KeyError> {
        let mut state = self.state.lock();
        if let Some((held, key, since)) = state.current.get(sender)
            && now.duration_since(*since).unwrap_or_default() < LIFETIME
        {
            return Ok((held.clone(), key.clone()));
        }
        let (id, key) = self.keyring.create_key()?;
        self.keyring.persist()?;
        let held = HeldKey(Arc::new(id));
        state.held.insert(id, held.clone());
        state.current.insert(sender.to_owned(), (held.clone(), key.clone(), now));
        Ok((held, key))
    }

    /// What arrives of that sender from now on gets another key.
    pub(super) fn renew(&self, sender: &str) {
        self.state.lock().current.remove(sender);
    }

    /// The keys that sealed what came of a sender seal nothing more: what is still on its way in
    /// with one of them is not kept.
    pub(super) fn close(&self, sender: &str, of_its_objects: impl Iterator<Item = KeyId>) {
        let mut state = self.state.lock();
        let current = state.current.remove(sender).map(|(held, ..)| held.id());
        for id in current.into_iter().chain(of_its_objects) {
            state.closed.insert(id, sender.to_owned());
        }
    }

    /// Whether what that key sealed may still be kept.
    pub(super) fn is_open(&self, id: KeyId) -> bool {
        !self.state.lock().closed.contains_key(&id)
    }

    /// Destroys the closed keys of that sender that no object needs, whoever still writes
    /// with one; durable when this returns.
    pub(super) fn destroy_closed(&self, sender: &str, needed: &BTreeSet<KeyId>) -> Result<(), KeyError> {
        let mut state = self.state.lock();
        let of_it = state.closed.iter().filter(|(id, of)| *of == sender && !needed.contains(id));
        let over: Vec<KeyId> = of_it.map(|(id, _)| *id).collect();
        for id in over {
            if state.held.contains_key(&id) {
                self.keyring.destroy(id)?;
                state.held.remove(&id);
            }
        }
        Ok(())
    }

    /// Destroys the keys that no object needs and that seal nothing any more.
    pub(super) fn retire(&self) -> Result<(), KeyError> {
        let mut state = self.state.lock();
        let current: BTreeSet<KeyId> = state.current.values().map(|(held, ..)| held.id()).collect();
        let unused = |held: &HeldKey| Arc::strong_count(&held.0) == 1 && !current.contains(&held.id());
        let over: Vec<KeyId> = state.held.values().filter(|held| unused(held)).map(HeldKey::id).collect();
        for id in over {
            self.keyring.destroy(id)?;
            state.held.remove(&id);
        }
        Ok(())
    }
}
