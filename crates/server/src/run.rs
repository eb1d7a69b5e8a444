//! An archive at work: both doors open, upkeep running, until it is told to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Limits;
use crate::host::{Host, StartError};
use crate::listen::caps::Caps;
use crate::listen::{self, Threshold};
use crate::web::WebState;
use crate::{first_run, gate, scp};

/// How often certificates are looked at.
const RENEWAL_CHECK: Duration = Duration::from_secs(3600);
/// How long a rehearsal's last conversations may take to end.
const REHEARSAL_CLOSE: Duration = Duration::from_secs(2);
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
    /// Opens both doors, after a stranger's look at a rehearsal of them found nothing.
    pub async fn start(host: Arc<Host>) -> Result<Running, StartError> {
        let behind = Behind::of(&host);
        let was_set_up = host.archive.is_set_up();
        rehearse(&host, &behind).await?;
        let at = Addresses { https: host.config.listen.https, dicom: host.config.listen.dicom };
        let doors = Doors::open(&host, &behind, at).await?;
        doors.tasks.spawn(upkeep(host.clone(), doors.stop.clone(), was_set_up));
        let Doors { at: Addresses { https, dicom }, web, stop, tasks } = doors;
        Ok(Running { https, dicom, host, web, stop, tasks })
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

/// What is behind the doors: the same at a rehearsal as after it.
#[derive(Clone)]
struct Behind {
    https: Arc<rustls::ServerConfig>,
    dicom: Arc<rustls::ServerConfig>,
    router: fn(&Arc<Host>, SocketAddr) -> (Router, WebState),
    /// How many may come at once, and how long they may take to shake hands.
    limits: Limits,
}

impl Behind {
    fn of(host: &Host) -> Behind {
        Behind {
            https: host.tls.https(),
            dicom: host.tls.dicom(),
            router: crate::router,
            limits: host.config.limits.clone(),
        }
    }
}

/// Where doors are.
#[derive(Clone, Copy)]
struct Addresses {
    https: SocketAddr,
    dicom: SocketAddr,
}

/// Two open doors.
struct Doors {
    at: Addresses,
    web: WebState,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Doors {
    async fn open(host: &Arc<Host>, behind: &Behind, at: Addresses) -> Result<Doors, StartError> {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let limits = &behind.limits;
        let https = threshold(limits, "https", at.https, behind.https.clone()).await?;
        let dicom = threshold(limits, "dicom", at.dicom, behind.dicom.clone()).await?;
        let at = Addresses { https: address(&https)?, dicom: address(&dicom)? };
        let (router, web) = (behind.router)(host, at.https);
        tasks.spawn(serve_https(host.clone(), https, router, stop.clone(), tasks.clone()));
        tasks.spawn(serve_dicom(host.clone(), dicom, stop.clone(), tasks.clone()));
        Ok(Doors { at, web, stop, tasks })
    }

    async fn close(self) {
        self.stop.cancel();
        self.tasks.close();
        // Whoever else came to a rehearsal and stays does not keep the archive from starting.
        let _ = tokio::time::timeout(REHEARSAL_CLOSE, self.tasks.wait()).await;
    }
}

/// Opens the doors on ports that nobody knows, looks at them as a stranger would, and closes them.
async fn rehearse(host: &Arc<Host>, behind: &Behind) -> Result<(), StartError> {
    let hidden = |address: SocketAddr| SocketAddr::new(address.ip(), 0);
    let at = Addresses { https: hidden(host.config.listen.https), dicom: hidden(host.config.listen.dicom) };
    let folder = host.config.data.dir.join("self-audit");
    // What the last start left is of no more use.
    let _ = tokio::fs::remove_dir_all(&folder).await;
    // However few the archive lets in, the stranger who looks is not kept out by his own last visit.
    let behind = Behind { limits: Limits::default(), ..behind.clone() };
    let doors = Doors::open(host, &behind, at).await?;
    let look = gate::Look {
        dicom: doors.at.dicom,
        https: doors.at.https,
        ae_title: host.ae_title.clone(),
        authority_sha256: host.tls.ca_fingerprint(),
        folder,
    };
    tracing::info!("looking at a rehearsal of the doors as a stranger would; refusals that follow are its");
    let (dicom, https) = (look.dicom, look.https);
    let seen = look.look(host.clock.clone()).await;
    doors.close().await;
    tracing::info!("the look at the rehearsal is over");
    Ok(gate::judge(&seen?, dicom, https)?)
}

async fn threshold(
    limits: &Limits,
    name: &'static str,
    address: SocketAddr,
    tls: Arc<rustls::ServerConfig>,
) -> Result<Threshold, StartError> {
    let listener = TcpListener::bind(address).await;
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
async fn upkeep(host: Arc<Host>, stop: CancellationToken, mut is_set_up: bool) {
    let mut renewal = tokio::time::interval(RENEWAL_CHECK);
    let mut figures = tokio::time::interval(crate::metrics::UPKEEP);
    let mut setup = tokio::time::interval(SETUP_CHECK);
    if is_set_up {
        first_run::remove_setup_code(&host.config.data.dir);
    }
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = renewal.tick() => renew(&host).await,
            _ = figures.tick() => host.metrics.run_upkeep(),
            _ = setup.tick(), if !is_set_up => {
                is_set_up = host.archive.is_set_up();
                if is_set_up {
                    first_run::remove_setup_code(&host.config.data.dir);
                    look_again(&host, &stop).await;
                }
            }
        }
    }
}

/// Once setup is done more stands behind the doors than was rehearsed: looks again, and closes them on a finding.
async fn look_again(host: &Arc<Host>, stop: &CancellationToken) {
    if let Err(error) = rehearse(host, &Behind::of(host)).await {
        tracing::error!(%error, "the doors are closed");
        stop.cancel();
    }
}

async fn renew(host: &Host) {
    match host.tls.renew_when_due(&host.archive, host.operator()).await {
        Ok(true) => tracing::info!("server certificate renewed"),
        Ok(false) => {}
        Err(error) => tracing::error!(%error, "the server certificate could not be renewed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use leadglass_dicom::clock::SystemClock;

    async fn host(folder: &std::path::Path) -> Arc<Host> {
        let mut config = Config::default();
        config.data.dir = folder.join("archive");
        config.listen.https.set_port(0);
        config.listen.dicom.set_port(0);
        Host::open(config, Arc::new(SystemClock)).await.unwrap()
    }

    /// A door with one route that asks nobody who they are.
    fn forced_open(host: &Arc<Host>, https: SocketAddr) -> (Router, WebState) {
        let (_, state) = crate::router(host, https);
        let studies = axum::routing::get(|| async { ([(http::header::CONTENT_TYPE, "application/dicom+json")], "[]") });
        (Router::new().route("/dicom-web/studies", studies), state)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn closed_doors_pass_and_a_door_forced_open_is_not_bound() {
        let folder = tempfile::tempdir().unwrap();
        let host = host(folder.path()).await;
        rehearse(&host, &Behind::of(&host)).await.unwrap();
        let behind = Behind { router: forced_open, ..Behind::of(&host) };
        let refused = rehearse(&host, &behind).await.unwrap_err();
        let StartError::Shut(gate::Shut::Exposed(gate::Exposed(found))) = &refused else { panic!("{refused}") };
        assert!(found.iter().any(|exposure| exposure.check == "W-02"), "{found:?}");
        assert!(refused.to_string().contains("they are not bound"), "{refused}");
        host.archive.close().await;
    }
}
