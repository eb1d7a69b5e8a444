//! Regions of pixels, blanked by rules.

use super::super::{DeviceRule, PixelRule, Region};
use super::*;

const CLEAN: [ProfileOption; 1] = [ProfileOption::CleanPixelData];

fn by(pixels: PixelRule) -> Profile {
    let rule = DeviceRule {
        manufacturer: Some("acme".into()),
        model: Some("SCANNER 7".into()),
        modality: None,
        sop_class: None,
        rows: Some(8),
        columns: Some(16),
        pixels,
    };
    Profile { devices: vec![rule], ..profile(&CLEAN) }
}

#[test]
fn a_rule_blanks_its_regions_and_nothing_else() {
    let mut object = ct();
    object.put_text(Tag(0x0028, 0x0301), VR::CS, "YES");
    let region = Region { left: 2, top: 1, width: 3, height: 2 };
    let outcome = outcome_of(&object, &by(PixelRule::Blank(vec![region]))).unwrap();
    for (at, pixel) in pixels(&outcome).chunks(2).enumerate() {
        let (row, column) = (at / 16, at % 16);
        let inside = (1..3).contains(&row) && (2..5).contains(&column);
        assert_eq!(pixel, if inside { [0, 0] } else { [0xAA, 0xAA] }, "row {row} column {column}");
    }
    assert_eq!(outcome.data_set.text(Tag(0x0028, 0x0301)), Some("NO"));
    let codes = outcome.data_set.items(Tag(0x0012, 0x0064)).len();
    assert_eq!(codes, 2, "the Basic Profile and Clean Pixel Data");
}

#[test]
fn pieces_of_any_size_are_blanked_alike() {
    let syntax = TransferSyntax::explicit_little_endian();
    let region = Region { left: 15, top: 0, width: 1, height: 8 };
    let profile = by(PixelRule::Blank(vec![region]));
    let bytes = ct().encode(syntax.encoding(), &SpecificCharacterSet::default()).unwrap();
    let (expected, _) = in_pieces(&bytes, &syntax, &profile, bytes.len()).unwrap();
    for piece in [1, 3, 31, 33] {
        assert_eq!(in_pieces(&bytes, &syntax, &profile, piece).unwrap().0, expected, "{piece}");
    }
}

#[test]
fn frames_and_planes_are_blanked_each() {
    let mut object = ct();
    object.put_text(Tag(0x0028, 0x0008), VR::IS, "2");
    for (number, value) in [(0x0028_0002, 3), (0x0028_0006, 1), (0x0028_0100, 8)] {
        object.put(tag(number), VR::US, Value::Unsigned(vec![value]));
    }
    object.put(Tag(0x7FE0, 0x0010), VR::OB, Value::Bytes(vec![0xAA; 8 * 16 * 3 * 2]));
    let region = Region { left: 0, top: 7, width: 16, height: 1 };
    let outcome = outcome_of(&object, &by(PixelRule::Blank(vec![region]))).unwrap();
    for (row, pixels) in pixels(&outcome).chunks(16).enumerate() {
        assert_eq!(pixels, if row % 8 == 7 { [0; 16] } else { [0xAA; 16] }, "row {row}");
    }
}

#[test]
fn only_ultrasound_regions_stay() {
    let mut object = ct();
    let profile = by(PixelRule::UltrasoundRegionsOnly);
    assert_eq!(outcome_of(&object, &profile).err(), Some(Refusal::NoUltrasoundRegions));
    let mut region = DataSet::new();
    for (number, value) in [(0x0018_6018, 4), (0x0018_601A, 2), (0x0018_601C, 11), (0x0018_601E, 5)] {
        region.put(tag(number), VR::UL, Value::Unsigned(vec![value]));
    }
    object.put(Tag(0x0018, 0x6011), VR::SQ, Value::Sequence(vec![region]));
    let outcome = outcome_of(&object, &profile).unwrap();
    for (at, pixel) in pixels(&outcome).chunks(2).enumerate() {
        let (row, column) = (at / 16, at % 16);
        let inside = (2..=5).contains(&row) && (4..=11).contains(&column);
        assert_eq!(pixel, if inside { [0xAA, 0xAA] } else { [0, 0] }, "row {row} column {column}");
    }
}

#[test]
fn a_rule_that_vouches_lets_pass_and_says_so() {
    let mut object = ct();
    object.put_text(Tag(0x0008, 0x0016), VR::UI, "1.2.840.10008.5.1.4.1.1.6.1");
    let outcome = outcome_of(&object, &by(PixelRule::NothingBurnedIn("Ada, 2026-11-01".into()))).unwrap();
    assert_eq!(outcome.data_set.text(Tag(0x0028, 0x0301)), Some("NO"));
    assert!(!contains(&outcome.bytes, "Ada"));
    object.put_text(Tag(0x0008, 0x1090), VR::LO, "Another");
    assert_eq!(outcome_of(&object, &by(PixelRule::NothingBurnedIn("Ada".into()))).err(), Some(Refusal::MaybeBurnedIn));
}

#[test]
fn what_cannot_be_blanked_is_refused() {
    let blank = by(PixelRule::Blank(vec![Region { left: 0, top: 0, width: 1, height: 1 }]));
    let mut lying = ct();
    lying.put_text(Tag(0x0028, 0x0008), VR::IS, "3");
    assert_eq!(outcome_of(&lying, &blank).err(), Some(Refusal::PixelGeometry));
    let mut bits = ct();
    bits.put(Tag(0x0028, 0x0100), VR::US, Value::Unsigned(vec![1]));
    assert_eq!(outcome_of(&bits, &blank).err(), Some(Refusal::PixelGeometry));
    let mut subsampled = ct();
    subsampled.put_text(Tag(0x0028, 0x0004), VR::CS, "YBR_FULL_422");
    assert_eq!(outcome_of(&subsampled, &blank).err(), Some(Refusal::PixelGeometry));
    let jpeg = TransferSyntax::from_uid(crate::Uid::parse("1.2.840.10008.1.2.4.50").unwrap());
    let mut object = ct();
    object.remove(Tag(0x7FE0, 0x0010));
    let mut bytes = object.encode(jpeg.encoding(), &SpecificCharacterSet::default()).unwrap();
    bytes.extend_from_slice(b"\xE0\x7F\x10\0OB\0\0\xFF\xFF\xFF\xFF\xFE\xFF\xDD\xE0\0\0\0\0");
    assert_eq!(in_pieces(&bytes, &jpeg, &blank, 64).err(), Some(Refusal::Compressed));
}
