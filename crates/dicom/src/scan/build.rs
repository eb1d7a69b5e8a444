//! The visitor that makes a header of what the walk meets.

use std::sync::Arc;

use super::frames::PixelField;
use super::header::Header;
use super::identity::Identity;
use super::value::{count, decode, is_bytes};
use super::walk::{Take, Visitor};
use super::{BulkValue, Fault, Fragment, Limits};
use crate::charset::SpecificCharacterSet;
use crate::{Bulk, DataSet, Element, Tag, VR, Value};

/// Specific Character Set.
const SPECIFIC_CHARACTER_SET: Tag = Tag(0x0008, 0x0005);
/// Pixel Data, Float Pixel Data, Double Float Pixel Data.
const PIXEL_DATA: [Tag; 3] = [Tag(0x7FE0, 0x0010), Tag(0x7FE0, 0x0008), Tag(0x7FE0, 0x0009)];
/// Extended Offset Table.
const EXTENDED_OFFSET_TABLE: Tag = Tag(0x7FE0, 0x0001);
/// What an element costs beside its bytes, roughly.
const ELEMENT_COST: u64 = 96;
/// What each of several values costs beside its bytes, roughly.
const VALUE_COST: u64 = 32;

/// A header in the making.
pub(super) struct Builder {
    pub(super) bulk: Vec<BulkValue>,
    pub(super) pixel_field: Option<PixelField>,
    pub(super) extended_offsets: Vec<u64>,
    pub(super) identity: Option<Identity>,
    limits: Limits,
    is_instance: bool,
    root: Items,
    open: Vec<OpenSequence>,
    fragments: Option<OpenFragments>,
    pub(super) cost: u64,
}

/// A data set in the making.
struct Items {
    elements: Vec<(Tag, Element)>,
    charset: Arc<SpecificCharacterSet>,
}

/// A sequence in the making, and the item that is open in it.
struct OpenSequence {
    tag: Tag,
    items: Vec<DataSet>,
    item: Option<Items>,
}

/// A value in fragments, in the making.
struct OpenFragments {
    tag: Tag,
    vr: VR,
    offset: u64,
    offset_table: Option<Vec<u32>>,
    fragments: Vec<Fragment>,
    count: u32,
}

impl Builder {
    pub(super) fn new(limits: Limits, is_instance: bool) -> Builder {
        Builder {
            bulk: Vec::new(),
            pixel_field: None,
            extended_offsets: Vec::new(),
            identity: None,
            limits,
            is_instance,
            root: Items { elements: Vec::with_capacity(128), charset: Arc::default() },
            open: Vec::new(),
            fragments: None,
            cost: 0,
        }
    }

    /// The header, when the walk has ended well.
    pub(super) fn finish(&mut self) -> Result<DataSet, Fault> {
        let header = std::mem::take(&mut self.root.elements).into_iter().collect();
        if self.is_instance && self.identity.is_none() {
            self.identity = Some(Identity::of(&header)?);
        }
        Ok(header)
    }

    /// The first text of an element of the top level that was seen.
    pub(super) fn text(&self, tag: Tag) -> Option<&str> {
        let (_, element) = self.root.elements.iter().find(|(other, _)| *other == tag)?;
        match &element.value {
            Value::Text(values) => values.first().map(String::as_str),
            _ => None,
        }
    }

    fn data_set(&mut self) -> &mut Items {
        self.open.last_mut().and_then(|sequence| sequence.item.as_mut()).unwrap_or(&mut self.root)
    }

    fn charge(&mut self, bytes: u64) -> Result<(), Fault> {
        self.cost = self.cost.saturating_add(bytes);
        if self.cost > self.limits.header_bytes {
            return Err(Fault::HeaderTooLarge(self.limits.header_bytes));
        }
        Ok(())
    }

    fn put(&mut self, tag: Tag, vr: VR, value: Value) -> Result<(), Fault> {
        let values = count(&value).saturating_sub(1) as u64;
        self.charge(ELEMENT_COST + VALUE_COST * values)?;
        if self.is_instance && self.open.is_empty() {
            self.check_top_level(tag, &value)?;
        }
        self.data_set().elements.push((tag, Element { vr, value }));
        Ok(())
    }

    /// Before an element of the top level: is its tag allowed, is the identity known now?
    fn check_top_level(&mut self, tag: Tag, value: &Value) -> Result<(), Fault> {
        let differs = |(other, element): &(Tag, Element)| *other == tag && element.value != *value;
        if Identity::is_identifying(tag) && self.root.elements.iter().any(differs) {
            return Err(Fault::Duplicate(tag));
        }
        if self.identity.is_none() && tag.0 > 0x0020 {
            self.identity = match Identity::of_elements(&self.root.elements) {
                Ok(identity) => Some(identity),
                // It may come later, where elements are out of order.
                Err(Fault::Missing(_)) => None,
                Err(fault) => return Err(fault),
            };
        }
        Ok(())
    }

    /// Leaves a value where it is.
    fn leave(&mut self, tag: Tag, vr: VR, offset: u64, length: u64) -> Result<(), Fault> {
        let path = self.path(tag);
        self.charge(ELEMENT_COST + path.len() as u64)?;
        self.bulk.push(BulkValue { path, vr, offset, length });
        self.put(tag, vr, Value::Bulk(Bulk::InDataSet { offset, length }))
    }

    fn path(&self, tag: Tag) -> String {
        let mut path = String::new();
        for sequence in &self.open {
            let Tag(group, element) = sequence.tag;
            path.push_str(&format!("{group:04X}{element:04X}/{}/", sequence.items.len()));
        }
        path.push_str(&format!("{:04X}{:04X}", tag.0, tag.1));
        path
    }

    fn is_offset_table(&self, header: &Header) -> bool {
        header.tag == EXTENDED_OFFSET_TABLE
            && self.open.is_empty()
            && u64::from(header.length) <= 8 * u64::from(self.limits.fragments)
    }

    fn belongs(&self, tag: Tag) -> Result<(), Fault> {
        if self.is_instance && (tag.0 == 0x0000 || tag.0 == 0x0002) {
            return Err(Fault::ForeignGroup(tag));
        }
        Ok(())
    }
}

impl Visitor for Builder {
    fn element(&mut self, header: &Header) -> Result<Take, Fault> {
        self.belongs(header.tag)?;
        let vr = header.meaning;
        if vr == VR::SQ {
            return Ok(Take::Items);
        }
        let (offset, length) = (header.offset, u64::from(header.length));
        if PIXEL_DATA.contains(&header.tag) {
            if self.open.is_empty() {
                self.pixel_field = Some(PixelField::Native { tag: header.tag, offset, length });
            }
            if length > 0 {
                self.leave(header.tag, vr, offset, length)?;
                return Ok(Take::Skip);
            }
        }
        let threshold = if is_bytes(vr) { self.limits.bulk_threshold } else { self.limits.text_value_bytes };
        if header.length > threshold && !self.is_offset_table(header) {
            self.leave(header.tag, vr, offset, length)?;
            return Ok(Take::Skip);
        }
        self.charge(length)?;
        Ok(Take::Whole)
    }

    fn whole(&mut self, header: &Header, bytes: &[u8]) -> Result<(), Fault> {
        if let Some(fragments) = &mut self.fragments {
            let (words, _) = bytes.as_chunks::<4>();
            fragments.offset_table = Some(words.iter().map(|word| u32::from_le_bytes(*word)).collect());
            return Ok(());
        }
        if self.is_offset_table(header) {
            let (words, _) = bytes.as_chunks::<8>();
            self.extended_offsets = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
            if header.length > self.limits.bulk_threshold {
                return self.leave(header.tag, header.meaning, header.offset, u64::from(header.length));
            }
        }
        let charset = Arc::clone(&self.data_set().charset);
        let (vr, value) = decode(header.meaning, bytes, header.encoding, &charset);
        if let (SPECIFIC_CHARACTER_SET, Value::Text(terms)) = (header.tag, &value) {
            let terms: Vec<&str> = terms.iter().map(String::as_str).collect();
            self.data_set().charset = Arc::new(SpecificCharacterSet::from_terms(&terms));
        }
        self.put(header.tag, vr, value)
    }

    fn piece(&mut self, _header: &Header, _bytes: &[u8], _last: bool) -> Result<(), Fault> {
        Ok(())
    }

    fn sequence(&mut self, header: &Header) -> Result<(), Fault> {
        self.belongs(header.tag)?;
        self.charge(ELEMENT_COST)?;
        self.open.push(OpenSequence { tag: header.tag, items: Vec::new(), item: None });
        Ok(())
    }

    fn item(&mut self) -> Result<(), Fault> {
        self.charge(ELEMENT_COST)?;
        // A character set holds for the items inside, too, until they say otherwise (PS3.5 7.5.3).
        let depth = self.open.len();
        let outer = match self.open.get(depth.wrapping_sub(2)).and_then(|sequence| sequence.item.as_ref()) {
            Some(item) => Arc::clone(&item.charset),
            None => Arc::clone(&self.root.charset),
        };
        if let Some(sequence) = self.open.last_mut() {
            sequence.item = Some(Items { elements: Vec::new(), charset: outer });
        }
        Ok(())
    }

    fn item_end(&mut self) -> Result<(), Fault> {
        if let Some(sequence) = self.open.last_mut()
            && let Some(item) = sequence.item.take()
        {
            sequence.items.push(item.elements.into_iter().collect());
        }
        Ok(())
    }

    fn sequence_end(&mut self) -> Result<(), Fault> {
        match self.open.pop() {
            Some(sequence) => self.put(sequence.tag, VR::SQ, Value::Sequence(sequence.items)),
            None => Ok(()),
        }
    }

    fn fragments(&mut self, header: &Header) -> Result<(), Fault> {
        self.belongs(header.tag)?;
        let (tag, vr, offset) = (header.tag, header.vr, header.offset);
        self.fragments = Some(OpenFragments { tag, vr, offset, offset_table: None, fragments: Vec::new(), count: 0 });
        Ok(())
    }

    fn fragment(&mut self, header: &Header) -> Result<Take, Fault> {
        let limit = self.limits.fragments;
        let Some(open) = &mut self.fragments else { return Ok(Take::Skip) };
        let is_frame_table = self.open.is_empty() && PIXEL_DATA.contains(&open.tag);
        open.count += 1;
        if open.count > limit.saturating_add(1) {
            return Err(Fault::TooManyFragments(limit));
        }
        if open.count == 1 {
            let sensible = u64::from(header.length) <= 4 * u64::from(limit);
            return Ok(if is_frame_table && sensible { Take::Whole } else { Take::Skip });
        }
        if is_frame_table {
            open.fragments.push(Fragment { offset: header.offset, length: header.length });
        }
        Ok(Take::Skip)
    }

    fn fragments_end(&mut self, offset: u64) -> Result<(), Fault> {
        let Some(open) = self.fragments.take() else { return Ok(()) };
        self.leave(open.tag, open.vr, open.offset, offset - open.offset)?;
        if self.open.is_empty() && PIXEL_DATA.contains(&open.tag) {
            let offset_table = open.offset_table.unwrap_or_default();
            self.pixel_field = Some(PixelField::Encapsulated { fragments: open.fragments, offset_table });
        }
        Ok(())
    }
}
