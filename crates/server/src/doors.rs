//! The two doors, open at some addresses: HTTPS and DICOM over TLS.
//!
//! The same behind a rehearsal as after it. Deliberately absent: whether they may be open
//! ([`run`](crate::run), [`gate`](crate::gate)).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use leadglass_archive::trail::{Alert, Event, Outcome};
use leadglass_archive::{Archive, Door, Source};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Limits;
use crate::host::{Host, StartError};
use crate::listen::caps::Caps;
use crate::listen::{self, Threshold, TurnedAway};
use crate::posture::Addresses;
use crate::scp;
use crate::web::WebState;

/// What is behind the doors.
#[derive(Clone)]
pub(crate) struct Behind {
    pub(crate) https: Arc<rustls::ServerConfig>,
    pub(crate) dicom: Arc<rustls::ServerConfig>,
    /// On the HTTPS door, for peers that renew their certificate.
    pub(crate) renewal: Arc<rustls::ServerConfig>,
    pub(crate) router: fn(&Arc<Host>, SocketAddr) -> (Router, WebState),
    /// How many may come at once, and how long they may take to shake hands.
    pub(crate) limits: Limits,
    /// Told of certificates turned away; at a rehearsal nobody is.
    pub(crate) turned_away: Option<TurnedAway>,
}

impl Behind {
    /// What a host has behind its doors.
    pub(crate) fn of(host: &Host) -> Behind {
        Behind {
            https: host.tls.https(),
            dicom: host.tls.dicom(),
            renewal: host.tls.renewal(),
            router: crate::router,
            limits: host.config.limits.clone(),
            turned_away: Some(turned_away(&host.archive)),
        }
    }
}

/// Records whose certificate was turned away, and why: CID 403, 110126.
fn turned_away(archive: &Archive) -> TurnedAway {
    let archive = archive.clone();
    Arc::new(move |address, unfit| {
        let source = Source { address: Some(address.ip()), door: Door::Dimse };
        let alert = Alert::of(Event::NodeAuthenticationFailed).from(&source).ended(Outcome::Refused);
        archive.alert(alert.saying(unfit.reason()));
    })
}

/// Two open doors.
pub(crate) struct Doors {
    /// Where they are.
    pub(crate) at: Addresses,
    /// What the handlers of HTTPS share.
    pub(crate) web: WebState,
    stop: CancellationToken,
    cut: CancellationToken,
    tasks: TaskTracker,
}

impl Doors {
    /// Opens both.
    pub(crate) async fn open(host: &Arc<Host>, behind: &Behind, at: Addresses) -> Result<Doors, StartError> {
        let (stop, cut, tasks) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
        let limits = &behind.limits;
        let https = threshold(limits, "https", at.https, behind.https.clone()).await?;
        let (renewal, turned_away) = (Some(behind.renewal.clone()), behind.turned_away.clone());
        let https = Threshold { renewal, turned_away, cut: cut.clone(), ..https };
        let dicom = threshold(limits, "dicom", at.dicom, behind.dicom.clone()).await?;
        let dicom = Threshold { turned_away: behind.turned_away.clone(), cut: cut.clone(), ..dicom };
        let at = Addresses { https: address(&https)?, dicom: address(&dicom)? };
        let (router, web) = (behind.router)(host, at.https);
        tasks.spawn(serve_https(host.clone(), https, router, stop.clone(), tasks.clone()));
        tasks.spawn(serve_dicom(host.clone(), dicom, stop.clone(), tasks.clone()));
        Ok(Doors { at, web, stop, cut, tasks })
    }

    /// Lets nobody else in.
    pub(crate) fn shut(&self) {
        self.web.set_ready(false);
        self.stop.cancel();
        self.tasks.close();
    }

    /// Lets nobody else in and waits until those who are in have finished, as long as that
    /// takes at most; then they are cut off. Says whether they had finished.
    pub(crate) async fn close(self, within: Duration) -> bool {
        self.shut();
        let finished = tokio::time::timeout(within, self.tasks.wait()).await.is_ok();
        self.cut.cancel();
        finished
    }
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
        renewal: None,
        caps: Caps::new(limits.connections, limits.connections_per_address),
        handshake: Duration::from_secs(limits.tls_handshake_s),
        cut: CancellationToken::new(),
        turned_away: None,
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
