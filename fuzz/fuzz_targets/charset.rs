//! Text in any character set is read, and what is read can be written and read again.
#![no_main]

use leadglass_dicom::VR;
use leadglass_dicom::charset::SpecificCharacterSet;
use leadglass_dicom::person_name::{NamePattern, search_keys};
use libfuzzer_sys::fuzz_target;

const REPRESENTATIONS: [VR; 8] = [VR::PN, VR::LO, VR::LT, VR::SH, VR::UT, VR::UC, VR::CS, VR::UI];

// The first byte says which representation, the bytes up to a zero are the terms.
fuzz_target!(|input: &[u8]| {
    let Some((&first, rest)) = input.split_first() else { return };
    let vr = REPRESENTATIONS[usize::from(first) % REPRESENTATIONS.len()];
    let end = rest.iter().position(|b| *b == 0).unwrap_or(0);
    let terms = String::from_utf8_lossy(&rest[..end]);
    let terms: Vec<&str> = terms.split('\\').collect();
    let set = SpecificCharacterSet::from_terms(&terms);
    let values = set.decode(&rest[end..], vr);
    if let Ok(written) = set.encode(&values, vr) {
        assert_eq!(set.decode(&written, vr).len(), values.len().min(if written.is_empty() { 0 } else { usize::MAX }));
    }
    for value in &values {
        let keys = search_keys(value);
        if let Some(pattern) = NamePattern::literal(value).filter(|_| !value.contains(['*', '?', '='])) {
            assert!(pattern.matches(&keys), "a name finds itself");
        }
    }
});
