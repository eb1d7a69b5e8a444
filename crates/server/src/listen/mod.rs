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
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use caps::{Caps, Place};
use quick::Quick;

use crate::tls::RENEWAL_ALPN;
use crate::tls::fitness::Unfit;

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
    /// Another one for those who offer [`RENEWAL_ALPN`].
    pub renewal: Option<Arc<ServerConfig>>,
    /// How many.
    pub caps: Caps,
    /// How long a handshake may take.
    pub handshake: Duration,
    /// Ends every conversation at once, finished or not.
    pub cut: CancellationToken,
    /// Told of each certificate that was turned away, when somebody wants to know.
    pub turned_away: Option<TurnedAway>,
}

/// Hears from where came a certificate that was turned away, and why it was.
pub type TurnedAway = Arc<dyn Fn(SocketAddr, Unfit) + Send + Sync>;

/// Lets connections in until `stop`, each served by `serve` in a task of `tasks`.
pub async fn accept<F, Fut>(threshold: Threshold, stop: CancellationToken, tasks: TaskTracker, serve: F)
where
    F: Fn(Visitor) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let Threshold { name, listener, tls, renewal, caps, handshake, cut, turned_away } = threshold;
    let door = Arc::new(Keeper { name, tls: TlsAcceptor::from(tls), renewal, turned_away });
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
        let (door, serve, stop, cut) = (door.clone(), serve.clone(), stop.clone(), cut.clone());
        tasks.spawn(async move {
            let shaken = tokio::select! {
                () = stop.cancelled() => return,
                shaken = tokio::time::timeout(handshake, door.shake(stream)) => shaken,
            };
            match shaken {
                Ok(Ok(stream)) => tokio::select! {
                    () = cut.cancelled() => {}
                    () = serve(Visitor { stream, address, place }) => {}
                },
                Ok(Err(error)) => door.failed(address, &error),
                Err(_) => door.failed(address, &io::ErrorKind::TimedOut.into()),
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

/// Who stands at a door.
struct Keeper {
    name: &'static str,
    tls: TlsAcceptor,
    renewal: Option<Arc<ServerConfig>>,
    turned_away: Option<TurnedAway>,
}

impl Keeper {
    async fn shake(&self, stream: TcpStream) -> io::Result<Stream> {
        let stream = Quick::new(stream)?;
        let Some(renewal) = &self.renewal else { return self.tls.accept(stream).await };
        let begun = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await?;
        let renews = begun.client_hello().alpn().is_some_and(|mut offered| offered.any(|name| name == RENEWAL_ALPN));
        let config = if renews { renewal.clone() } else { self.tls.config().clone() };
        begun.into_stream(config).await
    }

    fn failed(&self, address: SocketAddr, error: &io::Error) {
        metrics::counter!("leadglass_tls_handshakes_failed_total", "door" => self.name).increment(1);
        tracing::info!(door = self.name, address = %address.ip(), %error, "TLS handshake failed");
        if let (Some(tell), Some(unfit)) = (&self.turned_away, Unfit::of_handshake(error)) {
            tell(address, unfit);
        }
    }
}
