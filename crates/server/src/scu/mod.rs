//! Leadglass as service class user: what the commands send, query and fetch with.
//!
//! Over mutual TLS only, and believing one authority. Deliberately absent: the archive; a
//! command here is as much a stranger to it as any modality.

pub mod connect;
pub mod fetch;
pub mod file;
pub mod query;
pub mod send;

pub use connect::{Peering, Scu};
pub use file::DicomFile;
