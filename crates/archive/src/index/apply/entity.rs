//! The patient, study, series and label that an instance belongs to: found, or made from it.

use leadglass_dicom::attribute::Level;
use leadglass_dicom::{DataSet, Tag};
use rusqlite::types::Value as Cell;
use rusqlite::{OptionalExtension, params, params_from_iter};

use super::Batch;
use crate::access::scope;
use crate::index::column::{self, Searched};
use crate::index::{IndexError, InstanceRow};

const PATIENT_ID: Tag = Tag(0x0010, 0x0020);
const MODALITY: Tag = Tag(0x0008, 0x0060);
const INSTITUTION_NAME: Tag = Tag(0x0008, 0x0080);
const INSTITUTIONAL_DEPARTMENT_NAME: Tag = Tag(0x0008, 0x1040);
const REFERRING_PHYSICIAN_NAME: Tag = Tag(0x0008, 0x0090);
const NAME_OF_PHYSICIANS_READING_STUDY: Tag = Tag(0x0008, 0x1060);

/// A study's row and the Patient ID it was made with.
#[derive(Clone, Debug)]
pub(super) struct StudyId {
    pub(super) id: i64,
    pub(super) patient_id: String,
}

/// What a scope looks at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Label {
    modality: String,
    institution: String,
    department: String,
    sop_class: String,
    /// The instance's own Patient ID where it is not its study's.
    patient_id: Option<String>,
    /// Names as they came, several between backslashes.
    referring: String,
    reading: String,
}

impl Label {
    /// In the order of the columns.
    fn cells(&self) -> impl rusqlite::Params {
        (
            &self.modality,
            &self.institution,
            &self.department,
            &self.sop_class,
            &self.patient_id,
            &self.referring,
            &self.reading,
        )
    }
}

impl Batch<'_> {
    pub(super) fn study(&mut self, row: &InstanceRow<'_>) -> Result<StudyId, IndexError> {
        if let Some(known) = self.known.studies.get(row.study.as_str()) {
            return Ok(known.clone());
        }
        let found = self
            .transaction
            .prepare_cached(
                "SELECT s.id, coalesce(p.patient_id, '') FROM study s JOIN patient p ON p.id = s.patient
                 WHERE s.study_instance_uid = $1",
            )?
            .query_row(params![row.study.as_str()], |found| {
                Ok(StudyId { id: found.get(0)?, patient_id: found.get(1)? })
            })
            .optional()?;
        let study = match found {
            Some(study) => study,
            None => {
                let patient = self.patient(row)?;
                let cells =
                    vec![("patient", patient.into()), ("key_id", Cell::Blob(row.key_id.to_be_bytes().to_vec()))];
                StudyId { id: self.insert(Level::Study, cells, row)?, patient_id: text(row.header, PATIENT_ID) }
            }
        };
        self.known.studies.insert(row.study.as_str().to_owned(), study.clone());
        Ok(study)
    }

    /// Patients are the same when all that identifies them is: many sites and all anonymised
    /// collections give one Patient ID to several people, and no one may be shown under
    /// another's name.
    fn patient(&mut self, row: &InstanceRow<'_>) -> Result<i64, IndexError> {
        const IDENTIFYING: [&str; 5] =
            ["patient_id", "patient_name", "patient_birth_date", "issuer_of_patient_id", "patient_sex"];
        let cells = self.cells(Level::Patient, row.header)?;
        let cell =
            |column: &str| cells.iter().find(|(name, _)| *name == column).map_or(Cell::Null, |(_, cell)| cell.clone());
        let found = self.id(
            "SELECT id FROM patient
             WHERE patient_id IS NOT DISTINCT FROM $1 AND patient_name IS NOT DISTINCT FROM $2
               AND patient_birth_date IS NOT DISTINCT FROM $3 AND issuer_of_patient_id IS NOT DISTINCT FROM $4
               AND patient_sex IS NOT DISTINCT FROM $5
             ORDER BY id LIMIT 1",
            params_from_iter(IDENTIFYING.map(cell)),
        )?;
        match found {
            Some(patient) => Ok(patient),
            None => self.insert(Level::Patient, Vec::new(), row),
        }
    }

    pub(super) fn series(&mut self, study: i64, row: &InstanceRow<'_>) -> Result<i64, IndexError> {
        let key = (study, row.series.as_str().to_owned());
        if let Some(known) = self.known.series.get(&key) {
            return Ok(*known);
        }
        let found =
            self.id("SELECT id FROM series WHERE series_instance_uid = $1 AND study = $2", params![key.1, study])?;
        let series = match found {
            Some(series) => series,
            None => {
                let cells = vec![
                    ("study", study.into()),
                    ("last_received_ns", row.received_ns.into()),
                    ("instances", 0.into()),
                    ("summary_instances", 0.into()),
                ];
                self.insert(Level::Series, cells, row)?
            }
        };
        self.known.series.insert(key, series);
        Ok(series)
    }

    pub(super) fn label(&mut self, study: &StudyId, row: &InstanceRow<'_>) -> Result<i64, IndexError> {
        let patient_id = text(row.header, PATIENT_ID);
        let label = Label {
            modality: text(row.header, MODALITY),
            institution: text(row.header, INSTITUTION_NAME),
            department: text(row.header, INSTITUTIONAL_DEPARTMENT_NAME),
            sop_class: row.sop_class.as_str().to_owned(),
            patient_id: (patient_id != study.patient_id).then_some(patient_id),
            referring: row.header.texts(REFERRING_PHYSICIAN_NAME).join("\\"),
            reading: row.header.texts(NAME_OF_PHYSICIANS_READING_STUDY).join("\\"),
        };
        if let Some(known) = self.known.labels.get(&label) {
            return Ok(*known);
        }
        let found = self.id(
            "SELECT id FROM label WHERE modality = $1 AND institution = $2 AND department = $3 AND sop_class = $4
               AND patient_id IS NOT DISTINCT FROM $5 AND referring = $6 AND reading = $7",
            label.cells(),
        )?;
        let id = match found {
            Some(id) => id,
            None => self.new_label(&label)?,
        };
        self.known.labels.insert(label, id);
        Ok(id)
    }

    fn new_label(&mut self, label: &Label) -> Result<i64, IndexError> {
        self.run(
            "INSERT INTO label (modality, institution, department, sop_class, patient_id, referring, reading)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            label.cells(),
        )?;
        let id = self.transaction.last_insert_rowid();
        for (kind, names) in [("referring", &label.referring), ("reading", &label.reading)] {
            let names: Vec<String> = names.split('\\').map(str::to_owned).collect();
            for form in scope::forms_of(&names) {
                self.run("INSERT INTO label_name (form, kind, label) VALUES ($1, $2, $3)", params![form, kind, id])?;
            }
        }
        Ok(id)
    }

    /// Inserts a row of that level: the cells given and those of the level's attributes.
    pub(super) fn insert(
        &mut self,
        level: Level,
        mut cells: Vec<(&'static str, Cell)>,
        row: &InstanceRow<'_>,
    ) -> Result<i64, IndexError> {
        cells.extend(self.cells(level, row.header)?);
        for (column, uid) in [
            ("study_instance_uid", row.study.as_str()),
            ("series_instance_uid", row.series.as_str()),
            ("sop_instance_uid", row.sop_instance.as_str()),
            ("sop_class_uid", row.sop_class.as_str()),
        ] {
            // The identifiers of the record hold, not what the header says of them.
            if let Some((_, cell)) = cells.iter_mut().find(|(name, _)| *name == column) {
                *cell = Cell::Text(uid.to_owned());
            }
        }
        cells.push(("attributes", Cell::Text(column::encode(level, row.header))));
        let table = table(level);
        let names: Vec<&str> = cells.iter().map(|(name, _)| *name).collect();
        let parameters: Vec<String> = (1..=cells.len()).map(|n| format!("${n}")).collect();
        let sql = format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), parameters.join(", "));
        self.transaction.prepare_cached(&sql)?.execute(params_from_iter(cells.into_iter().map(|(_, cell)| cell)))?;
        Ok(self.transaction.last_insert_rowid())
    }

    /// What the level's columns hold of a header; names enter the dictionary.
    fn cells(&mut self, level: Level, header: &DataSet) -> Result<Vec<(&'static str, Cell)>, IndexError> {
        column::columns(level)
            .map(|attribute| {
                let cell = match column::searched(attribute, header) {
                    Searched::Cell(cell) => cell,
                    Searched::Name(raw) => self.name(&raw)?.into(),
                };
                Ok((attribute.column, cell))
            })
            .collect()
    }
}

/// The table of a level.
pub(in crate::index) fn table(level: Level) -> &'static str {
    match level {
        Level::Patient => "patient",
        Level::Study => "study",
        Level::Series => "series",
        Level::Instance => "instance",
    }
}

/// The first value without padding, empty when there is none.
fn text(header: &DataSet, tag: Tag) -> String {
    header.text(tag).unwrap_or_default().trim_matches([' ', '\0']).to_owned()
}
