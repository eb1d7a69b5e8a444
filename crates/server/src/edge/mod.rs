//! The edge: beside a modality, or before an old archive, that cannot speak TLS.
//!
//! Store and forward: clear text from configured modalities on one private interface, a
//! sealed and durable spool, mutual TLS to the archive. The same rule as in the archive: an
//! object is acknowledged once it would survive a power cut. Deliberately absent: a listener
//! for anybody else, a public address, and a way to send an object on in clear.

mod admission;
mod commitment;
pub mod config;
mod forward;
mod listen;
pub mod manual;
mod pass;
pub mod relay;
mod session;
mod store;
mod upstream;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use leadglass_archive::OpenError;
use leadglass_archive::spool::Spool;
use leadglass_dicom::clock::Clock;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clear::{ClearDoor, ClearError};
use crate::listen::caps::Caps;
use crate::scp::SopClasses;
use admission::Modalities;
use config::EdgeConfig;
use upstream::Upstream;

/// How often the spool's directory is looked at for what a command did beside the process.
const REFRESH: Duration = Duration::from_secs(5);

/// Why an edge does not start.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] config::EdgeConfigError),
    /// The interface, its addresses, the port.
    #[error(transparent)]
    Listener(Box<dyn std::error::Error + Send + Sync>),
    /// The spool.
    #[error("the spool: {0}")]
    Spool(#[from] OpenError),
    /// The operating system says no.
    #[error("{what}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl From<ClearError> for EdgeError {
    fn from(error: ClearError) -> EdgeError {
        EdgeError::Listener(error.into())
    }
}

/// What the edge's sessions and forwarders share.
struct Shared {
    config: EdgeConfig,
    modalities: Modalities,
    classes: SopClasses,
    spool: Spool,
    upstream: Upstream,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// An edge at work.
pub struct RunningEdge {
    /// Where modalities are listened to, in clear.
    pub listening: SocketAddr,
    shared: Arc<Shared>,
}

impl RunningEdge {
    /// Opens the spool, listens on the configured interface and sends on what waits.
    ///
    /// # Errors
    /// The configuration, the interface or its addresses, the spool, the port.
    pub async fn start(config: EdgeConfig, clock: Arc<dyn Clock>) -> Result<RunningEdge, EdgeError> {
        config.check()?;
        let door = ClearDoor::open("edge", &config.listen.interface, config.listen.port)?;
        let listening = door.at;
        let settings = config.spool_settings(clock);
        let opened = tokio::task::spawn_blocking(move || Spool::open(settings)).await;
        let spool = opened.map_err(|error| io("open the spool")(std::io::Error::other(error)))??;
        let shared = Arc::new(Shared {
            modalities: Modalities::of(&config.modality)?,
            classes: SopClasses::with_private(&config.archive.private_storage_sop_classes),
            upstream: Upstream::of(&config.archive)?,
            spool,
            config,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        let limits = &shared.config.limits;
        let caps = Caps::new(limits.connections, limits.connections_per_address);
        shared.tasks.spawn(listen::accept(shared.clone(), door, caps));
        shared.tasks.spawn(forward::all(shared.clone()));
        shared.tasks.spawn(refresh(shared.clone()));
        Ok(RunningEdge { listening, shared })
    }

    /// How full the spool is.
    pub fn filling(&self) -> leadglass_archive::spool::Filling {
        self.shared.spool.filling()
    }

    /// Takes no more, lets objects on their way in and out finish within `limits.stop_s`.
    /// Says whether all of them did. What waits is sent on after the next start.
    pub async fn stop(self) -> bool {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        let within = Duration::from_secs(self.shared.config.limits.stop_s);
        tokio::time::timeout(within, self.shared.tasks.wait()).await.is_ok()
    }
}

async fn refresh(shared: Arc<Shared>) {
    let mut tick = tokio::time::interval(REFRESH);
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return,
            _ = tick.tick() => shared.spool.refresh().await,
        }
    }
}

fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> EdgeError {
    let what = what.into();
    move |source| EdgeError::Io { what, source }
}
