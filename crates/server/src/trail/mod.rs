//! The trail on its way out: to audit repositories, receivers of alerts, keepers of checkpoints.
//!
//! Each destination has a courier, a task that reads the log from where it got to (a number in
//! `trail/NAME.cursor` of the data directory), hands on what follows and writes down how far it
//! got. The log is the spool: a destination that is away for a year finds everything waiting,
//! in order. Deliberately absent: any destination that is not in the configuration, a redirect,
//! and a connection without TLS.

mod clock;
mod courier;
mod cursor;
pub mod fhir;
mod file;
pub mod https;
pub mod message;
mod s3;
mod sink;
mod smtp;
mod syslog;
mod tls;
mod webhook;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

pub use message::Reporter;

use crate::config::trail::{Arrival, Delivery, Keeper};
use crate::host::Host;
use courier::Courier;
use sink::Sink;

/// Bytes of the largest secret.
const SECRET_BYTES: u64 = 4096;

/// Why something was not handed on. It is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The configuration cannot be meant so.
    #[error("the configuration: {0}")]
    Configured(&'static str),
    /// A file or folder of ours.
    #[error("{path}: {cause}", path = .0.display(), cause = .1)]
    File(PathBuf, #[source] std::io::Error),
    /// The network, or TLS with the other end.
    #[error("the connection: {0}")]
    Io(#[source] std::io::Error),
    /// TLS cannot be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// HTTP went wrong.
    #[error("HTTP: {0}")]
    Http(#[source] hyper::Error),
    /// The other end says no, with that code of its protocol.
    #[error("the other end answers {0}")]
    Answered(u16),
    /// The other end does not answer in time.
    #[error("the other end does not answer")]
    Silent,
    /// The archive does not give it.
    #[error("the archive: {0}")]
    Archive(#[from] leadglass_archive::Refused),
}

/// Starts a courier for every destination, and the watch over the clock; they end with `stop`.
pub fn start(host: &Arc<Host>, stop: &CancellationToken, tasks: &TaskTracker) {
    tasks.spawn(clock::watch(host.clone(), stop.clone()));
    let config = &host.config.trail;
    for name in
        config.deliveries.iter().filter_map(believes_cuts).chain(config.checkpoints.iter().filter_map(keeps_cuts))
    {
        tracing::warn!(destination = name, "arrival = \"connection-closed\": whoever cuts the connection is believed");
    }
    let deliveries = config.deliveries.iter().map(|delivery| Sink::of_entries(delivery.clone()));
    let keepers = config.checkpoints.iter().map(|keeper| Sink::of_checkpoints(keeper.clone()));
    for sink in deliveries.chain(keepers) {
        tasks.spawn(Courier::new(host.clone(), sink).run(stop.clone()));
    }
}

/// The name of a destination that is believed to have read when its connection ends anyhow.
fn believes_cuts(delivery: &Delivery) -> Option<&str> {
    match delivery {
        Delivery::Syslog(to) if to.arrival == Arrival::ConnectionClosed => Some(&to.name),
        _ => None,
    }
}

fn keeps_cuts(keeper: &Keeper) -> Option<&str> {
    match keeper {
        Keeper::Syslog(to) if to.arrival == Arrival::ConnectionClosed => Some(&to.name),
        _ => None,
    }
}

impl Reporter {
    /// Who reports for that host.
    pub fn of(host: &Host) -> Reporter {
        let ae_title = host.ae_title.to_string();
        let config = &host.config.trail;
        let source = if config.source.is_empty() { ae_title.clone() } else { config.source.clone() };
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Reporter { source, site: config.site.clone(), ae_title, host: name.trim().to_owned() }
    }
}

/// A secret from its file, without the line's end; only for files that others cannot read.
fn secret(path: &Path) -> Result<Zeroizing<String>, Failed> {
    use std::io::Read;
    use std::os::unix::fs::MetadataExt;
    let failed = |error| Failed::File(path.to_owned(), error);
    let file = std::fs::File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.mode() & 0o077 != 0 {
        return Err(Failed::Configured("a file with a secret is readable by its owner alone (mode 0600)"));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(SECRET_BYTES).read_to_string(&mut text).map_err(failed)?;
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}
