//! DICOMweb and administration, asked as a client asks: the router over an archive of its
//! own. One file for each thing that can be asked.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod administration;
mod errors;
mod frames;
mod metadata;
mod negotiation;
mod people;
mod retrieve;
mod routes;
mod search;
mod server;
mod store;
