//! The nouns of DICOM and the bytes they are written in.
//!
//! What comes from outside passes [`scan`] first: one bounded, iterative walk.
//! Deliberately absent: files, sockets, clocks of the machine, tokio, anything that
//! decodes pixels. Nothing here allocates by a length that a peer declared.

pub mod ae_title;
pub mod attribute;
pub mod charset;
pub mod clock;
pub mod convert;
pub mod data_set;
pub mod datetime;
pub mod deidentify;
pub mod encode;
pub mod json;
pub mod part10;
pub mod person_name;
pub mod query;
pub mod scan;
pub mod transfer_syntax;
pub mod uid;
pub mod xml;

pub use ae_title::AeTitle;
pub use data_set::{Bulk, DataSet, Element, Tag, VR, Value};
pub use transfer_syntax::{Encoding, TransferSyntax};
pub use uid::{SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid, Uid};
