//! Checks a bundle of the audit trail: was every entry in the log that was signed, unaltered?
//!
//! Everything is checked from the bundle alone, by code of its own that shares nothing with the
//! archive: the signature of the checkpoint (C2SP signed note, Ed25519), each record's leaf and
//! audit path (RFC 6962, RFC 9162), each sealed part against its digest, and what the part holds,
//! opened with its one key, against the entry as shown. An older checkpoint, kept elsewhere,
//! shows whether the log was cut short or put back since. Deliberately absent: network, keys of
//! the archive, and any trust in what the bundle says of itself: name the key you know.

mod bundle;
mod merkle;
mod note;
mod record;

pub use bundle::{Checked, Wrong, check};
pub use merkle::{verify_consistency, verify_inclusion};
pub use note::{Checkpoint, Verifier};
