//! Items within A-ASSOCIATE PDUs: type, reserved byte, two bytes of length, value (PS3.8 §9.3.2).

use leadglass_dicom::Uid;

use super::Fault;
use crate::association::AssociationError;

/// Most items, and most sub-items of one item, that are read.
pub const MAX_ITEMS: usize = 1024;

/// Walks over items; a length that leaves the bytes is a fault, and so are too many items.
pub(super) struct Items<'a> {
    rest: &'a [u8],
    count: usize,
}

impl<'a> Items<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Items<'a> {
        Items { rest: bytes, count: 0 }
    }

    /// The next item's type and value.
    pub(super) fn next(&mut self) -> Result<Option<(u8, &'a [u8])>, Fault> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        if self.count == MAX_ITEMS {
            return Err(Fault::invalid("too many items in an A-ASSOCIATE PDU"));
        }
        self.count += 1;
        let lie = Fault::invalid("an item of an A-ASSOCIATE PDU is longer than what holds it");
        let ([kind, _, high, low], rest) = self.rest.split_first_chunk::<4>().ok_or(lie)?;
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (value, rest) = rest.split_at_checked(length).ok_or(lie)?;
        self.rest = rest;
        Ok(Some((*kind, value)))
    }
}

/// A field preceded by its length in two bytes, and what follows it.
pub(super) fn counted(bytes: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    let lie = Fault::invalid("a field of an A-ASSOCIATE item is longer than the item");
    let (length, rest) = bytes.split_first_chunk::<2>().ok_or(lie)?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(lie)
}

/// A UID in an item.
pub(super) fn uid(bytes: &[u8]) -> Result<Uid, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|_| NO_UID)?;
    Uid::parse(text).map_err(|_| NO_UID)
}

const NO_UID: Fault = Fault::invalid("an item of an A-ASSOCIATE PDU that should be a UID is none");

/// Appends an item whose value `fill` appends.
pub(super) fn put_item(
    out: &mut Vec<u8>,
    kind: u8,
    fill: impl FnOnce(&mut Vec<u8>) -> Result<(), AssociationError>,
) -> Result<(), AssociationError> {
    out.extend([kind, 0]);
    put_counted_by(out, fill)
}

/// Appends a field preceded by its length.
pub(super) fn put_counted(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), AssociationError> {
    put_counted_by(out, |out| {
        out.extend_from_slice(bytes);
        Ok(())
    })
}

fn put_counted_by(
    out: &mut Vec<u8>,
    fill: impl FnOnce(&mut Vec<u8>) -> Result<(), AssociationError>,
) -> Result<(), AssociationError> {
    let at = out.len();
    out.extend([0, 0]);
    fill(out)?;
    let length = u16::try_from(out.len() - at - 2)
        .map_err(|_| AssociationError::Misuse("what is to be negotiated does not fit into an item"))?;
    if let Some(field) = out.get_mut(at..at + 2) {
        field.copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}
