//! Character sets, until `crate::charset` lands.

use crate::VR;

#[derive(Default)]
pub(crate) struct SpecificCharacterSet;

impl SpecificCharacterSet {
    pub(crate) fn from_terms(_terms: &[&str]) -> SpecificCharacterSet {
        SpecificCharacterSet
    }

    pub(crate) fn decode(&self, bytes: &[u8], vr: VR) -> Vec<String> {
        let text = String::from_utf8_lossy(bytes).trim_end_matches([' ', '\0']).to_owned();
        if matches!(vr, VR::ST | VR::LT | VR::UT) {
            return vec![text];
        }
        text.split('\\').map(|value| value.trim_end_matches([' ', '\0']).to_owned()).collect()
    }
}
