//! How the sub-operations of a retrieval stand, PS3.4 C.4.2.1.6 to C.4.2.1.8.

use leadglass_archive::retrieve::StoredInstance;
use leadglass_dicom::charset::SpecificCharacterSet;
use leadglass_dicom::{DataSet, Tag, Uid, VR, Value};
use leadglass_dimse::message::SubOperations;
use leadglass_dimse::status::Status;

use super::sub_operation::Outcome;
use crate::scp::identifier;

const FAILED_SOP_INSTANCE_UID_LIST: Tag = Tag(0x0008, 0x0058);

/// Counts, and what failed.
pub struct Progress {
    counts: SubOperations,
    failed: Vec<String>,
    cancelled: bool,
}

impl Progress {
    /// So many to do.
    pub fn of(instances: usize) -> Progress {
        let remaining = Some(u32::try_from(instances).unwrap_or(u32::MAX));
        let counts = SubOperations { remaining, ..SubOperations::default() };
        Progress { counts, failed: Vec::new(), cancelled: false }
    }

    /// One more is done.
    pub fn note(&mut self, outcome: Outcome, instance: &StoredInstance) {
        self.counts.remaining = self.counts.remaining.map(|remaining| remaining.saturating_sub(1));
        match outcome {
            Outcome::Completed => self.counts.completed += 1,
            Outcome::Warning => self.counts.warning += 1,
            Outcome::Failed => {
                self.counts.failed += 1;
                self.failed.push(instance.sop_instance.as_str().to_owned());
            }
        }
    }

    /// The peer has cancelled.
    pub fn cancel(&mut self) {
        self.cancelled = true;
    }

    /// Whether the peer has cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled
    }

    /// Whether none remains.
    pub fn is_done(&self) -> bool {
        self.counts.remaining == Some(0)
    }

    /// For a pending response.
    pub fn counts(&self) -> SubOperations {
        self.counts
    }

    /// For the final response: what remains is said only after a cancel.
    pub fn final_counts(&self) -> SubOperations {
        let remaining = self.counts.remaining.filter(|_| self.cancelled);
        SubOperations { remaining, ..self.counts }
    }

    /// The final status.
    pub fn status(&self) -> Status {
        let SubOperations { completed, failed, warning, .. } = self.counts;
        match () {
            () if self.cancelled => Status::CANCEL,
            () if failed == 0 && warning == 0 => Status::SUCCESS,
            () if completed == 0 && warning == 0 => Status::OUT_OF_RESOURCES_SUBOPERATIONS,
            () => Status::SUBOPS_WARNING,
        }
    }

    /// The final response's data set, when something failed.
    pub fn failed_list(&self, transfer_syntax: &Uid) -> Option<Vec<u8>> {
        if self.failed.is_empty() {
            return None;
        }
        let mut data_set = DataSet::new();
        data_set.put(FAILED_SOP_INSTANCE_UID_LIST, VR::UI, Value::Text(self.failed.clone()));
        // In explicit VR a list longer than 64 KiB cannot be written: the counts then stand alone.
        identifier::write(&data_set, transfer_syntax, &SpecificCharacterSet::default()).ok()
    }
}
