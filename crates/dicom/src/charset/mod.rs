//! Character sets: from bytes to Unicode and back, PS3.3 C.12.1.1.2 and PS3.5 §6.1.

use dicom_core::VR;

/// The value of Specific Character Set (0008,0005): how the text of a data set is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpecificCharacterSet {
    terms: Vec<String>,
}

/// A text has characters that the character set cannot write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text has characters that the character set cannot write")]
pub struct Unencodable;

impl SpecificCharacterSet {
    /// The character set of those terms; none is the default repertoire.
    pub fn from_terms(terms: &[&str]) -> SpecificCharacterSet {
        SpecificCharacterSet { terms: terms.iter().map(|term| (*term).to_owned()).collect() }
    }

    /// UTF-8 (ISO_IR 192).
    pub fn utf8() -> SpecificCharacterSet {
        SpecificCharacterSet::from_terms(&["ISO_IR 192"])
    }

    /// The terms as they are written into Specific Character Set (0008,0005); none for the
    /// default repertoire.
    pub fn terms(&self) -> Vec<String> {
        self.terms.clone()
    }

    /// The values of a text element, decoded, padding removed.
    pub fn decode(&self, bytes: &[u8], _vr: VR) -> Vec<String> {
        String::from_utf8_lossy(bytes).trim_end_matches([' ', '\0']).split('\\').map(str::to_owned).collect()
    }

    /// The value field of a text element, without padding to even length.
    pub fn encode(&self, values: &[String], _vr: VR) -> Result<Vec<u8>, Unencodable> {
        Ok(values.join("\\").into_bytes())
    }

    /// Whether the character set can write all characters of the text.
    pub fn can_encode(&self, text: &str) -> bool {
        text.is_ascii()
    }
}
