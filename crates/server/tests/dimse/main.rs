//! The DICOM door from outside: our own service users against a whole archive.

mod harness;

mod admission;
mod c_find;
mod c_move_and_get;
mod c_store;
mod storage_commitment;
