//! Handing out: C-GET, C-MOVE, WADO and export are one operation.

use bytes::Bytes;
use leadglass_dicom::{SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid, TransferSyntax};

use crate::{Archive, Caller, Refused, Selection};

/// What for, as the trail says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To the caller: C-GET, WADO.
    ToCaller,
    /// To another AE: C-MOVE.
    ToPeer(String),
    /// The caller reads frame by frame or instance by instance (one trail entry for many).
    Viewing,
}

/// A stored instance, as much as one needs to hand it out.
#[derive(Clone, Debug)]
pub struct StoredInstance {
    /// Study Instance UID.
    pub study: StudyInstanceUid,
    /// Series Instance UID.
    pub series: SeriesInstanceUid,
    /// SOP Instance UID.
    pub sop_instance: SopInstanceUid,
    /// SOP Class UID.
    pub sop_class: SopClassUid,
    /// The syntax it came in and is kept in.
    pub transfer_syntax: TransferSyntax,
    /// Bytes of the data set as it came.
    pub data_set_bytes: u64,
    /// SHA-256 of the data set as it came.
    pub digest: [u8; 32],
    /// Number of Frames, 0 when there are no pixels.
    pub frames: u32,
}

/// Instances granted to the caller. Dropping it before `complete` records an interruption.
pub struct Retrieval {}

impl Retrieval {
    /// What was granted, in the order study, series, instance number.
    pub fn instances(&self) -> &[StoredInstance] {
        todo!()
    }

    /// Opens one for reading from its first byte.
    pub async fn open(&self, _instance: &StoredInstance) -> Result<DataSetReader, Refused> {
        todo!()
    }

    /// DICOM JSON metadata (PS3.18 F) of one instance, one object without brackets around.
    /// Each `BulkDataURI` begins with `lg:` followed by the path `tag[/item/tag…]`.
    pub async fn metadata(&self, _instance: &StoredInstance) -> Result<Bytes, Refused> {
        todo!()
    }

    /// The metadata of all instances granted: one JSON object for each of
    /// [`Retrieval::instances`], in that order, from the series summary where there is one.
    pub async fn all_metadata(&self) -> Result<Vec<Bytes>, Refused> {
        todo!()
    }

    /// Bytes of one frame (1-based) as stored, without item headers; for native pixel data
    /// a slice of the Pixel Data value.
    pub async fn frame(&self, _instance: &StoredInstance, _number: u32) -> Result<Bytes, Refused> {
        todo!()
    }

    /// Where the bulk value of that path is in the (inflated) data set.
    pub async fn bulk(&self, _instance: &StoredInstance, _path: &str) -> Result<(u64, u64), Refused> {
        todo!()
    }

    /// All that was asked for has left.
    pub async fn complete(self) -> Result<(), Refused> {
        todo!()
    }
}

/// Reads a stored data set in order, decrypted and checked chunk by chunk.
pub struct DataSetReader {}

impl DataSetReader {
    /// The next bytes, `None` at the end.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>, Refused> {
        todo!()
    }

    /// Goes on at that byte of the data set; only the chunks asked for are decrypted.
    pub async fn seek(&mut self, _offset: u64) -> Result<(), Refused> {
        todo!()
    }
}

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

impl Archive {
    /// Opens the way to the instances selected. `Refused::NotFound` when there is none.
    pub async fn retrieve(&self, _caller: &Caller, _selection: Selection, _purpose: Purpose) -> Result<Retrieval, Refused> {
        todo!()
    }

    /// Storage commitment: reads every object again and compares its digest.
    pub async fn commit(&self, _caller: &Caller, _references: Vec<SopReference>) -> Result<Vec<Commitment>, Refused> {
        todo!()
    }
}
