//! Query strings are read within bounds or refused.
#![no_main]

use leadglass_dicom::DataSet;
use leadglass_dicom::attribute::Level;
use leadglass_dicom::query::{MAX_KEYS, Query, matches};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&first, rest)) = input.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let level = Level::ALL[1 + usize::from(first) % 3];
    if let Ok(search) = Query::from_qido(level, None, None, text) {
        assert!(search.query.keys.len() <= MAX_KEYS);
        matches(&search.query, &DataSet::new());
    }
});
