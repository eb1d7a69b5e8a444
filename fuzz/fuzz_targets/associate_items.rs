//! The body of an A-ASSOCIATE-RQ and of an A-ASSOCIATE-AC; a request that is understood is written and read to
//! the same.
#![no_main]

use leadglass_dimse::pdu::associate::{decode_accept, decode_request, encode_request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = decode_accept(bytes);
    if let Ok(request) = decode_request(bytes) {
        let written = encode_request(&request).unwrap();
        let again = decode_request(&written[6..]).unwrap();
        assert_eq!(again.contexts, request.contexts);
        assert_eq!(again.roles, request.roles);
        assert_eq!(again.extended, request.extended);
        assert!(again.user_identity == request.user_identity);
    }
});
