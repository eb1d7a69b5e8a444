//! The DICOM door: one association per connection, one handler per service.
//!
//! Each handler decodes, makes one call on the archive and encodes. Deliberately absent:
//! who may do what (the archive decides), and the protocol itself (`leadglass_dimse`).

mod admission;
mod commitment;
mod held;
pub(crate) mod identifier;
mod outbound;
mod query;
mod retrieve;
mod session;
mod sop_class;
mod storage;
mod tally;
mod verification;

use std::sync::Arc;

use leadglass_archive::spool::Shown;
use leadglass_dicom::{AeTitle, Uid};
use leadglass_dimse::acceptor;
use leadglass_dimse::negotiation::Rejection;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::host::Host;
use crate::listen::Visitor;
use crate::metrics::ASSOCIATIONS;
pub(crate) use admission::acceptance;
use admission::{Admitted, Connection};
use session::Session;
pub(crate) use session::revoked;
pub(crate) use sop_class::{
    STORAGE_COMMITMENT_PUSH, STORAGE_COMMITMENT_PUSH_INSTANCE, Service, SopClasses, is_plain, is_storable,
};
pub(crate) use storage::Sender;
use tally::Counted;
pub(crate) use tally::Tally;

/// Our application entity: what its associations share.
#[derive(Clone)]
pub struct Entity {
    host: Arc<Host>,
    classes: Arc<SopClasses>,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// Open associations.
    open: Tally,
    /// Storage commitment transactions not yet answered or given up.
    commitments: Tally,
}

impl Entity {
    /// The entity of that host. `stop` ends its associations between messages; what
    /// outlives an association runs in `tasks`.
    pub fn new(host: Arc<Host>, stop: CancellationToken, tasks: TaskTracker) -> Entity {
        let classes = SopClasses::with_private(&host.config.dimse.private_storage_sop_classes);
        Entity { host, classes: Arc::new(classes), stop, tasks, open: Tally::default(), commitments: Tally::default() }
    }

    /// The host it is of.
    pub(crate) fn host(&self) -> &Arc<Host> {
        &self.host
    }

    /// What ends its associations.
    pub(crate) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Bounds of its associations.
    pub(crate) fn limits(&self) -> leadglass_dimse::Limits {
        self.host.config.dimse.limits()
    }

    /// What a SOP class is for.
    pub(crate) fn service(&self, sop_class: &Uid) -> Option<Service> {
        self.classes.service(sop_class)
    }

    /// The transfer syntaxes of these that are taken for a SOP class.
    pub(crate) fn taken(&self, sop_class: &Uid, transfer_syntaxes: &[Uid]) -> Vec<Uid> {
        let takes = if self.service(sop_class) == Some(Service::Storage) { is_storable } else { is_plain };
        transfer_syntaxes.iter().filter(|uid| takes(uid)).cloned().collect()
    }

    /// Counts an association of that peer; `None` when it is one too many. Who is nobody is told
    /// by its certificate: a title it can make up.
    fn enter(&self, ae: &AeTitle, shown: Option<&Shown>) -> Option<Open> {
        let who = shown.map_or_else(|| ae.to_string(), |shown| shown.certificate_sha256.clone());
        let counted = self.open.enter(&who, self.host.config.dimse.associations_per_peer)?;
        metrics::gauge!(ASSOCIATIONS).increment(1);
        Some(Open { _counted: counted })
    }
}

/// A counted association; dropping it gives the place back.
struct Open {
    _counted: Counted,
}

impl Drop for Open {
    fn drop(&mut self) {
        metrics::gauge!(ASSOCIATIONS).decrement(1);
    }
}

/// Serves one connection: admission, then messages until it ends.
pub async fn serve(entity: Entity, visitor: Visitor) {
    let Visitor { stream, address, place } = visitor;
    let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let Some(certificate_der) = certificate.map(|certificate| certificate.to_vec()) else {
        return;
    };
    let connection = Connection { certificate_der, address: address.ip(), is_over_cap: place.is_over() };
    let limits = entity.host.config.dimse.limits();
    let requested = tokio::select! {
        requested = acceptor::receive(stream, &limits) => requested,
        () = entity.stop.cancelled() => return,
    };
    let requested = match requested {
        Ok(requested) => requested,
        Err(error) => {
            tracing::info!(address = %address.ip(), %error, "no association");
            return;
        }
    };
    let request = requested.request();
    let calling_ae = request.calling_ae.clone();
    let admitted = admission::admit(&entity.host, &entity.classes, connection, request).await;
    let admitted = admitted.and_then(|admitted| match entity.enter(&calling_ae, admitted.shown.as_ref()) {
        Some(open) => Ok((admitted, open)),
        None => Err(Rejection::LocalLimitExceeded),
    });
    let (Admitted { caller, acceptance, options, shown }, _open) = match admitted {
        Ok(admitted) => admitted,
        Err(rejection) => {
            tracing::info!(address = %address.ip(), ?rejection, "association rejected");
            let _ = requested.reject(rejection).await;
            return;
        }
    };
    if let Some(shield) = entity.host.shield.clone() {
        return crate::shield::serve(entity.clone(), &shield, caller, requested, acceptance).await;
    }
    match requested.accept(acceptance).await {
        Ok(association) => {
            Session::new(entity.clone(), caller, calling_ae, association, options).of_stranger(shown).run().await
        }
        Err(error) => tracing::info!(address = %address.ip(), %error, "association not opened"),
    }
}
