//! The doors' thresholds: accept, cap, TLS handshake within its time.
//!
//! What is spoken behind them is elsewhere: `scp` on the DICOM door, `https` on the other.
//! Deliberately absent: any listener without TLS.

pub mod caps;
pub mod https;
pub mod idle;
pub mod quick;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use caps::{Caps, Place};
use quick::Quick;

/// A TLS stream of an accepted connection.
pub type Stream = TlsStream<Quick>;

/// Pause after an accept that failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A connection behind the threshold.
pub struct Visitor {
    /// The stream, TLS established.
    pub stream: Stream,
    /// The other end.
    pub address: SocketAddr,
    /// Its place; `is_over` tells one too many.
    pub place: Place,
}

/// One door: a listener, its TLS, its caps.
pub struct Threshold {
    /// For the log and the metrics: `dicom` or `https`.
    pub name: &'static str,
    /// Bound to loopback.
    pub listener: TcpListener,
    /// What the other end must accept.
    pub tls: Arc<ServerConfig>,
    /// How many.
    pub caps: Caps,
    /// How long a handshake may take.
    pub handshake: Duration,
    /// Told of each certificate that was turned away, when somebody wants to know.
    pub turned_away: Option<TurnedAway>,
}

/// Hears whose certificate was turned away.
pub type TurnedAway = Arc<dyn Fn(SocketAddr) + Send + Sync>;

/// Lets connections in until `stop`, each served by `serve` in a task of `tasks`.
pub async fn accept<F, Fut>(threshold: Threshold, stop: CancellationToken, tasks: TaskTracker, serve: F)
where
    F: Fn(Visitor) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let Threshold { name, listener, tls, caps, handshake, turned_away } = threshold;
    let acceptor = TlsAcceptor::from(tls);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Some((stream, address)) = taken(name, accepted).await else { continue };
        let Some(place) = caps.enter(address.ip()) else {
            metrics::counter!("leadglass_connections_refused_total", "door" => name).increment(1);
            continue;
        };
        let (acceptor, serve, stop) = (acceptor.clone(), serve.clone(), stop.clone());
        let turned_away = turned_away.clone();
        tasks.spawn(async move {
            let shaken = tokio::select! {
                () = stop.cancelled() => return,
                shaken = tokio::time::timeout(handshake, shake(&acceptor, stream)) => shaken,
            };
            match shaken {
                Ok(Ok(stream)) => serve(Visitor { stream, address, place }).await,
                Ok(Err(error)) => {
                    if let Some(tell) = turned_away.filter(|_| is_about_a_certificate(&error)) {
                        tell(address);
                    }
                    handshake_failed(name, address, &error);
                }
                Err(_) => handshake_failed(name, address, &io::ErrorKind::TimedOut.into()),
            }
        });
    }
}

async fn taken(name: &'static str, accepted: io::Result<(TcpStream, SocketAddr)>) -> Option<(TcpStream, SocketAddr)> {
    match accepted {
        Ok(taken) => Some(taken),
        Err(error) => {
            tracing::warn!(door = name, %error, "accept failed");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn shake(acceptor: &TlsAcceptor, stream: TcpStream) -> io::Result<Stream> {
    acceptor.accept(Quick::new(stream)?).await
}

/// Whether the other end's certificate was the matter, or that it showed none.
fn is_about_a_certificate(error: &io::Error) -> bool {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    matches!(cause, Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented))
}

fn handshake_failed(name: &'static str, address: SocketAddr, error: &io::Error) {
    metrics::counter!("leadglass_tls_handshakes_failed_total", "door" => name).increment(1);
    tracing::info!(door = name, address = %address.ip(), %error, "TLS handshake failed");
}
