//! The first and only walk over a data set's bytes from outside.
//!
//! One pass, iterative, pushed piece by piece: it checks every length against the bytes that
//! exist, decodes the header, leaves large values where they are and finds the frames.
//! Deliberately absent: recursion, allocation by declared length, pixels.

mod build;
mod error;
mod frames;
pub(crate) mod header;
mod identity;
pub(crate) mod inflate;
mod limits;
mod pixel;
mod pixel_bytes;
pub(crate) mod value;
mod vr;
pub(crate) mod walk;

pub use error::{Fault, ScanError};
pub use identity::Identity;
pub use limits::Limits;
pub use pixel::{Fragment, FrameLocation, PixelDataKind, PixelDataLayout};

use crate::{DataSet, Tag, TransferSyntax, VR};
use build::Builder;
use inflate::Inflater;
use walk::Walk;

/// Scans one data set that arrives in pieces.
pub struct Scanner {
    walk: Walk,
    builder: Builder,
    inflater: Option<Inflater>,
    failed: Option<ScanError>,
}

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
    pub fn new(transfer_syntax: &TransferSyntax, limits: Limits) -> Scanner {
        Scanner::start(transfer_syntax, limits, true)
    }

    /// For an identifier, a command set or anything else that need not be an instance.
    pub fn of_any_data_set(transfer_syntax: &TransferSyntax, limits: Limits) -> Scanner {
        Scanner::start(transfer_syntax, limits, false)
    }

    fn start(transfer_syntax: &TransferSyntax, limits: Limits, is_instance: bool) -> Scanner {
        Scanner {
            walk: Walk::new(transfer_syntax.encoding(), &limits),
            inflater: transfer_syntax.is_deflated().then(|| Inflater::new(&limits)),
            builder: Builder::new(limits, is_instance),
            failed: None,
        }
    }

    /// Takes the next bytes. After an error every further call fails with the same.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), ScanError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let Scanner { walk, builder, inflater, .. } = self;
        let outcome = match inflater {
            None => walk.push(bytes, builder),
            Some(inflater) => inflater.push(bytes, |piece| walk.push(piece, builder)),
        };
        if let Err(error) = &outcome {
            self.failed = Some(error.clone());
        }
        outcome
    }

    /// Who the instance is, from the moment the walk has passed group 0020.
    pub fn identity(&self) -> Option<&Identity> {
        self.builder.identity.as_ref()
    }

    /// The first text of an element of the top level, as far as the walk has come.
    pub fn text(&self, tag: Tag) -> Option<&str> {
        self.builder.text(tag)
    }

    /// Memory that the header takes so far, about, in bytes; what [`Limits::header_bytes`] limits.
    pub fn header_bytes(&self) -> u64 {
        self.builder.cost
    }

    /// The bytes have ended.
    pub fn finish(mut self) -> Result<Scanned, ScanError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if let Some(inflater) = &self.inflater {
            inflater.finish()?;
        }
        self.walk.finish()?;
        let offset = self.walk.position();
        let data_set = self.builder.finish().map_err(|fault| ScanError { offset, fault })?;
        let Builder { bulk, pixel_field, extended_offsets, identity, .. } = self.builder;
        let pixel_data = pixel_field.map(|field| frames::layout(field, &data_set, &extended_offsets));
        Ok(Scanned { data_set, identity, pixel_data, bulk, data_set_bytes: offset })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tag;

    /// What a scan in pieces of each size says, which must be one thing.
    fn refused(bytes: &[u8]) -> ScanError {
        let syntax = TransferSyntax::explicit_little_endian();
        let whole = scan(bytes, &syntax, &Limits::default()).unwrap_err();
        for piece in 1..bytes.len() {
            let mut scanner = Scanner::new(&syntax, Limits::default());
            let outcome = bytes.chunks(piece).try_for_each(|piece| scanner.push(piece));
            assert_eq!(outcome.and_then(|()| scanner.finish()).unwrap_err(), whole, "in pieces of {piece}");
        }
        whole
    }

    #[test]
    fn an_error_names_the_header_it_is_in_however_the_bytes_are_cut() {
        let bytes = b"\x08\0\x60\0CS\x02\0CT\x10\0\x10\0\x01\x02\x02\0\0\0A ";
        assert_eq!(refused(bytes), ScanError { offset: 10, fault: Fault::BadVr(Tag(0x0010, 0x0010)) });
    }

    #[test]
    fn an_error_names_the_value_it_is_in_however_the_bytes_are_cut() {
        let bytes = b"\x20\0\x0D\0UI\x04\x001.2\0\x20\0\x0D\0UI\x04\x001.3\0";
        assert_eq!(refused(bytes), ScanError { offset: 20, fault: Fault::Duplicate(Tag(0x0020, 0x000D)) });
    }
}
