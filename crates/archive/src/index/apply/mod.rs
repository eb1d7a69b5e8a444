//! Applying records of the log: each batch one transaction, each record once.

mod entity;
mod instance;
mod name;
mod removal;

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, Transaction, params};

pub(super) use entity::table;

use super::engine::{Engine, signed};
use crate::access::Marks;

use super::{Applied, Change, IndexError, QuarantineRow, SeriesSummary, TrailRow};

/// Applies records to the index. There is one.
pub struct Writer {
    engine: Arc<Engine>,
    connection: Connection,
    known: Known,
}

/// Row ids that the last records used, so that neighbours need no search. Forgotten when a
/// batch fails or anything is removed, and when it grows large.
#[derive(Default)]
struct Known {
    studies: HashMap<String, entity::StudyId>,
    series: HashMap<(i64, String), i64>,
    labels: HashMap<entity::Label, i64>,
    names: HashMap<String, i64>,
}

impl Known {
    const MOST: usize = 20_000;

    fn tidy(&mut self) {
        if self.studies.len() + self.series.len() + self.labels.len() + self.names.len() > Known::MOST {
            *self = Known::default();
        }
    }
}

impl Writer {
    pub(super) fn new(engine: Arc<Engine>, connection: Connection) -> Writer {
        Writer { engine, connection, known: Known::default() }
    }

    /// The sequence number up to which the log has been applied, 0 at first.
    pub fn applied(&self) -> u64 {
        self.engine.applied()
    }

    /// Applies records in one transaction, in rising order of their sequence numbers; those
    /// applied before are passed over. On an error nothing of the batch is there, and readers
    /// wait for nothing until a batch is.
    pub fn apply(&mut self, batch: &[Applied<'_>]) -> Result<(), IndexError> {
        let before = self.applied();
        self.known.tidy();
        let mut applied = before;
        let done = self.connection.transaction().map_err(IndexError::from).and_then(|transaction| {
            let mut batch_of =
                Batch { transaction: &transaction, known: &mut self.known, counts: instance::Counts::default() };
            for record in batch.iter().filter(|record| record.sequence > before) {
                batch_of.apply(record)?;
                applied = applied.max(record.sequence);
            }
            batch_of.flush()?;
            transaction
                .prepare_cached("UPDATE meta SET value = $1 WHERE name = 'applied'")?
                .execute([signed(applied)])?;
            transaction.commit()?;
            Ok(())
        });
        match done {
            Ok(()) => self.engine.progress.advance(applied),
            Err(_) => {
                self.known = Known::default();
                self.engine.progress.stall();
            }
        }
        done
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Nothing more will be applied: nobody must wait for it.
        self.engine.progress.stall();
    }
}

/// A batch on its way in.
struct Batch<'a> {
    transaction: &'a Transaction<'a>,
    known: &'a mut Known,
    counts: instance::Counts,
}

impl Batch<'_> {
    fn apply(&mut self, record: &Applied<'_>) -> Result<(), IndexError> {
        match &record.change {
            Change::Instance(row) => self.instance(record.sequence, row),
            Change::Registry { kind, key, json } => self.registry(kind, key, json.as_deref()),
            Change::Trail(row) => self.trail(row),
            Change::TrailErased { key_id, patient_id } => self.trail_erased(*key_id, patient_id.as_deref()),
            Change::Quarantine(row) => self.quarantine(record.sequence, row),
            Change::SeriesSummary(summary) => self.series_summary(summary),
            Change::Tombstone { sop_instance } => {
                self.flush()?;
                self.remove(sop_instance)
            }
            Change::Nothing => Ok(()),
        }
    }

    fn registry(&mut self, kind: &str, key: &str, json: Option<&str>) -> Result<(), IndexError> {
        if kind == crate::change::kind::MARKS {
            self.marks(key, json)?;
        }
        match json {
            Some(json) => self.run(
                "INSERT INTO registry (kind, entry, json) VALUES ($1, $2, $3)
                 ON CONFLICT (kind, entry) DO UPDATE SET json = excluded.json",
                params![kind, key, json],
            ),
            None => self.run("DELETE FROM registry WHERE kind = $1 AND entry = $2", params![kind, key]),
        }
    }

    /// The marks of a subject, as searches look at them.
    fn marks(&self, subject: &str, json: Option<&str>) -> Result<(), IndexError> {
        self.run("DELETE FROM mark WHERE subject = $1", params![subject])?;
        let marks: Marks =
            json.map(serde_json::from_str).transpose().map_err(|_| IndexError::Damaged("marks"))?.unwrap_or_default();
        let labels = marks.labels.iter().map(|label| ("label", label.as_str()));
        let restrictions = marks.restrictions.iter().map(|restriction| ("restriction", restriction.name()));
        for (what, value) in labels.chain(restrictions) {
            self.run("INSERT INTO mark (subject, what, value) VALUES ($1, $2, $3)", params![subject, what, value])?;
        }
        Ok(())
    }

    fn trail(&mut self, row: &TrailRow) -> Result<(), IndexError> {
        self.run(
            "INSERT INTO trail (entry, time_ns, caller, person, peer, address, door, action, event, outcome, patient_id,
                 study, amount, detail, closed_by, identity)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
             ON CONFLICT (entry) DO UPDATE SET time_ns = excluded.time_ns, caller = excluded.caller,
                 person = excluded.person, peer = excluded.peer, address = excluded.address, door = excluded.door,
                 action = excluded.action, event = excluded.event, outcome = excluded.outcome,
                 patient_id = excluded.patient_id, study = excluded.study, amount = excluded.amount,
                 detail = excluded.detail, closed_by = excluded.closed_by, identity = excluded.identity",
            params![
                signed(row.entry),
                row.time_ns,
                row.caller,
                row.person,
                row.peer,
                row.address,
                row.door,
                row.action,
                row.event,
                row.outcome,
                row.patient_id,
                row.study.as_ref().map(|study| study.as_str()),
                signed(row.count),
                row.detail,
                row.closed_by.map(signed),
                row.identity.map(u128::to_be_bytes),
            ],
        )
    }

    /// What identifies goes from the rows; what was done stays, as in the records.
    fn trail_erased(&mut self, key_id: u128, patient_id: Option<&str>) -> Result<(), IndexError> {
        const ERASE: &str = "UPDATE trail SET patient_id = NULL, study = NULL, identity = NULL, detail = json_remove(
            detail, '$.patient_id', '$.patient_name', '$.study', '$.query', '$.detail') WHERE ";
        match patient_id {
            Some(patient_id) => self.run(&format!("{ERASE} patient_id = $1"), params![patient_id]),
            None => self.run(&format!("{ERASE} identity = $1"), params![key_id.to_be_bytes()]),
        }
    }

    fn quarantine(&mut self, sequence: u64, row: &QuarantineRow) -> Result<(), IndexError> {
        self.run(
            "INSERT INTO quarantine (sequence, sop_instance_uid, record_segment, record_offset, key_id, digest,
                 data_set_bytes, received_ns, caller, reason)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            params![
                signed(sequence),
                row.sop_instance.as_str(),
                signed(row.location.segment),
                signed(row.location.offset),
                row.key_id.to_be_bytes(),
                row.digest,
                signed(row.data_set_bytes),
                row.received_ns,
                row.caller,
                row.reason
            ],
        )
    }

    fn series_summary(&mut self, summary: &SeriesSummary) -> Result<(), IndexError> {
        self.flush()?;
        self.run(
            "UPDATE series SET summary_instances = $1, summary_segment = $2, summary_offset = $3, summary_key_id = $4
             WHERE series_instance_uid = $5
               AND study = (SELECT s.id FROM study s WHERE s.study_instance_uid = $6)",
            params![
                signed(summary.instances),
                signed(summary.location.segment),
                signed(summary.location.offset),
                summary.key_id.to_be_bytes(),
                summary.series.as_str(),
                summary.study.as_str()
            ],
        )
    }

    fn run(&self, sql: &str, values: impl rusqlite::Params) -> Result<(), IndexError> {
        self.transaction.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// The id that a query finds, when it finds one.
    fn id(&self, sql: &str, values: impl rusqlite::Params) -> Result<Option<i64>, IndexError> {
        use rusqlite::OptionalExtension;
        Ok(self.transaction.prepare_cached(sql)?.query_row(values, |row| row.get(0)).optional()?)
    }
}
