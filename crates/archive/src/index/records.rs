//! Reading back what else is applied: registries, the quarantine, counts. The trail: `trail`.

use leadglass_dicom::SopInstanceUid;
use rusqlite::{OptionalExtension, params};

use super::engine::{signed, unsigned};
use super::{Counts, Index, IndexError, Location, QuarantineRow};
use crate::access::GrantedScope;

impl Index {
    /// How much is indexed.
    pub fn counts(&self) -> Result<Counts, IndexError> {
        self.read(|connection| {
            let one = |sql: &str| -> Result<u64, IndexError> {
                Ok(unsigned(connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?))
            };
            Ok(Counts {
                patients: one("SELECT count(*) FROM patient")?,
                studies: one("SELECT count(*) FROM study")?,
                series: one("SELECT count(*) FROM series")?,
                instances: one("SELECT coalesce(sum(instances), 0) FROM series")?,
                quarantined: one("SELECT count(*) FROM quarantine")?,
            })
        })
    }

    /// The quarantined object of that UID and digest, when those bytes were set aside before.
    pub fn is_quarantined(&self, sop_instance: &SopInstanceUid, digest: &[u8; 32]) -> Result<bool, IndexError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT 1 FROM quarantine WHERE sop_instance_uid = $1 AND digest = $2")?;
            Ok(statement.exists(params![sop_instance.as_str(), digest])?)
        })
    }

    /// Objects in quarantine with their numbers, newest first, below number `before`. Only a
    /// scope without limit holds them: they are instances of nothing.
    pub fn quarantine(
        &self,
        before: Option<u64>,
        limit: u32,
        scope: &GrantedScope,
    ) -> Result<Vec<(u64, QuarantineRow)>, IndexError> {
        if !scope.is_everything() {
            return Ok(Vec::new());
        }
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT sop_instance_uid, record_segment, record_offset, key_id, digest, data_set_bytes, received_ns,
                     caller, reason, sequence
                 FROM quarantine WHERE sequence < $1 ORDER BY sequence DESC LIMIT $2",
            )?;
            let mut rows = statement.query(params![before.map_or(i64::MAX, signed), limit])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let uid: String = row.get(0)?;
                let kept = QuarantineRow {
                    sop_instance: SopInstanceUid::parse(&uid).map_err(|_| IndexError::Damaged("UID"))?,
                    location: Location { segment: unsigned(row.get(1)?), offset: unsigned(row.get(2)?) },
                    key_id: u128::from_be_bytes(row.get(3)?),
                    digest: row.get(4)?,
                    data_set_bytes: unsigned(row.get(5)?),
                    received_ns: row.get(6)?,
                    caller: row.get(7)?,
                    reason: row.get(8)?,
                };
                found.push((unsigned(row.get(9)?), kept));
            }
            Ok(found)
        })
    }

    /// One entry of a registry, JSON.
    pub fn registry(&self, kind: &str, key: &str) -> Result<Option<String>, IndexError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT json FROM registry WHERE kind = $1 AND entry = $2")?;
            Ok(statement.query_row(params![kind, key], |row| row.get(0)).optional()?)
        })
    }

    /// All entries of a registry by key: `(key, JSON)`.
    pub fn registry_list(&self, kind: &str) -> Result<Vec<(String, String)>, IndexError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT entry, json FROM registry WHERE kind = $1 ORDER BY entry")?;
            let rows = statement.query_map(params![kind], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}
