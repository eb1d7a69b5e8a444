//! Whole objects through the whole of it.

mod canaries;
mod objects;
mod pixels;

use std::sync::Arc;

use super::pseudonym::tests::pseudonyms;
use super::{Deidentifier, Examination, Options, Plan, Profile, ProfileOption, Refusal, Report};
use crate::charset::SpecificCharacterSet;
use crate::encode::decode;
use crate::scan::Limits;
use crate::{DataSet, Element, Tag, TransferSyntax, VR, Value};

const CT: &str = "1.2.840.10008.5.1.4.1.1.2";

/// An object as it came out.
struct Outcome {
    bytes: Vec<u8>,
    data_set: DataSet,
    report: Report,
}

fn tag(number: u32) -> Tag {
    Tag((number >> 16) as u16, number as u16)
}

fn profile(options: &[ProfileOption]) -> Profile {
    Profile { options: options.iter().copied().collect(), ..Profile::default() }
}

/// A small CT of one patient, with pixels.
fn ct() -> DataSet {
    let mut ct = DataSet::new();
    for (number, vr, text) in [
        (0x0008_0016, VR::UI, CT),
        (0x0008_0018, VR::UI, "1.2.3.4.5"),
        (0x0008_0020, VR::DA, "20240301"),
        (0x0008_0060, VR::CS, "CT"),
        (0x0008_0070, VR::LO, "ACME"),
        (0x0008_1090, VR::LO, "Scanner 7"),
        (0x0010_0010, VR::PN, "Doe^Jane"),
        (0x0010_0020, VR::LO, "P-1"),
        (0x0020_000D, VR::UI, "1.2.3"),
        (0x0020_000E, VR::UI, "1.2.3.4"),
        (0x0028_0004, VR::CS, "MONOCHROME2"),
    ] {
        ct.put_text(tag(number), vr, text);
    }
    for (number, value) in [(0x0028_0002, 1), (0x0028_0010, 8), (0x0028_0011, 16), (0x0028_0100, 16), (0x0028_0101, 12)]
    {
        ct.put(tag(number), VR::US, Value::Unsigned(vec![value]));
    }
    ct.put(tag(0x7FE0_0010), VR::OW, Value::Bytes(vec![0xAA; 256]));
    ct
}

/// De-identifies an object that comes in pieces of that size.
fn in_pieces(
    bytes: &[u8],
    syntax: &TransferSyntax,
    profile: &Profile,
    piece: usize,
) -> Result<(Vec<u8>, Report), Refusal> {
    profile.check().unwrap();
    let mut examination = Examination::new(syntax, &Limits::default());
    for piece in bytes.chunks(piece) {
        examination.push(piece).unwrap();
        if examination.is_done() {
            break;
        }
    }
    let plan = Plan::new(profile, &pseudonyms(7), syntax, &examination.facts())?;
    let mut deidentifier = Deidentifier::new(Arc::new(plan), &Limits::default());
    let mut out = Vec::new();
    for piece in bytes.chunks(piece) {
        deidentifier.push(piece, &mut out).unwrap();
    }
    let report = deidentifier.finish(&mut out).unwrap();
    Ok((out, report))
}

fn outcome_of(object: &DataSet, profile: &Profile) -> Result<Outcome, Refusal> {
    let syntax = TransferSyntax::explicit_little_endian();
    let bytes = object.encode(syntax.encoding(), &SpecificCharacterSet::default()).unwrap();
    let (bytes, report) = in_pieces(&bytes, &syntax, profile, 4096)?;
    let limits = Limits { bulk_threshold: 1 << 20, ..Limits::default() };
    let data_set = decode(&bytes, syntax.encoding(), &limits).unwrap();
    Ok(Outcome { bytes, data_set, report })
}

/// The value of Pixel Data, which is left in place when a data set is read.
fn pixels(outcome: &Outcome) -> Vec<u8> {
    match &outcome.data_set.element(Tag(0x7FE0, 0x0010)).unwrap().value {
        Value::Bulk(crate::Bulk::InDataSet { offset, length }) => {
            outcome.bytes[*offset as usize..(*offset + *length) as usize].to_vec()
        }
        other => panic!("{other:?}"),
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn sequence(items: Vec<DataSet>) -> Element {
    Element { vr: VR::SQ, value: Value::Sequence(items) }
}

fn options(options: &[ProfileOption]) -> Options {
    options.iter().copied().collect()
}
