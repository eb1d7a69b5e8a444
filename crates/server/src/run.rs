//! An archive at work: both doors open, upkeep running, until it is told to stop.
//!
//! [`doors`](crate::doors) opens them, [`posture`](crate::posture) says where they may be;
//! here it is seen to that they are nowhere else: before they open, each hour, and when what
//! decides it has changed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use leadglass_archive::trail::{Alert, Event, Outcome};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Limits;
use crate::doors::{Behind, Doors};
use crate::first_run;
use crate::gate::{self, Shut};
use crate::host::{Host, StartError};
use crate::legacy;
use crate::posture::{Addresses, Conditions, Held, Shown};

/// How often certificates are looked at.
const RENEWAL_CHECK: Duration = Duration::from_secs(3600);
/// How long a rehearsal's last conversations may take to end.
const REHEARSAL_CLOSE: Duration = Duration::from_secs(2);
/// How often it is looked whether the doors are where they may be.
const PLACE_CHECK: Duration = Duration::from_secs(2);
/// How often a stranger looks at the open doors.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);
/// After how many looks in a row that did not come to their end somebody is told.
const UNFINISHED: u32 = 3;
/// How long after a change of who may come in a stranger looks, at the earliest.
const LOOK_AFTER_CHANGE: Duration = Duration::from_secs(60);

/// How often, and how many times, it is tried to listen where the old doors still do.
const RETRY: Duration = Duration::from_millis(20);
const RETRIES: u32 = 100;

/// An archive with both doors open.
pub struct Running {
    /// Where HTTPS answered first.
    pub https: SocketAddr,
    /// Where DICOM over TLS answered first.
    pub dicom: SocketAddr,
    host: Arc<Host>,
    stop: CancellationToken,
    tasks: TaskTracker,
    keeper: tokio::task::JoinHandle<bool>,
}

impl Running {
    /// Opens both doors, after a stranger's look at a rehearsal of them found nothing; on
    /// loopback as long as not all is there that others' coming asks for.
    pub async fn start(host: Arc<Host>) -> Result<Running, StartError> {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let keeper = Keeper::start(host.clone()).await?;
        let Addresses { https, dicom } = keeper.doors.at;
        crate::trail::start(&host, &stop, &tasks);
        host.archive.alert(Alert::of(Event::ApplicationStarted).saying(version()));
        tell_network(&host, None, reached(&host));
        tasks.spawn(upkeep(host.clone(), stop.clone()));
        if host.config.dimse.legacy.is_configured() && host.shield.is_none() {
            tasks.spawn(legacy::keep(host.clone(), stop.clone()));
        }
        tasks.close();
        let keeper = tokio::spawn(keeper.keep(stop.clone()));
        Ok(Running { https, dicom, host, stop, tasks, keeper })
    }

    /// The archive.
    pub fn host(&self) -> &Arc<Host> {
        &self.host
    }

    /// Where the doors are and why.
    pub fn posture(&self) -> Shown {
        self.host.posture.shown()
    }

    /// Stops accepting, lets messages and requests in flight finish within
    /// `limits.stop_s`, closes the archive. Says whether all of them did.
    pub async fn stop(self) -> bool {
        tell_network(&self.host, reached(&self.host), None);
        self.host.archive.alert(Alert::of(Event::ApplicationStopped).saying(version()));
        self.stop.cancel();
        self.tasks.wait().await;
        let finished = self.keeper.await.unwrap_or(false);
        self.host.archive.close().await;
        finished
    }
}

/// Says that others can reach the archive from now on, or no longer: PS3.15 A.5.3.9.
fn tell_network(host: &Host, before: Option<Addresses>, after: Option<Addresses>) {
    let (event, at) = match (before, after) {
        (None, Some(at)) => (Event::NetworkAttached, at),
        (Some(at), None) => (Event::NetworkDetached, at),
        _ => return,
    };
    host.archive.alert(Alert::of(event).saying(format!("HTTPS at {}, DICOM at {}", at.https, at.dicom)));
}

/// Where the doors are now, when others can come to them.
fn reached(host: &Host) -> Option<Addresses> {
    let shown = host.posture.shown();
    shown.open.filter(|at| shown.held.is_none() && conditions(host).others_come(*at))
}

fn version() -> &'static str {
    concat!("leadglass ", env!("CARGO_PKG_VERSION"))
}

/// Sees to it that the doors are where they may be.
struct Keeper {
    host: Arc<Host>,
    behind: Behind,
    doors: Doors,
    /// What the archive's access was when a stranger looked last.
    seen: u64,
    was_set_up: bool,
    /// How many looks, up to the last, did not come to their end.
    unfinished: u32,
    looked: tokio::time::Instant,
}

impl Keeper {
    async fn start(host: Arc<Host>) -> Result<Keeper, StartError> {
        let behind = Behind::of(&host);
        let configured = Addresses::configured(&host.config.listen);
        let held = conditions(&host).hold(configured);
        let at = if held.is_some() { held_back(&host) } else { configured };
        rehearse(&host, &behind, at).await?;
        let doors = Doors::open(&host, &behind, at).await?;
        host.posture.opened(Some(doors.at), held);
        if let Some(held) = held {
            tracing::warn!(https = %doors.at.https, dicom = %doors.at.dicom, why = held.words(), "on loopback for now");
        }
        let (seen, was_set_up) = (host.archive.access_version(), host.archive.is_set_up());
        Ok(Keeper { host, behind, doors, seen, was_set_up, unfinished: 0, looked: tokio::time::Instant::now() })
    }

    async fn keep(mut self, stop: CancellationToken) -> bool {
        let mut places = tokio::time::interval(PLACE_CHECK);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = places.tick() => self = self.seen_to().await,
            }
        }
        let within = Duration::from_secs(self.host.config.limits.stop_s);
        self.doors.close(within).await
    }

    /// Moves the doors when they may be elsewhere, and lets a stranger look when it is time.
    async fn seen_to(self) -> Keeper {
        let configured = Addresses::configured(&self.host.config.listen);
        self.host.posture.counted(self.host.archive.administrator_tokens());
        let shown = self.host.posture.shown();
        let conditions = conditions(&self.host);
        let held = conditions.hold(configured);
        let (is_back, is_out) =
            (shown.open.is_some() && shown.held.is_some(), shown.open.is_some() && shown.held.is_none());
        let changed = self.host.archive.access_version() != self.seen;
        // What a stranger found keeps the doors back until something changes.
        let since = self.looked.elapsed();
        let found = shown.held == Some(Held::Exposed) && !changed && since < LOOK_AGAIN;
        match held {
            Some(_) if !is_back => return self.withdraw(held).await,
            None if !is_out && conditions.others_come(configured) && !found => return self.come_out(configured).await,
            _ => {}
        }
        // Once setup is done more stands behind the doors than was rehearsed.
        let is_new = !self.was_set_up && self.host.archive.is_set_up();
        let again = if self.unfinished > 0 { LOOK_AFTER_CHANGE } else { LOOK_AGAIN };
        if since >= again || is_new || changed && since >= LOOK_AFTER_CHANGE {
            return self.looked_at().await;
        }
        self
    }

    fn note_look(&mut self) {
        (self.seen, self.was_set_up) = (self.host.archive.access_version(), self.host.archive.is_set_up());
        self.looked = tokio::time::Instant::now();
    }

    /// Counts a look. Doors that nobody gets to look at stay open, so somebody has to know.
    fn note_end(&mut self, finished: bool) {
        self.unfinished = if finished { 0 } else { self.unfinished.saturating_add(1) };
        if self.unfinished == UNFINISHED {
            let said =
                format!("{UNFINISHED} looks at our doors in a row did not come to their end: see `leadglass explain`");
            self.host.archive.alert(Alert::of(Event::ExposureFound).ended(Outcome::Interrupted).saying(said));
        }
    }

    /// A stranger looks at the doors as they stand; a finding closes them where others come.
    async fn looked_at(mut self) -> Keeper {
        self.note_look();
        let seen = look(&self.host, self.doors.at).await;
        self.note_end(matches!(seen, Ok(()) | Err(Shut::Exposed(_))));
        match seen {
            Ok(()) => self,
            Err(Shut::Exposed(_)) if reached(&self.host).is_some() => self.withdraw(Some(Held::Exposed)).await,
            Err(Shut::Exposed(_)) => self,
            // Not seen is not found: whoever keeps the doors busy must not be able to close them.
            Err(error) => {
                tracing::warn!(%error, "the look at the doors is repeated soon");
                self
            }
        }
    }

    /// Opens the doors where others can come, after a look at their rehearsal there.
    async fn come_out(mut self, at: Addresses) -> Keeper {
        self.note_look();
        if let Err(error) = rehearse(&self.host, &self.behind, at).await {
            tracing::error!(%error, "the doors stay on loopback");
            self.host.posture.opened(Some(self.doors.at), Some(Held::Exposed));
            return self;
        }
        self.moved_to(at, None).await
    }

    async fn withdraw(self, held: Option<Held>) -> Keeper {
        let words = held.map_or("", Held::words);
        tracing::error!(why = words, "the doors are closed but for this machine");
        let at = held_back(&self.host);
        self.moved_to(at, held).await
    }

    /// Opens at other addresses and closes where it was; when that cannot be, everywhere.
    async fn moved_to(mut self, at: Addresses, held: Option<Held>) -> Keeper {
        // The same ports: nobody can listen there before the old doors have let go.
        self.doors.shut();
        let was = reached(&self.host);
        match self.opened_elsewhere(at).await {
            Ok(doors) => {
                let before = std::mem::replace(&mut self.doors, doors);
                let within = Duration::from_secs(self.host.config.limits.stop_s);
                tokio::spawn(before.close(within));
                self.host.posture.opened(Some(self.doors.at), held);
                crate::cli::serve::moved(&self.host, self.doors.at);
                tell_network(&self.host, was, reached(&self.host));
                tracing::info!(https = %self.doors.at.https, dicom = %self.doors.at.dicom, "the doors moved");
            }
            Err(error) => {
                tracing::error!(%error, "the doors are closed: they could not be opened there");
                tell_network(&self.host, was, None);
                self.host.posture.opened(None, held);
            }
        }
        self
    }
}

impl Keeper {
    /// The old doors' listeners go with their tasks, which have been told just now.
    async fn opened_elsewhere(&self, at: Addresses) -> Result<Doors, StartError> {
        let mut tries = tokio::time::interval(RETRY);
        let mut opened = Doors::open(&self.host, &self.behind, at).await;
        for _ in 0..RETRIES {
            if opened.is_ok() {
                break;
            }
            tries.tick().await;
            opened = Doors::open(&self.host, &self.behind, at).await;
        }
        opened
    }
}

/// Where the doors are while others may not come.
fn held_back(host: &Host) -> Addresses {
    Addresses::configured(&host.config.listen).held_back(host.config.people.is_public())
}

/// What there is of all that others' coming asks for.
pub(crate) fn conditions(host: &Host) -> Conditions {
    Conditions {
        set_up: host.archive.is_set_up(),
        second_factor: host.archive.has_administrator_with_second_factor(),
        public_dimse: host.config.consent.public_dimse,
        has_public_name: host.config.people.is_public(),
    }
}

/// Opens the doors on ports that nobody knows, looks at them as a stranger would, and closes them.
async fn rehearse(host: &Arc<Host>, behind: &Behind, at: Addresses) -> Result<(), StartError> {
    let hidden = |address: SocketAddr| SocketAddr::new(address.ip(), 0);
    let at = Addresses { https: hidden(at.https), dicom: hidden(at.dicom) };
    // However few the archive lets in, the stranger who looks is not kept out by his own last visit.
    let behind = Behind { limits: Limits::default(), turned_away: None, ..behind.clone() };
    let doors = Doors::open(host, &behind, at).await?;
    tracing::info!("looking at a rehearsal of the doors as a stranger would; refusals that follow are its");
    let seen = look(host, doors.at).await;
    // Whoever else came to a rehearsal and stays does not keep the archive from starting.
    doors.close(REHEARSAL_CLOSE).await;
    tracing::info!("the look at the rehearsal is over");
    Ok(seen?)
}

/// Looks at doors as a stranger would, at each address they answer at, and notes what was seen.
async fn look(host: &Arc<Host>, at: Addresses) -> Result<(), Shut> {
    let in_clear = || host.posture.shown().legacy.and_then(|legacy| legacy.open);
    let legacy = in_clear();
    let mut seen = as_a_stranger(host, at, legacy).await;
    // Of a listener that closed while it was looked at nothing can be told, nor need be.
    if legacy.is_some() && legacy != in_clear() && !matches!(seen, Ok(()) | Err(Shut::Exposed(_))) {
        seen = as_a_stranger(host, at, in_clear()).await;
    }
    let (mut findings, unfinished) = match &seen {
        Ok(()) => (Vec::new(), None),
        Err(Shut::Exposed(gate::Exposed(findings))) => (findings.clone(), None),
        Err(other) => (Vec::new(), Some(other.to_string())),
    };
    if !findings.is_empty() {
        let said = format!("a stranger's look at our doors has {} findings: see `leadglass explain`", findings.len());
        host.archive.alert(Alert::of(Event::ExposureFound).saying(said));
    }
    if legacy.is_none() {
        // Closed for what was found of it, it cannot be seen to be mended: that takes a new start.
        findings.extend(host.posture.shown().findings.into_iter().filter(|finding| finding.in_clear));
    }
    host.posture.looked(OffsetDateTime::from(host.clock.now()), findings, unfinished);
    seen
}

async fn as_a_stranger(host: &Arc<Host>, at: Addresses, legacy: Option<SocketAddr>) -> Result<(), Shut> {
    let folder = host.config.data.dir.join("self-audit");
    let mut seen: Option<Result<(), Shut>> = None;
    for at in gate::each_address(at) {
        // What the last look left is of no more use.
        let _ = tokio::fs::remove_dir_all(&folder).await;
        let look = gate::Look {
            dicom: at.dicom,
            https: at.https,
            legacy,
            ae_title: host.ae_title.clone(),
            authority_sha256: host.tls.ca_fingerprint(),
            folder: folder.clone(),
        };
        let report = look.look(host.clock.clone()).await;
        let here = report.and_then(|report| gate::judge(&report, at.dicom, at.https, legacy));
        let is_exposed = matches!(here, Err(Shut::Exposed(_)));
        // What one address does not show another may: only a finding is enough to stop.
        if is_exposed || !matches!(seen, Some(Err(_))) {
            seen = Some(here);
        }
        if is_exposed {
            break;
        }
    }
    seen.unwrap_or(Err(Shut::Unfinished("the addresses of this machine are not known")))
}

/// Renews the server certificate, folds the figures, removes a used setup code.
async fn upkeep(host: Arc<Host>, stop: CancellationToken) {
    let mut renewal = tokio::time::interval(RENEWAL_CHECK);
    let mut figures = tokio::time::interval(crate::metrics::UPKEEP);
    let mut setup = tokio::time::interval(PLACE_CHECK);
    let mut is_set_up = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = renewal.tick() => {
                renew(&host).await;
                host.providers.refresh(&host.archive).await;
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::web::WebState;
    use axum::Router;
    use leadglass_archive::review::TrailQuery;
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
        let at = Addresses::configured(&host.config.listen);
        rehearse(&host, &Behind::of(&host), at).await.unwrap();
        assert_eq!((host.posture.shown().findings, host.posture.shown().unfinished), (vec![], None));
        let behind = Behind { router: forced_open, ..Behind::of(&host) };
        let refused = rehearse(&host, &behind, at).await.unwrap_err();
        let StartError::Shut(gate::Shut::Exposed(gate::Exposed(found))) = &refused else { panic!("{refused}") };
        assert!(found.iter().any(|exposure| exposure.check == "W-02"), "{found:?}");
        assert!(refused.to_string().contains("they are not bound"), "{refused}");
        assert_eq!(&host.posture.shown().findings, found);
        host.archive.close().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn as_long_as_nothing_is_set_up_a_wildcard_is_loopback() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.data.dir = folder.path().join("archive");
        config.listen.https = "0.0.0.0:0".parse().unwrap();
        config.listen.dicom = "0.0.0.0:0".parse().unwrap();
        let host = Host::open(config, Arc::new(SystemClock)).await.unwrap();
        let running = Running::start(host).await.unwrap();
        let shown = running.posture();
        assert_eq!(shown.held, Some(Held::NotSetUp));
        assert!(shown.open.unwrap().are_loopback() && running.https.ip().is_loopback());
        assert!(running.stop().await);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_proxied_archive_that_is_not_set_up_is_not_where_its_proxy_looks() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.data.dir = folder.path().join("archive");
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        (config.listen.https, config.people.public_url) = (free, "https://pacs.example".into());
        config.listen.dicom.set_port(0);
        let host = Host::open(config, Arc::new(SystemClock)).await.unwrap();
        let running = Running::start(host).await.unwrap();
        let shown = running.posture();
        assert_eq!((shown.held, shown.reachable), (Some(Held::NotSetUp), Some(crate::interfaces::Reachable::Loopback)));
        assert!(running.https.port() != free.port() && running.https.ip().is_loopback());
        assert!(tokio::net::TcpStream::connect(free).await.is_err(), "a proxy finds nobody there");
        assert!(running.stop().await);
    }

    /// A door with a download that never ends.
    fn endless(host: &Arc<Host>, https: SocketAddr) -> (Router, WebState) {
        let (_, state) = crate::router(host, https);
        let bytes =
            || axum::body::Body::from_stream(futures::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
        (Router::new().route("/dicom-web/studies", axum::routing::get(async move || bytes())), state)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_stays_behind_closed_doors_is_cut_off() {
        use http_body_util::BodyExt as _;
        let folder = tempfile::tempdir().unwrap();
        let host = host(folder.path()).await;
        let behind = Behind { router: endless, ..Behind::of(&host) };
        let at = Addresses::configured(&host.config.listen);
        let doors = Doors::open(&host, &behind, at).await.unwrap();
        let client = crate::client::Client::new(doors.at.https, &host.ca_path()).unwrap();
        let request = http::Request::get("/dicom-web/studies").header("host", "localhost");
        let request = request.body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
        let response = client.open().await.unwrap().send_request(request).await.unwrap();
        assert_eq!(response.status(), http::StatusCode::OK);
        assert!(!doors.close(Duration::from_millis(50)).await, "the download goes on");
        let rest = tokio::time::timeout(Duration::from_secs(20), response.into_body().collect()).await;
        assert!(rest.expect("it is cut off").is_err());
        host.archive.close().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn whoever_keeps_strangers_from_looking_is_told_of_once() {
        let folder = tempfile::tempdir().unwrap();
        let host = host(folder.path()).await;
        let mut keeper = Keeper::start(host.clone()).await.unwrap();
        let told = async || {
            let query = TrailQuery { limit: 100, action: Some("exposure-found".into()), ..TrailQuery::default() };
            host.archive.trail(host.operator(), query).await.unwrap().len()
        };
        for finished in [false, false, true, false, false] {
            keeper.note_end(finished);
        }
        assert_eq!(told().await, 0);
        for finished in [false, false, false] {
            keeper.note_end(finished);
        }
        assert_eq!(told().await, 1);
        keeper.doors.close(REHEARSAL_CLOSE).await;
        host.archive.close().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn doors_that_move_let_go_of_their_old_address() {
        let folder = tempfile::tempdir().unwrap();
        let host = host(folder.path()).await;
        let keeper = Keeper::start(host.clone()).await.unwrap();
        let before = keeper.doors.at;
        let elsewhere = |address: SocketAddr| SocketAddr::new([127, 0, 0, 9].into(), address.port());
        let at = Addresses { https: elsewhere(before.https), dicom: elsewhere(before.dicom) };
        let keeper = keeper.moved_to(at, None).await;
        assert_eq!((keeper.doors.at, host.posture.shown().open), (at, Some(at)));
        let again = keeper.moved_to(before, Some(Held::Exposed)).await;
        assert_eq!((again.doors.at, host.posture.shown().held), (before, Some(Held::Exposed)));
        assert!(tokio::net::TcpStream::connect(at.https).await.is_err(), "nobody listens there any longer");
        again.doors.close(REHEARSAL_CLOSE).await;
        host.archive.close().await;
    }
}
