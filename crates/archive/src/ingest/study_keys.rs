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

/// A study's key. Whoever seals with it holds on to it until the index has what was sealed:
/// then, and only then, it would be found again.
pub(crate) type StudyKey = Arc<(KeyId, DataKey)>;

/// Finds or makes study keys. A fresh key is not durable yet: the committer makes it so
/// before the first record that uses it.
pub(crate) struct StudyKeys {
    /// As far as it is applied: what is on its way holds its key.
    index: Index,
    keyring: Arc<Keyring>,
    known: Mutex<HashMap<StudyInstanceUid, StudyKey>>,
}

impl StudyKeys {
    pub(crate) fn new(index: &Index, keyring: Arc<Keyring>) -> StudyKeys {
        StudyKeys { index: index.as_applied(), keyring, known: Mutex::new(HashMap::new()) }
    }

    /// The key of that study, made when there is none.
    pub(crate) fn of(&self, study: &StudyInstanceUid) -> Result<StudyKey, Refused> {
        let mut known = self.known.lock();
        if let Some(key) = known.get(study) {
            return Ok(key.clone());
        }
        if known.len() >= MOST {
            // One in use must stay, or the study would get a second key.
            known.retain(|_, key| Arc::strong_count(key) > 1);
        }
        let broken = |error: &dyn std::fmt::Display| Refused::Broken(error.to_string());
        let key = match self.index.study(study).map_err(|error| broken(&error))? {
            Some(indexed) => {
                let id = key_id(indexed.key_id);
                (id, self.keyring.key(id).map_err(|error| broken(&error))?)
            }
            None => self.keyring.create_key().map_err(|error| broken(&error))?,
        };
        let key = Arc::new(key);
        known.insert(study.clone(), key.clone());
        Ok(key)
    }
}
