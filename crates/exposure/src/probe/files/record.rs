//! What is kept of one header: which attributes have a value, and a few answers. No value.

use leadglass_dicom::Encoding;

use super::profile::{Options, Rows};

/// What a header said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Elements of the data set at all levels, before Pixel Data.
    pub elements: u32,
    /// Rows of PS3.15 Table E.1-1 that have a value, at any level.
    pub present: Rows,
    /// Patient Identity Removed (0012,0062).
    pub identity_removed: Statement,
    /// Options of the profile named in De-identification Method Code Sequence (0012,0064).
    pub options: Options,
    /// Burned In Annotation (0028,0301).
    pub burned_in: Statement,
    /// Recognizable Visual Features (0028,0302).
    pub recognisable: Statement,
    /// What kind of object it is, as far as text in its pixels goes.
    pub class: Option<Class>,
    /// Whether Conversion Type (0008,0064) says digitised or synthetic.
    pub converted: bool,
    /// Whether there is Overlay Data (60xx,3000).
    pub overlay: bool,
    /// Whether there is an Encrypted Attributes Sequence (0400,0500).
    pub encrypted: bool,
    /// Whether its own UIDs lie under a manufacturer's root.
    pub manufacturer_uid: bool,
    /// Whether SOP Class UID (0008,0016) or SOP Instance UID (0008,0018) was met.
    pub is_instance: bool,
    /// Whether it is a DICOMDIR, PS3.10 8.
    pub is_directory: bool,
    /// How it is encoded.
    pub syntax: Syntax,
    /// How far it was read.
    pub end: End,
}

/// A code string that answers a question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Statement {
    /// Not there, or empty.
    #[default]
    Silent,
    /// YES.
    Yes,
    /// NO.
    No,
    /// Something else.
    Other,
}

/// Kinds of objects that often carry text in their pixels, or a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// Ultrasound.
    Ultrasound,
    /// Secondary Capture.
    SecondaryCapture,
    /// Endoscopy.
    Endoscopy,
    /// Photographs and microscopy.
    VisibleLight,
    /// X-Ray angiography and radiofluoroscopy.
    Angiography,
    /// A document in another format.
    Document,
}

/// How a data set is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    /// As it lies there.
    Plain(Encoding),
    /// Deflated, PS3.5 A.5.
    Deflated,
}

/// How far a header was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Up to the pixels.
    PixelData,
    /// Up to the end of the file.
    File,
    /// The file ends within an element.
    Truncated,
    /// It is not well-formed.
    Malformed,
    /// It is longer or deeper than is read.
    TooLong,
    /// Its data set is deflated and could not be inflated.
    NotInflated,
    /// The disk said no.
    Failed,
}

impl Record {
    pub(super) fn new(syntax: Syntax) -> Record {
        Record {
            elements: 0,
            present: Rows::default(),
            identity_removed: Statement::Silent,
            options: Options::default(),
            burned_in: Statement::Silent,
            recognisable: Statement::Silent,
            class: None,
            converted: false,
            overlay: false,
            encrypted: false,
            manufacturer_uid: false,
            is_instance: false,
            is_directory: false,
            syntax,
            end: End::File,
        }
    }

    /// Whether text may be in the pixels: said so, or silent where it often is, PS3.15 E.3.1.
    pub(super) fn is_at_risk(&self) -> bool {
        let silent = !matches!(self.burned_in, Statement::Yes | Statement::No);
        self.burned_in == Statement::Yes
            || (silent && (self.class.is_some() || self.converted))
            || self.recognisable == Statement::Yes
            || self.overlay
    }
}

impl Statement {
    /// Reads the code.
    pub(super) fn of(value: &[u8]) -> Statement {
        match trim(value) {
            b"" => Statement::Silent,
            b"YES" => Statement::Yes,
            b"NO" => Statement::No,
            _ => Statement::Other,
        }
    }
}

impl Class {
    /// The kind of a SOP class, PS3.4 B.5.
    pub(super) fn of(sop_class_uid: &[u8]) -> Option<Class> {
        let rest = trim(sop_class_uid).strip_prefix(b"1.2.840.10008.5.1.4.1.1.")?;
        let under = |root: &[u8]| rest.strip_prefix(root).is_some_and(|rest| matches!(rest.first(), None | Some(b'.')));
        if under(b"3") || under(b"6") {
            Some(Class::Ultrasound)
        } else if under(b"7") {
            Some(Class::SecondaryCapture)
        } else if under(b"77.1.1") {
            Some(Class::Endoscopy)
        } else if under(b"77.1") {
            Some(Class::VisibleLight)
        } else if under(b"12.1") || under(b"12.2") || under(b"12.3") {
            Some(Class::Angiography)
        } else if under(b"104") {
            Some(Class::Document)
        } else {
            None
        }
    }
}

/// Whether Conversion Type says that something else was digitised, or made by a workstation.
pub(super) fn is_converted(conversion_type: &[u8]) -> bool {
    matches!(trim(conversion_type), b"WSD" | b"SD" | b"SI" | b"DF" | b"DV")
}

/// Whether a UID lies under a root that makers of modalities give out from.
pub(super) fn is_manufacturers(uid: &[u8]) -> bool {
    const ROOTS: [&[u8]; 10] = [
        b"1.2.840.113619.", // GE
        b"1.3.12.2.1107.",  // Siemens
        b"1.2.840.113704.", // Philips
        b"1.3.46.670589.",  // Philips
        b"1.2.392.200036.", // Fuji, Canon and others in Japan
        b"1.2.840.113564.", // Carestream
        b"1.2.840.114257.", // Agfa
        b"1.3.51.",         // Agfa
        b"1.2.840.113681.", // Hologic
        b"1.2.410.200010.", // Makers in Korea
    ];
    ROOTS.iter().any(|root| uid.starts_with(root))
}

/// Without padding, PS3.5 6.2.
pub(super) fn trim(value: &[u8]) -> &[u8] {
    let is_padding = |byte: &u8| matches!(byte, b' ' | 0);
    let from = value.iter().position(|byte| !is_padding(byte)).unwrap_or(value.len());
    let to = value.iter().rposition(|byte| !is_padding(byte)).map_or(from, |last| last + 1);
    &value[from..to]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_objects_are_told_by_whole_components() {
        assert_eq!(Class::of(b"1.2.840.10008.5.1.4.1.1.6.1\0"), Some(Class::Ultrasound));
        assert_eq!(Class::of(b"1.2.840.10008.5.1.4.1.1.7"), Some(Class::SecondaryCapture));
        assert_eq!(Class::of(b"1.2.840.10008.5.1.4.1.1.77.1.1.1"), Some(Class::Endoscopy));
        assert_eq!(Class::of(b"1.2.840.10008.5.1.4.1.1.77.1.4"), Some(Class::VisibleLight));
        assert_eq!(Class::of(b"1.2.840.10008.5.1.4.1.1.12.1.1"), Some(Class::Angiography));
        assert_eq!(Class::of(b"1.2.840.10008.5.1.4.1.1.104.1"), Some(Class::Document));
        assert_eq!(Class::of(b"1.2.840.10008.5.1.4.1.1.2"), None);
        assert_eq!(Class::of(b"1.2.840.10008.5.1.4.1.1.66.4"), None);
    }

    #[test]
    fn a_code_is_read_without_its_padding() {
        assert_eq!(Statement::of(b"NO"), Statement::No);
        assert_eq!(Statement::of(b"YES "), Statement::Yes);
        assert_eq!(Statement::of(b"  "), Statement::Silent);
        assert_eq!(Statement::of(b"PLANTED^JANE"), Statement::Other);
    }
}
