//! What goes into the index and what comes out of it, as plain values.

use leadglass_dicom::{
    AeTitle, DataSet, SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid, TransferSyntax,
};

/// Where a record is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The segment's (or spilled file's) number.
    pub segment: u64,
    /// Bytes from the start of the segment.
    pub offset: u64,
}

/// One record of the log as the index sees it. Each carries the log's sequence number; a
/// record that was applied before is passed over, so replay is harmless.
#[derive(Clone, Debug)]
pub struct Applied<'a> {
    /// Its sequence number in the log, rising from 1.
    pub sequence: u64,
    /// What it says.
    pub change: Change<'a>,
}

/// What a record of the log changes in the index.
#[derive(Clone, Debug)]
pub enum Change<'a> {
    /// An instance was kept. One whose SOP Instance UID is known already changes nothing:
    /// the first stays.
    Instance(Box<InstanceRow<'a>>),
    /// An entry of a registry (peer, token, secret …): replaced, or removed when `json` is `None`.
    Registry {
        /// Which registry.
        kind: String,
        /// Which entry.
        key: String,
        /// Its value; `None` removes it.
        json: Option<String>,
    },
    /// A trail entry.
    Trail(TrailRow),
    /// Whom trail entries are about was erased.
    TrailErased {
        /// The id of the key that sealed it.
        key_id: u128,
        /// Whose it was, where that is still known.
        patient_id: Option<String>,
    },
    /// An object that was set aside.
    Quarantine(QuarantineRow),
    /// A series summary was written; it replaces one before it.
    SeriesSummary(SeriesSummary),
    /// An instance is no longer served.
    Tombstone {
        /// Which.
        sop_instance: SopInstanceUid,
    },
    /// A record the index keeps nothing of (checkpoints); only the position moves.
    Nothing,
}

/// An instance as it is kept.
#[derive(Clone, Debug)]
pub struct InstanceRow<'a> {
    /// Where its record is.
    pub location: Location,
    /// The data key its parts are sealed with.
    pub key_id: u128,
    /// Study Instance UID.
    pub study: StudyInstanceUid,
    /// Series Instance UID.
    pub series: SeriesInstanceUid,
    /// SOP Instance UID.
    pub sop_instance: SopInstanceUid,
    /// SOP Class UID.
    pub sop_class: SopClassUid,
    /// The syntax it is kept in.
    pub transfer_syntax: TransferSyntax,
    /// BLAKE3 of the data set as it came.
    pub digest: [u8; 32],
    /// Bytes of the data set as it came.
    pub data_set_bytes: u64,
    /// Number of Frames, 0 without pixels.
    pub frames: u32,
    /// The attributes, Unicode; what has no column is passed over.
    pub header: &'a DataSet,
    /// When it came, nanoseconds since 1970-01-01 UTC.
    pub received_ns: i64,
    /// The AE title that sent it, for C-STORE.
    pub calling_ae: Option<AeTitle>,
}

/// What the index knows of a stored instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownInstance {
    /// Sequence number of its record.
    pub sequence: u64,
    /// Where its record is.
    pub location: Location,
    /// The data key its parts are sealed with.
    pub key_id: u128,
    /// Study Instance UID.
    pub study: StudyInstanceUid,
    /// Series Instance UID.
    pub series: SeriesInstanceUid,
    /// SOP Instance UID.
    pub sop_instance: SopInstanceUid,
    /// SOP Class UID.
    pub sop_class: SopClassUid,
    /// The syntax it is kept in.
    pub transfer_syntax: TransferSyntax,
    /// BLAKE3 of the data set as it came.
    pub digest: [u8; 32],
    /// Bytes of the data set as it came.
    pub data_set_bytes: u64,
    /// Number of Frames, 0 without pixels.
    pub frames: u32,
}

/// What the index knows of a study, for a store that adds to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownStudy {
    /// The study's data key.
    pub key_id: u128,
    /// Patient ID of the study, empty when it has none.
    pub patient_id: String,
}

/// Where a series' summary is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesSummary {
    /// The study.
    pub study: StudyInstanceUid,
    /// The series.
    pub series: SeriesInstanceUid,
    /// How many instances it describes; the summary is stale when the series has more.
    pub instances: u64,
    /// Where its record is.
    pub location: Location,
    /// The data key it is sealed with.
    pub key_id: u128,
}

/// An object set aside: same SOP Instance UID as a kept one, other bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantineRow {
    /// SOP Instance UID both claim.
    pub sop_instance: SopInstanceUid,
    /// Where its record is.
    pub location: Location,
    /// The data key its parts are sealed with.
    pub key_id: u128,
    /// BLAKE3 of the data set as it came.
    pub digest: [u8; 32],
    /// Bytes of the data set.
    pub data_set_bytes: u64,
    /// When it came, nanoseconds since 1970-01-01 UTC.
    pub received_ns: i64,
    /// Who sent it.
    pub caller: String,
    /// Why it was set aside: our words.
    pub reason: String,
}

/// A trail entry, as much as is searched by; `detail` holds the whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrailRow {
    /// Names the entry; an entry that closes another repeats its number and takes its place.
    pub entry: u64,
    /// When, nanoseconds since 1970-01-01 UTC.
    pub time_ns: i64,
    /// Who, as authenticated; empty for a stranger.
    pub caller: String,
    /// The person or program among them.
    pub person: Option<String>,
    /// The DICOM peer among them.
    pub peer: Option<String>,
    /// The address of the other end.
    pub address: Option<String>,
    /// Through which door.
    pub door: String,
    /// The operation, or the event.
    pub action: String,
    /// The code of the event: of CID 403 for a security alert, of CID 400 otherwise.
    pub event: Option<String>,
    /// How it ended.
    pub outcome: String,
    /// Patient ID, when one patient is concerned.
    pub patient_id: Option<String>,
    /// Study Instance UID, when one study is concerned.
    pub study: Option<StudyInstanceUid>,
    /// How many instances or rows.
    pub count: u64,
    /// The whole entry as JSON.
    pub detail: String,
    /// The record that closed it last, when one did: it says more than the first.
    pub closed_by: Option<u64>,
    /// The id of the key that seals who it is about, when it is about somebody.
    pub identity: Option<u128>,
}

/// Which trail entries, newest first. Each condition that is there narrows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrailQuery {
    /// From then on, nanoseconds since 1970-01-01 UTC.
    pub from_ns: Option<i64>,
    /// Before then.
    pub before_ns: Option<i64>,
    /// Of that caller.
    pub caller: Option<String>,
    /// Concerning that patient.
    pub patient_id: Option<String>,
    /// Concerning that study.
    pub study: Option<StudyInstanceUid>,
    /// By that person or program.
    pub person: Option<String>,
    /// By that DICOM peer, or a user on it.
    pub peer: Option<String>,
    /// That operation or event, by its name.
    pub action: Option<String>,
    /// With that outcome, by its name.
    pub outcome: Option<String>,
    /// Through that door, by its name.
    pub door: Option<String>,
    /// From that address.
    pub address: Option<std::net::IpAddr>,
    /// With that event code, of CID 400 or CID 403.
    pub event: Option<String>,
    /// After the last row of the page before: its `(time_ns, entry)`.
    pub after: Option<(i64, u64)>,
    /// At most so many.
    pub limit: u32,
}

/// How much is indexed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Patients.
    pub patients: u64,
    /// Studies.
    pub studies: u64,
    /// Series.
    pub series: u64,
    /// Instances.
    pub instances: u64,
    /// Objects in quarantine.
    pub quarantined: u64,
}
