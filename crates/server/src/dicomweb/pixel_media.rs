//! Which media type pixel data of a transfer syntax has, PS3.18 8.7.3.3.

use leadglass_dicom::transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN;
use leadglass_dicom::{TransferSyntax, Uid};

/// Uncompressed pixel data, and any bulk data.
pub const OCTET_STREAM: &str = "application/octet-stream";

/// Media types and the transfer syntaxes they stand for; the first of each type is what the
/// type means without a `transfer-syntax` parameter (Tables 8.7.3-2 and 8.7.3-3).
const COMPRESSED: &[(&str, &str)] = &[
    ("image/jpeg", "1.2.840.10008.1.2.4.70"),
    ("image/jpeg", "1.2.840.10008.1.2.4.50"),
    ("image/jpeg", "1.2.840.10008.1.2.4.51"),
    ("image/jpeg", "1.2.840.10008.1.2.4.57"),
    ("image/dicom-rle", "1.2.840.10008.1.2.5"),
    ("image/jls", "1.2.840.10008.1.2.4.80"),
    ("image/jls", "1.2.840.10008.1.2.4.81"),
    ("image/jp2", "1.2.840.10008.1.2.4.90"),
    ("image/jp2", "1.2.840.10008.1.2.4.91"),
    ("image/jpx", "1.2.840.10008.1.2.4.92"),
    ("image/jpx", "1.2.840.10008.1.2.4.93"),
    ("image/jphc", "1.2.840.10008.1.2.4.201"),
    ("image/jphc", "1.2.840.10008.1.2.4.202"),
    ("image/jphc", "1.2.840.10008.1.2.4.203"),
    ("image/jxl", "1.2.840.10008.1.2.4.110"),
    ("image/jxl", "1.2.840.10008.1.2.4.111"),
    ("image/jxl", "1.2.840.10008.1.2.4.112"),
    ("video/mpeg2", "1.2.840.10008.1.2.4.100"),
    ("video/mpeg2", "1.2.840.10008.1.2.4.100.1"),
    ("video/mpeg2", "1.2.840.10008.1.2.4.101"),
    ("video/mpeg2", "1.2.840.10008.1.2.4.101.1"),
    ("video/mp4", "1.2.840.10008.1.2.4.102"),
    ("video/mp4", "1.2.840.10008.1.2.4.102.1"),
    ("video/mp4", "1.2.840.10008.1.2.4.103"),
    ("video/mp4", "1.2.840.10008.1.2.4.103.1"),
    ("video/mp4", "1.2.840.10008.1.2.4.104"),
    ("video/mp4", "1.2.840.10008.1.2.4.104.1"),
    ("video/mp4", "1.2.840.10008.1.2.4.105"),
    ("video/mp4", "1.2.840.10008.1.2.4.105.1"),
    ("video/mp4", "1.2.840.10008.1.2.4.106"),
    ("video/mp4", "1.2.840.10008.1.2.4.106.1"),
    ("video/mp4", "1.2.840.10008.1.2.4.107"),
    ("video/mp4", "1.2.840.10008.1.2.4.108"),
    // Retired JPEG processes, which real archives still hold.
    ("image/jpeg", "1.2.840.10008.1.2.4.52"),
    ("image/jpeg", "1.2.840.10008.1.2.4.53"),
    ("image/jpeg", "1.2.840.10008.1.2.4.54"),
    ("image/jpeg", "1.2.840.10008.1.2.4.55"),
    ("image/jpeg", "1.2.840.10008.1.2.4.56"),
    ("image/jpeg", "1.2.840.10008.1.2.4.58"),
    ("image/jpeg", "1.2.840.10008.1.2.4.59"),
    ("image/jpeg", "1.2.840.10008.1.2.4.60"),
    ("image/jpeg", "1.2.840.10008.1.2.4.61"),
    ("image/jpeg", "1.2.840.10008.1.2.4.62"),
    ("image/jpeg", "1.2.840.10008.1.2.4.63"),
    ("image/jpeg", "1.2.840.10008.1.2.4.64"),
    ("image/jpeg", "1.2.840.10008.1.2.4.65"),
    ("image/jpeg", "1.2.840.10008.1.2.4.66"),
];

/// Other names that clients use for the same.
const ALIASES: &[(&str, &str)] =
    &[("image/x-dicom-rle", "image/dicom-rle"), ("image/x-jls", "image/jls"), ("video/mpeg", "video/mpeg2")];

/// The media type of frames stored in that syntax.
pub fn media_type(stored: &TransferSyntax) -> &'static str {
    let known = COMPRESSED.iter().find(|(_, uid)| *uid == stored.uid().as_str());
    known.map_or(OCTET_STREAM, |(media_type, _)| media_type)
}

/// The transfer syntax that frames stored in `stored` are sent in: native frames are always
/// sent in little endian order.
pub fn frame_syntax(stored: &TransferSyntax) -> &str {
    if stored.is_native() { EXPLICIT_VR_LITTLE_ENDIAN } else { stored.uid().as_str() }
}

/// The transfer syntax that a media type means without a parameter that says so.
pub fn default_syntax(essence: &str) -> Option<TransferSyntax> {
    let essence = canonical(essence);
    let (_, uid) = COMPRESSED.iter().find(|(media_type, _)| *media_type == essence)?;
    Uid::parse(uid).ok().map(TransferSyntax::from_uid)
}

/// The standard's name of a media type.
pub fn canonical(essence: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == essence).map_or(essence, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn syntax(uid: &str) -> TransferSyntax {
        TransferSyntax::from_uid(Uid::parse(uid).unwrap())
    }

    #[test]
    fn types_are_those_of_the_standard() {
        for (uid, wanted) in [
            ("1.2.840.10008.1.2", OCTET_STREAM),
            ("1.2.840.10008.1.2.1.98", OCTET_STREAM),
            ("1.2.840.10008.1.2.4.50", "image/jpeg"),
            ("1.2.840.10008.1.2.5", "image/dicom-rle"),
            ("1.2.840.10008.1.2.4.91", "image/jp2"),
            ("1.2.3.4", OCTET_STREAM),
        ] {
            assert_eq!(media_type(&syntax(uid)), wanted);
        }
        assert_eq!(default_syntax("image/x-jls").unwrap().uid().as_str(), "1.2.840.10008.1.2.4.80");
        assert_eq!(default_syntax("image/png"), None);
        assert_eq!(frame_syntax(&syntax("1.2.840.10008.1.2.2")), EXPLICIT_VR_LITTLE_ENDIAN);
    }
}
