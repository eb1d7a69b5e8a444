//! Protocol data units of the upper layer, PS3.8 §9.3, as bytes to values and back.
//!
//! Nothing here reads from anywhere: a caller has checked the length against its limits
//! and brings the bytes. Deliberately absent: order and time, which are the association's.

pub mod associate;
pub mod control;
pub mod data;
mod items;
mod user_information;

pub use items::MAX_ITEMS;

/// Bytes of the header of every PDU: type, reserved, length.
pub const HEADER_BYTES: usize = 6;

/// How a peer broke the protocol, and the A-ABORT reason that says so, PS3.8 Table 9-26.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The reason.
    pub reason: AbortReason,
    /// What was wrong; no text of the peer's.
    pub what: &'static str,
}

/// Reason of an A-ABORT by the service provider, PS3.8 Table 9-26.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbortReason {
    /// 0.
    NotSpecified,
    /// 1.
    UnrecognizedPdu,
    /// 2.
    UnexpectedPdu,
    /// 4.
    UnrecognizedParameter,
    /// 5.
    UnexpectedParameter,
    /// 6.
    InvalidParameterValue,
}

impl AbortReason {
    /// The value on the wire.
    pub fn code(self) -> u8 {
        match self {
            AbortReason::NotSpecified => 0,
            AbortReason::UnrecognizedPdu => 1,
            AbortReason::UnexpectedPdu => 2,
            AbortReason::UnrecognizedParameter => 4,
            AbortReason::UnexpectedParameter => 5,
            AbortReason::InvalidParameterValue => 6,
        }
    }
}

impl Fault {
    pub(crate) const fn invalid(what: &'static str) -> Fault {
        Fault { reason: AbortReason::InvalidParameterValue, what }
    }

    pub(crate) const fn unexpected(what: &'static str) -> Fault {
        Fault { reason: AbortReason::UnexpectedPdu, what }
    }

    pub(crate) const fn unexpected_parameter(what: &'static str) -> Fault {
        Fault { reason: AbortReason::UnexpectedParameter, what }
    }

    pub(crate) const fn message(what: &'static str) -> Fault {
        Fault { reason: AbortReason::NotSpecified, what }
    }
}

/// PDU types, PS3.8 §9.3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PduType {
    /// 01H.
    AssociateRequest,
    /// 02H.
    AssociateAccept,
    /// 03H.
    AssociateReject,
    /// 04H.
    Data,
    /// 05H.
    ReleaseRequest,
    /// 06H.
    ReleaseResponse,
    /// 07H.
    Abort,
}

/// The header of a PDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its type.
    pub kind: PduType,
    /// Bytes that follow, as declared.
    pub length: u32,
}

impl Header {
    /// Reads a header; the second byte is reserved and not tested.
    pub fn decode(bytes: [u8; HEADER_BYTES]) -> Result<Header, Fault> {
        let [kind, _, a, b, c, d] = bytes;
        let kind = match kind {
            1 => PduType::AssociateRequest,
            2 => PduType::AssociateAccept,
            3 => PduType::AssociateReject,
            4 => PduType::Data,
            5 => PduType::ReleaseRequest,
            6 => PduType::ReleaseResponse,
            7 => PduType::Abort,
            _ => return Err(Fault { reason: AbortReason::UnrecognizedPdu, what: "a PDU of unknown type" }),
        };
        Ok(Header { kind, length: u32::from_be_bytes([a, b, c, d]) })
    }
}
