//! The DICOM upper layer (PS3.8) and DIMSE messages (PS3.7) over any byte stream.
//!
//! Acceptor and requestor are the same [`Association`] once it is open. Deliberately
//! absent: policy (who may associate is the caller's answer to a
//! [`acceptor::Requested`]), sockets, TLS, storage.

pub mod acceptor;
pub mod association;
pub mod message;
pub mod negotiation;
pub mod pdu;
pub mod requestor;
pub mod scu;
pub mod status;

pub use association::{Association, AssociationError, Limits};
pub use message::{Command, CommandSet};
pub use negotiation::{Acceptance, AssociateRequest, PresentationContext};
pub use status::{Status, StatusKind};

/// Implementation Class UID of this implementation, PS3.7 D.3.3.2.
pub const IMPLEMENTATION_CLASS_UID: &str = "2.25.301964731182604415926278354037911684122";
/// Implementation Version Name of this implementation, PS3.7 D.3.3.2: at most 16 characters.
pub const IMPLEMENTATION_VERSION_NAME: &str = "LEADGLASS_0_1";
