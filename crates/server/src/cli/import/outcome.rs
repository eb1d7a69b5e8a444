//! What became of the files of an import.

use comfy_table::Table;
use serde::Serialize;

/// Rows of the table for people; the report file has them all.
const ROWS: usize = 50;

/// What became of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The archive has it now.
    Stored {
        /// Bytes of its data set.
        bytes: u64,
    },
    /// The archive had it, these very bytes.
    AlreadyThere,
    /// It is no DICOM instance: a viewer's program, a text, a directory of media.
    NotDicom,
    /// It could not be read, or the archive does not take it.
    Refused(String),
}

/// The outcomes together.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Files stored.
    pub stored: u64,
    /// Bytes of their data sets.
    pub bytes: u64,
    /// Files that the archive had, with the same bytes.
    pub already_there: u64,
    /// Files that are no DICOM instances.
    pub skipped: u64,
    /// Files refused.
    pub refused: Vec<Refusal>,
    /// How long it took.
    pub seconds: f64,
}

/// A file refused.
#[derive(Debug, Serialize)]
pub struct Refusal {
    /// Which: a path, and for a file in a zip file its name there.
    pub source: String,
    /// Why.
    pub reason: String,
}

impl Report {
    /// Adds an outcome.
    pub fn add(&mut self, source: String, outcome: Outcome) {
        match outcome {
            Outcome::Stored { bytes } => {
                self.stored += 1;
                self.bytes += bytes;
            }
            Outcome::AlreadyThere => self.already_there += 1,
            Outcome::NotDicom => self.skipped += 1,
            Outcome::Refused(reason) => self.refused.push(Refusal { source, reason }),
        }
    }

    /// A table of refusals and a line of figures.
    pub fn for_people(&self) -> String {
        let mut text = String::new();
        if !self.refused.is_empty() {
            let mut table = Table::new();
            table.set_header(["refused", "why"]);
            for refusal in self.refused.iter().take(ROWS) {
                table.add_row([&refusal.source, &refusal.reason]);
            }
            text = format!("{table}\n");
            if self.refused.len() > ROWS {
                text.push_str(&format!("and {} more: see --report FILE or --json\n", self.refused.len() - ROWS));
            }
        }
        let Report { stored, already_there, skipped, seconds, .. } = self;
        let (megabytes, refused) = (self.bytes as f64 / 1e6, self.refused.len());
        format!(
            "{text}{stored} stored ({megabytes:.1} MB) in {seconds:.1} s, {already_there} already there, \
             {refused} refused, {skipped} not DICOM instances"
        )
    }
}
