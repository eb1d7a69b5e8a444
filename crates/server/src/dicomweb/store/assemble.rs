//! One instance being put together from metadata and bulk values.

use leadglass_dicom::charset::SpecificCharacterSet;
use leadglass_dicom::transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN;
use leadglass_dicom::{Bulk, DataSet, Encoding, Tag, TransferSyntax, Uid, VR, Value};

use super::super::media_type::MediaType;
use super::super::pixel_media::{OCTET_STREAM, default_syntax};
use super::bulk_value;
use super::composed::without_file_meta;
use super::outcome::{Failure, FailureReason};

const SOP_CLASS_UID: Tag = Tag(0x0008, 0x0016);
const SOP_INSTANCE_UID: Tag = Tag(0x0008, 0x0018);
const TRANSFER_SYNTAX_UID: Tag = Tag(0x0002, 0x0010);
const AVAILABLE_TRANSFER_SYNTAX_UID: Tag = Tag(0x0008, 0x3002);
const SAMPLES_PER_PIXEL: Tag = Tag(0x0028, 0x0002);
const NUMBER_OF_FRAMES: Tag = Tag(0x0028, 0x0008);
const ROWS: Tag = Tag(0x0028, 0x0010);
const COLUMNS: Tag = Tag(0x0028, 0x0011);
const BITS_ALLOCATED: Tag = Tag(0x0028, 0x0100);
const PIXEL_DATA: Tag = Tag(0x7FE0, 0x0010);

/// Metadata with what has come of its bulk data.
pub struct Assembly {
    data_set: DataSet,
    /// The transfer syntax the metadata name, if any.
    named_syntax: Option<TransferSyntax>,
    /// BulkDataURIs that no part has answered yet.
    wanted: Vec<String>,
    held: usize,
    /// A bulk value that its element cannot hold.
    misfit: bool,
}

impl Assembly {
    /// From one data set of the metadata.
    pub fn new(data_set: DataSet) -> Assembly {
        let named = data_set.text(TRANSFER_SYNTAX_UID).or(data_set.text(AVAILABLE_TRANSFER_SYNTAX_UID));
        let named_syntax = named.and_then(|uid| Uid::parse(uid).ok()).map(TransferSyntax::from_uid);
        let data_set = without_file_meta(data_set);
        let mut wanted = Vec::new();
        bulk_value::collect_uris(&data_set, &mut wanted);
        Assembly { data_set, named_syntax, wanted, held: 0, misfit: false }
    }

    /// Whether nothing is missing.
    pub fn is_whole(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Whether a bulk value of that location is missing.
    pub fn asks_for(&self, location: &str) -> bool {
        self.wanted.iter().any(|wanted| wanted == location)
    }

    /// Bytes of bulk values held.
    pub fn held_bytes(&self) -> usize {
        self.held
    }

    /// Takes a bulk value that has come whole.
    pub fn supply(&mut self, location: &str, bytes: Vec<u8>, media_type: Option<&MediaType>) {
        self.held += bytes.len();
        self.wanted.retain(|wanted| wanted != location);
        let compressed = media_type.is_some_and(|media_type| media_type.essence() != OCTET_STREAM);
        let is_pixel_data = self.pixel_location() == Some(location);
        self.misfit |= (compressed && is_pixel_data) || !bulk_value::put(&mut self.data_set, location, &bytes);
    }

    /// What a failure of this instance is called.
    pub fn failure(&self, reason: FailureReason) -> Failure {
        let text = |tag| self.data_set.text(tag).map(str::to_owned);
        Failure { reason, sop_class: text(SOP_CLASS_UID), sop_instance: text(SOP_INSTANCE_UID) }
    }

    /// The whole instance in Explicit VR Little Endian.
    pub fn encoded(&self) -> Result<(Vec<u8>, TransferSyntax), FailureReason> {
        if self.misfit {
            return Err(FailureReason::CannotUnderstand);
        }
        Ok((encode(&self.data_set)?, TransferSyntax::explicit_little_endian()))
    }

    /// How a part of that location and type goes straight through, if it does: pixel data,
    /// the last that is missing, with nothing after them, of a length known beforehand or
    /// compressed.
    pub fn pixel_stream(&self, location: &str, media_type: Option<&MediaType>) -> Option<PixelStream> {
        let is_last = self.data_set.iter().last().is_some_and(|(tag, _)| tag == PIXEL_DATA);
        if self.pixel_location() != Some(location) || self.wanted.len() != 1 || !is_last {
            return None;
        }
        let frames = self.data_set.integer(NUMBER_OF_FRAMES).unwrap_or(1);
        let frames = u32::try_from(frames).ok().filter(|frames| *frames > 0)?;
        let syntax = self.part_syntax(media_type)?;
        if syntax.is_encapsulated() {
            return Some(PixelStream::encapsulated(syntax, frames));
        }
        let (length, vr) = self.native_pixels(frames)?;
        (syntax.uid().as_str() == EXPLICIT_VR_LITTLE_ENDIAN).then(|| PixelStream::native(length, vr))
    }

    /// The data set up to and with the pixel data's element header.
    pub fn head(&self, pixels: &PixelStream) -> Result<Vec<u8>, FailureReason> {
        if self.misfit {
            return Err(FailureReason::CannotUnderstand);
        }
        let mut without = self.data_set.clone();
        without.remove(PIXEL_DATA);
        let mut out = encode(&without)?;
        out.extend(pixels.element_header());
        Ok(out)
    }

    fn pixel_location(&self) -> Option<&str> {
        match &self.data_set.element(PIXEL_DATA)?.value {
            Value::Bulk(Bulk::Uri(uri)) => Some(uri),
            _ => None,
        }
    }

    /// The transfer syntax of a part: its own, its media type's, the metadata's.
    fn part_syntax(&self, media_type: Option<&MediaType>) -> Option<TransferSyntax> {
        let named = media_type.and_then(|media_type| media_type.parameter("transfer-syntax"));
        if let Some(uid) = named {
            return Uid::parse(uid).ok().map(TransferSyntax::from_uid);
        }
        match media_type.map(MediaType::essence) {
            None | Some(OCTET_STREAM) => Some(TransferSyntax::explicit_little_endian()),
            Some(essence) => {
                let default = default_syntax(essence)?;
                let named = self.named_syntax.clone().filter(TransferSyntax::is_encapsulated);
                Some(named.unwrap_or(default))
            }
        }
    }

    /// Bytes and value representation of uncompressed pixel data, PS3.5 8.1.
    fn native_pixels(&self, frames: u32) -> Option<(u32, VR)> {
        let number = |tag| self.data_set.integer(tag).and_then(|value| u64::try_from(value).ok());
        let bits = number(ROWS)?
            .checked_mul(number(COLUMNS)?)?
            .checked_mul(number(SAMPLES_PER_PIXEL).unwrap_or(1))?
            .checked_mul(number(BITS_ALLOCATED)?)?
            .checked_mul(u64::from(frames))?;
        let length = u32::try_from(bits.div_ceil(8)).ok().filter(|length| *length < u32::MAX - 1)?;
        Some((length, if number(BITS_ALLOCATED)? > 8 { VR::OW } else { VR::OB }))
    }
}

fn encode(data_set: &DataSet) -> Result<Vec<u8>, FailureReason> {
    data_set
        .encode(Encoding::ExplicitLittleEndian, &SpecificCharacterSet::utf8())
        .map_err(|_| FailureReason::CannotUnderstand)
}

/// Pixel data as they go into the data set.
pub struct PixelStream {
    transfer_syntax: TransferSyntax,
    kind: Kind,
}

enum Kind {
    /// So many bytes, of which so many are still to come.
    Native { length: u32, missing: u32, vr: VR, padding: bool },
    /// One fragment a frame; the frame being read is held for its length.
    Encapsulated { frames: u32, seen: u32, frame: Vec<u8> },
}

impl PixelStream {
    fn native(length: u32, vr: VR) -> PixelStream {
        let kind = Kind::Native { length, missing: length, vr, padding: false };
        PixelStream { transfer_syntax: TransferSyntax::explicit_little_endian(), kind }
    }

    fn encapsulated(transfer_syntax: TransferSyntax, frames: u32) -> PixelStream {
        PixelStream { transfer_syntax, kind: Kind::Encapsulated { frames, seen: 0, frame: Vec::new() } }
    }

    /// The transfer syntax of the data set they make.
    pub fn transfer_syntax(&self) -> TransferSyntax {
        self.transfer_syntax.clone()
    }

    /// Whether frames are held one by one.
    pub fn holds_frames(&self) -> bool {
        matches!(self.kind, Kind::Encapsulated { .. })
    }

    /// Bytes of the frame being held.
    pub fn frame_bytes(&self) -> usize {
        match &self.kind {
            Kind::Native { .. } => 0,
            Kind::Encapsulated { frame, .. } => frame.len(),
        }
    }

    /// Whether another part of the same location is another frame.
    pub fn takes_another_frame(&self) -> bool {
        matches!(self.kind, Kind::Encapsulated { frames, seen, .. } if seen < frames)
    }

    /// Takes bytes of a part; gives what goes into the data set.
    pub fn data(&mut self, chunk: &[u8]) -> Result<Vec<u8>, FailureReason> {
        match &mut self.kind {
            Kind::Native { length, missing, padding, .. } => {
                let wanted = chunk.len().min(*missing as usize);
                let (pixels, rest) = chunk.split_at_checked(wanted).unwrap_or((chunk, &[]));
                *missing -= u32::try_from(pixels.len()).unwrap_or(0);
                // Senders pad an odd length themselves, or leave it to us.
                let may_pad = *length % 2 == 1 && !*padding;
                match rest {
                    [] => {}
                    [0] if may_pad => *padding = true,
                    _ => return Err(FailureReason::CannotUnderstand),
                }
                Ok(pixels.to_vec())
            }
            Kind::Encapsulated { frame, .. } => {
                frame.extend_from_slice(chunk);
                Ok(Vec::new())
            }
        }
    }

    /// A part has ended.
    pub fn end_part(&mut self) -> Result<Vec<u8>, FailureReason> {
        let Kind::Encapsulated { seen, frame, .. } = &mut self.kind else { return Ok(Vec::new()) };
        *seen += 1;
        let mut frame = std::mem::take(frame);
        if frame.len() % 2 == 1 {
            frame.push(0);
        }
        let length = u32::try_from(frame.len()).map_err(|_| FailureReason::CannotUnderstand)?;
        Ok([item_header(0xE000, length).as_slice(), &frame].concat())
    }

    /// All parts have come.
    pub fn finish(&mut self) -> Result<Vec<u8>, FailureReason> {
        match self.kind {
            Kind::Native { missing: 1.., .. } => Err(FailureReason::CannotUnderstand),
            Kind::Native { length, .. } => Ok(if length % 2 == 1 { vec![0] } else { Vec::new() }),
            Kind::Encapsulated { frames, seen, .. } if seen != frames => Err(FailureReason::CannotUnderstand),
            Kind::Encapsulated { .. } => Ok(item_header(0xE0DD, 0).to_vec()),
        }
    }

    /// The element's tag, value representation and length; for fragments also the empty
    /// Basic Offset Table (PS3.5 A.4).
    fn element_header(&self) -> Vec<u8> {
        let (vr, length) = match self.kind {
            Kind::Native { length, vr, .. } => (vr, length + length % 2),
            Kind::Encapsulated { .. } => (VR::OB, u32::MAX),
        };
        let mut out = Vec::with_capacity(20);
        out.extend(PIXEL_DATA.group().to_le_bytes());
        out.extend(PIXEL_DATA.element().to_le_bytes());
        out.extend(if vr == VR::OW { *b"OW" } else { *b"OB" });
        out.extend([0, 0]);
        out.extend(length.to_le_bytes());
        if self.holds_frames() {
            out.extend(item_header(0xE000, 0));
        }
        out
    }
}

/// Header of an item or delimiter of group FFFE.
fn item_header(element: u16, length: u32) -> [u8; 8] {
    let ([a, b], [c, d, e, f]) = (element.to_le_bytes(), length.to_le_bytes());
    [0xFE, 0xFF, a, b, c, d, e, f]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(frames: &str) -> Assembly {
        let mut data_set = DataSet::new();
        data_set.put_text(NUMBER_OF_FRAMES, VR::IS, frames);
        for (tag, value) in [(ROWS, 3), (COLUMNS, 3), (SAMPLES_PER_PIXEL, 1), (BITS_ALLOCATED, 8)] {
            data_set.put(tag, VR::US, Value::Unsigned(vec![value]));
        }
        data_set.put(PIXEL_DATA, VR::OB, Value::Bulk(Bulk::Uri("p".into())));
        Assembly::new(data_set)
    }

    #[test]
    fn native_pixels_are_counted_and_padded() {
        let mut pixels = image("1").pixel_stream("p", None).unwrap();
        assert!(pixels.element_header().ends_with(&[10, 0, 0, 0]));
        assert_eq!(pixels.data(&[1; 9]).unwrap(), [1; 9]);
        assert!(pixels.data(&[0]).unwrap().is_empty());
        assert_eq!(pixels.data(&[0]), Err(FailureReason::CannotUnderstand));
        assert_eq!(pixels.finish().unwrap(), [0]);
        let mut short = image("1").pixel_stream("p", None).unwrap();
        short.data(&[1; 8]).unwrap();
        assert_eq!(short.finish(), Err(FailureReason::CannotUnderstand));
    }

    #[test]
    fn compressed_frames_become_fragments() {
        let media_type = MediaType::parse("image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50").unwrap();
        let mut pixels = image("2").pixel_stream("p", Some(&media_type)).unwrap();
        assert_eq!(pixels.transfer_syntax().uid().as_str(), "1.2.840.10008.1.2.4.50");
        assert!(pixels.element_header().ends_with(&[0xFE, 0xFF, 0x00, 0xE0, 0, 0, 0, 0]));
        assert!(pixels.data(b"abc").unwrap().is_empty());
        assert_eq!(pixels.end_part().unwrap(), [0xFE, 0xFF, 0x00, 0xE0, 4, 0, 0, 0, b'a', b'b', b'c', 0]);
        assert!(pixels.takes_another_frame());
        assert_eq!(pixels.finish(), Err(FailureReason::CannotUnderstand));
        pixels.end_part().unwrap();
        assert_eq!(pixels.finish().unwrap(), [0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]);
    }

    #[test]
    fn hostile_geometry_is_not_streamed() {
        for frames in ["0", "-1", "4294967295", "x"] {
            let streamed = image(frames).pixel_stream("p", None);
            assert!(streamed.is_none() || frames == "x", "{frames}");
        }
    }
}
