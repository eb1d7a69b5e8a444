//! `[dicomweb]`: bounds and defaults of the DICOMweb services.

use super::section::section;

section! {
    /// DICOMweb (PS3.18): bounds and defaults.
    pub struct DicomWeb {
        /// Rows of a search without `limit`.
        pub default_limit: u64 = 100,
        /// Rows of a search at most, whatever `limit` says.
        pub max_limit: u64 = 10_000,
        /// Bytes of the head of a part in a multipart body.
        pub part_header_bytes: usize = 16 << 10,
        /// Parts of a multipart body.
        pub parts: u64 = 100_000,
        /// Bytes of a JSON or XML metadata part of a store.
        pub metadata_bytes: usize = 64 << 20,
        /// Frame numbers in one request.
        pub frames: usize = 10_000,
    }
}
