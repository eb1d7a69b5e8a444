//! The visitor that writes what the walk meets in another encoding.

use crate::scan::Fault;
use crate::scan::header::{self, Header, ITEM, ITEM_DELIMITER, SEQUENCE_DELIMITER, UNDEFINED};
use crate::scan::value::unit;
use crate::scan::walk::{Take, Visitor};
use crate::{Encoding, Tag, VR};

/// Writes in one encoding what comes in any.
pub(crate) struct Rewriter {
    to: Encoding,
    out: Vec<u8>,
    /// Bytes of a unit to be turned around that has not arrived whole.
    partial: Vec<u8>,
}

impl Rewriter {
    pub(crate) fn new(to: Encoding) -> Rewriter {
        Rewriter { to, out: Vec::new(), partial: Vec::with_capacity(8) }
    }

    /// What has been written since the last [`Rewriter::forget_written`].
    pub(crate) fn written(&self) -> &[u8] {
        &self.out
    }

    /// The same, to be changed in place.
    pub(crate) fn written_mut(&mut self) -> &mut [u8] {
        &mut self.out
    }

    pub(crate) fn into_written(self) -> Vec<u8> {
        self.out
    }

    pub(crate) fn forget_written(&mut self) {
        self.out.clear();
    }

    /// Appends bytes that are in the encoding already.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Appends the header of an element, an item or a delimiter.
    pub(crate) fn header(&mut self, tag: Tag, vr: VR, length: u32) {
        header::write(&mut self.out, tag, vr, length, self.to);
    }

    fn unit(&self, header: &Header) -> usize {
        let is_big = |encoding| encoding == Encoding::ExplicitBigEndian;
        // What does not fit the short form is written as UN, which is little endian.
        let becomes_un = !header::is_long_form(header.vr) && header.length > u32::from(u16::MAX);
        let to_big = is_big(self.to) && !becomes_un;
        if is_big(header.encoding) == to_big { 1 } else { unit(header.vr) }
    }
}

impl Visitor for Rewriter {
    fn element(&mut self, header: &Header) -> Result<Take, Fault> {
        let is_group_length = header.tag.element() == 0 && header.length == 4;
        if is_group_length {
            return Ok(Take::Skip);
        }
        self.header(header.tag, header.vr, header.length);
        Ok(Take::Pieces)
    }

    fn whole(&mut self, header: &Header, value: &[u8]) -> Result<(), Fault> {
        self.piece(header, value, true)
    }

    fn piece(&mut self, header: &Header, mut bytes: &[u8], last: bool) -> Result<(), Fault> {
        let unit = self.unit(header);
        if unit == 1 {
            self.out.extend_from_slice(bytes);
            return Ok(());
        }
        if !self.partial.is_empty() {
            let (missing, rest) = bytes.split_at((unit - self.partial.len()).min(bytes.len()));
            self.partial.extend_from_slice(missing);
            bytes = rest;
            if self.partial.len() == unit {
                self.out.extend(self.partial.drain(..).rev());
            }
        }
        let whole = bytes.len() - bytes.len() % unit;
        let (units, rest) = bytes.split_at(whole);
        for unit in units.chunks_exact(unit) {
            self.out.extend(unit.iter().rev());
        }
        self.partial.extend_from_slice(rest);
        if last {
            // A value that does not divide into units: the rest is nobody's number.
            self.out.append(&mut self.partial);
        }
        Ok(())
    }

    fn sequence(&mut self, header: &Header) -> Result<(), Fault> {
        self.header(header.tag, VR::SQ, UNDEFINED);
        Ok(())
    }

    fn item(&mut self) -> Result<(), Fault> {
        self.header(ITEM, VR::UN, UNDEFINED);
        Ok(())
    }

    fn item_end(&mut self) -> Result<(), Fault> {
        self.header(ITEM_DELIMITER, VR::UN, 0);
        Ok(())
    }

    fn sequence_end(&mut self) -> Result<(), Fault> {
        self.header(SEQUENCE_DELIMITER, VR::UN, 0);
        Ok(())
    }

    fn fragments(&mut self, header: &Header) -> Result<(), Fault> {
        // Only encapsulated syntaxes have fragments, and those are not converted.
        Err(Fault::UndefinedLength(header.tag))
    }

    fn fragment(&mut self, _header: &Header) -> Result<Take, Fault> {
        Ok(Take::Skip)
    }

    fn fragments_end(&mut self, _offset: u64) -> Result<(), Fault> {
        Ok(())
    }
}
