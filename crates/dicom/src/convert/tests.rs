//! Conversions there and back, cut at random.

use proptest::prelude::*;

use super::*;
use crate::charset::SpecificCharacterSet;
use crate::encode::decode;
use crate::{DataSet, Encoding, Tag, Uid, VR, Value};

fn syntaxes() -> [TransferSyntax; 4] {
    let deflated = Uid::parse(crate::transfer_syntax::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN).unwrap();
    [
        TransferSyntax::implicit_little_endian(),
        TransferSyntax::explicit_little_endian(),
        TransferSyntax::explicit_big_endian(),
        TransferSyntax::from_uid(deflated),
    ]
}

fn sample(pixels: Vec<u8>) -> DataSet {
    let mut item = DataSet::new();
    item.put(Tag(0x0028, 0x0106), VR::SS, Value::Signed(vec![-2]));
    item.put_text(Tag(0x0009, 0x0010), VR::LO, "SOMEBODY");
    item.put(Tag(0x0009, 0x1001), VR::UN, Value::Bytes(vec![1, 2, 3, 4]));
    let mut data_set = DataSet::new();
    data_set.put_text(Tag(0x0010, 0x0010), VR::PN, "A^B");
    data_set.put(Tag(0x0028, 0x0009), VR::AT, Value::Tags(vec![Tag(0x0018, 0x1063)]));
    data_set.put(Tag(0x0028, 0x0103), VR::US, Value::Unsigned(vec![1]));
    data_set.put(Tag(0x0018, 0x9087), VR::FD, Value::Float(vec![1.5, -2.25]));
    data_set.put(Tag(0x0028, 0x9145), VR::SQ, Value::Sequence(vec![item, DataSet::new()]));
    data_set.put(Tag(0x7FE0, 0x0010), VR::OW, Value::Bytes(pixels));
    data_set
}

fn convert(bytes: &[u8], from: &TransferSyntax, to: &TransferSyntax, piece: usize) -> Vec<u8> {
    let mut converter = Converter::new(from, to).unwrap();
    let mut out = Vec::new();
    for piece in bytes.chunks(piece) {
        converter.push(piece, &mut out).unwrap();
    }
    converter.finish(&mut out).unwrap();
    out
}

/// The data set, pixel data included.
fn read(bytes: &[u8], syntax: &TransferSyntax) -> (DataSet, Vec<u8>) {
    let plain = TransferSyntax::explicit_little_endian();
    let inflated = if syntax.is_deflated() { convert(bytes, syntax, &plain, 7) } else { bytes.to_vec() };
    let data_set = decode(&inflated, syntax.encoding(), &Limits::small()).unwrap();
    let Some(Value::Bulk(crate::Bulk::InDataSet { offset, length })) =
        data_set.element(Tag(0x7FE0, 0x0010)).map(|element| &element.value)
    else {
        panic!("pixel data is left in place")
    };
    let mut pixels = inflated[*offset as usize..(offset + length) as usize].to_vec();
    if syntax.encoding() == Encoding::ExplicitBigEndian {
        crate::scan::value::swap(&mut pixels, 2);
    }
    let mut data_set = data_set;
    data_set.remove(Tag(0x7FE0, 0x0010));
    (data_set, pixels)
}

proptest! {
    #[test]
    fn every_native_syntax_says_the_same(pixels in prop::collection::vec(any::<[u8; 2]>(), 1..200), piece in 1_usize..64) {
        let pixels = pixels.concat();
        let plain = TransferSyntax::explicit_little_endian();
        let source = sample(pixels.clone()).encode(plain.encoding(), &SpecificCharacterSet::default()).unwrap();
        let (expected, _) = read(&source, &plain);
        for first in syntaxes() {
            let there = convert(&source, &plain, &first, piece);
            prop_assert!(there.len().is_multiple_of(2));
            for second in syntaxes() {
                let on = convert(&there, &first, &second, piece);
                let (data_set, found) = read(&on, &second);
                prop_assert_eq!(&data_set, &expected, "{:?} to {:?}", first, second);
                prop_assert_eq!(&found, &pixels);
            }
        }
    }

    #[test]
    fn any_bytes_convert_or_are_refused(bytes: Vec<u8>, piece in 1_usize..64) {
        for from in syntaxes() {
            for to in syntaxes() {
                let mut converter = Converter::new(&from, &to).unwrap();
                let mut out = Vec::new();
                for piece in bytes.chunks(piece) {
                    if converter.push(piece, &mut out).is_err() {
                        break;
                    }
                }
            }
        }
    }
}

#[test]
fn compressed_objects_are_not_converted() {
    let jpeg = TransferSyntax::from_uid(Uid::parse("1.2.840.10008.1.2.4.50").unwrap());
    assert!(!Converter::can_convert(&jpeg, &TransferSyntax::implicit_little_endian()));
    assert!(Converter::can_convert(&jpeg, &jpeg));
}

#[test]
fn a_long_text_becomes_un_in_explicit_encoding() {
    let implicit = TransferSyntax::implicit_little_endian();
    let mut data_set = DataSet::new();
    data_set.put_text(Tag(0x0010, 0x4000), VR::LT, "x".repeat(70_000));
    let bytes = data_set.encode(implicit.encoding(), &SpecificCharacterSet::default()).unwrap();
    for to in syntaxes() {
        let out = convert(&bytes, &implicit, &to, 1000);
        let back = convert(&out, &to, &implicit, 1000);
        assert_eq!(back, bytes);
    }
}
