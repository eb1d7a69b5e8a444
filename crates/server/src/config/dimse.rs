//! `[dimse]`: the DICOM door.

use std::time::Duration;

use super::legacy::Legacy;
use super::section::section;
use super::unknown_senders::UnknownSenders;

section! {
    /// The DICOM door: who may associate is not configured here but enrolled with
    /// `leadglass peer add` (certificate, AE title, verbs).
    pub struct Dimse {
        /// Our AE title. Empty: one is made at first start and kept (`leadglass doctor`
        /// shows it), as no title is the same everywhere.
        pub ae_title: String = String::new(),
        /// Private Storage SOP classes that are accepted beside the standard ones.
        pub private_storage_sop_classes: Vec<String> = Vec::new(),
        /// Associations open at once with one peer (certificate and AE title), or with one certificate that is nobody's.
        pub associations_per_peer: u32 = 256,
        /// Storage commitment requests of one peer whose report it has not answered and that
        /// were not given up; further ones are refused (0x0213).
        pub commitments_per_peer: u32 = 16,
        /// Bytes of the largest P-DATA PDU we receive, as we announce it.
        pub max_pdu_bytes: u32 = 256 << 10,
        /// Bytes of the largest A-ASSOCIATE-RQ.
        pub max_associate_bytes: u32 = 1 << 20,
        /// Bytes of the largest command set.
        pub max_command_bytes: u32 = 64 << 10,
        /// Seconds for the A-ASSOCIATE-RQ to arrive (ARTIM, PS3.8 9.1.5).
        pub associate_s: u64 = 30,
        /// Seconds of silence inside a message, or of the peer not taking our bytes.
        pub message_s: u64 = 60,
        /// Seconds of silence between messages.
        pub idle_s: u64 = 600,
        /// Seconds to connect to a C-MOVE destination.
        pub connect_s: u64 = 10,
        /// Seconds between attempts to deliver a storage commitment report over an
        /// association of our own.
        pub commitment_retry_s: u64 = 60,
        /// How often a storage commitment report is tried before it is given up.
        pub commitment_attempts: u32 = 10,
        /// A section of its own, see there.
        pub unknown_senders: UnknownSenders = UnknownSenders::default(),
        /// Where legacy peers are listened to: a section of its own.
        pub legacy: Legacy = Legacy::default(),
    }
}

impl Dimse {
    /// The association's limits as the protocol crate knows them.
    pub fn limits(&self) -> leadglass_dimse::Limits {
        leadglass_dimse::Limits {
            max_pdu_bytes: self.max_pdu_bytes,
            max_associate_bytes: self.max_associate_bytes,
            max_command_bytes: self.max_command_bytes,
            associate_timeout: Duration::from_secs(self.associate_s),
            message_timeout: Duration::from_secs(self.message_s),
            idle_timeout: Duration::from_secs(self.idle_s),
        }
    }
}
