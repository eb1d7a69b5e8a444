//! What every HTTPS answer has in common, whichever API gives it.
//!
//! Who asks ([`authenticate`]), how refusals read ([`problem`]), what every response carries
//! and what the log says of it ([`manners`]), and the router of all. Deliberately absent:
//! sockets and TLS, which hand over requests with a [`ClientAddress`] in their extensions;
//! signing in, which is [`login`](crate::login)'s.

pub mod authenticate;
mod limits;
pub mod manners;
mod occupancy;
pub mod problem;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use http::StatusCode;
use leadglass_archive::Archive;
use metrics_exporter_prometheus::PrometheusHandle;

pub use limits::WebLimits;
pub use problem::Problem;

use crate::admin::certificates::IssueCertificate;
use crate::login::LoginSettings;
use crate::posture::Posture;
use crate::shield::Shield;
use crate::study_names::StudyNames;
use occupancy::Occupancy;

/// The address at the other end of the connection; the listener puts it into each request's
/// extensions, or axum's `ConnectInfo<SocketAddr>` instead. A request without either is
/// answered 500: nobody is asked to prove who they are without saying where from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// What the HTTPS doors need to know.
pub struct WebSettings {
    /// The one door to data.
    pub archive: Archive,
    /// `https://host:port` as clients see it, without a slash at the end: the start of every
    /// URL we give out. The `Host` header of a request is never believed.
    pub public_url: String,
    /// Bounds on what a request may take.
    pub limits: WebLimits,
    /// Renders `/metrics`; none when no recorder is installed.
    pub metrics: Option<PrometheusHandle>,
    /// Issues certificates to peers for `POST /admin/v1/peers`.
    pub certificates: Arc<dyn IssueCertificate>,
    /// How people sign in.
    pub login: LoginSettings,
    /// How studies are called in the log.
    pub study_names: StudyNames,
    /// Where the doors are, and what a stranger saw of them.
    pub posture: Posture,
    /// The old archive whose DICOMweb this is, when it is a shield.
    pub shield: Option<Arc<Shield>>,
}

/// What the handlers share. Clones share it.
#[derive(Clone)]
pub struct WebState {
    shared: Arc<Shared>,
}

struct Shared {
    settings: WebSettings,
    occupancy: Occupancy,
    summaries: crate::dicomweb::MetadataCache,
    ready: AtomicBool,
}

impl WebState {
    /// State for one server. It is ready from the start; see [`WebState::set_ready`].
    pub fn new(settings: WebSettings) -> WebState {
        let occupancy = Occupancy::new(settings.limits.requests, settings.limits.requests_per_caller);
        let summaries = crate::dicomweb::MetadataCache::new(settings.limits.metadata_cache_bytes);
        WebState { shared: Arc::new(Shared { settings, occupancy, summaries, ready: AtomicBool::new(true) }) }
    }

    /// The archive.
    pub fn archive(&self) -> &Archive {
        &self.shared.settings.archive
    }

    /// The bounds.
    pub fn limits(&self) -> &WebLimits {
        &self.shared.settings.limits
    }

    /// `https://host:port` as clients see it.
    pub fn public_url(&self) -> &str {
        &self.shared.settings.public_url
    }

    /// Says whether `/healthz/ready` answers 200; the server clears it when it stops.
    pub fn set_ready(&self, ready: bool) {
        self.shared.ready.store(ready, Ordering::Relaxed);
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.shared.ready.load(Ordering::Relaxed)
    }

    pub(crate) fn metrics(&self) -> Option<&PrometheusHandle> {
        self.shared.settings.metrics.as_ref()
    }

    pub(crate) fn login(&self) -> &LoginSettings {
        &self.shared.settings.login
    }

    pub(crate) fn posture(&self) -> &Posture {
        &self.shared.settings.posture
    }

    pub(crate) fn certificates(&self) -> &dyn IssueCertificate {
        &*self.shared.settings.certificates
    }

    pub(crate) fn summaries(&self) -> &crate::dicomweb::MetadataCache {
        &self.shared.summaries
    }

    pub(crate) fn study_names(&self) -> &StudyNames {
        &self.shared.settings.study_names
    }

    pub(crate) fn shield(&self) -> Option<&Arc<Shield>> {
        self.shared.settings.shield.as_ref()
    }

    fn occupancy(&self) -> &Occupancy {
        &self.shared.occupancy
    }
}

/// Everything that answers over HTTPS. Without a known caller only liveness, readiness, signing
/// in, enrolment by a token and, until it is done, setup answer; a path that does not exist asks
/// for proof like any other.
pub fn router(state: WebState) -> Router {
    let dicomweb = match state.shield() {
        Some(_) => crate::shield::dicomweb::router(),
        None => crate::dicomweb::router(),
    };
    let known = Router::new()
        .merge(dicomweb)
        .merge(crate::admin::router())
        .merge(crate::login::router())
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || Problem::new(StatusCode::METHOD_NOT_ALLOWED, "not that method"))
        .layer(axum::middleware::from_fn_with_state(state.clone(), authenticate::require_caller));
    manners::around(known.merge(crate::admin::public_router()).merge(crate::login::public_router()), &state)
        .with_state(state)
}
