//! The readers of what an acceptor says, for the fuzzer.

use super::accept::Accept;
use super::command::Response;
use super::services::Kind;
use crate::catalogue::Name;

/// Reads the body of an A-ASSOCIATE-AC; the services that it grants, when it is one.
pub fn granted(body: &[u8]) -> Option<Vec<Name>> {
    let accept = Accept::decode(body).ok()?;
    Some(accept.offered(&[Kind::Verification, Kind::Query]))
}

/// Reads the command set of a response; its status, when it is one.
pub fn status(command: &[u8]) -> Option<u16> {
    Response::read(command).map(|response| response.status)
}
