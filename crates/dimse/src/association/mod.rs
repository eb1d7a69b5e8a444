//! An open association, PS3.8 §9.2: messages in, messages out, release, abort.

//!
//! The files: `wire` moves bytes within time limits, `incoming` makes events of bytes
//! without waiting for any, `receive`, `send` and `end` are what a caller does.
//! Deliberately absent: what messages mean, and more than one operation at a time.

mod end;
mod incoming;
mod receive;
mod send;
pub(crate) mod wire;

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::message::CommandSet;
use crate::negotiation::{
    AssociateRequest, ContextResult, ExtendedNegotiation, PresentationContext, Rejection, RoleSelection,
};
use crate::pdu::Fault;
use incoming::Incoming;
pub(crate) use send::MIN_PEER_PDU_BYTES;
use send::Outgoing;
use wire::Wire;

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

impl Limits {
    /// The maximum length we announce: what is configured, never "unlimited" and never useless.
    pub(crate) fn announced_max_pdu_bytes(&self) -> u32 {
        self.max_pdu_bytes.clamp(4 * 1024, 16 * 1024 * 1024)
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
    /// The peer asked for what nobody here can give; we have sent this A-ASSOCIATE-RJ.
    #[error("the peer's request for an association cannot be met ({0:?})")]
    Unacceptable(Rejection),
    /// The data set that was to be sent could not be read; abort the association, for the
    /// peer waits for the rest.
    #[error("the data set to be sent could not be read")]
    Source(#[source] std::io::Error),
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

impl AbortSource {
    /// Source and reason as they go over the wire.
    fn codes(self) -> (u8, u8) {
        match self {
            AbortSource::ServiceUser => (0, 0),
            AbortSource::ServiceProvider(reason) => (2, reason),
        }
    }
}

/// What request and acceptance together come to.
pub(crate) struct Agreed {
    pub(crate) request: AssociateRequest,
    pub(crate) contexts: Vec<PresentationContext>,
    pub(crate) refused: Vec<(u8, ContextResult)>,
    pub(crate) roles: Vec<RoleSelection>,
    pub(crate) extended: Vec<ExtendedNegotiation>,
    pub(crate) user_identity_response: Option<Vec<u8>>,
    /// The peer's maximum length of P-DATA PDUs; 0 is no limit.
    pub(crate) peer_max_pdu_bytes: u32,
    /// Ours.
    pub(crate) max_pdu_bytes: u32,
    /// Whether we asked for the association.
    pub(crate) is_requestor: bool,
}

/// An open association. Dropping it closes the stream without a word; release or abort.
pub struct Association<S> {
    wire: Wire<S>,
    limits: Limits,
    agreed: Agreed,
    incoming: Incoming,
    outgoing: Outgoing,
    /// The current message has a data set that was not read to its end.
    reading: bool,
    /// Commands that came while `cancel_requested` looked.
    kept: std::collections::VecDeque<Message>,
    /// Message IDs that C-CANCELs named while `cancel_requested` looked.
    cancels: Vec<u16>,
    /// The peer asked for release while `cancel_requested` looked.
    release_requested: bool,
    ended: bool,
    last_message_id: u16,
}

impl<S> Association<S> {
    /// The request it grew from.
    pub fn request(&self) -> &AssociateRequest {
        &self.agreed.request
    }

    /// Accepted contexts.
    pub fn contexts(&self) -> &[PresentationContext] {
        &self.agreed.contexts
    }

    /// The accepted context of that id.
    pub fn context(&self, id: u8) -> Option<&PresentationContext> {
        self.agreed.contexts.iter().find(|context| context.id == id)
    }

    /// The accepted contexts of a SOP class.
    pub fn contexts_of<'a>(&'a self, abstract_syntax: &'a str) -> impl Iterator<Item = &'a PresentationContext> {
        self.agreed.contexts.iter().filter(move |context| context.abstract_syntax.as_str() == abstract_syntax)
    }

    /// Contexts that were proposed and not accepted.
    pub fn refused(&self) -> &[(u8, ContextResult)] {
        &self.agreed.refused
    }

    /// Roles as accepted.
    pub fn roles(&self) -> &[RoleSelection] {
        &self.agreed.roles
    }

    /// Extended negotiation as accepted.
    pub fn extended(&self) -> &[ExtendedNegotiation] {
        &self.agreed.extended
    }

    /// The acceptor's server response to a user identity, PS3.7 D.3.3.7.2.
    pub fn user_identity_response(&self) -> Option<&[u8]> {
        self.agreed.user_identity_response.as_deref()
    }

    /// A Message ID for a command of ours: 1, 2 and so on, never 0.
    pub fn next_message_id(&mut self) -> u16 {
        self.last_message_id = self.last_message_id.checked_add(1).unwrap_or(1);
        self.last_message_id
    }
}

/// What ends an association from within: the peer's breach, not yet answered, or anything else.
pub(crate) enum Failure {
    Fault(Fault),
    Other(AssociationError),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        Failure::Fault(fault)
    }
}

impl From<AssociationError> for Failure {
    fn from(error: AssociationError) -> Failure {
        Failure::Other(error)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Association<S> {
    pub(crate) fn open(wire: Wire<S>, limits: &Limits, agreed: Agreed) -> Association<S> {
        let ids = agreed.contexts.iter().map(|context| context.id);
        Association {
            incoming: Incoming::new(agreed.max_pdu_bytes, limits.max_command_bytes, ids),
            outgoing: Outgoing::new(agreed.peer_max_pdu_bytes),
            wire,
            limits: limits.clone(),
            agreed,
            reading: false,
            kept: std::collections::VecDeque::new(),
            cancels: Vec::new(),
            release_requested: false,
            ended: false,
            last_message_id: 0,
        }
    }

    /// Refuses what is asked of an association that has ended.
    fn check_open(&self) -> Result<(), AssociationError> {
        if self.ended { Err(AssociationError::Misuse("it has ended")) } else { Ok(()) }
    }

    /// Turns a failure into the caller's error, after telling the peer what it has to know.
    async fn settle<T>(&mut self, result: Result<T, Failure>) -> Result<T, AssociationError> {
        let failure = match result {
            Ok(value) => return Ok(value),
            Err(failure) => failure,
        };
        if !matches!(failure, Failure::Other(AssociationError::Misuse(_))) {
            self.ended = true;
        }
        Err(self.wire.settle(failure).await)
    }
}

impl From<(u8, u8, u8)> for AssociationError {
    fn from((result, reject_source, reason): (u8, u8, u8)) -> AssociationError {
        AssociationError::Rejected { result, reject_source, reason }
    }
}
