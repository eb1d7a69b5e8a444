//! Bounds on what one HTTPS request may take, in one place to be named in configuration.

use std::time::Duration;

/// Bounds of the HTTPS doors. Each says what happens beyond it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebLimits {
    /// Requests under way at once; beyond it 503 with `Retry-After`.
    pub requests: usize,
    /// Requests under way at once for one caller; beyond it 429 with `Retry-After`.
    pub requests_per_caller: usize,
    /// Longest wait for the next bytes of a request's body; beyond it 408.
    pub body_idle: Duration,
    /// Bytes of a JSON body of the administration; beyond it 413.
    pub admin_body_bytes: usize,
    /// Parts of a multipart request; beyond it 400.
    pub parts: usize,
    /// Bytes of the headers of one part; beyond it 400.
    pub part_header_bytes: usize,
    /// Bytes of Part 10 preamble and file meta information; beyond it the part is refused.
    pub file_meta_bytes: usize,
    /// Bytes of the metadata part of a store request with metadata and bulk data; beyond it 413.
    pub metadata_bytes: usize,
    /// Bytes of bulk data held until their instance is complete; beyond it 413.
    pub held_bulk_bytes: usize,
    /// Objects of one request being made durable while the next is read.
    pub stores_in_flight: usize,
    /// Rows of the answer to a search without `limit`, when there are more.
    pub default_results: u64,
    /// Rows of one answer to a search; beyond it the answer is cut and says so.
    pub results: u64,
    /// Frames of one request; beyond it 400.
    pub frames: usize,
    /// Bytes of compressed metadata answers kept in memory.
    pub metadata_cache_bytes: usize,
}

impl Default for WebLimits {
    fn default() -> WebLimits {
        WebLimits {
            requests: 256,
            requests_per_caller: 64,
            body_idle: Duration::from_secs(60),
            admin_body_bytes: 64 << 10,
            parts: 20_000,
            part_header_bytes: 16 << 10,
            file_meta_bytes: 64 << 10,
            metadata_bytes: 32 << 20,
            held_bulk_bytes: 64 << 20,
            stores_in_flight: 8,
            default_results: 5_000,
            results: 5_000,
            frames: 10_000,
            metadata_cache_bytes: 16 << 20,
        }
    }
}
