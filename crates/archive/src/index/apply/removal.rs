//! An instance goes: its row, what was counted of it, and whatever is empty then.

use leadglass_dicom::SopInstanceUid;
use leadglass_dicom::attribute::{Level, Matchable};
use rusqlite::{OptionalExtension, params};

use super::entity::table;
use super::{Batch, Known};
use crate::index::{IndexError, column};

/// Finds a row when a name is referred to by any column of names; a test compares its
/// columns with the attributes. Each look ends at the first reference.
pub(super) const NAME_IS_USED: &str = "SELECT 1 WHERE EXISTS (SELECT 1 FROM patient WHERE patient_name = $1)
    OR EXISTS (SELECT 1 FROM patient WHERE other_patient_names = $1)
    OR EXISTS (SELECT 1 FROM study WHERE referring_physician_name = $1)
    OR EXISTS (SELECT 1 FROM study WHERE name_of_physicians_reading_study = $1)
    OR EXISTS (SELECT 1 FROM series WHERE operators_name = $1)
    OR EXISTS (SELECT 1 FROM series WHERE performing_physician_name = $1)";

struct Place {
    instance: i64,
    label: i64,
    series: i64,
    study: i64,
    patient: i64,
}

impl Batch<'_> {
    pub(super) fn remove(&mut self, sop_instance: &SopInstanceUid) -> Result<(), IndexError> {
        let place = self
            .transaction
            .prepare_cached(
                "SELECT i.id, i.label, e.id, s.id, s.patient FROM instance i
                 JOIN series e ON e.id = i.series JOIN study s ON s.id = e.study WHERE i.sop_instance_uid = $1",
            )?
            .query_row(params![sop_instance.as_str()], |row| {
                Ok(Place {
                    instance: row.get(0)?,
                    label: row.get(1)?,
                    series: row.get(2)?,
                    study: row.get(3)?,
                    patient: row.get(4)?,
                })
            })
            .optional()?;
        let Some(place) = place else { return Ok(()) };
        *self.known = Known::default();
        self.run("DELETE FROM instance WHERE id = $1", params![place.instance])?;
        self.run(
            "UPDATE series SET instances = instances - 1, summary_instances = 0, summary_segment = NULL,
                 summary_offset = NULL, summary_key_id = NULL WHERE id = $1",
            params![place.series],
        )?;
        for (table, owner, id) in [("series_label", "series", place.series), ("study_label", "study", place.study)] {
            self.run(
                &format!("UPDATE {table} SET instances = instances - 1 WHERE {owner} = $1 AND label = $2"),
                params![id, place.label],
            )?;
            self.run(&format!("DELETE FROM {table} WHERE {owner} = $1 AND instances <= 0"), params![id])?;
        }
        self.remove_empty(&place)
    }

    fn remove_empty(&mut self, place: &Place) -> Result<(), IndexError> {
        for (level, id, child, parent) in [
            (Level::Series, place.series, "instance", "series"),
            (Level::Study, place.study, "series", "study"),
            (Level::Patient, place.patient, "study", "patient"),
        ] {
            if self.id(&format!("SELECT id FROM {child} WHERE {parent} = $1 LIMIT 1"), params![id])?.is_some() {
                return Ok(());
            }
            let names = self.names_of(level, id)?;
            self.run(&format!("DELETE FROM {} WHERE id = $1", table(level)), params![id])?;
            self.forget_names(&names)?;
        }
        Ok(())
    }

    fn names_of(&self, level: Level, id: i64) -> Result<Vec<i64>, IndexError> {
        let mut names = Vec::new();
        for attribute in column::columns(level).filter(|attribute| attribute.kind == Matchable::PersonName) {
            let sql = format!("SELECT {0} FROM {1} WHERE id = $1 AND {0} IS NOT NULL", attribute.column, table(level));
            names.extend(self.id(&sql, params![id])?);
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leadglass_dicom::attribute;

    #[test]
    fn every_column_of_names_keeps_its_names() {
        for attribute in attribute::ALL.iter().filter(|attribute| attribute.kind == Matchable::PersonName) {
            let reference = format!("FROM {} WHERE {} = $1", table(attribute.level), attribute.column);
            assert!(NAME_IS_USED.contains(&reference), "{reference}");
        }
    }
}
