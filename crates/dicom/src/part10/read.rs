//! Reading the front of a file.

use super::{FILE_META_BYTES, FileMeta, Part10Error};
use crate::scan::header::{MAX_HEADER, RawHeader, UNDEFINED, header_length, parse};
use crate::{Encoding, Tag, TransferSyntax, Uid, VR};

const PREAMBLE_BYTES: usize = 128;
const PREFIX: &[u8; 4] = b"DICM";
/// Where the file meta information of a file with preamble begins.
const META_OFFSET: usize = PREAMBLE_BYTES + PREFIX.len();

const FILE_META_GROUP_LENGTH: Tag = Tag(0x0002, 0x0000);
const MEDIA_STORAGE_SOP_CLASS_UID: Tag = Tag(0x0002, 0x0002);
const MEDIA_STORAGE_SOP_INSTANCE_UID: Tag = Tag(0x0002, 0x0003);
const TRANSFER_SYNTAX_UID: Tag = Tag(0x0002, 0x0010);

/// Reads the front of a file that arrives in pieces.
#[derive(Debug)]
pub struct Part10Reader {
    front: Vec<u8>,
    most_meta: usize,
}

impl Default for Part10Reader {
    fn default() -> Part10Reader {
        Part10Reader::of_at_most(FILE_META_BYTES)
    }
}

impl Part10Reader {
    /// A reader at the first byte of a file.
    pub fn new() -> Part10Reader {
        Part10Reader::default()
    }

    /// One that refuses file meta information of more bytes than these.
    pub fn of_at_most(most_meta: usize) -> Part10Reader {
        Part10Reader { front: Vec::new(), most_meta }
    }

    /// Takes the next bytes. `Some` once the data set begins: the meta information and those
    /// bytes of the data set already read. A data set without preamble and meta information is
    /// recognised and its transfer syntax guessed.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<(FileMeta, Vec<u8>)>, Part10Error> {
        self.front.extend_from_slice(bytes);
        let meta = read_front(&self.front, self.most_meta, false)?;
        Ok(meta.map(|meta| self.take(meta)))
    }

    /// The file ended before [`Part10Reader::push`] said `Some`.
    pub fn finish(mut self) -> Result<(FileMeta, Vec<u8>), Part10Error> {
        let meta = read_front(&self.front, self.most_meta, true)?.ok_or(Part10Error::Truncated)?;
        Ok(self.take(meta))
    }

    fn take(&mut self, meta: FileMeta) -> (FileMeta, Vec<u8>) {
        let offset = usize::try_from(meta.data_set_offset).unwrap_or(usize::MAX).min(self.front.len());
        let data_set = self.front.split_off(offset);
        self.front = Vec::new();
        (meta, data_set)
    }
}

/// Splits a file that is in memory whole into its meta information and its data set.
pub fn split(file: &[u8]) -> Result<(FileMeta, &[u8]), Part10Error> {
    let meta = read_front(file, FILE_META_BYTES, true)?.ok_or(Part10Error::Truncated)?;
    let offset = usize::try_from(meta.data_set_offset).unwrap_or(usize::MAX);
    Ok((meta, file.get(offset..).unwrap_or_default()))
}

/// `None` asks for more bytes, never when `at_end`.
fn read_front(front: &[u8], most: usize, at_end: bool) -> Result<Option<FileMeta>, Part10Error> {
    if front.len() < META_OFFSET && !at_end {
        return Ok(None);
    }
    if front.get(PREAMBLE_BYTES..META_OFFSET) == Some(PREFIX) {
        return read_meta(front, META_OFFSET, most, at_end);
    }
    // Some write the meta information without preamble, some only the prefix.
    if front.starts_with(PREFIX) {
        return read_meta(front, PREFIX.len(), most, at_end);
    }
    if front.starts_with(&[2, 0]) && front.get(4..6).is_some_and(|vr| vr.iter().all(u8::is_ascii_uppercase)) {
        return read_meta(front, 0, most, at_end);
    }
    match guess(front) {
        Some(transfer_syntax) => {
            Ok(Some(FileMeta { transfer_syntax, sop_class: None, sop_instance: None, data_set_offset: 0 }))
        }
        None => Err(Part10Error::NotDicom),
    }
}

/// The transfer syntax of a bare data set, from its first element: one of a low even group
/// with a known VR, or with a length that is no VR and not absurd.
fn guess(front: &[u8]) -> Option<TransferSyntax> {
    let [g0, g1, e0, e1, v0, v1, l0, l1] = *front.first_chunk::<8>()?;
    let explicit = VR::from_binary([v0, v1]).is_some();
    let plausible = |group: u16| matches!(group, 0x0004 | 0x0008 | 0x0010 | 0x0018 | 0x0020 | 0x0028);
    if explicit && plausible(u16::from_be_bytes([g0, g1])) {
        return Some(TransferSyntax::explicit_big_endian());
    }
    if !plausible(u16::from_le_bytes([g0, g1])) {
        return None;
    }
    if explicit {
        return Some(TransferSyntax::explicit_little_endian());
    }
    let length = u32::from_le_bytes([v0, v1, l0, l1]);
    let first_is_short = length <= 1024 || (length == UNDEFINED && u16::from_le_bytes([e0, e1]) != 0);
    first_is_short.then(TransferSyntax::implicit_little_endian)
}

/// What the elements of the meta information have said so far.
#[derive(Default)]
struct Said {
    end: Option<usize>,
    transfer_syntax: Option<Uid>,
    sop_class: Option<Uid>,
    sop_instance: Option<Uid>,
}

/// Reads elements for as long as they are of group 0002. The group length is believed only
/// where it names the end of an element: real files lie in it.
fn read_meta(front: &[u8], start: usize, most: usize, at_end: bool) -> Result<Option<FileMeta>, Part10Error> {
    let mut said = Said::default();
    let mut position = start;
    loop {
        let rest = front.get(position..).unwrap_or_default();
        let announced_end = said.end == Some(position) && said.transfer_syntax.is_some();
        let group = rest.first_chunk::<2>().map(|bytes| u16::from_le_bytes(*bytes));
        match group {
            _ if announced_end => return said.into_meta(position, rest).map(Some),
            Some(2) => {}
            // To guess a syntax takes the first element's header.
            Some(_) if said.transfer_syntax.is_none() && rest.len() < 8 && !at_end => return Ok(None),
            Some(_) => return said.into_meta(position, rest).map(Some),
            None if at_end => return said.into_meta(position, rest).map(Some),
            None => return Ok(None),
        }
        let Some((header, value_at)) = read_header(rest)? else {
            return if at_end { Err(Part10Error::Truncated) } else { Ok(None) };
        };
        let length = usize::try_from(header.length).map_err(|_| Part10Error::TooLarge)?;
        let end = position.saturating_add(value_at).saturating_add(length);
        if end - start > most {
            return Err(Part10Error::TooLarge);
        }
        let Some(value) = front.get(position + value_at..end) else {
            return if at_end { Err(Part10Error::Truncated) } else { Ok(None) };
        };
        said.note(header.tag, value, end, most)?;
        position = end;
    }
}

/// The header at the start of `rest` and its length; `None` when there are too few bytes.
fn read_header(rest: &[u8]) -> Result<Option<(RawHeader, usize)>, Part10Error> {
    let encoding = Encoding::ExplicitLittleEndian;
    let Some(first) = rest.first_chunk::<8>() else { return Ok(None) };
    // A few write even the meta information without VRs.
    let encoding = match VR::from_binary([first[4], first[5]]) {
        None if first[6] == 0 && first[7] == 0 => Encoding::ImplicitLittleEndian,
        _ => encoding,
    };
    let needed = header_length(*first, encoding);
    let Some(bytes) = rest.get(..needed) else { return Ok(None) };
    let mut header = [0; MAX_HEADER];
    header[..needed].copy_from_slice(bytes);
    let header = parse(&header, encoding).map_err(|_| Part10Error::Malformed)?;
    if header.length == UNDEFINED {
        return Err(Part10Error::Malformed);
    }
    Ok(Some((header, needed)))
}

impl Said {
    fn note(&mut self, tag: Tag, value: &[u8], end: usize, most: usize) -> Result<(), Part10Error> {
        match tag {
            FILE_META_GROUP_LENGTH => {
                let length = value.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes));
                let length = length.and_then(|n| usize::try_from(n).ok()).ok_or(Part10Error::Malformed)?;
                if length > most {
                    return Err(Part10Error::TooLarge);
                }
                self.end = Some(end.saturating_add(length));
            }
            TRANSFER_SYNTAX_UID => self.transfer_syntax = uid(value),
            MEDIA_STORAGE_SOP_CLASS_UID => self.sop_class = uid(value),
            MEDIA_STORAGE_SOP_INSTANCE_UID => self.sop_instance = uid(value),
            _ => {}
        }
        Ok(())
    }

    /// Where no transfer syntax is named, the data set may show it.
    fn into_meta(self, position: usize, data_set: &[u8]) -> Result<FileMeta, Part10Error> {
        let named = self.transfer_syntax.map(TransferSyntax::from_uid);
        let transfer_syntax = named.or_else(|| guess(data_set)).ok_or(Part10Error::NoTransferSyntax)?;
        Ok(FileMeta {
            transfer_syntax,
            sop_class: self.sop_class,
            sop_instance: self.sop_instance,
            data_set_offset: position as u64,
        })
    }
}

fn uid(value: &[u8]) -> Option<Uid> {
    std::str::from_utf8(value).ok().and_then(|text| Uid::parse(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::part10::write_file_meta;
    use crate::{SopClassUid, SopInstanceUid};

    #[test]
    fn meta_information_over_its_bound_is_refused_before_it_is_there() {
        let class = SopClassUid::parse("1.2.840.10008.5.1.4.1.1.2").unwrap();
        let instance = SopInstanceUid::parse("1.2.3.4").unwrap();
        let file = write_file_meta(&class, &instance, &TransferSyntax::explicit_little_endian());
        let meta = file.len() - META_OFFSET;
        let mut reader = Part10Reader::of_at_most(meta);
        assert!(reader.push(&file).unwrap().is_some());
        let mut reader = Part10Reader::of_at_most(meta - 13);
        assert_eq!(reader.push(&file[..META_OFFSET + 12]), Err(Part10Error::TooLarge));
    }
}
