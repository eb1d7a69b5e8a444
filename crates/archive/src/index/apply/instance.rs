//! An instance comes in.

use std::collections::HashMap;

use leadglass_dicom::attribute::Level;
use rusqlite::params;
use rusqlite::types::Value as Cell;

use super::Batch;
use crate::index::engine::signed;
use crate::index::{IndexError, InstanceRow};

/// Instances counted but not yet written: one update for all of a batch.
#[derive(Default)]
pub(super) struct Counts {
    /// By study and label.
    studies: HashMap<(i64, i64), i64>,
    /// By series and label.
    series_labels: HashMap<(i64, i64), i64>,
    /// By series: how many, and when the last came.
    series: HashMap<i64, (i64, i64)>,
}

impl Batch<'_> {
    pub(super) fn instance(&mut self, sequence: u64, row: &InstanceRow<'_>) -> Result<(), IndexError> {
        let known =
            self.id("SELECT id FROM instance WHERE sop_instance_uid = $1", params![row.sop_instance.as_str()])?;
        if known.is_some() {
            return Ok(());
        }
        let study = self.study(row)?;
        let series = self.series(study.id, row)?;
        let label = self.label(&study, row)?;
        let cells: Vec<(&'static str, Cell)> = vec![
            ("series", series.into()),
            ("label", label.into()),
            ("sequence", signed(sequence).into()),
            ("record_segment", signed(row.location.segment).into()),
            ("record_offset", signed(row.location.offset).into()),
            ("key_id", Cell::Blob(row.key_id.to_be_bytes().to_vec())),
            ("transfer_syntax", Cell::Text(row.transfer_syntax.uid().as_str().to_owned())),
            ("digest", Cell::Blob(row.digest.to_vec())),
            ("data_set_bytes", signed(row.data_set_bytes).into()),
            ("frames", i64::from(row.frames).into()),
            ("received_ns", row.received_ns.into()),
            ("calling_ae", row.calling_ae.as_ref().map(|ae| ae.as_str().to_owned()).into()),
        ];
        self.insert(Level::Instance, cells, row)?;
        *self.counts.studies.entry((study.id, label)).or_default() += 1;
        *self.counts.series_labels.entry((series, label)).or_default() += 1;
        let counted = self.counts.series.entry(series).or_insert((0, row.received_ns));
        *counted = (counted.0 + 1, counted.1.max(row.received_ns));
        Ok(())
    }

    /// Writes what was counted.
    pub(super) fn flush(&mut self) -> Result<(), IndexError> {
        let counts = std::mem::take(&mut self.counts);
        for ((study, label), instances) in counts.studies {
            self.run(
                "INSERT INTO study_label (study, label, instances) VALUES ($1, $2, $3)
                 ON CONFLICT (study, label) DO UPDATE SET instances = study_label.instances + excluded.instances",
                params![study, label, instances],
            )?;
        }
        for ((series, label), instances) in counts.series_labels {
            self.run(
                "INSERT INTO series_label (series, label, instances) VALUES ($1, $2, $3)
                 ON CONFLICT (series, label) DO UPDATE SET instances = series_label.instances + excluded.instances",
                params![series, label, instances],
            )?;
        }
        for (series, (instances, last)) in counts.series {
            self.run(
                "UPDATE series SET instances = instances + $1,
                     last_received_ns = CASE WHEN last_received_ns < $2 THEN $2 ELSE last_received_ns END
                 WHERE id = $3",
                params![instances, last, series],
            )?;
        }
        Ok(())
    }
}
