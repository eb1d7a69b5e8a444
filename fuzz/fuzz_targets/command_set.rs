//! A command set, and the message it is.
#![no_main]

use leadglass_dimse::message::{StatusDetail, refusal};
use leadglass_dimse::{Command, CommandSet, Status};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(set) = CommandSet::decode(bytes) {
        assert_eq!(CommandSet::decode(&set.encode()).as_ref(), Ok(&set));
        let _ = Command::try_from(&set);
        let _ = refusal(&set, Status::PROCESSING_FAILURE, &StatusDetail::none());
    }
});
