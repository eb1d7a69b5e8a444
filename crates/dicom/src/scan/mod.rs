//! The first and only walk over a data set's bytes from outside.
//!
//! One pass, iterative, pushed piece by piece: it checks every length against the bytes that
//! exist, decodes the header, leaves large values where they are and finds the frames.
//! Deliberately absent: recursion, allocation by declared length, pixels.

mod error;
mod identity;
mod limits;
mod pixel;

pub use error::{Fault, ScanError};
pub use identity::Identity;
pub use limits::Limits;
pub use pixel::{Fragment, FrameLocation, PixelDataKind, PixelDataLayout};

use crate::{DataSet, TransferSyntax, VR};

/// Scans one data set that arrives in pieces.
pub struct Scanner {}

/// What a scan found.
#[derive(Clone, Debug)]
pub struct Scanned {
    /// The header: every element, large values as [`crate::Bulk::InDataSet`].
    pub data_set: DataSet,
    /// Who the instance is; none only of a scan [`Scanner::of_any_data_set`].
    pub identity: Option<Identity>,
    /// The frame table, when there is top-level Pixel Data (also Float and Double Float).
    pub pixel_data: Option<PixelDataLayout>,
    /// All values left in place, in the order of the data set.
    pub bulk: Vec<BulkValue>,
    /// Bytes of the data set, after inflating when it is deflated.
    pub data_set_bytes: u64,
}

/// A value left in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkValue {
    /// `7FE00010`, or inside sequences `tag/item/tag…`, items counted from 0.
    pub path: String,
    /// Its value representation.
    pub vr: VR,
    /// Bytes from the start of the (inflated) data set.
    pub offset: u64,
    /// Bytes of the value field; see [`crate::Bulk::InDataSet`] for encapsulated Pixel Data.
    pub length: u64,
}

/// Scans an instance's data set that is in memory whole.
pub fn scan(bytes: &[u8], transfer_syntax: &TransferSyntax, limits: &Limits) -> Result<Scanned, ScanError> {
    let mut scanner = Scanner::new(transfer_syntax, limits.clone());
    scanner.push(bytes)?;
    scanner.finish()
}

impl Scanner {
    /// For a composite instance: its identity is demanded.
    pub fn new(_transfer_syntax: &TransferSyntax, _limits: Limits) -> Scanner {
        todo!()
    }

    /// For an identifier, a command set or anything else that need not be an instance.
    pub fn of_any_data_set(_transfer_syntax: &TransferSyntax, _limits: Limits) -> Scanner {
        todo!()
    }

    /// Takes the next bytes. After an error every further call fails.
    pub fn push(&mut self, _bytes: &[u8]) -> Result<(), ScanError> {
        todo!()
    }

    /// Who the instance is, from the moment the walk has passed group 0020.
    pub fn identity(&self) -> Option<&Identity> {
        todo!()
    }

    /// The bytes have ended.
    pub fn finish(self) -> Result<Scanned, ScanError> {
        todo!()
    }
}
