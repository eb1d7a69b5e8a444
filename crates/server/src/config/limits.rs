//! `[limits]`: bounds on what anyone may send, each with a name.

use super::section::section;

section! {
    /// Bounds on what anyone may send or hold open. None of them can be switched off.
    pub struct Limits {
        /// Open connections of each door, from everyone.
        pub connections: u32 = 2048,
        /// Open connections of each door from one address.
        pub connections_per_address: u32 = 1024,
        /// Seconds for a TLS handshake.
        pub tls_handshake_s: u64 = 10,
        /// Seconds that messages and requests in flight are given when the server stops.
        pub stop_s: u64 = 30,
        /// Bytes of the largest data set taken, through every door.
        pub data_set_bytes: u64 = 64 << 30,
        /// Bytes of the largest identifier (C-FIND, C-MOVE, C-GET) or action information
        /// (N-ACTION).
        pub identifier_bytes: usize = 4 << 20,
        /// Seconds for the head of an HTTP request.
        pub http_header_s: u64 = 15,
        /// Bytes of the head of an HTTP request.
        pub http_header_bytes: usize = 64 << 10,
        /// Header fields of an HTTP request.
        pub http_headers: usize = 100,
        /// Seconds without a byte of an HTTP request's body, or without the other end taking
        /// a byte of the response.
        pub http_body_idle_s: u64 = 60,
        /// Streams open at once on an HTTP/2 connection.
        pub http2_streams: u32 = 100,
    }
}
