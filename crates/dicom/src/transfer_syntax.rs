//! Transfer syntaxes, PS3.5 §10 and Annex A.

use crate::uid::Uid;

/// How the elements of a data set are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Implicit VR Little Endian, PS3.5 A.1.
    ImplicitLittleEndian,
    /// Explicit VR Little Endian, PS3.5 A.2; all encapsulated syntaxes too (A.4).
    ExplicitLittleEndian,
    /// Explicit VR Big Endian, retired but alive.
    ExplicitBigEndian,
}

/// A transfer syntax: its UID and what the archive has to know of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TransferSyntax {
    uid: Uid,
    encoding: Encoding,
    deflated: bool,
    encapsulated: bool,
}

/// Implicit VR Little Endian.
pub const IMPLICIT_VR_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2";
/// Explicit VR Little Endian.
pub const EXPLICIT_VR_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2.1";
/// Explicit VR Big Endian (retired).
pub const EXPLICIT_VR_BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";
/// Deflated Explicit VR Little Endian.
pub const DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2.1.99";
/// Encapsulated Uncompressed Explicit VR Little Endian.
pub const ENCAPSULATED_UNCOMPRESSED: &str = "1.2.840.10008.1.2.1.98";

impl TransferSyntax {
    /// The transfer syntax of that UID. One nobody has heard of is taken as explicit
    /// little endian with encapsulated pixel data, as every syntax since 1993 has been
    /// (PS3.5 A.4); the scan finds out whether that is true.
    pub fn from_uid(uid: Uid) -> TransferSyntax {
        let (encoding, deflated, encapsulated) = match uid.as_str() {
            IMPLICIT_VR_LITTLE_ENDIAN => (Encoding::ImplicitLittleEndian, false, false),
            EXPLICIT_VR_LITTLE_ENDIAN => (Encoding::ExplicitLittleEndian, false, false),
            EXPLICIT_VR_BIG_ENDIAN => (Encoding::ExplicitBigEndian, false, false),
            DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN => (Encoding::ExplicitLittleEndian, true, false),
            // Papyrus 3 and a GE syntax whose pixels alone are big endian.
            "1.2.840.10008.1.20" | "1.2.840.113619.5.2" => (Encoding::ImplicitLittleEndian, false, true),
            // JPIP Referenced Deflate, and with HTJ2K.
            "1.2.840.10008.1.2.4.95" | "1.2.840.10008.1.2.4.205" => (Encoding::ExplicitLittleEndian, true, true),
            _ => (Encoding::ExplicitLittleEndian, false, true),
        };
        TransferSyntax { uid, encoding, deflated, encapsulated }
    }

    /// Implicit VR Little Endian, what every application entity understands.
    pub fn implicit_little_endian() -> TransferSyntax {
        TransferSyntax::native(IMPLICIT_VR_LITTLE_ENDIAN, Encoding::ImplicitLittleEndian)
    }

    /// Explicit VR Little Endian.
    pub fn explicit_little_endian() -> TransferSyntax {
        TransferSyntax::native(EXPLICIT_VR_LITTLE_ENDIAN, Encoding::ExplicitLittleEndian)
    }

    /// Explicit VR Big Endian.
    pub fn explicit_big_endian() -> TransferSyntax {
        TransferSyntax::native(EXPLICIT_VR_BIG_ENDIAN, Encoding::ExplicitBigEndian)
    }

    /// The plain syntax that writes elements so.
    pub fn of_encoding(encoding: Encoding) -> TransferSyntax {
        match encoding {
            Encoding::ImplicitLittleEndian => TransferSyntax::implicit_little_endian(),
            Encoding::ExplicitLittleEndian => TransferSyntax::explicit_little_endian(),
            Encoding::ExplicitBigEndian => TransferSyntax::explicit_big_endian(),
        }
    }

    #[expect(clippy::expect_used, reason = "the UIDs are constants of this file")]
    fn native(uid: &str, encoding: Encoding) -> TransferSyntax {
        let uid = Uid::parse(uid).expect("a well-formed constant");
        TransferSyntax { uid, encoding, deflated: false, encapsulated: false }
    }

    /// The UID.
    pub fn uid(&self) -> &Uid {
        &self.uid
    }

    /// How elements are written (after inflating, when deflated).
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Whether the whole data set is a raw deflate stream, PS3.5 A.5.
    pub fn is_deflated(&self) -> bool {
        self.deflated
    }

    /// Whether Pixel Data is a sequence of fragments, PS3.5 A.4.
    pub fn is_encapsulated(&self) -> bool {
        self.encapsulated
    }

    /// Whether it is one of the four native ones, which convert into each other without
    /// touching a pixel's value.
    pub fn is_native(&self) -> bool {
        !self.encapsulated
    }
}
