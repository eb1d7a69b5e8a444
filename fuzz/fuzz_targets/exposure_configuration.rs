//! A configuration of any content, of Orthanc and of NFS: known switches and counts, nothing else.
#![no_main]

use leadglass_exposure::probe::files::fuzzing::{exports, switches};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    if let Some((told, set_unsafe)) = switches(file) {
        assert!(told.is_sorted() && told.len() <= 16);
        assert!(set_unsafe.iter().all(|key| told.contains(key)));
        // A comment more changes nothing.
        let commented = [b"/* \"SslEnabled\": false, */ ".as_slice(), file.trim_ascii_start(), b" // end"].concat();
        if !file.starts_with(b"\xef\xbb\xbf") {
            assert_eq!(switches(&commented), Some((told, set_unsafe)));
        }
    }
    let text = String::from_utf8_lossy(file);
    let (exported, clients, to_everyone) = exports(&text);
    assert!(exported <= text.lines().count() as u64 && clients >= exported);
    assert!(!to_everyone || exported > 0);
});
