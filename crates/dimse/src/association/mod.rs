//! An open association, PS3.8 §9.2: messages in, messages out, release, abort.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::message::CommandSet;
use crate::negotiation::{AssociateRequest, ExtendedNegotiation, PresentationContext, Rejection, RoleSelection};

/// Bounds on what a peer may send, each named in the server's config.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The largest PDU we receive, as we announce it (P-DATA); default 256 KiB.
    pub max_pdu_bytes: u32,
    /// The largest A-ASSOCIATE-RQ/AC; default 1 MiB.
    pub max_associate_bytes: u32,
    /// Bytes of a command set; default 64 KiB.
    pub max_command_bytes: u32,
    /// ARTIM and A-ASSOCIATE wait; default 30 s.
    pub associate_timeout: Duration,
    /// Longest silence inside a message and longest wait for the peer to take our bytes; default 60 s.
    pub message_timeout: Duration,
    /// Longest silence between messages; default 600 s.
    pub idle_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_pdu_bytes: 256 * 1024,
            max_associate_bytes: 1024 * 1024,
            max_command_bytes: 64 * 1024,
            associate_timeout: Duration::from_secs(30),
            message_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(600),
        }
    }
}

/// Why an association ended other than by release. Says whose fault it is.
#[derive(Debug, thiserror::Error)]
pub enum AssociationError {
    /// The peer broke the protocol; we have sent A-ABORT.
    #[error("the peer broke the protocol: {0}")]
    PeerMisbehaved(&'static str),
    /// The peer said A-ABORT.
    #[error("the peer aborted the association (source {abort_source}, reason {reason})")]
    Aborted {
        /// 0 service user, 2 service provider.
        abort_source: u8,
        /// PS3.8 Table 9-26.
        reason: u8,
    },
    /// The peer said A-ASSOCIATE-RJ.
    #[error("the peer rejected the association (result {result}, source {reject_source}, reason {reason})")]
    Rejected {
        /// 1 permanent, 2 transient.
        result: u8,
        /// 1 user, 2 provider (ACSE), 3 provider (presentation).
        reject_source: u8,
        /// PS3.8 Table 9-21.
        reason: u8,
    },
    /// The peer was silent, or did not take our bytes, for too long; we have sent A-ABORT.
    #[error("the peer was silent for too long ({0})")]
    TimedOut(&'static str),
    /// The connection closed without release.
    #[error("the connection was closed")]
    Closed,
    /// The stream failed.
    #[error("the connection failed")]
    Io(#[source] std::io::Error),
    /// We asked for something the association does not allow.
    #[error("not possible on this association: {0}")]
    Misuse(&'static str),
}

/// An open association.
pub struct Association<S> {
    #[expect(dead_code, reason = "skeleton")]
    stream: S,
}

/// A message whose command has arrived; its data set, when it has one, follows by
/// [`Association::next_data_chunk`].
#[derive(Clone, Debug)]
pub struct Message {
    /// The presentation context it came on.
    pub context_id: u8,
    /// The command set.
    pub command: CommandSet,
    /// Whether a data set follows.
    pub has_data_set: bool,
}

/// Which side sends an abort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbortSource {
    /// 0.
    ServiceUser,
    /// 2, with the reason of PS3.8 Table 9-26.
    ServiceProvider(u8),
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Association<S> {
    /// The request it grew from.
    pub fn request(&self) -> &AssociateRequest {
        todo!()
    }

    /// Accepted contexts.
    pub fn contexts(&self) -> &[PresentationContext] {
        todo!()
    }

    /// The accepted context of that id.
    pub fn context(&self, _id: u8) -> Option<&PresentationContext> {
        todo!()
    }

    /// Roles as accepted.
    pub fn roles(&self) -> &[RoleSelection] {
        todo!()
    }

    /// Extended negotiation as accepted.
    pub fn extended(&self) -> &[ExtendedNegotiation] {
        todo!()
    }

    /// The next command, or `None` when the peer released (the release is answered).
    /// A data set of the message before that was not read is skipped.
    pub async fn receive(&mut self) -> Result<Option<Message>, AssociationError> {
        todo!()
    }

    /// The next bytes of the current message's data set, `None` at its end.
    pub async fn next_data_chunk(&mut self) -> Result<Option<Bytes>, AssociationError> {
        todo!()
    }

    /// The whole data set of the current message; more than `limit` bytes is the peer's fault.
    pub async fn receive_data_set(&mut self, _limit: usize) -> Result<Vec<u8>, AssociationError> {
        todo!()
    }

    /// Sends a command and, when given, its data set; each PDU is one write.
    pub async fn send(
        &mut self,
        _context_id: u8,
        _command: &CommandSet,
        _data_set: Option<&[u8]>,
    ) -> Result<(), AssociationError> {
        todo!()
    }

    /// Sends a command whose data set follows by `send_data` and `end_data`.
    pub async fn begin_data(&mut self, _context_id: u8, _command: &CommandSet) -> Result<(), AssociationError> {
        todo!()
    }

    /// Sends bytes of the data set begun; splits into PDUs of the peer's size.
    pub async fn send_data(&mut self, _bytes: &[u8]) -> Result<(), AssociationError> {
        todo!()
    }

    /// Ends the data set begun.
    pub async fn end_data(&mut self) -> Result<(), AssociationError> {
        todo!()
    }

    /// Whether a C-CANCEL for that message has arrived; takes what is there without waiting.
    /// Commands other than C-CANCEL that arrive meanwhile are kept for `receive`, few.
    pub async fn cancel_requested(&mut self, _message_id: u16) -> Result<bool, AssociationError> {
        todo!()
    }

    /// A Message ID for a command of ours.
    pub fn next_message_id(&mut self) -> u16 {
        todo!()
    }

    /// Releases: A-RELEASE-RQ, waits for RP (and answers a colliding RQ).
    pub async fn release(self) -> Result<(), AssociationError> {
        todo!()
    }

    /// Aborts.
    pub async fn abort(self, _source: AbortSource) {
        todo!()
    }
}

impl From<(u8, u8, u8)> for AssociationError {
    fn from((result, reject_source, reason): (u8, u8, u8)) -> AssociationError {
        let _: Option<Rejection> = None;
        AssociationError::Rejected { result, reject_source, reason }
    }
}
