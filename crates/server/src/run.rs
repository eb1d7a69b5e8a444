//! An archive at work: both doors open, upkeep running, until it is told to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::host::{Host, StartError};
use crate::listen::caps::Caps;
use crate::listen::{self, Threshold};
use crate::web::WebState;
use crate::{first_run, scp};

/// How often certificates are looked at.
const RENEWAL_CHECK: Duration = Duration::from_secs(3600);
/// How often it is looked whether setup is done.
const SETUP_CHECK: Duration = Duration::from_secs(2);

/// An archive with both doors open.
pub struct Running {
    /// Where HTTPS answers.
    pub https: SocketAddr,
    /// Where DICOM over TLS answers.
    pub dicom: SocketAddr,
    host: Arc<Host>,
    web: WebState,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Running {
    /// Opens both doors.
    pub async fn start(host: Arc<Host>) -> Result<Running, StartError> {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let https = threshold(&host, "https", host.config.listen.https, host.tls.https()).await?;
        let dicom = threshold(&host, "dicom", host.config.listen.dicom, host.tls.dicom()).await?;
        let (https_address, dicom_address) = (address(&https)?, address(&dicom)?);
        let (router, web) = crate::router(&host, https_address);
        tasks.spawn(serve_https(host.clone(), https, router, stop.clone(), tasks.clone()));
        tasks.spawn(serve_dicom(host.clone(), dicom, stop.clone(), tasks.clone()));
        tasks.spawn(upkeep(host.clone(), stop.clone()));
        Ok(Running { https: https_address, dicom: dicom_address, host, web, stop, tasks })
    }

    /// The archive.
    pub fn host(&self) -> &Arc<Host> {
        &self.host
    }

    /// Stops accepting, lets messages and requests in flight finish within
    /// `limits.stop_s`, closes the archive. Says whether all of them did.
    pub async fn stop(self) -> bool {
        self.web.set_ready(false);
        self.stop.cancel();
        self.tasks.close();
        let within = Duration::from_secs(self.host.config.limits.stop_s);
        let finished = tokio::time::timeout(within, self.tasks.wait()).await.is_ok();
        self.host.archive.close().await;
        finished
    }
}

async fn threshold(
    host: &Host,
    name: &'static str,
    address: SocketAddr,
    tls: Arc<rustls::ServerConfig>,
) -> Result<Threshold, StartError> {
    let listener = TcpListener::bind(address).await;
    let limits = &host.config.limits;
    Ok(Threshold {
        name,
        listener: listener.map_err(StartError::io(format!("cannot listen on {address} ({name})")))?,
        tls,
        caps: Caps::new(limits.connections, limits.connections_per_address),
        handshake: Duration::from_secs(limits.tls_handshake_s),
    })
}

fn address(threshold: &Threshold) -> Result<SocketAddr, StartError> {
    threshold.listener.local_addr().map_err(StartError::io("cannot tell the address of a listener"))
}

async fn serve_https(host: Arc<Host>, door: Threshold, router: Router, stop: CancellationToken, tasks: TaskTracker) {
    let limits = Arc::new(host.config.limits.clone());
    let told = stop.clone();
    listen::accept(door, stop, tasks, move |visitor| {
        listen::https::serve(visitor, router.clone(), limits.clone(), told.clone())
    })
    .await;
}

async fn serve_dicom(host: Arc<Host>, door: Threshold, stop: CancellationToken, tasks: TaskTracker) {
    let entity = scp::Entity::new(host, stop.clone(), tasks.clone());
    listen::accept(door, stop, tasks, move |visitor| scp::serve(entity.clone(), visitor)).await;
}

/// Renews the server certificate, folds the figures, removes a used setup code.
async fn upkeep(host: Arc<Host>, stop: CancellationToken) {
    let mut renewal = tokio::time::interval(RENEWAL_CHECK);
    let mut figures = tokio::time::interval(crate::metrics::UPKEEP);
    let mut setup = tokio::time::interval(SETUP_CHECK);
    let mut is_set_up = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = renewal.tick() => renew(&host).await,
            _ = figures.tick() => host.metrics.run_upkeep(),
            _ = setup.tick(), if !is_set_up => {
                is_set_up = host.archive.is_set_up();
                if is_set_up {
                    first_run::remove_setup_code(&host.config.data.dir);
                }
            }
        }
    }
}

async fn renew(host: &Host) {
    match host.tls.renew_when_due(&host.archive, host.operator()).await {
        Ok(true) => tracing::info!("server certificate renewed"),
        Ok(false) => {}
        Err(error) => tracing::error!(%error, "the server certificate could not be renewed"),
    }
}
