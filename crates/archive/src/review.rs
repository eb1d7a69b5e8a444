//! Reading what is recorded and what was set aside. Reading it is recorded too.
//!
//! Deliberately absent: a way to change or remove an entry.

use leadglass_dicom::SopInstanceUid;

use crate::access::decide::{Granted, Request};
pub use crate::index::{TrailQuery, TrailRow};
use crate::trail::Subject;
use crate::{Archive, Caller, Operation, Refused, blocking, index_failed};

/// Most rows in one answer.
const MOST: u32 = 1000;

/// An object that was set aside: its SOP Instance UID is another's already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Counts up: names the object, and the place in a list.
    pub number: u64,
    /// SOP Instance UID.
    pub sop_instance: SopInstanceUid,
    /// BLAKE3 of the data set as it came.
    pub digest: [u8; 32],
    /// Bytes of the data set as it came.
    pub data_set_bytes: u64,
    /// When it came, nanoseconds since 1970-01-01 UTC.
    pub received_ns: i64,
    /// Who sent it.
    pub caller: String,
    /// Why it was set aside: our words.
    pub reason: String,
}

/// The request to read the trail.
#[derive(Clone, Debug)]
pub(crate) struct TrailRequest {
    /// Which entries.
    pub(crate) query: TrailQuery,
    /// With their proofs.
    pub(crate) bundle: bool,
}

/// The request to read the list of what was set aside.
#[derive(Clone, Debug)]
pub(crate) struct QuarantineRequest {
    before: Option<u64>,
    limit: u32,
}

impl Request for TrailRequest {
    const OPERATION: Operation = Operation::ReadTrail;

    fn subject(&self) -> Subject {
        let TrailQuery { from_ns, before_ns, patient_id, study, after, limit, .. } = &self.query;
        let mut detail = format!("at most {limit} entries");
        for (name, time) in [("from", from_ns), ("before", before_ns)] {
            if let Some(ns) = time {
                detail.push_str(&format!(", {name} {ns} ns"));
            }
        }
        for (name, value) in words(&self.query) {
            detail.push_str(&format!(", {name} {value:?}"));
        }
        if self.bundle {
            detail.push_str(", with proofs");
        }
        if after.is_some() {
            detail.push_str(", a further page");
        }
        let study = study.as_ref().map(ToString::to_string);
        Subject { patient_id: patient_id.clone(), study, detail: Some(detail), ..Subject::default() }
    }
}

/// What was asked for beside time, patient and study.
fn words(query: &TrailQuery) -> Vec<(&'static str, String)> {
    let TrailQuery { caller, person, peer, action, outcome, door, address, event, .. } = query;
    let address = address.map(|address| address.to_string());
    let words = [
        ("caller", caller),
        ("person", person),
        ("peer", peer),
        ("action", action),
        ("outcome", outcome),
        ("door", door),
        ("address", &address),
        ("event", event),
    ];
    words.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect()
}

impl Request for QuarantineRequest {
    const OPERATION: Operation = Operation::ReadQuarantine;

    fn subject(&self) -> Subject {
        Subject { detail: Some(format!("at most {} objects", self.limit)), ..Subject::default() }
    }
}

impl Archive {
    /// Entries of the trail, newest first, at most 1,000 at once; [`TrailQuery::after`] goes
    /// on behind the last one. What is still open shows what is known of it so far.
    ///
    /// # Errors
    /// Only those of every operation, and a broken index.
    pub async fn trail(&self, caller: &Caller, query: TrailQuery) -> Result<Vec<TrailRow>, Refused> {
        let query = TrailQuery { limit: query.limit.min(MOST), ..query };
        self.perform(caller, TrailRequest { query, bundle: false }, async |granted: &Granted<TrailRequest>| {
            let (index, query) = (self.inner.index.clone(), granted.request().query.clone());
            let scope = granted.scope().clone();
            blocking(move || index.trail(&query, &scope)).await?.map_err(|error| index_failed(&error))
        })
        .await
    }

    /// What was set aside, newest first, at most 1,000 objects at once; `before` goes on
    /// behind the object of that number.
    ///
    /// # Errors
    /// Only those of every operation, and a broken index.
    pub async fn quarantine(
        &self,
        caller: &Caller,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Quarantined>, Refused> {
        let request = QuarantineRequest { before, limit: limit.min(MOST) };
        self.perform(caller, request, async |granted: &Granted<QuarantineRequest>| {
            let (index, request) = (self.inner.index.clone(), granted.request().clone());
            let scope = granted.scope().clone();
            let rows = blocking(move || index.quarantine(request.before, request.limit, &scope)).await?;
            let rows = rows.map_err(|error| index_failed(&error))?;
            let quarantined = rows.into_iter().map(|(number, row)| Quarantined {
                number,
                sop_instance: row.sop_instance,
                digest: row.digest,
                data_set_bytes: row.data_set_bytes,
                received_ns: row.received_ns,
                caller: row.caller,
                reason: row.reason,
            });
            Ok(quarantined.collect())
        })
        .await
    }
}
