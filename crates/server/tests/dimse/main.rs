//! The DICOM door from outside: our own service users against a whole archive.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod harness;
mod legacy;

mod admission;
mod c_find;
mod c_move_and_get;
mod c_store;
mod crowd;
mod enrolment;
mod storage_commitment;
