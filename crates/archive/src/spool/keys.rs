//! The keys of a spool: one at a time seals what arrives; an old one is destroyed once no
//! object needs it, so that what was sent on is unreadable even where its bytes remain.

use std::collections::HashMap;
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

struct State {
    current: Option<(HeldKey, DataKey, Option<SystemTime>)>,
    held: HashMap<KeyId, HeldKey>,
}

impl Keys {
    /// The keys of a keyring; none is current yet.
    pub(super) fn open(keyring: Arc<Keyring>) -> Result<Keys, KeyError> {
        let held = keyring.key_ids().into_iter().map(|id| (id, HeldKey(Arc::new(id)))).collect();
        Ok(Keys { keyring, state: Mutex::new(State { current: None, held }) })
    }

    /// Holds a key that an object needs.
    pub(super) fn held(&self, id: KeyId) -> HeldKey {
        let mut state = self.state.lock();
        state.held.entry(id).or_insert_with(|| HeldKey(Arc::new(id))).clone()
    }

    /// The key that seals what arrives now; durable before it is given out.
    pub(super) fn current(&self, now: SystemTime) -> Result<(HeldKey, DataKey), KeyError> {
        let mut state = self.state.lock();
        if let Some((held, key, since)) = &mut state.current {
            let since = *since.get_or_insert(now);
            if now.duration_since(since).unwrap_or_default() < LIFETIME {
                return Ok((held.clone(), key.clone()));
            }
        }
        let (id, key) = self.keyring.create_key()?;
        self.keyring.persist()?;
        let held = HeldKey(Arc::new(id));
        state.held.insert(id, held.clone());
        state.current = Some((held.clone(), key.clone(), Some(now)));
        Ok((held, key))
    }

    /// Destroys the keys that no object needs and that seal nothing any more.
    pub(super) fn retire(&self) -> Result<(), KeyError> {
        let mut state = self.state.lock();
        let current = state.current.as_ref().map(|(held, ..)| held.id());
        let unused = |held: &HeldKey| Arc::strong_count(&held.0) == 1 && Some(held.id()) != current;
        let over: Vec<KeyId> = state.held.values().filter(|held| unused(held)).map(HeldKey::id).collect();
        for id in over {
            self.keyring.destroy(id)?;
            state.held.remove(&id);
        }
        Ok(())
    }
}
