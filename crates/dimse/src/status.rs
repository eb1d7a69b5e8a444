//! DIMSE status codes, PS3.7 Annex C and PS3.4.
//!
//! Deliberately absent: which failure deserves which status; that is the service class
//! provider's to say.

use std::fmt;

/// A status (0000,0900). Any value may come from a peer; the constants are those we use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Status(pub u16);

/// What a status amounts to, PS3.7 C.1 to C.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusKind {
    /// Done as asked.
    Success,
    /// Done, but not quite as asked.
    Warning,
    /// Not done.
    Failure,
    /// Ended because the requestor cancelled.
    Cancel,
    /// More responses follow.
    Pending,
}

impl Status {
    /// Success, PS3.7 C.1.1.
    pub const SUCCESS: Status = Status(0x0000);
    /// Attribute list error, a warning: attributes were not recognized, PS3.7 C.4.2.
    pub const ATTRIBUTE_LIST_ERROR: Status = Status(0x0107);
    /// Invalid Attribute Value: the value is outside its range, PS3.7 C.5.
    pub const INVALID_ATTRIBUTE_VALUE: Status = Status(0x0106);
    /// Processing failure: something general went wrong, PS3.7 C.5.21.
    pub const PROCESSING_FAILURE: Status = Status(0x0110);
    /// The SOP Instance UID is already in use, PS3.7 C.5.7.
    pub const DUPLICATE_SOP_INSTANCE: Status = Status(0x0111);
    /// No such SOP Instance, PS3.7 C.5.15.
    pub const NO_SUCH_OBJECT_INSTANCE: Status = Status(0x0112);
    /// No such event type, PS3.7 C.5.14.
    pub const NO_SUCH_EVENT_TYPE: Status = Status(0x0113);
    /// No such argument, PS3.7 C.5.12.
    pub const NO_SUCH_ARGUMENT: Status = Status(0x0114);
    /// Invalid argument value, PS3.7 C.5.9.
    pub const INVALID_ARGUMENT_VALUE: Status = Status(0x0115);
    /// Attribute value out of range, a warning, PS3.7 C.4.3.
    pub const ATTRIBUTE_VALUE_OUT_OF_RANGE: Status = Status(0x0116);
    /// Invalid SOP Instance, PS3.7 C.5.11.
    pub const INVALID_OBJECT_INSTANCE: Status = Status(0x0117);
    /// No such SOP class, PS3.7 C.5.17.
    pub const NO_SUCH_SOP_CLASS: Status = Status(0x0118);
    /// The SOP Instance is not of that SOP class, PS3.7 C.5.3.
    pub const CLASS_INSTANCE_CONFLICT: Status = Status(0x0119);
    /// A required attribute is missing, PS3.7 C.5.13.
    pub const MISSING_ATTRIBUTE: Status = Status(0x0120);
    /// A required attribute has no value, PS3.7 C.5.
    pub const MISSING_ATTRIBUTE_VALUE: Status = Status(0x0121);
    /// Refused: SOP class not supported, PS3.7 C.5.20.
    pub const SOP_CLASS_NOT_SUPPORTED: Status = Status(0x0122);
    /// No such action type, PS3.7 C.5.10.
    pub const NO_SUCH_ACTION: Status = Status(0x0123);
    /// Refused: not authorized, PS3.7 C.5.24.
    pub const NOT_AUTHORIZED: Status = Status(0x0124);
    /// The Message ID is of an operation still running, PS3.7 C.5.6.
    pub const DUPLICATE_INVOCATION: Status = Status(0x0210);
    /// Unrecognized operation, PS3.7 C.5.23.
    pub const UNRECOGNIZED_OPERATION: Status = Status(0x0211);
    /// Mistyped argument: the parameter is not as agreed, PS3.7 C.5.25.
    pub const MISTYPED_ARGUMENT: Status = Status(0x0212);
    /// Resource limitation, PS3.7 C.5.26.
    pub const RESOURCE_LIMITATION: Status = Status(0x0213);
    /// Refused: out of resources, PS3.4 B.2.3, C.4.1.1.4.
    pub const OUT_OF_RESOURCES: Status = Status(0xA700);
    /// Refused: out of resources, unable to calculate the number of matches, PS3.4 C.4.2.1.5.
    pub const OUT_OF_RESOURCES_MATCHES: Status = Status(0xA701);
    /// Refused: out of resources, unable to perform sub-operations, PS3.4 C.4.2.1.5.
    pub const OUT_OF_RESOURCES_SUBOPERATIONS: Status = Status(0xA702);
    /// Refused: move destination unknown, PS3.4 C.4.2.1.5.
    pub const MOVE_DESTINATION_UNKNOWN: Status = Status(0xA801);
    /// Data set, or identifier, does not match the SOP class, PS3.4 B.2.3, C.4.1.1.4.
    pub const DATA_SET_DOES_NOT_MATCH: Status = Status(0xA900);
    /// Cannot understand (store) or unable to process (query, retrieve), PS3.4 B.2.3, C.4.1.1.4.
    pub const CANNOT_UNDERSTAND: Status = Status(0xC000);
    /// Warning: coercion of data elements, PS3.4 B.2.3.
    pub const COERCION_OF_DATA_ELEMENTS: Status = Status(0xB000);
    /// Warning: elements discarded, PS3.4 B.2.3.
    pub const ELEMENTS_DISCARDED: Status = Status(0xB006);
    /// Warning: data set does not match the SOP class, stored all the same, PS3.4 B.2.3.
    pub const DATA_SET_DOES_NOT_MATCH_WARNING: Status = Status(0xB007);
    /// Warning: sub-operations complete, one or more failed or warned, PS3.4 C.4.2.1.5.
    pub const SUBOPS_WARNING: Status = Status(0xB000);
    /// Sub-operations ended because of a cancel request, PS3.4 C.4.1.1.4.
    pub const CANCEL: Status = Status(0xFE00);
    /// Matches or sub-operations continue, PS3.4 C.4.1.1.4.
    pub const PENDING: Status = Status(0xFF00);
    /// Matches continue; one or more optional keys were not supported, PS3.4 C.4.1.1.4.
    pub const PENDING_WARNING: Status = Status(0xFF01);

    /// What it amounts to.
    pub fn kind(self) -> StatusKind {
        match self.0 {
            0x0000 => StatusKind::Success,
            0x0001 | 0x0107 | 0x0116 | 0xB000..=0xBFFF => StatusKind::Warning,
            0xFE00 => StatusKind::Cancel,
            0xFF00 | 0xFF01 => StatusKind::Pending,
            _ => StatusKind::Failure,
        }
    }

    /// Whether more responses follow.
    pub fn is_pending(self) -> bool {
        self.kind() == StatusKind::Pending
    }

    /// Whether it was done, with or without a warning.
    pub fn is_done(self) -> bool {
        matches!(self.kind(), StatusKind::Success | StatusKind::Warning)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:04X}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_annex_c() {
        for (status, kind) in [
            (Status::SUCCESS, StatusKind::Success),
            (Status::SUBOPS_WARNING, StatusKind::Warning),
            (Status(0xB123), StatusKind::Warning),
            (Status::ATTRIBUTE_LIST_ERROR, StatusKind::Warning),
            (Status::OUT_OF_RESOURCES, StatusKind::Failure),
            (Status(0xC123), StatusKind::Failure),
            (Status::NOT_AUTHORIZED, StatusKind::Failure),
            (Status::CANCEL, StatusKind::Cancel),
            (Status::PENDING, StatusKind::Pending),
            (Status::PENDING_WARNING, StatusKind::Pending),
            (Status(0xFF02), StatusKind::Failure),
        ] {
            assert_eq!(status.kind(), kind, "{status}");
        }
    }
}
