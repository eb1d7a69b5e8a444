//! Storing: C-STORE, STOW-RS and import are one operation.

use leadglass_dicom::{SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid, TransferSyntax};

pub use crate::ingest::Ingest;

use crate::access::decide::Request;
use crate::trail::Subject;
use crate::{Archive, Caller, Operation, Refused};

/// What is announced before the data set's first byte.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// The transfer syntax of the bytes to come.
    pub transfer_syntax: TransferSyntax,
    /// Affected SOP Class and Instance UID of a C-STORE, which the data set must repeat.
    pub announced: Option<(SopClassUid, SopInstanceUid)>,
    /// The study the sender says it stores into (STOW-RS `/studies/{study}`).
    pub expected_study: Option<StudyInstanceUid>,
}

/// What became of a stored object; made only when it would survive a power cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// SOP Class UID.
    pub sop_class: SopClassUid,
    /// SOP Instance UID.
    pub sop_instance: SopInstanceUid,
    /// Study Instance UID.
    pub study: StudyInstanceUid,
    /// Series Instance UID.
    pub series: SeriesInstanceUid,
    /// What happened.
    pub outcome: StoreOutcome,
}

/// What happened to a stored object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreOutcome {
    /// Kept.
    Kept,
    /// The same bytes were already there.
    AlreadyThere,
    /// Other bytes of that SOP Instance UID are already there; these are in quarantine.
    Quarantined,
}

/// Why an object was not stored.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreRefused {
    /// The bytes are no data set, or break a limit: C-STORE 0xC000, STOW 272 (0110H) / 49152.
    #[error("cannot understand: {0}")]
    CannotUnderstand(String),
    /// The data set is not what was announced (SOP class, instance, study): 0xA900.
    #[error("the data set does not match: {0}")]
    DoesNotMatch(String),
    /// Everything else.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// The request to store, before anything of the object is known.
#[derive(Clone, Debug)]
pub(crate) struct StoreRequest {
    /// What was announced.
    pub(crate) incoming: Incoming,
}

impl Request for StoreRequest {
    const OPERATION: Operation = Operation::Store;

    fn subject(&self) -> Subject {
        Subject { study: self.incoming.expected_study.as_ref().map(ToString::to_string), ..Subject::default() }
    }
}

impl Archive {
    /// Opens the way for one object. Decides on what is known so far; decides again, on the
    /// header against the caller's scope, before anything is kept.
    ///
    /// # Errors
    /// [`Refused::NotAllowed`] for a caller that may not store, [`Refused::ReadOnly`] and
    /// [`Refused::OutOfResources`] when nothing can be stored at present.
    pub async fn store(&self, caller: &Caller, incoming: Incoming) -> Result<Ingest, Refused> {
        let request = StoreRequest { incoming };
        let subject = request.subject();
        let granted = self.decided(caller, request, &subject).await?;
        self.has_room()?;
        Ok(Ingest::new(self.clone(), caller.clone(), granted))
    }
}
