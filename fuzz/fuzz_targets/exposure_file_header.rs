//! The header of a file of any content: the same through any window, never more elements than bytes.
#![no_main]

use leadglass_exposure::probe::files::fuzzing::header;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    if let Some(header) = header(file) {
        assert!(header.alike);
        // An inflated header is bounded by itself.
        assert!(header.elements as usize <= 512 * 1024 / 8);
    }
});
