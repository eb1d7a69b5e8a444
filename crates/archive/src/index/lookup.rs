//! Finding what is named: instances, studies, series summaries, selections.

use leadglass_dicom::{SeriesInstanceUid, SopInstanceUid, StudyInstanceUid, TransferSyntax, Uid};
use rusqlite::{OptionalExtension, Row, params};

use super::engine::{self, Sql, unsigned};
use super::{Index, IndexError, KnownInstance, KnownStudy, Location, SeriesSummary, scope};
use crate::Selection;
use crate::access::{GrantedScope, Reach};

/// Values of one list that go into one statement.
const LIST: usize = 1_000;
/// Values of all lists of a selection together.
const MOST_VALUES: usize = 200_000;

/// The columns that [`known_instance`] reads, of `i`, `e` and `s`.
pub(super) const KNOWN_INSTANCE: &str = "i.sequence, i.record_segment, i.record_offset, i.key_id, s.study_instance_uid,
    e.series_instance_uid, i.sop_instance_uid, i.sop_class_uid, i.transfer_syntax, i.digest, i.data_set_bytes, i.frames";

/// An instance row as the columns of [`KNOWN_INSTANCE`] give it.
pub(super) fn known_instance(row: &Row<'_>) -> Result<KnownInstance, IndexError> {
    let uid = |column: usize| -> Result<Uid, IndexError> {
        let text: String = row.get(column)?;
        Uid::parse(&text).map_err(|_| IndexError::Damaged("UID"))
    };
    Ok(KnownInstance {
        sequence: unsigned(row.get(0)?),
        location: Location { segment: unsigned(row.get(1)?), offset: unsigned(row.get(2)?) },
        key_id: u128::from_be_bytes(row.get(3)?),
        study: uid(4)?.into(),
        series: uid(5)?.into(),
        sop_instance: uid(6)?.into(),
        sop_class: uid(7)?.into(),
        transfer_syntax: TransferSyntax::from_uid(uid(8)?),
        digest: row.get(9)?,
        data_set_bytes: unsigned(row.get(10)?),
        frames: u32::try_from(row.get::<_, i64>(11)?).unwrap_or(u32::MAX),
    })
}

impl Index {
    /// The stored instance of that UID.
    pub fn instance_by_sop(&self, sop_instance: &SopInstanceUid) -> Result<Option<KnownInstance>, IndexError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {KNOWN_INSTANCE} FROM instance i JOIN series e ON e.id = i.series JOIN study s ON s.id = e.study
                 WHERE i.sop_instance_uid = $1"
            ))?;
            let mut rows = statement.query(params![sop_instance.as_str()])?;
            rows.next()?.map(known_instance).transpose()
        })
    }

    /// The study of that UID: its data key and patient.
    pub fn study(&self, study: &StudyInstanceUid) -> Result<Option<KnownStudy>, IndexError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT s.key_id, coalesce(p.patient_id, '') FROM study s JOIN patient p ON p.id = s.patient
                 WHERE s.study_instance_uid = $1",
            )?;
            let found = statement.query_row(params![study.as_str()], |row| {
                Ok(KnownStudy { key_id: u128::from_be_bytes(row.get(0)?), patient_id: row.get(1)? })
            });
            Ok(found.optional()?)
        })
    }

    /// How many instances of that study are kept.
    pub(crate) fn instances_of(&self, study: &StudyInstanceUid) -> Result<u64, IndexError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT coalesce(sum(e.instances), 0) FROM series e JOIN study s ON s.id = e.study
                 WHERE s.study_instance_uid = $1",
            )?;
            Ok(unsigned(statement.query_row(params![study.as_str()], |row| row.get(0))?))
        })
    }

    /// How many instances of that series are kept.
    pub(crate) fn instances_of_series(
        &self,
        study: &StudyInstanceUid,
        series: &SeriesInstanceUid,
    ) -> Result<u64, IndexError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT coalesce(sum(e.instances), 0) FROM series e JOIN study s ON s.id = e.study
                 WHERE e.series_instance_uid = $1 AND s.study_instance_uid = $2",
            )?;
            Ok(unsigned(statement.query_row(params![series.as_str(), study.as_str()], |row| row.get(0))?))
        })
    }

    /// Whether that study is here, and nothing of it in scope.
    pub fn is_foreign(&self, study: &StudyInstanceUid, scope: &GrantedScope) -> Result<bool, IndexError> {
        let mut sql = Sql::default();
        let uid = sql.bind(study.as_str().to_owned());
        let Some(limits) = scope::on_label(scope, &mut sql) else { return Ok(false) };
        let text = format!(
            "SELECT NOT EXISTS (SELECT 1 FROM study_label y JOIN label l ON l.id = y.label WHERE y.study = s.id AND {limits})
             FROM study s JOIN patient p ON p.id = s.patient WHERE s.study_instance_uid = {uid}"
        );
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&text)?;
            let mut rows = engine::query(&mut statement, &sql.values)?;
            Ok(rows.next()?.map_or(Ok(false), |row| row.get(0))?)
        })
    }

    /// The instances selected that are in scope, ordered by study, series number, series,
    /// instance number, instance.
    pub fn select(&self, selection: &Selection, scope: &GrantedScope) -> Result<Vec<KnownInstance>, IndexError> {
        self.select_within(selection, scope)
    }

    /// The instances of a series, for views of the log that are made for nobody: they are
    /// read under a grant like the log itself.
    pub(crate) fn whole_series(
        &self,
        study: &StudyInstanceUid,
        series: &SeriesInstanceUid,
    ) -> Result<Vec<KnownInstance>, IndexError> {
        let selection =
            Selection { studies: vec![study.clone()], series: vec![series.clone()], ..Selection::default() };
        self.select_within(&selection, &Reach::unlimited())
    }

    fn select_within(&self, selection: &Selection, scope: &Reach) -> Result<Vec<KnownInstance>, IndexError> {
        let lists: [(&str, Vec<&str>); 4] = [
            ("p.patient_id", selection.patient_ids.iter().map(String::as_str).collect()),
            ("s.study_instance_uid", selection.studies.iter().map(|uid| uid.as_str()).collect()),
            ("e.series_instance_uid", selection.series.iter().map(|uid| uid.as_str()).collect()),
            ("i.sop_instance_uid", selection.instances.iter().map(|uid| uid.as_str()).collect()),
        ];
        if lists.iter().map(|(_, list)| list.len()).sum::<usize>() > MOST_VALUES {
            return Err(IndexError::TooManyValues { most: MOST_VALUES });
        }
        let mut found = Vec::new();
        // The lowest level that is named is walked in pieces; the lists above it narrow.
        let Some(lowest) = lists.iter().rposition(|(_, list)| !list.is_empty()) else { return Ok(Vec::new()) };
        self.read(|connection| {
            let mut walked = lists[lowest].1.clone();
            walked.sort_unstable();
            walked.dedup();
            for piece in walked.chunks(LIST) {
                let mut sql = Sql::default();
                let mut conditions = vec![format!("{} IN {}", lists[lowest].0, sql.list(piece.iter().copied()))];
                for (column, list) in lists[..lowest].iter().filter(|(_, list)| !list.is_empty()) {
                    if list.len() > LIST {
                        return Err(IndexError::TooManyValues { most: LIST });
                    }
                    conditions.push(format!("{column} IN {}", sql.list(list.iter().copied())));
                }
                conditions.extend(scope::on_label(scope, &mut sql));
                let text = format!(
                    "SELECT {KNOWN_INSTANCE}, e.series_number, i.instance_number
                     FROM instance i JOIN series e ON e.id = i.series JOIN study s ON s.id = e.study
                     JOIN patient p ON p.id = s.patient JOIN label l ON l.id = i.label
                     WHERE {}",
                    conditions.join(" AND ")
                );
                let mut statement = connection.prepare_cached(&text)?;
                let mut rows = engine::query(&mut statement, &sql.values)?;
                while let Some(row) = rows.next()? {
                    let numbers: (Option<i64>, Option<i64>) = (row.get(12)?, row.get(13)?);
                    found.push((numbers, known_instance(row)?));
                }
            }
            Ok(())
        })?;
        found.sort_unstable_by(|(a_numbers, a), (b_numbers, b)| {
            (&a.study, a_numbers.0, &a.series, a_numbers.1, &a.sop_instance).cmp(&(
                &b.study,
                b_numbers.0,
                &b.series,
                b_numbers.1,
                &b.sop_instance,
            ))
        });
        Ok(found.into_iter().map(|(_, instance)| instance).collect())
    }

    /// The latest summary of that series. It is stale when it describes fewer instances than
    /// the selection of the series holds.
    pub fn series_summary(
        &self,
        study: &StudyInstanceUid,
        series: &SeriesInstanceUid,
    ) -> Result<Option<SeriesSummary>, IndexError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT e.summary_instances, e.summary_segment, e.summary_offset, e.summary_key_id
                 FROM series e JOIN study s ON s.id = e.study
                 WHERE e.series_instance_uid = $1 AND s.study_instance_uid = $2 AND e.summary_segment IS NOT NULL",
            )?;
            let found = statement.query_row(params![series.as_str(), study.as_str()], |row| {
                Ok(SeriesSummary {
                    study: study.clone(),
                    series: series.clone(),
                    instances: unsigned(row.get(0)?),
                    location: Location { segment: unsigned(row.get(1)?), offset: unsigned(row.get(2)?) },
                    key_id: u128::from_be_bytes(row.get(3)?),
                })
            });
            Ok(found.optional()?)
        })
    }

    /// Series whose last instance came before `before_ns` and that have no summary or a stale
    /// one, oldest first.
    pub fn settled_series(
        &self,
        before_ns: i64,
        limit: u32,
    ) -> Result<Vec<(StudyInstanceUid, SeriesInstanceUid)>, IndexError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT s.study_instance_uid, e.series_instance_uid FROM series e JOIN study s ON s.id = e.study
                 WHERE e.last_received_ns < $1 AND e.summary_instances <> e.instances
                 ORDER BY e.last_received_ns LIMIT $2",
            )?;
            let mut rows = statement.query(params![before_ns, limit])?;
            let mut settled = Vec::new();
            while let Some(row) = rows.next()? {
                let (study, series): (String, String) = (row.get(0)?, row.get(1)?);
                let damaged = |_| IndexError::Damaged("UID");
                settled.push((
                    StudyInstanceUid::parse(&study).map_err(damaged)?,
                    SeriesInstanceUid::parse(&series).map_err(damaged)?,
                ));
            }
            Ok(settled)
        })
    }
}
