//! Queries and retrievals passed through to the archive, association by association.
//!
//! The archive decides and records them under the modality's title, as for any peer.

use leadglass_dicom::Uid;
use leadglass_dimse::AssociationError;
use leadglass_dimse::association::{AbortSource, Message};
use leadglass_dimse::negotiation::{ExtendedNegotiation, PresentationContext};
use leadglass_dimse::status::Status;

use super::admission::{Known, Passed};
use super::relay::{self, RelayError};
use super::session::Session;
use super::{Shared, config::EdgeVerb};
use crate::scp::Service;
use crate::scu::Scu;

/// The association with the archive behind one with a modality.
pub(super) struct Behind {
    association: Scu,
}

impl Behind {
    /// Asks the archive for what is to be passed through, under the same context ids. `None`
    /// when there is nothing, or no archive: then nothing of it is accepted.
    pub(super) async fn open(shared: &Shared, modality: &Known, passed: Passed) -> Option<Behind> {
        if passed.contexts.is_empty() {
            return None;
        }
        let mut request = shared.upstream.request(&modality.ae);
        (request.contexts, request.roles, request.extended) = (passed.contexts, passed.roles, passed.extended);
        match shared.upstream.associate(request).await {
            Ok(association) => Some(Behind { association }),
            Err(error) => {
                tracing::warn!(door = "edge", modality = %modality.ae, error = format!("{error:#}"), "no query is passed through");
                None
            }
        }
    }

    /// The transfer syntax the archive accepted for that context.
    pub(super) fn accepted(&self, id: u8) -> Option<Uid> {
        self.association.context(id).map(|context| context.transfer_syntax.clone())
    }

    /// Whether the archive may send objects of that class back.
    pub(super) fn sends(&self, sop_class: &Uid) -> bool {
        self.association.roles().iter().any(|role| role.sop_class == *sop_class && role.scp)
    }

    /// What the archive agreed to for queries.
    pub(super) fn extended(&self) -> Vec<ExtendedNegotiation> {
        self.association.extended().to_vec()
    }

    pub(super) async fn close(self) {
        let _ = self.association.release().await;
    }
}

impl Session {
    /// Passes a request through and its responses back.
    pub(super) async fn pass(
        &mut self,
        context: &PresentationContext,
        message: Message,
    ) -> Result<(), AssociationError> {
        let verb = match self.shared.classes.service(&context.abstract_syntax) {
            Some(Service::Get(_)) => EdgeVerb::Retrieve,
            _ => EdgeVerb::Find,
        };
        if !self.modality.may(verb) {
            return self.refuse(context, &message, Status::NOT_AUTHORIZED, "").await;
        }
        let Some(behind) = self.behind.as_mut() else {
            return self.refuse(context, &message, Status::OUT_OF_RESOURCES, "the archive is not reached").await;
        };
        match relay::operation(&mut self.association, &mut behind.association, &message).await {
            Ok(_) => Ok(()),
            Err(RelayError::Front(error)) => Err(error),
            Err(RelayError::Behind(error)) => {
                tracing::warn!(door = "edge", modality = %self.modality.ae, %error, "the archive ended a query");
                if let Some(behind) = self.behind.take() {
                    behind.association.abort(AbortSource::ServiceUser).await;
                }
                self.refuse(context, &message, Status::CANNOT_UNDERSTAND, "the archive ended the association").await
            }
        }
    }
}
