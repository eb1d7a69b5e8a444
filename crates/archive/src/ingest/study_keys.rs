//! The data key of each study that is being stored into.

use std::collections::HashMap;
use std::sync::Arc;

use leadglass_dicom::StudyInstanceUid;
use parking_lot::Mutex;

use crate::Refused;
use crate::commit::key_id;
use crate::index::Index;
use crate::seal::{DataKey, KeyId, Keyring};

/// Studies remembered.
const MOST: usize = 4096;

/// Finds or makes study keys. A fresh key is not durable yet: the committer makes it so
/// before the first record that uses it.
pub(crate) struct StudyKeys {
    index: Index,
    keyring: Arc<Keyring>,
    known: Mutex<HashMap<StudyInstanceUid, Known>>,
}

struct Known {
    key: Arc<(KeyId, DataKey)>,
    /// Whether an instance sealed with it was kept, so that the index has it or soon will.
    kept: bool,
}

impl StudyKeys {
    pub(crate) fn new(index: Index, keyring: Arc<Keyring>) -> StudyKeys {
        StudyKeys { index, keyring, known: Mutex::new(HashMap::new()) }
    }

    /// The key of that study, made when there is none.
    pub(crate) fn of(&self, study: &StudyInstanceUid) -> Result<Arc<(KeyId, DataKey)>, Refused> {
        let mut known = self.known.lock();
        if let Some(found) = known.get(study) {
            return Ok(found.key.clone());
        }
        if known.len() >= MOST {
            // What was kept is looked up from now on, so it must be found; one in use and not
            // yet kept must stay, or the study would get a second key.
            self.index.catch_up();
            known.retain(|_, known| !known.kept && Arc::strong_count(&known.key) > 1);
        }
        let indexed = self.index.as_applied().study(study).map_err(|error| Refused::Broken(error.to_string()))?;
        let (key, kept) = match indexed {
            Some(indexed) => {
                let id = key_id(indexed.key_id);
                ((id, self.keyring.key(id).map_err(|error| Refused::Broken(error.to_string()))?), true)
            }
            None => (self.keyring.create_key().map_err(|error| Refused::Broken(error.to_string()))?, false),
        };
        let key = Arc::new(key);
        known.insert(study.clone(), Known { key: key.clone(), kept });
        Ok(key)
    }

    /// An instance of that study was kept.
    pub(crate) fn kept(&self, study: &StudyInstanceUid) {
        if let Some(known) = self.known.lock().get_mut(study) {
            known.kept = true;
        }
    }
}
