//! The streaming reader: walks over a header, keeps which attributes have a value, drops the values.
//!
//! Values are passed by their length. The few codes and UIDs that decide are compared where
//! they lie in the window, with fixed lists. Deliberately absent: recursion, allocation,
//! belief in a length beyond the end of the file, Pixel Data.

use leadglass_dicom::{Encoding, VR};

use super::element::{self, Header, ITEM, ITEM_DELIMITER, SEQUENCE_DELIMITER, UNDEFINED};
use super::profile::{Options, Profile, profile};
use super::record::{Class, End, Record, Statement, Syntax, is_converted, is_manufacturers, trim};
use super::source::{NoBytes, ReadAt, Window};

/// Sequences and items open inside each other: 64 levels of sequences.
const DEPTH: usize = 128;
/// Encrypted Attributes Sequence, PS3.15 E.1.
const ENCRYPTED_ATTRIBUTES: u32 = 0x0400_0500;
/// Elements, items and delimiters of one header.
const MOST_ELEMENTS: u32 = 200_000;
/// The longest value that is compared with a list.
const LONGEST: u32 = 64;

/// Reads the file meta information that begins at an offset (PS3.10 7.1), and the data set after it.
/// For a deflated data set the second part is where it begins, and the record knows the meta
/// information only.
pub(super) fn read_part10<S: ReadAt>(window: &mut Window<'_, S>, size: u64, start: u64) -> (Record, u64) {
    let mut reader = Reader::new(window, size, start, Encoding::ExplicitLittleEndian);
    let (syntax, end) = reader.meta();
    reader.record.syntax = syntax;
    match (end, syntax) {
        (Some(end), _) => reader.record.end = end,
        (None, Syntax::Deflated) => reader.record.end = End::NotInflated,
        (None, Syntax::Plain(encoding)) => {
            reader.root = encoding;
            reader.run();
        }
    }
    let at = reader.at;
    (reader.record, at)
}

/// Reads a data set that begins at an offset.
pub(super) fn read_data_set<S: ReadAt>(
    window: &mut Window<'_, S>,
    size: u64,
    start: u64,
    encoding: Encoding,
) -> Record {
    let mut reader = Reader::new(window, size, start, encoding);
    reader.run();
    reader.record
}

/// The encoding of a data set without file meta information, told by its first 12 bytes: it
/// must begin within group 0002 or 0008 with a short value. `None` for everything else.
pub(super) fn sniff(bytes: &[u8]) -> Option<Encoding> {
    const FIRST: [u32; 10] = [
        0x0002_0000,
        0x0008_0000,
        0x0008_0001,
        0x0008_0005,
        0x0008_0006,
        0x0008_0008,
        0x0008_0012,
        0x0008_0014,
        0x0008_0016,
        0x0008_0018,
    ];
    let bytes = bytes.get(..12)?;
    let explicit = [Encoding::ExplicitLittleEndian, Encoding::ExplicitBigEndian, Encoding::ImplicitLittleEndian];
    explicit.into_iter().find(|encoding| {
        let is_first = FIRST.contains(&element::tag(bytes, *encoding));
        is_first
            && element::parse(bytes, *encoding).is_some_and(|header| {
                // VR::from_binary knows all VRs; one yet to be invented does not begin a file.
                header.length <= 256 && header.length % 2 == 0 && header.vr != Some(VR::UN)
            })
    })
}

/// Something that has begun and not ended.
#[derive(Clone, Copy)]
struct Open {
    kind: Kind,
    encoding: Encoding,
    /// Where it ends; `u64::MAX` when a delimiter says it.
    end: u64,
    /// Where it ends at the latest.
    bound: u64,
    /// The row of the table to be marked when the first item comes, and 1; 0 for none.
    row: u16,
    /// Whether it is De-identification Method Code Sequence (0012,0064), or within.
    method: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sequence,
    Item,
    Fragments,
}

struct Reader<'w, 'buffer, S> {
    window: &'w mut Window<'buffer, S>,
    profile: &'static Profile,
    size: u64,
    at: u64,
    root: Encoding,
    open: [Open; DEPTH],
    depth: usize,
    headers: u32,
    record: Record,
}

impl<'w, 'buffer, S: ReadAt> Reader<'w, 'buffer, S> {
    fn new(window: &'w mut Window<'buffer, S>, size: u64, at: u64, root: Encoding) -> Self {
        let none = Open { kind: Kind::Item, encoding: root, end: 0, bound: 0, row: 0, method: false };
        Reader {
            window,
            profile: profile(),
            size,
            at,
            root,
            open: [none; DEPTH],
            depth: 0,
            headers: 0,
            record: Record::new(Syntax::Plain(root)),
        }
    }

    /// Group 0002, explicit little endian. Without a transfer syntax, implicit little endian.
    fn meta(&mut self) -> (Syntax, Option<End>) {
        let mut syntax = Syntax::Plain(Encoding::ImplicitLittleEndian);
        loop {
            if self.at >= self.size {
                return (syntax, Some(End::File));
            }
            match self.window.at(self.at, 4) {
                Ok(bytes) if element::tag(bytes, Encoding::ExplicitLittleEndian) >> 16 == 2 => {}
                Ok(_) => return (syntax, None),
                Err(no) => return (syntax, Some(end_of(no))),
            }
            let header = match self.header(Encoding::ExplicitLittleEndian) {
                Ok(header) => header,
                Err(end) => return (syntax, Some(end)),
            };
            let value = self.at + u64::from(header.size);
            let next = value.saturating_add(u64::from(header.length));
            if header.length == UNDEFINED || next > self.size {
                return (syntax, Some(End::Truncated));
            }
            self.mark(header);
            if let Some(bytes) = self.value(value, header.length) {
                match header.tag {
                    0x0002_0010 => syntax = syntax_of(trim(bytes)),
                    0x0002_0002 => {
                        let uid = trim(bytes);
                        let (class, is_directory) = (Class::of(uid), uid == b"1.2.840.10008.1.3.10");
                        self.record.class = class;
                        self.record.is_directory = is_directory;
                    }
                    _ => {}
                }
            }
            self.at = next;
        }
    }

    fn run(&mut self) {
        self.record.end = loop {
            match self.step() {
                Ok(()) => {}
                Err(end) => break end,
            }
        };
    }

    fn step(&mut self) -> Result<(), End> {
        while self.depth > 0 && self.open[self.depth - 1].end == self.at {
            self.depth -= 1;
        }
        let inner = self.depth.checked_sub(1).map(|top| self.open[top]);
        let bound = inner.map_or(self.size, |inner| inner.bound);
        if self.at >= bound {
            return Err(if self.depth == 0 { End::File } else { End::Malformed });
        }
        let encoding = inner.map_or(self.root, |inner| inner.encoding);
        let encoding = self.in_fact(encoding)?;
        let header = self.header(encoding)?;
        self.headers += 1;
        if self.headers > MOST_ELEMENTS {
            return Err(End::TooLong);
        }
        match inner {
            Some(Open { kind: Kind::Sequence, row, method, .. }) => self.in_sequence(header, encoding, row, method),
            Some(Open { kind: Kind::Fragments, .. }) => self.in_fragments(header, bound),
            Some(Open { kind: Kind::Item, end, method, .. }) => {
                if header.tag == ITEM_DELIMITER && end == u64::MAX && header.length == 0 {
                    self.depth -= 1;
                    self.at += u64::from(header.size);
                    return Ok(());
                }
                self.in_data_set(header, bound, method)
            }
            None => self.in_data_set(header, bound, false),
        }
    }

    /// Some write without VRs although their syntax has them; the first element shows it.
    fn in_fact(&mut self, said: Encoding) -> Result<Encoding, End> {
        if self.headers > 0 || said != Encoding::ExplicitLittleEndian {
            return Ok(said);
        }
        let bytes = self.window.at(self.at, 6).map_err(end_of)?;
        if !bytes.iter().skip(4).all(u8::is_ascii_uppercase) {
            self.root = Encoding::ImplicitLittleEndian;
        }
        Ok(self.root)
    }

    fn header(&mut self, encoding: Encoding) -> Result<Header, End> {
        let bytes = self.window.at(self.at, 8).map_err(end_of)?;
        let header = if element::is_long(bytes, encoding) {
            element::parse(self.window.at(self.at, 12).map_err(end_of)?, encoding)
        } else {
            element::parse(bytes, encoding)
        };
        header.ok_or(End::Malformed)
    }

    fn in_data_set(&mut self, header: Header, bound: u64, method: bool) -> Result<(), End> {
        let group = header.tag >> 16;
        if group == 0xFFFE {
            return Err(End::Malformed);
        }
        if self.depth == 0 && group == 0x7FE0 {
            return Err(End::PixelData);
        }
        self.record.elements += 1;
        if self.depth == 0 && header.tag == ENCRYPTED_ATTRIBUTES && header.length > 0 {
            self.record.encrypted = true;
        }
        let value = self.at + u64::from(header.size);
        if header.length == UNDEFINED {
            return self.undefined_length(header, value, bound, method);
        }
        let next = value.saturating_add(u64::from(header.length));
        if next > bound {
            return Err(if next > self.size { End::Truncated } else { End::Malformed });
        }
        self.mark(header);
        if self.is_sequence(header) {
            let encoding = self.encoding_within(header);
            self.at = value;
            return self.push(Kind::Sequence, encoding, next, next, header.tag, method);
        }
        if header.length > 0 {
            self.look(header, value, method);
        }
        self.at = next;
        Ok(())
    }

    fn undefined_length(&mut self, header: Header, value: u64, bound: u64, method: bool) -> Result<(), End> {
        let encoding = self.encoding_within(header);
        let kind = match header.vr {
            Some(VR::SQ | VR::UN) => Kind::Sequence,
            Some(VR::OB | VR::OW | VR::OD | VR::OF | VR::OL | VR::OV) => Kind::Fragments,
            Some(_) => return Err(End::Malformed),
            // Of undefined length without a VR: fragments are of explicit encodings only, PS3.5 A.4.
            None => Kind::Sequence,
        };
        self.at = value;
        self.push(kind, encoding, u64::MAX, bound, header.tag, method)
    }

    fn in_sequence(&mut self, header: Header, encoding: Encoding, row: u16, method: bool) -> Result<(), End> {
        let value = self.at + u64::from(header.size);
        match header.tag {
            ITEM => {
                if row > 0 {
                    self.record.present.set(usize::from(row) - 1);
                }
                let bound = self.open[self.depth - 1].bound;
                let end = value.saturating_add(u64::from(header.length));
                let (end, latest) = if header.length == UNDEFINED { (u64::MAX, bound) } else { (end, end) };
                if latest > bound {
                    return Err(if latest > self.size { End::Truncated } else { End::Malformed });
                }
                self.at = value;
                self.push(Kind::Item, encoding, end, latest, 0, method)
            }
            SEQUENCE_DELIMITER if header.length == 0 => {
                self.depth -= 1;
                self.at = value;
                Ok(())
            }
            _ => Err(End::Malformed),
        }
    }

    fn in_fragments(&mut self, header: Header, bound: u64) -> Result<(), End> {
        let value = self.at + u64::from(header.size);
        let next = value.saturating_add(u64::from(header.length));
        match header.tag {
            ITEM if header.length != UNDEFINED && next <= bound => self.at = next,
            ITEM if next > self.size => return Err(End::Truncated),
            SEQUENCE_DELIMITER if header.length == 0 => {
                self.depth -= 1;
                self.at = value;
            }
            _ => return Err(End::Malformed),
        }
        Ok(())
    }

    fn push(
        &mut self,
        kind: Kind,
        encoding: Encoding,
        end: u64,
        bound: u64,
        tag: u32,
        within_method: bool,
    ) -> Result<(), End> {
        let method = within_method || (self.depth == 0 && tag == 0x0012_0064);
        let row = if kind == Kind::Sequence && end == u64::MAX { self.profile.row_of(tag) } else { None };
        let row = row.and_then(|row| u16::try_from(row + 1).ok()).unwrap_or(0);
        let open = self.open.get_mut(self.depth).ok_or(End::TooLong)?;
        *open = Open { kind, encoding, end, bound, row, method };
        self.depth += 1;
        Ok(())
    }

    /// PS3.5 6.2.2: inside UN it is implicit little endian.
    fn encoding_within(&self, header: Header) -> Encoding {
        let around = self.depth.checked_sub(1).map_or(self.root, |top| self.open[top].encoding);
        if header.vr == Some(VR::UN) { Encoding::ImplicitLittleEndian } else { around }
    }

    fn is_sequence(&self, header: Header) -> bool {
        match header.vr {
            Some(VR::SQ) => true,
            // The dictionary knows what the writer did not.
            None | Some(VR::UN) => header.length >= 8 && is_sequence_by_dictionary(header.tag),
            Some(_) => false,
        }
    }

    /// Marks an attribute of the table as having a value.
    fn mark(&mut self, header: Header) {
        if header.length > 0
            && let Some(row) = self.profile.row_of(header.tag)
        {
            self.record.present.set(row);
        }
    }

    /// The few values that decide, compared where they lie.
    fn look(&mut self, header: Header, at: u64, method: bool) {
        if method && header.tag == 0x0008_0100 {
            let option = self.value(at, header.length).and_then(|code| Options::of_code(trim(code)));
            self.record.options = self.record.options.with(option.unwrap_or_default());
            return;
        }
        if self.depth > 0 {
            return;
        }
        match header.tag {
            0x0008_0016 => {
                if let Some(class) = self.value(at, header.length).map(Class::of) {
                    self.record.class = class;
                    self.record.is_instance = true;
                }
            }
            0x0008_0018 => {
                self.record.is_instance = true;
                self.note_root(header, at);
            }
            0x0020_000D => self.note_root(header, at),
            0x0008_0064 => self.record.converted = self.value(at, header.length).is_some_and(is_converted),
            0x0012_0062 => self.record.identity_removed = self.statement(header, at),
            0x0028_0301 => self.record.burned_in = self.statement(header, at),
            0x0028_0302 => self.record.recognisable = self.statement(header, at),
            tag if (0x6000..=0x601E).contains(&(tag >> 16)) && tag & 0xFFFF == 0x3000 => self.record.overlay = true,
            _ => {}
        }
    }

    fn statement(&mut self, header: Header, at: u64) -> Statement {
        self.value(at, header.length).map_or(Statement::Other, Statement::of)
    }

    fn note_root(&mut self, header: Header, at: u64) {
        if self.value(at, header.length).is_some_and(is_manufacturers) {
            self.record.manufacturer_uid = true;
        }
    }

    fn value(&mut self, at: u64, length: u32) -> Option<&[u8]> {
        if length > LONGEST {
            return None;
        }
        self.window.at(at, usize::try_from(length).ok()?).ok()
    }
}

fn end_of(no: NoBytes) -> End {
    match no {
        NoBytes::Ended => End::Truncated,
        NoBytes::TooManyReads => End::TooLong,
        NoBytes::Failed => End::Failed,
    }
}

/// How the data set of a transfer syntax is encoded, PS3.5 A.
fn syntax_of(uid: &[u8]) -> Syntax {
    match uid {
        b"1.2.840.10008.1.2" => Syntax::Plain(Encoding::ImplicitLittleEndian),
        b"1.2.840.10008.1.2.2" => Syntax::Plain(Encoding::ExplicitBigEndian),
        b"1.2.840.10008.1.2.1.99" | b"1.2.840.10008.1.2.4.95" | b"1.2.840.10008.1.2.4.205" => Syntax::Deflated,
        _ => Syntax::Plain(Encoding::ExplicitLittleEndian),
    }
}

fn is_sequence_by_dictionary(tag: u32) -> bool {
    use dicom_core::dictionary::{DataDictionary as _, DataDictionaryEntry as _, VirtualVr};
    if (tag >> 16) % 2 == 1 {
        return false;
    }
    let tag = dicom_core::Tag((tag >> 16) as u16, (tag & 0xFFFF) as u16);
    let entry = dicom_dictionary_std::StandardDataDictionary.by_tag(tag);
    entry.is_some_and(|entry| entry.vr() == VirtualVr::Exact(VR::SQ))
}

#[cfg(test)]
mod tests;
