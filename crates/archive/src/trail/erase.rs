//! Erasing a patient from the trail: GDPR 17, without losing the proof of what was done.
//!
//! The key that seals what identifies the patient is destroyed, and the index's rows lose it.
//! Who did what, when and from where stays, and so does every leaf and proof. What erased
//! says is the key's id, never whose it was. Deliberately absent: the decision whether the law
//! asks for it or forbids it, which is for people, and erasing a person who *acted*.

use super::Subject;
use super::identity::{Whose, key_id};
use crate::access::decide::Request;
use crate::change::{Change, Fact, kind};
use crate::seal::KeyId;
use crate::{Archive, Caller, Operation, Refused, blocking};

/// The request to erase.
struct EraseFromTrail {
    tag: crate::seal::SubjectTag,
    key: Option<KeyId>,
}

impl Request for EraseFromTrail {
    const OPERATION: Operation = Operation::EraseFromTrail;

    fn subject(&self) -> Subject {
        let key = self.key.map_or_else(|| "nobody of that Patient ID is in it".to_owned(), |key| format!("key {key}"));
        Subject { detail: Some(key), ..Subject::default() }
    }
}

impl Archive {
    /// Erases from the trail whom its entries are about, where that is the patient of that
    /// Patient ID; says whether there were any. For the host alone, and not to be undone.
    ///
    /// # Errors
    /// [`Refused::Broken`] when the keyring cannot be written: then nothing was erased.
    pub async fn erase_from_trail(&self, caller: &Caller, patient_id: &str) -> Result<bool, Refused> {
        let tag = self.inner.keyring.subject_tag(Whose::Patient(patient_id).text().as_bytes());
        let request = EraseFromTrail { tag, key: self.inner.keyring.subject(tag) };
        self.perform_change(caller, request, async |granted| {
            self.inner.accesses.forget(patient_id);
            let (keyring, tag) = (self.inner.keyring.clone(), granted.request().tag);
            let destroyed = blocking(move || keyring.destroy_subject(tag)).await?;
            let destroyed = destroyed.map_err(|error| Refused::Broken(error.to_string()))?;
            // When an earlier try got no further than the key, the index may still tell.
            let key = destroyed.unwrap_or(KeyId::NONE).to_string();
            let change = Change::TrailErased { key, patient_id: patient_id.to_owned() };
            Ok((Some(change), destroyed.is_some()))
        })
        .await
    }
}

/// What a fact says was erased: the key, and whose it was where that is known.
pub(crate) fn erased(fact: &Fact) -> Option<(KeyId, Option<String>)> {
    if fact.kind != kind::ERASED {
        return None;
    }
    let patient_id = Some(fact.document.clone()).filter(|patient_id| !patient_id.is_empty());
    Some((key_id(&fact.name).unwrap_or(KeyId::NONE), patient_id))
}
