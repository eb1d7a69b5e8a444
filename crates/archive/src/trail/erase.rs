//! Erasing a patient from the trail: GDPR 17, without losing the proof of what was done.
//!
//! The key that seals what identifies the patient is destroyed, and the index's rows lose it.
//! Who did what, when and from where stays, and so does every leaf and proof. What erased
//! says is the key's id, never whose it was. Deliberately absent: the decision whether the law
//! asks for it or forbids it, which is for people, and erasing a person who *acted*.

use super::identity::{Whose, key_id};
use super::{Entry, Outcome, Subject};
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
            // On record before the key is gone: whoever pulls the plug then has erased with a trace.
            let entry = Entry::of(
                caller,
                Operation::EraseFromTrail,
                Outcome::Begun,
                granted.request().subject(),
                self.now_ns(),
            );
            #[expect(clippy::disallowed_methods, reason = "that it begins is durable first, as with every access")]
            let sequence = self.inner.trail.append(entry.clone()).await?;
            let begun = self.inner.trail.opened(entry, sequence);
            self.inner.accesses.forget(patient_id);
            let (keyring, tag) = (self.inner.keyring.clone(), granted.request().tag);
            let last = self.inner.log.last_sequence();
            let destroyed = blocking(move || keyring.destroy_subject(tag, last)).await?;
            let destroyed = destroyed.map_err(|error| Refused::Broken(error.to_string()))?;
            begun.close(Outcome::Done);
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

#[cfg(test)]
mod tests {
    use crate::Selection;
    use crate::retrieve::Purpose;
    use crate::testing::{Sample, TestArchive};

    #[tokio::test]
    async fn what_is_closed_after_an_erasure_names_nobody_again() {
        let test = TestArchive::new();
        let host = test.host().await;
        let sample = Sample::new(2, 1, 1);
        test.store(&host, &sample).await.unwrap();
        let selection = Selection { studies: vec![sample.study_uid()], ..Selection::default() };
        let retrieval = test.archive().retrieve(&host, selection, Purpose::Viewing).await.unwrap();
        retrieval.frame(&retrieval.instances()[0], 1).await.unwrap();
        drop(retrieval);
        let inner = &test.archive().inner;
        // The end of the look is taken out to be written, and the erasure comes first.
        let late = inner.accesses.close_over(None);
        assert!(late.iter().any(|entry| entry.subject.patient_id.as_deref() == Some("PAT-2")));
        assert!(test.archive().erase_from_trail(&host, "PAT-2").await.unwrap());
        late.into_iter().for_each(|entry| inner.trail.note(entry));
        let rows = test.trail().await;
        let looked: Vec<_> = rows.iter().filter(|row| row.action == "retrieve").collect();
        assert!(looked.iter().all(|row| row.closed_by.is_some() && row.count == 1), "{looked:?}");
        assert!(!rows.iter().any(|row| row.detail.contains("PAT-2")), "{rows:?}");
        // Whoever stores for the same patient from then on is on record as ever.
        test.store(&host, &Sample::new(2, 1, 2)).await.unwrap();
        assert!(test.trail().await.iter().any(|row| row.action == "store" && row.patient_id.is_some()));
    }
}
