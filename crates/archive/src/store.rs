//! Storing: C-STORE, STOW-RS and import are one operation.

use leadglass_dicom::{SopClassUid, SopInstanceUid, StudyInstanceUid, TransferSyntax};

use crate::{Archive, Caller, Refused};

/// What is announced before the data set's first byte.
pub struct Incoming {
    /// The transfer syntax of the bytes to come.
    pub transfer_syntax: TransferSyntax,
    /// Affected SOP Class and Instance UID of a C-STORE, which the data set must repeat.
    pub announced: Option<(SopClassUid, SopInstanceUid)>,
    /// The study the sender says it stores into (STOW-RS `/studies/{study}`).
    pub expected_study: Option<StudyInstanceUid>,
}

/// An object on its way in. Dropping it leaves nothing.
pub struct Ingest {}

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
    pub series: leadglass_dicom::SeriesInstanceUid,
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
#[derive(Debug, thiserror::Error)]
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

impl Archive {
    /// Opens the way for one object. Decides on what is known so far; decides again, on the
    /// header against the caller's scope, before anything is kept.
    pub async fn store(&self, _caller: &Caller, _incoming: Incoming) -> Result<Ingest, Refused> {
        todo!()
    }
}

impl Ingest {
    /// Takes the next bytes of the data set (no file meta). Memory stays bounded.
    pub async fn push(&mut self, _chunk: &[u8]) -> Result<(), StoreRefused> {
        todo!()
    }

    /// Ends the object: durable, indexed and recorded when this returns `Ok`.
    pub async fn finish(self) -> Result<Stored, StoreRefused> {
        todo!()
    }
}
