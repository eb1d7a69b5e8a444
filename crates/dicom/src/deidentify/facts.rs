//! The first look at an object: what decides whether it can be vouched for, and whose it is.
//!
//! A walk of its own over the elements before Pixel Data; it keeps a few small values of the top
//! level and nothing else. Deliberately absent: any judgement.

use crate::charset::SpecificCharacterSet;
use crate::scan::header::Header;
use crate::scan::inflate::Inflater;
use crate::scan::value::decode;
use crate::scan::walk::{Take, Visitor, Walk};
use crate::scan::{Fault, Limits, ScanError};
use crate::{DataSet, Element, Tag, TransferSyntax, VR, Value};

const SOP_CLASS_UID: Tag = Tag(0x0008, 0x0016);
const IMAGE_TYPE: Tag = Tag(0x0008, 0x0008);
const MODALITY: Tag = Tag(0x0008, 0x0060);
const CONVERSION_TYPE: Tag = Tag(0x0008, 0x0064);
const MANUFACTURER: Tag = Tag(0x0008, 0x0070);
const MODEL: Tag = Tag(0x0008, 0x1090);
const PATIENT_ID: Tag = Tag(0x0010, 0x0020);
const REGIONS: Tag = Tag(0x0018, 0x6011);
const STUDY_INSTANCE_UID: Tag = Tag(0x0020, 0x000D);
const SAMPLES: Tag = Tag(0x0028, 0x0002);
const PHOTOMETRIC: Tag = Tag(0x0028, 0x0004);
const PLANAR: Tag = Tag(0x0028, 0x0006);
const FRAMES: Tag = Tag(0x0028, 0x0008);
const ROWS: Tag = Tag(0x0028, 0x0010);
const COLUMNS: Tag = Tag(0x0028, 0x0011);
const BITS_ALLOCATED: Tag = Tag(0x0028, 0x0100);
const BURNED_IN: Tag = Tag(0x0028, 0x0301);
const RECOGNIZABLE: Tag = Tag(0x0028, 0x0302);
const WANTED: [Tag; 17] = [
    SOP_CLASS_UID,
    IMAGE_TYPE,
    MODALITY,
    CONVERSION_TYPE,
    MANUFACTURER,
    MODEL,
    PATIENT_ID,
    STUDY_INSTANCE_UID,
    SAMPLES,
    PHOTOMETRIC,
    PLANAR,
    FRAMES,
    ROWS,
    COLUMNS,
    BITS_ALLOCATED,
    BURNED_IN,
    RECOGNIZABLE,
];
/// The corners of an ultrasound region, PS3.3 C.8.5.5.1.1 to 4.
const CORNERS: [Tag; 4] = [Tag(0x0018, 0x6018), Tag(0x0018, 0x601A), Tag(0x0018, 0x601C), Tag(0x0018, 0x601E)];
/// The longest value that is looked at, in bytes.
const LONGEST: u32 = 1024;
/// Most ultrasound regions, and most words of names.
const MOST: usize = 64;

/// What is known of an object before it is rewritten.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    header: DataSet,
    pub(super) regions: Vec<[u32; 4]>,
    pub(super) names: Vec<String>,
    pub(super) overlay: bool,
    pub(super) overlay_data: bool,
    pub(super) pixel_data: Option<PixelData>,
    pub(super) out_of_order: bool,
}

/// How Pixel Data lies there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PixelData {
    /// In one value of that many bytes.
    Native(u64),
    /// In fragments.
    Encapsulated,
}

/// A first look, taken piece by piece.
pub struct Examination {
    walk: Walk,
    inflater: Option<Inflater>,
    looker: Looker,
}

impl Examination {
    /// Of an object in that transfer syntax.
    pub fn new(transfer_syntax: &TransferSyntax, limits: &Limits) -> Examination {
        Examination {
            walk: Walk::new(transfer_syntax.encoding(), limits),
            inflater: transfer_syntax.is_deflated().then(|| Inflater::new(limits)),
            looker: Looker::default(),
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// The object is no data set, or exceeds a limit.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), ScanError> {
        let Examination { walk, inflater, looker } = self;
        match inflater {
            None => walk.push(bytes, looker),
            Some(inflater) => inflater.push(bytes, |piece| walk.push(piece, looker)),
        }
    }

    /// Whether all is known: the walk has come to Pixel Data.
    pub fn is_done(&self) -> bool {
        self.looker.done
    }

    /// What is known; the rest of the object need not be shown.
    pub fn facts(self) -> Facts {
        let mut facts = self.looker.facts;
        facts.header = self.looker.elements.into_iter().collect();
        facts
    }
}

impl Facts {
    pub(super) fn sop_class(&self) -> &str {
        self.header.text(SOP_CLASS_UID).unwrap_or("")
    }

    pub(super) fn patient_id(&self) -> Option<&str> {
        self.header.text(PATIENT_ID)
    }

    pub(super) fn study(&self) -> &str {
        self.header.text(STUDY_INSTANCE_UID).unwrap_or("")
    }

    pub(super) fn manufacturer(&self) -> Option<&str> {
        self.header.text(MANUFACTURER)
    }

    pub(super) fn model(&self) -> Option<&str> {
        self.header.text(MODEL)
    }

    pub(super) fn modality(&self) -> Option<&str> {
        self.header.text(MODALITY)
    }

    pub(super) fn image_type(&self) -> &[String] {
        self.header.texts(IMAGE_TYPE)
    }

    pub(super) fn is_converted(&self) -> bool {
        self.header.text(CONVERSION_TYPE).is_some_and(|text| !text.is_empty())
    }

    pub(super) fn burned_in(&self) -> Option<&str> {
        self.header.text(BURNED_IN)
    }

    pub(super) fn recognizable(&self) -> Option<&str> {
        self.header.text(RECOGNIZABLE)
    }

    pub(super) fn photometric(&self) -> &str {
        self.header.text(PHOTOMETRIC).unwrap_or("")
    }

    pub(super) fn rows(&self) -> Option<u16> {
        self.number(ROWS)
    }

    pub(super) fn columns(&self) -> Option<u16> {
        self.number(COLUMNS)
    }

    pub(super) fn bits_allocated(&self) -> Option<u16> {
        self.number(BITS_ALLOCATED)
    }

    pub(super) fn samples(&self) -> u16 {
        self.number(SAMPLES).unwrap_or(1)
    }

    pub(super) fn is_planar(&self) -> bool {
        self.number(PLANAR) == Some(1)
    }

    pub(super) fn frames(&self) -> u32 {
        self.header.integer(FRAMES).and_then(|number| u32::try_from(number).ok()).unwrap_or(1).max(1)
    }

    fn number(&self, tag: Tag) -> Option<u16> {
        self.header.integer(tag).and_then(|number| u16::try_from(number).ok())
    }
}

/// Looks at what the walk meets.
#[derive(Default)]
struct Looker {
    facts: Facts,
    elements: Vec<(Tag, Element)>,
    depth: usize,
    in_regions: bool,
    last: Option<Tag>,
    done: bool,
}

impl Looker {
    /// An element, a sequence or a value in fragments at the top level.
    fn at_root(&mut self, tag: Tag) {
        if self.depth > 0 || self.done {
            return;
        }
        if self.last.is_some_and(|last| tag <= last) {
            self.facts.out_of_order = true;
        }
        self.last = Some(tag);
        if (0x6000..=0x60FF).contains(&tag.group()) && tag.group().is_multiple_of(2) {
            self.facts.overlay = true;
            self.facts.overlay_data |= tag.element() == 0x3000;
        }
    }

    fn pixel_data(&mut self, tag: Tag, pixel_data: PixelData) {
        if self.depth == 0 && is_pixel_data(tag) {
            self.facts.pixel_data = Some(pixel_data);
            self.done = true;
        }
    }
}

/// Pixel Data, Float Pixel Data, Double Float Pixel Data.
pub(super) fn is_pixel_data(tag: Tag) -> bool {
    tag.0 == 0x7FE0 && [0x0008, 0x0009, 0x0010].contains(&tag.1)
}

impl Visitor for Looker {
    fn element(&mut self, header: &Header) -> Result<Take, Fault> {
        self.at_root(header.tag);
        self.pixel_data(header.tag, PixelData::Native(header.length.into()));
        if header.meaning == VR::SQ {
            return Ok(Take::Items);
        }
        let wanted = if self.depth == 0 {
            !self.done && (WANTED.contains(&header.tag) || header.meaning == VR::PN)
        } else {
            self.in_regions && self.depth == 1 && CORNERS.contains(&header.tag)
        };
        Ok(if wanted && header.length <= LONGEST { Take::Whole } else { Take::Skip })
    }

    fn whole(&mut self, header: &Header, value: &[u8]) -> Result<(), Fault> {
        let (vr, value) = decode(header.meaning, value, header.encoding, &SpecificCharacterSet::default());
        if let Some(corner) = CORNERS.iter().position(|tag| *tag == header.tag) {
            let number = match &value {
                Value::Unsigned(numbers) => numbers.first().and_then(|number| u32::try_from(*number).ok()),
                _ => None,
            };
            if let (Some(region), Some(number)) = (self.facts.regions.last_mut(), number) {
                region[corner] = number;
            }
            return Ok(());
        }
        if vr == VR::PN
            && let Value::Text(values) = &value
        {
            let words = values.iter().flat_map(|value| value.split(|c: char| !c.is_ascii_alphanumeric()));
            let words = words.filter(|word| word.len() > 1).map(str::to_ascii_uppercase);
            let room = MOST.saturating_sub(self.facts.names.len());
            self.facts.names.extend(words.take(room));
            return Ok(());
        }
        self.elements.push((header.tag, Element { vr, value }));
        Ok(())
    }

    fn piece(&mut self, _header: &Header, _bytes: &[u8], _last: bool) -> Result<(), Fault> {
        Ok(())
    }

    fn sequence(&mut self, header: &Header) -> Result<(), Fault> {
        self.at_root(header.tag);
        self.in_regions = header.tag == REGIONS && self.depth == 0 || self.in_regions && self.depth > 0;
        self.depth += 1;
        Ok(())
    }

    fn item(&mut self) -> Result<(), Fault> {
        if self.in_regions && self.depth == 1 && self.facts.regions.len() < MOST {
            self.facts.regions.push([0; 4]);
        }
        Ok(())
    }

    fn item_end(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn sequence_end(&mut self) -> Result<(), Fault> {
        self.depth = self.depth.saturating_sub(1);
        self.in_regions &= self.depth > 0;
        Ok(())
    }

    fn fragments(&mut self, header: &Header) -> Result<(), Fault> {
        self.at_root(header.tag);
        self.pixel_data(header.tag, PixelData::Encapsulated);
        self.depth += 1;
        Ok(())
    }

    fn fragment(&mut self, _header: &Header) -> Result<Take, Fault> {
        Ok(Take::Skip)
    }

    fn fragments_end(&mut self, _offset: u64) -> Result<(), Fault> {
        self.depth = self.depth.saturating_sub(1);
        Ok(())
    }
}
