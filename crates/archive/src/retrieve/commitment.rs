//! Storage commitment, PS3.4 Annex J: said only of what was read again and found whole.

use leadglass_dicom::{SopClassUid, SopInstanceUid};

use super::data_set::OpenInstance;
use crate::access::decide::Request;
use crate::access::{Granted, GrantedScope};
use crate::digest::Digester;
use crate::trail::Subject;
use crate::{Archive, Caller, Inner, Operation, Refused, Selection, blocking};

/// Most references in one request; a transaction of PS3.4 J.3 has no bound of its own.
const MOST: usize = 100_000;
/// Plain bytes hashed at once.
const STEP: u64 = 1 << 20;

/// One line of a storage commitment request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SopReference {
    /// Referenced SOP Class UID.
    pub sop_class: SopClassUid,
    /// Referenced SOP Instance UID.
    pub sop_instance: SopInstanceUid,
}

/// What is said of one reference, PS3.4 J.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commitment {
    /// Re-read, re-hashed, equal.
    Committed,
    /// 0112H.
    NoSuchObjectInstance,
    /// 0119H.
    ClassInstanceConflict,
    /// 0110H: it is there and damaged.
    ProcessingFailure,
}

/// The request for commitment.
#[derive(Clone, Debug)]
struct CommitRequest {
    references: Vec<SopReference>,
}

impl Request for CommitRequest {
    const OPERATION: Operation = Operation::Commit;

    fn subject(&self) -> Subject {
        Subject { count: self.references.len() as u64, ..Subject::default() }
    }
}

impl Archive {
    /// Storage commitment: reads every object again and compares its digest. One answer for
    /// each reference, in order.
    ///
    /// # Errors
    /// [`Refused::Invalid`] for more references than are taken at once.
    pub async fn commit(&self, caller: &Caller, references: Vec<SopReference>) -> Result<Vec<Commitment>, Refused> {
        self.perform(caller, CommitRequest { references }, async |granted| {
            if granted.request().references.len() > MOST {
                return Err(Refused::Invalid(format!("more than {MOST} references")));
            }
            let mut answers = Vec::new();
            for reference in &granted.request().references {
                answers.push(self.commitment(granted, reference).await?);
            }
            Ok(answers)
        })
        .await
    }

    async fn commitment(
        &self,
        granted: &Granted<CommitRequest>,
        reference: &SopReference,
    ) -> Result<Commitment, Refused> {
        let (inner, scope, reference) = (self.inner.clone(), granted.scope().clone(), reference.clone());
        blocking(move || {
            let selection = Selection { instances: vec![reference.sop_instance.clone()], ..Selection::default() };
            let found = inner.index.select(&selection, &scope).map_err(|error| crate::index_failed(&error))?;
            let Some(known) = found.first() else { return Ok(Commitment::NoSuchObjectInstance) };
            if known.sop_class != reference.sop_class {
                return Ok(Commitment::ClassInstanceConflict);
            }
            Ok(if is_whole(&inner, &scope, known) { Commitment::Committed } else { Commitment::ProcessingFailure })
        })
        .await?
    }
}

fn is_whole(inner: &Inner, scope: &GrantedScope, known: &crate::index::KnownInstance) -> bool {
    let Ok(open) = OpenInstance::open(inner, scope, known) else { return false };
    let mut digester = Digester::default();
    let mut at = 0;
    while at < open.data_set_bytes() {
        match open.read(at..(at + STEP).min(open.data_set_bytes())) {
            Ok(bytes) if !bytes.is_empty() => {
                digester.update(&bytes);
                at += bytes.len() as u64;
            }
            _ => return false,
        }
    }
    digester.finish() == known.digest
}
