//! The way to the archive: mutual TLS with the edge's certificate, under the modality's title.

use std::time::Duration;

use anyhow::Context;
use leadglass_dicom::AeTitle;
use leadglass_dimse::negotiation::AssociateRequest;

use super::config::{EdgeArchive, EdgeConfigError};
use crate::scu::{Peering, Scu};

/// The archive.
pub(super) struct Upstream {
    address: String,
    called: AeTitle,
    bundle: std::path::PathBuf,
    within: Duration,
}

impl Upstream {
    pub(super) fn of(archive: &EdgeArchive) -> Result<Upstream, EdgeConfigError> {
        let called = AeTitle::parse(&archive.ae_title)
            .map_err(|error| EdgeConfigError::Value { key: "archive.ae_title".into(), reason: error.to_string() })?;
        Ok(Upstream {
            address: archive.address.clone(),
            called,
            bundle: archive.bundle.clone(),
            within: Duration::from_secs(archive.connect_s),
        })
    }

    /// A request in a modality's name, without contexts yet.
    pub(super) fn request(&self, calling: &AeTitle) -> AssociateRequest {
        AssociateRequest::new(calling.clone(), self.called.clone())
    }

    /// Connects and associates. The certificate is read each time: a renewed one is used at once.
    pub(super) async fn associate(&self, request: AssociateRequest) -> anyhow::Result<Scu> {
        let peering = Peering {
            address: self.address.clone(),
            called: self.called.clone(),
            calling: request.calling_ae.clone(),
            cert: self.bundle.join("cert.pem"),
            key: self.bundle.join("key.pem"),
            ca: self.bundle.join("ca.pem"),
        };
        let associated = tokio::time::timeout(self.within, peering.associate(request)).await;
        associated.with_context(|| format!("{} does not answer within its time", self.address))?
    }
}
