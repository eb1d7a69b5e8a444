//! `[dicomweb]`: bounds and defaults of the HTTP services.

use std::time::Duration;

use super::Limits;
use super::section::section;
use crate::web::WebLimits;

section! {
    /// DICOMweb (PS3.18) and administration: bounds and defaults.
    pub struct DicomWeb {
        /// Requests under way at once; beyond them 503 with `Retry-After`.
        pub requests: usize = 256,
        /// Requests under way at once for one caller; beyond them 429 with `Retry-After`.
        pub requests_per_caller: usize = 64,
        /// Rows of the answer to a search without `limit`, when there are more.
        pub default_results: u64 = 5_000,
        /// Rows of one answer to a search; beyond them the answer is cut and says so.
        pub results: u64 = 5_000,
        /// Frames of one request.
        pub frames: usize = 10_000,
        /// Parts of a multipart request.
        pub parts: usize = 20_000,
        /// Bytes of the head of one part.
        pub part_header_bytes: usize = 16 << 10,
        /// Bytes of Part 10 preamble and file meta information.
        pub file_meta_bytes: usize = 64 << 10,
        /// Bytes of the metadata part of a store with metadata and bulk data.
        pub metadata_bytes: usize = 32 << 20,
        /// Bytes of bulk data held until their instance is complete.
        pub held_bulk_bytes: usize = 64 << 20,
        /// Objects of one store request made durable while the next is read.
        pub stores_in_flight: usize = 8,
        /// Bytes of compressed metadata answers kept in memory.
        pub metadata_cache_bytes: usize = 16 << 20,
        /// Bytes of a JSON body of the administration.
        pub admin_body_bytes: usize = 64 << 10,
    }
}

impl DicomWeb {
    /// The limits as the HTTP services know them.
    pub fn limits(&self, limits: &Limits) -> WebLimits {
        WebLimits {
            requests: self.requests,
            requests_per_caller: self.requests_per_caller,
            body_idle: Duration::from_secs(limits.http_body_idle_s),
            admin_body_bytes: self.admin_body_bytes,
            parts: self.parts,
            part_header_bytes: self.part_header_bytes,
            file_meta_bytes: self.file_meta_bytes,
            metadata_bytes: self.metadata_bytes,
            held_bulk_bytes: self.held_bulk_bytes,
            stores_in_flight: self.stores_in_flight,
            default_results: self.default_results,
            results: self.results,
            frames: self.frames,
            metadata_cache_bytes: self.metadata_cache_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_services() {
        assert_eq!(DicomWeb::default().limits(&Limits::default()), WebLimits::default());
    }
}
