//! The VR of elements that do not say it: dictionary and context, PS3.5 A.1 and PS3.6.

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry, VirtualVr};
use dicom_dictionary_std::StandardDataDictionary;

use crate::{Tag, VR};

/// Pixel Representation: decides between US and SS.
const PIXEL_REPRESENTATION: Tag = Tag(0x0028, 0x0103);
/// LUT Descriptor: decides between US and OW for LUT Data.
const LUT_DESCRIPTOR: Tag = Tag(0x0028, 0x3002);

/// What of a data set decides over the VR of others in it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct VrContext {
    signed_pixels: Option<bool>,
    single_lut_entry: bool,
}

impl VrContext {
    /// Whether the value of that element has to be shown to [`VrContext::note`].
    pub(super) fn wants(tag: Tag, length: u32) -> bool {
        (tag == PIXEL_REPRESENTATION && length == 2) || (tag == LUT_DESCRIPTOR && length == 6)
    }

    /// Learns from a value, given its first two bytes as a number.
    pub(super) fn note(&mut self, tag: Tag, first: u16) {
        match tag {
            PIXEL_REPRESENTATION => self.signed_pixels = Some(first != 0),
            LUT_DESCRIPTOR => self.single_lut_entry = first == 1,
            _ => {}
        }
    }
}

/// The VR of an element that is written without, seen from the innermost data set outwards.
/// UN for what no dictionary knows.
pub(super) fn implied<'a>(tag: Tag, contexts: impl Iterator<Item = &'a VrContext> + Clone) -> VR {
    if is_private(tag) {
        // PS3.5 7.8.1: of private elements only the creators are known.
        return if (0x0010..=0x00FF).contains(&tag.element()) { VR::LO } else { VR::UN };
    }
    match StandardDataDictionary.by_tag(tag).map(|entry| entry.vr()) {
        None => VR::UN,
        Some(VirtualVr::Exact(vr)) => vr,
        Some(VirtualVr::Xs) => match contexts.into_iter().find_map(|context| context.signed_pixels) {
            Some(true) => VR::SS,
            _ => VR::US,
        },
        Some(VirtualVr::Lt) => match contexts.into_iter().next() {
            Some(context) if context.single_lut_entry => VR::US,
            _ => VR::OW,
        },
        // PS3.5 A.1: OW in implicit encoding.
        Some(_) => VR::OW,
    }
}

/// Odd groups from 0009 on belong to whoever made the object.
fn is_private(tag: Tag) -> bool {
    tag.group() % 2 == 1 && tag.group() > 0x0008
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_creator_is_text_even_where_a_repeating_group_begins() {
        let none: [VrContext; 0] = [];
        assert_eq!(implied(Tag(0x7FDD, 0x0010), none.iter()), VR::LO);
        assert_eq!(implied(Tag(0x7FDD, 0x1010), none.iter()), VR::UN);
        assert_eq!(implied(Tag(0x7FE0, 0x0010), none.iter()), VR::OW);
    }
}
