//! The line to one host: one connection at a time, asked of the scope each time.

use std::io;
use std::net::{IpAddr, SocketAddr};

use rustix::net::sockopt;
use tokio::net::TcpSocket;
use tokio::time::{Instant, sleep_until, timeout};

use super::wire::Wire;
use crate::run::Run;
use crate::scope::NotPermitted;

/// The line to one host.
pub struct Line<'run> {
    run: &'run Run,
    address: IpAddr,
    /// Before then the host is left alone.
    rested: Option<Instant>,
    connects: u32,
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReached {
    /// The scope does not allow it.
    #[error(transparent)]
    NotPermitted(#[from] NotPermitted),
    /// The run is ending.
    #[error("the run is ending")]
    Stopped,
    /// The host said no.
    #[error("the connection was refused")]
    Refused,
    /// The host did not answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// No way there, or no descriptors here.
    #[error("the host cannot be reached")]
    Unreachable,
    /// The host shows strain; it is left alone.
    #[error("the host shows strain and is left alone")]
    LeftAlone,
}

impl<'run> Line<'run> {
    /// A line to a host. Nothing is sent yet.
    pub fn new(run: &'run Run, address: IpAddr) -> Line<'run> {
        Line { run, address, rested: None, connects: 0 }
    }

    /// The run.
    pub fn run(&self) -> &'run Run {
        self.run
    }

    /// The host's address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Connects to a port: within scope, pace and time. The connection borrows the line, so
    /// there is one at a time. Write the first bytes at once: some servers take nobody else
    /// while they wait for them.
    pub async fn dial(&mut self, port: u16) -> Result<Wire<'_>, NotReached> {
        if let Some(rested) = self.rested {
            sleep_until(rested).await;
        }
        self.run.rate.turn().await;
        if self.run.stop.is_cancelled() {
            return Err(NotReached::Stopped);
        }
        let asset = self.run.scope.permits(self.address, self.run.now())?;
        let spacing = self.run.limits.spacing.max(self.run.scope.spacing_of(asset));
        let started = Instant::now();
        let connected = timeout(self.run.limits.connect, connect(SocketAddr::new(self.address, port))).await;
        self.rested = Some(Instant::now() + spacing);
        self.connects += 1;
        match connected {
            Ok(Ok(stream)) => {
                let limits = &self.run.limits;
                Ok(Wire::new(stream, limits.conversation, limits.bytes, started.elapsed()))
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Err(NotReached::Refused),
            Ok(Err(_)) => Err(NotReached::Unreachable),
            Err(_) => Err(NotReached::TimedOut),
        }
    }

    /// How many connections were made.
    pub fn connects(&self) -> u32 {
        self.connects
    }
}

async fn connect(address: SocketAddr) -> io::Result<tokio::net::TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Whatever happens to this end, the other end is told at once.
    sockopt::set_socket_linger(&socket, Some(std::time::Duration::ZERO))?;
    socket.set_nodelay(true)?;
    socket.connect(address).await
}
