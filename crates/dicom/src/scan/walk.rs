//! The walk: bytes in pieces of any size to headers, values, items and fragments.
//!
//! It keeps a stack of what is open, of bounded depth, and at most one value. Who wants to
//! know more of the data set is a [`Visitor`].

use super::header::{
    self, Header, ITEM, ITEM_DELIMITER, MAX_HEADER, RawHeader, SEQUENCE_DELIMITER, UNDEFINED, header_length,
};
use super::vr::{VrContext, implied};
use super::{Fault, Limits, ScanError};
use crate::{Encoding, Tag, VR};

/// What a visitor wants of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    /// All of it at once, by [`Visitor::whole`].
    Whole,
    /// As it comes, by [`Visitor::piece`].
    Pieces,
    /// Nothing.
    Skip,
    /// Its items: a UN value known to be a sequence.
    Items,
}

/// Who walks along.
pub(crate) trait Visitor {
    /// An element of defined length that is no sequence.
    fn element(&mut self, header: &Header) -> Result<Take, Fault>;
    /// Its value, after [`Take::Whole`].
    fn whole(&mut self, header: &Header, value: &[u8]) -> Result<(), Fault>;
    /// A piece of its value, after [`Take::Pieces`].
    fn piece(&mut self, header: &Header, bytes: &[u8], last: bool) -> Result<(), Fault>;
    /// A sequence begins.
    fn sequence(&mut self, header: &Header) -> Result<(), Fault>;
    /// An item begins.
    fn item(&mut self) -> Result<(), Fault>;
    /// An item ends.
    fn item_end(&mut self) -> Result<(), Fault>;
    /// A sequence ends.
    fn sequence_end(&mut self) -> Result<(), Fault>;
    /// A value in fragments begins.
    fn fragments(&mut self, header: &Header) -> Result<(), Fault>;
    /// A fragment; the first is the Basic Offset Table.
    fn fragment(&mut self, header: &Header) -> Result<Take, Fault>;
    /// The fragments end, at that offset.
    fn fragments_end(&mut self, offset: u64) -> Result<(), Fault>;
}

/// The state of a walk.
pub(crate) struct Walk {
    limits: WalkLimits,
    position: u64,
    elements: u64,
    depth: u16,
    open: Vec<Open>,
    header: [u8; MAX_HEADER],
    header_have: usize,
    value: Option<Pending>,
    carry: Vec<u8>,
    /// A small value that decides over the VR of others.
    noted: Vec<u8>,
}

struct WalkLimits {
    depth: u16,
    elements: u64,
    data_set_bytes: u64,
}

/// A value that has not arrived whole.
struct Pending {
    header: Header,
    take: Take,
    remaining: u32,
    note: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Root,
    Sequence,
    Item,
    Fragments,
}

/// Something that has begun and not ended.
struct Open {
    kind: Kind,
    tag: Tag,
    encoding: Encoding,
    /// Where it ends, when its length is defined.
    end: Option<u64>,
    /// Where it or the innermost of defined length around it ends.
    bound: u64,
    context: VrContext,
}

impl Walk {
    pub(crate) fn new(encoding: Encoding, limits: &Limits) -> Walk {
        let root = Open {
            kind: Kind::Root,
            tag: Tag(0, 0),
            encoding,
            end: None,
            bound: u64::MAX,
            context: VrContext::default(),
        };
        Walk {
            limits: WalkLimits {
                depth: limits.depth,
                elements: limits.elements,
                data_set_bytes: limits.data_set_bytes,
            },
            position: 0,
            elements: 0,
            depth: 0,
            open: vec![root],
            header: [0; MAX_HEADER],
            header_have: 0,
            value: None,
            carry: Vec::new(),
            noted: Vec::new(),
        }
    }

    /// Bytes seen so far.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Takes the next bytes.
    pub(crate) fn push(&mut self, mut input: &[u8], visitor: &mut impl Visitor) -> Result<(), ScanError> {
        let end = self.position.saturating_add(input.len() as u64);
        if end > self.limits.data_set_bytes {
            return Err(ScanError { offset: self.position, fault: Fault::TooLarge(self.limits.data_set_bytes) });
        }
        while !input.is_empty() {
            let offset = self.subject();
            let outcome = match self.value.take() {
                Some(pending) => self.take_value(pending, &mut input, visitor),
                None => self.take_header(&mut input, visitor),
            };
            outcome.and_then(|()| self.close_ended(visitor)).map_err(|fault| ScanError { offset, fault })?;
        }
        Ok(())
    }

    /// The bytes have ended; says whether they were allowed to.
    pub(crate) fn finish(&self) -> Result<(), ScanError> {
        let fault = match (&self.value, self.open.last()) {
            (Some(pending), _) => Fault::Truncated(pending.header.tag),
            _ if self.header_have > 0 => Fault::TruncatedHeader,
            (None, Some(open)) if open.kind != Kind::Root => Fault::Truncated(open.tag),
            _ if self.elements == 0 => Fault::Empty,
            _ => return Ok(()),
        };
        Err(ScanError { offset: self.position, fault })
    }

    /// Where the value or header begins that the next bytes belong to, which does not depend
    /// on how the bytes were cut into pieces.
    fn subject(&self) -> u64 {
        match &self.value {
            Some(pending) => pending.header.offset,
            None => self.position - self.header_have as u64,
        }
    }

    fn innermost(&self) -> (Kind, Encoding, u64) {
        self.open.last().map_or((Kind::Root, Encoding::ExplicitLittleEndian, u64::MAX), |open| {
            (open.kind, open.encoding, open.bound)
        })
    }

    fn take_value(&mut self, mut pending: Pending, input: &mut &[u8], visitor: &mut impl Visitor) -> Result<(), Fault> {
        let wanted = usize::try_from(pending.remaining).unwrap_or(usize::MAX).min(input.len());
        let (bytes, rest) = input.split_at(wanted);
        *input = rest;
        self.position += wanted as u64;
        pending.remaining -= wanted as u32;
        let last = pending.remaining == 0;
        if pending.note {
            self.noted.extend_from_slice(bytes);
            if last {
                self.note(&pending.header);
            }
        }
        match pending.take {
            Take::Skip | Take::Items => {}
            Take::Pieces => visitor.piece(&pending.header, bytes, last)?,
            Take::Whole if last && self.carry.is_empty() => visitor.whole(&pending.header, bytes)?,
            Take::Whole => {
                self.carry.extend_from_slice(bytes);
                if last {
                    let carry = std::mem::take(&mut self.carry);
                    visitor.whole(&pending.header, &carry)?;
                }
            }
        }
        if !last {
            self.value = Some(pending);
        }
        Ok(())
    }

    fn note(&mut self, header: &Header) {
        if let ([a, b, ..], Some(open)) = (self.noted.as_slice(), self.open.last_mut()) {
            let first = match header.encoding {
                Encoding::ExplicitBigEndian => u16::from_be_bytes([*a, *b]),
                _ => u16::from_le_bytes([*a, *b]),
            };
            open.context.note(header.tag, first);
        }
        self.noted.clear();
    }

    /// Gathers the bytes of a header and acts on it when it is whole.
    fn take_header(&mut self, input: &mut &[u8], visitor: &mut impl Visitor) -> Result<(), Fault> {
        let (kind, encoding, bound) = self.innermost();
        if !self.gather(8, input) {
            return Ok(());
        }
        let [a, b, c, d, e, f, g, h, ..] = self.header;
        let encoding = self.encoding_in_fact(encoding, [e, f]);
        let needed = header_length([a, b, c, d, e, f, g, h], encoding);
        if !self.gather(needed, input) {
            return Ok(());
        }
        self.header_have = 0;
        let raw = header::parse(&self.header, encoding)?;
        self.elements += 1;
        if self.elements > self.limits.elements {
            return Err(Fault::TooManyElements(self.limits.elements));
        }
        let ends = self.position.saturating_add(if raw.length == UNDEFINED { 0 } else { u64::from(raw.length) });
        if ends > bound {
            return Err(Fault::BeyondParent(raw.tag));
        }
        let start = self.position - needed as u64;
        match kind {
            Kind::Root | Kind::Item => self.in_data_set(kind, raw, start, encoding, visitor),
            Kind::Sequence => self.in_sequence(raw, encoding, visitor),
            Kind::Fragments => self.in_fragments(raw, start, visitor),
        }
    }

    /// Some write a compressed object without VRs although its syntax has them. The first
    /// element shows it, and then it holds for all of them.
    fn encoding_in_fact(&mut self, said: Encoding, vr: [u8; 2]) -> Encoding {
        let is_vr = vr.iter().all(u8::is_ascii_uppercase);
        if self.elements > 0 || said != Encoding::ExplicitLittleEndian || is_vr {
            return said;
        }
        if let Some(root) = self.open.first_mut() {
            root.encoding = Encoding::ImplicitLittleEndian;
        }
        Encoding::ImplicitLittleEndian
    }

    fn gather(&mut self, needed: usize, input: &mut &[u8]) -> bool {
        let missing = needed.saturating_sub(self.header_have).min(input.len());
        let (bytes, rest) = input.split_at(missing);
        self.header[self.header_have..self.header_have + missing].copy_from_slice(bytes);
        *input = rest;
        self.header_have += missing;
        self.position += missing as u64;
        self.header_have >= needed
    }

    fn in_data_set(
        &mut self,
        kind: Kind,
        raw: RawHeader,
        start: u64,
        encoding: Encoding,
        visitor: &mut impl Visitor,
    ) -> Result<(), Fault> {
        if raw.tag.0 == 0xFFFE {
            let ends_item = raw.tag == ITEM_DELIMITER
                && kind == Kind::Item
                && self.open.last().is_some_and(|open| open.end.is_none());
            return match (ends_item, raw.length) {
                (true, 0) => self.close(visitor),
                (true, _) => Err(Fault::BadDelimiter(raw.tag)),
                (false, _) => Err(Fault::Misplaced(raw.tag)),
            };
        }
        let header = self.resolve(raw, start, encoding);
        if header.length == UNDEFINED {
            return self.undefined_length(header, visitor);
        }
        if header.vr == VR::SQ {
            return self.begin(Kind::Sequence, header, visitor);
        }
        match visitor.element(&header)? {
            Take::Items => self.begin(Kind::Sequence, header, visitor),
            take => self.await_value(header, take, visitor),
        }
    }

    /// Completes a header by dictionary and context.
    fn resolve(&self, raw: RawHeader, start: u64, encoding: Encoding) -> Header {
        let contexts = self.open.iter().rev().filter(|open| open.kind != Kind::Sequence).map(|open| &open.context);
        let vr = raw.vr.unwrap_or_else(|| implied(raw.tag, contexts.clone()));
        let unknown = raw.vr == Some(VR::UN);
        let is_private = raw.tag.0 % 2 == 1;
        Header {
            tag: raw.tag,
            vr,
            meaning: if unknown && !is_private { implied(raw.tag, contexts) } else { vr },
            length: raw.length,
            encoding: if unknown { Encoding::ImplicitLittleEndian } else { encoding },
            start,
            offset: self.position,
        }
    }

    fn undefined_length(&mut self, mut header: Header, visitor: &mut impl Visitor) -> Result<(), Fault> {
        match header.vr {
            VR::OB | VR::OW | VR::OD | VR::OF | VR::OL | VR::OV => self.begin(Kind::Fragments, header, visitor),
            // PS3.5 6.2.2: implicit little endian inside UN of undefined length.
            VR::SQ | VR::UN => {
                header.vr = VR::SQ;
                self.begin(Kind::Sequence, header, visitor)
            }
            _ => Err(Fault::UndefinedLength(header.tag)),
        }
    }

    fn await_value(&mut self, header: Header, take: Take, visitor: &mut impl Visitor) -> Result<(), Fault> {
        if header.length == 0 {
            return match take {
                Take::Whole => visitor.whole(&header, &[]),
                Take::Pieces => visitor.piece(&header, &[], true),
                Take::Skip | Take::Items => Ok(()),
            };
        }
        let note = VrContext::wants(header.tag, header.length);
        self.value = Some(Pending { header, take, remaining: header.length, note });
        Ok(())
    }

    fn in_sequence(&mut self, raw: RawHeader, encoding: Encoding, visitor: &mut impl Visitor) -> Result<(), Fault> {
        match raw.tag {
            ITEM => {
                visitor.item()?;
                self.push_open(Kind::Item, ITEM, encoding, raw.length)
            }
            SEQUENCE_DELIMITER if raw.length == 0 => self.close(visitor),
            SEQUENCE_DELIMITER => Err(Fault::BadDelimiter(raw.tag)),
            tag => Err(Fault::Misplaced(tag)),
        }
    }

    fn in_fragments(&mut self, raw: RawHeader, start: u64, visitor: &mut impl Visitor) -> Result<(), Fault> {
        match raw.tag {
            ITEM if raw.length != UNDEFINED => {
                let (vr, encoding) = (VR::OB, Encoding::ExplicitLittleEndian);
                let offset = self.position;
                let header = Header { tag: ITEM, vr, meaning: vr, length: raw.length, encoding, start, offset };
                let take = visitor.fragment(&header)?;
                self.await_value(header, take, visitor)
            }
            SEQUENCE_DELIMITER if raw.length == 0 => {
                self.open.pop();
                visitor.fragments_end(start)
            }
            ITEM | SEQUENCE_DELIMITER => Err(Fault::BadDelimiter(raw.tag)),
            tag => Err(Fault::Misplaced(tag)),
        }
    }

    /// A sequence or a value in fragments begins.
    fn begin(&mut self, kind: Kind, header: Header, visitor: &mut impl Visitor) -> Result<(), Fault> {
        if kind == Kind::Sequence {
            if self.depth >= self.limits.depth {
                return Err(Fault::TooDeep(self.limits.depth));
            }
            self.depth += 1;
            visitor.sequence(&header)?;
        } else {
            visitor.fragments(&header)?;
        }
        self.push_open(kind, header.tag, header.encoding, header.length)
    }

    fn push_open(&mut self, kind: Kind, tag: Tag, encoding: Encoding, length: u32) -> Result<(), Fault> {
        let (_, _, outer) = self.innermost();
        let end = (length != UNDEFINED).then(|| self.position.saturating_add(u64::from(length)));
        let bound = end.unwrap_or(outer);
        self.open.push(Open { kind, tag, encoding, end, bound, context: VrContext::default() });
        Ok(())
    }

    /// Closes everything that ends where the walk stands.
    fn close_ended(&mut self, visitor: &mut impl Visitor) -> Result<(), Fault> {
        if self.value.is_some() || self.header_have > 0 {
            return Ok(());
        }
        while self.open.last().is_some_and(|open| open.end == Some(self.position)) {
            self.close(visitor)?;
        }
        // What is left over of an enclosing length must hold a delimiter at least.
        match self.open.last() {
            Some(open) if open.end.is_none() && open.bound == self.position => Err(Fault::BeyondParent(open.tag)),
            _ => Ok(()),
        }
    }

    fn close(&mut self, visitor: &mut impl Visitor) -> Result<(), Fault> {
        match self.open.pop().map(|open| open.kind) {
            Some(Kind::Item) => visitor.item_end(),
            Some(Kind::Sequence) => {
                self.depth -= 1;
                visitor.sequence_end()
            }
            _ => Ok(()),
        }
    }
}
