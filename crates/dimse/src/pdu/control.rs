//! A-ASSOCIATE-RJ, A-RELEASE-RQ, A-RELEASE-RP and A-ABORT: ten bytes each, PS3.8 §9.3.4,
//! §9.3.6 to §9.3.8.

use super::Fault;
use crate::negotiation::Rejection;

/// Bytes after the header of each of these PDUs.
pub const BODY_BYTES: usize = 4;

/// A-RELEASE-RQ.
pub const RELEASE_REQUEST: [u8; 10] = [5, 0, 0, 0, 0, 4, 0, 0, 0, 0];
/// A-RELEASE-RP.
pub const RELEASE_RESPONSE: [u8; 10] = [6, 0, 0, 0, 0, 4, 0, 0, 0, 0];

/// A-ABORT with the source and reason of PS3.8 Table 9-26.
pub fn abort(abort_source: u8, reason: u8) -> [u8; 10] {
    [7, 0, 0, 0, 0, 4, 0, 0, abort_source, reason]
}

/// A-ASSOCIATE-RJ.
pub fn reject(rejection: Rejection) -> [u8; 10] {
    let (result, reject_source, reason) = rejection.codes();
    [3, 0, 0, 0, 0, 4, 0, result, reject_source, reason]
}

/// Refuses a declared length other than that of these PDUs.
pub fn check_length(length: u32) -> Result<(), Fault> {
    if length == 4 { Ok(()) } else { Err(Fault::invalid("a release, reject or abort PDU that is not four bytes long")) }
}
