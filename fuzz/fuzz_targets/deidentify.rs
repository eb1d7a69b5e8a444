//! Any bytes de-identified, in each native syntax, whole and in pieces: the same comes out, it parses, and nobody's
//! name is in it.
#![no_main]

use std::sync::Arc;

use leadglass_dicom::deidentify::{Deidentifier, Examination, Plan, Profile, ProfileOption, Pseudonyms};
use leadglass_dicom::scan::{Limits, Scanner};
use leadglass_dicom::{DataSet, TransferSyntax, VR, Value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let options = [ProfileOption::CleanStructuredContent, ProfileOption::CleanDescriptors, ProfileOption::RetainModifiedDates];
    let profile = Profile { options: options.into_iter().collect(), ..Profile::default() };
    for syntax in [TransferSyntax::implicit_little_endian(), TransferSyntax::explicit_little_endian(), TransferSyntax::explicit_big_endian()] {
        let whole = deidentified(bytes, &syntax, &profile, usize::MAX);
        assert_eq!(whole, deidentified(bytes, &syntax, &profile, 61));
        if let Some(written) = whole.filter(|written| !written.is_empty()) {
            let mut scanner = Scanner::of_any_data_set(&TransferSyntax::explicit_little_endian(), Limits::default());
            scanner.push(&written).unwrap();
            names(&scanner.finish().unwrap().data_set);
        }
    }
});

/// Persons are pseudonyms and dummies, at every depth.
fn names(data_set: &DataSet) {
    for (tag, element) in data_set.iter() {
        match &element.value {
            Value::Sequence(items) => items.iter().for_each(names),
            Value::Text(values) if element.vr == VR::PN => {
                assert!(values.iter().all(|name| name == "ANONYMIZED" || name.len() == 16), "{tag}");
            }
            _ => {}
        }
    }
}

fn deidentified(bytes: &[u8], syntax: &TransferSyntax, profile: &Profile, piece: usize) -> Option<Vec<u8>> {
    let mut examination = Examination::new(syntax, &Limits::default());
    for piece in bytes.chunks(piece) {
        examination.push(piece).ok()?;
    }
    let pseudonyms = Pseudonyms::new(Arc::new(|message: &[u8]| [message.len() as u8; 32]));
    let plan = Plan::new(profile, &pseudonyms, syntax, &examination.facts()).ok()?;
    let mut deidentifier = Deidentifier::new(Arc::new(plan), &Limits::default());
    let mut out = Vec::new();
    for piece in bytes.chunks(piece) {
        deidentifier.push(piece, &mut out).ok()?;
    }
    deidentifier.finish(&mut out).ok()?;
    Some(out)
}
