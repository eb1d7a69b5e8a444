//! Counts, sizes and states, for metrics and health.

use crate::access::requests;
use crate::administer::{CertificateEnds, LegacyCounts};
use crate::index::Counts;
use crate::{Archive, Caller, Refused, blocking, index_failed};

/// How much is stored, and how the archive is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// How much is indexed.
    pub counts: Counts,
    /// Sequence number of the log's last record.
    pub last_sequence: u64,
    /// Sequence number up to which the index has applied the log.
    pub applied_sequence: u64,
    /// How many peers' certificates end soon.
    pub certificates: CertificateEnds,
    /// How many may store in clear text.
    pub legacy: LegacyCounts,
    /// Unknown senders of whom something waits for approval.
    pub held_senders: u64,
    /// Leaves covered by the newest signed checkpoint.
    pub checkpoint_size: u64,
    /// Free bytes on the data directory's file system.
    pub free_bytes: u64,
    /// Free bytes below which stores are refused.
    pub reserve_bytes: u64,
    /// Why nothing can be written, when that is so.
    pub read_only: Option<String>,
}

impl Archive {
    /// Counts, sizes and states.
    ///
    /// # Errors
    /// Only those of every operation, and a broken index.
    pub async fn statistics(&self, caller: &Caller) -> Result<Statistics, Refused> {
        self.perform(caller, requests::ReadStatistics, async |_| {
            let (inner, certificates, legacy) = (self.inner.clone(), self.certificate_ends(), self.legacy_counts());
            blocking(move || {
                let log = &inner.log;
                Ok(Statistics {
                    counts: inner.index.counts().map_err(|error| index_failed(&error))?,
                    last_sequence: log.last_sequence(),
                    applied_sequence: inner.index.applied(),
                    certificates,
                    legacy,
                    held_senders: inner.held.senders(),
                    checkpoint_size: log.last_checkpoint().map_or(0, |checkpoint| checkpoint.size),
                    free_bytes: free_bytes(&inner.settings.data_dir),
                    reserve_bytes: inner.settings.reserve_bytes,
                    read_only: inner.committer.read_only(),
                })
            })
            .await?
        })
        .await
    }

    /// Why nothing can be written at present, when that is so: for readiness probes. It
    /// says nothing of what is stored, so nobody has to be known for it.
    pub fn read_only(&self) -> Option<String> {
        self.inner.committer.read_only()
    }

    /// Whether a store could begin now.
    pub(crate) fn has_room(&self) -> Result<(), Refused> {
        if let Some(reason) = self.read_only() {
            return Err(Refused::ReadOnly(reason));
        }
        match self.inner.log.has_room(0) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Refused::OutOfResources("the disk is full but its reserve".into())),
            Err(error) => Err(Refused::Broken(error.to_string())),
        }
    }
}

/// Free bytes for us on the file system of that directory; 0 when it does not say.
fn free_bytes(data_dir: &std::path::Path) -> u64 {
    rustix::fs::statvfs(data_dir).map_or(0, |fs| fs.f_bavail.saturating_mul(fs.f_frsize))
}
