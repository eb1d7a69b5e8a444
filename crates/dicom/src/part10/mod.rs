//! DICOM files, PS3.10 §7.1: the preamble and the file meta information around a data set.
//!
//! Deliberately absent: files; bytes come and go as slices.

mod read;
mod write;

pub use read::{Part10Reader, split};
pub use write::write_file_meta;

use crate::{TransferSyntax, Uid};

/// Implementation Class UID (0002,0012) of this product, under the UUID root.
pub const IMPLEMENTATION_CLASS_UID: &str = "2.25.331009666857458643419210416310126350949";

/// Implementation Version Name (0002,0013).
pub const IMPLEMENTATION_VERSION_NAME: &str = concat!("LEADGLASS_", env!("CARGO_PKG_VERSION"));

/// What a file says of itself before its data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMeta {
    /// Transfer Syntax UID (0002,0010).
    pub transfer_syntax: TransferSyntax,
    /// Media Storage SOP Class UID (0002,0002), when it is a UID.
    pub sop_class: Option<Uid>,
    /// Media Storage SOP Instance UID (0002,0003), when it is a UID.
    pub sop_instance: Option<Uid>,
    /// Bytes from the start of the file to the data set.
    pub data_set_offset: u64,
}

/// Why bytes are no DICOM file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Part10Error {
    /// Neither preamble and prefix nor anything that looks like a data set.
    #[error("not a DICOM file")]
    NotDicom,
    /// The file ends inside the file meta information.
    #[error("the file ends inside its file meta information")]
    Truncated,
    /// The file meta information cannot be parsed.
    #[error("the file meta information is malformed")]
    Malformed,
    /// Larger than any file meta information has to be ([`FILE_META_BYTES`], or the bound
    /// given to [`Part10Reader::of_at_most`]).
    #[error("the file meta information is too large")]
    TooLarge,
    /// No Transfer Syntax UID, or one that is no UID.
    #[error("the file meta information names no transfer syntax")]
    NoTransferSyntax,
}

/// File meta information larger than this is refused where no other bound is given.
pub const FILE_META_BYTES: usize = 64 * 1024;
