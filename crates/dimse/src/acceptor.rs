//! The side that is called.

use tokio::io::{AsyncRead, AsyncWrite};

use crate::association::{Association, AssociationError, Limits};
use crate::negotiation::{Acceptance, AssociateRequest, Rejection};

/// An association that has been asked for and not answered.
pub struct Requested<S> {
    #[expect(dead_code, reason = "skeleton")]
    stream: S,
}

/// Waits for an A-ASSOCIATE-RQ (ARTIM: `limits.associate_timeout`).
pub async fn receive<S: AsyncRead + AsyncWrite + Unpin + Send>(_stream: S, _limits: &Limits) -> Result<Requested<S>, AssociationError> {
    todo!()
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Requested<S> {
    /// What is asked for.
    pub fn request(&self) -> &AssociateRequest {
        todo!()
    }

    /// Answers A-ASSOCIATE-AC.
    pub async fn accept(self, _acceptance: Acceptance) -> Result<Association<S>, AssociationError> {
        todo!()
    }

    /// Answers A-ASSOCIATE-RJ and waits shortly for the other end to close.
    pub async fn reject(self, _rejection: Rejection) -> Result<(), AssociationError> {
        todo!()
    }
}
