//! Everything that answers over HTTPS, put together.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;

use crate::host::Host;
use crate::login::LoginSettings;
use crate::web::{self, WebSettings, WebState};

/// The routes of all HTTP services of a host that answers at that address, and their state.
pub fn router(host: &Arc<Host>, https: SocketAddr) -> (Router, WebState) {
    let state = WebState::new(WebSettings {
        archive: host.archive.clone(),
        public_url: format!("https://{https}"),
        limits: host.config.dicomweb.limits(&host.config.limits),
        metrics: Some(host.metrics.clone()),
        certificates: host.tls.clone(),
        login: LoginSettings::of(&host.config, https, host.providers.clone()),
        study_names: host.study_names.clone(),
        posture: host.posture.clone(),
        shield: host.shield.clone(),
    });
    (web::router(state.clone()), state)
}
