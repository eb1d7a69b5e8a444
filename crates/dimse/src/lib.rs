//! The DICOM upper layer (PS3.8) and DIMSE messages (PS3.7) over any byte stream.
//!
//! Acceptor and requestor are the same [`Association`] once it is open. Deliberately
//! absent: policy (who may associate is the caller's answer to a [`Requested`]), sockets,
//! TLS, storage.

pub mod acceptor;
pub mod association;
pub mod message;
pub mod negotiation;
pub mod requestor;
pub mod status;

pub use association::{Association, AssociationError, Limits};
pub use message::CommandSet;
pub use negotiation::{Acceptance, AssociateRequest, PresentationContext};
