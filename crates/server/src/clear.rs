//! A clear-text listener on one private interface: for the modalities of an edge, and for
//! legacy peers.
//!
//! It is bound to the device and not only to an address of it, for Linux takes packets for an
//! address on whichever interface they come. The interface is looked at again each minute: once
//! it has a public address, no longer that private one, or was made anew under its name, nobody is
//! listened to. Deliberately absent: an address to choose, a wildcard, and who is let in.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::interfaces::private::{InterfaceError, PrivateInterface};
use crate::listen::caps::{Caps, Place};
use crate::listen::quick::Quick;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 128;
/// Pause after an accept that failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often the interface is looked at again.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// A connection in clear text.
pub(crate) struct Visitor {
    pub(crate) stream: Quick,
    pub(crate) address: SocketAddr,
    pub(crate) place: Place,
}

/// Why nobody is listened to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClearError {
    /// The interface.
    #[error(transparent)]
    Interface(#[from] InterfaceError),
    /// The address that was listened at is gone, or its interface is another of that name.
    #[error("network interface {0:?} is another now, or has another private address")]
    Moved(String),
    /// The operating system says no.
    #[error("cannot listen on {address} of network interface {interface:?}")]
    Io {
        /// Where.
        address: SocketAddr,
        /// Of which interface.
        interface: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// A listener on an interface.
pub(crate) struct ClearDoor {
    /// For the log.
    name: &'static str,
    interface: String,
    /// Its number: what the socket is bound to.
    index: u32,
    listener: TcpListener,
    /// Where it is.
    pub(crate) at: SocketAddr,
}

impl ClearDoor {
    /// Listens on the first private address of that interface; on port 0, on any free one.
    pub(crate) fn open(name: &'static str, interface: &str, port: u16) -> Result<ClearDoor, ClearError> {
        let PrivateInterface { index, address, .. } = PrivateInterface::named(interface)?;
        let address = SocketAddr::new(address, port);
        let listened = listen(address, interface).and_then(|listener| Ok((listener.local_addr()?, listener)));
        let failed = |source| ClearError::Io { address, interface: interface.to_owned(), source };
        let (at, listener) = listened.map_err(failed)?;
        let door = ClearDoor { name, interface: interface.to_owned(), index, listener, at };
        // Bound by its name: was it made anew in between, that is another than was looked at.
        door.is_still(&PrivateInterface::named(interface)?)?;
        Ok(door)
    }

    /// Hands connections within the caps to `serve` until `stop`.
    ///
    /// # Errors
    /// The interface is no longer as it was: close the door.
    pub(crate) async fn accept(
        &self,
        caps: &Caps,
        stop: &CancellationToken,
        serve: impl Fn(Visitor),
    ) -> Result<(), ClearError> {
        let mut looks = tokio::time::interval(LOOK_AGAIN);
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                _ = looks.tick() => {
                    self.is_still(&PrivateInterface::named(&self.interface)?)?;
                    continue;
                }
                accepted = self.listener.accept() => accepted,
            };
            if let Some(visitor) = self.visitor(accepted, caps).await {
                serve(visitor);
            }
        }
    }

    async fn visitor(&self, accepted: io::Result<(TcpStream, SocketAddr)>, caps: &Caps) -> Option<Visitor> {
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(door = self.name, %error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                return None;
            }
        };
        Some(Visitor { place: caps.enter(address.ip())?, stream: Quick::new(stream).ok()?, address })
    }

    fn is_still(&self, now: &PrivateInterface) -> Result<(), ClearError> {
        match now.index == self.index && now.addresses.contains(&self.at.ip()) {
            true => Ok(()),
            false => Err(ClearError::Moved(self.interface.clone())),
        }
    }
}

fn listen(address: SocketAddr, interface: &str) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_on_its_device_and_hands_over_until_it_is_stopped() {
        let door = ClearDoor::open("test", "lo", 0).unwrap();
        assert!(door.at.ip().is_loopback() && door.at.port() != 0);
        let (caps, stop) = (Caps::new(1, 1), CancellationToken::new());
        let came = std::sync::atomic::AtomicU16::new(0);
        let (connected, accepted) = tokio::join!(
            TcpStream::connect(door.at),
            door.accept(&caps, &stop, |visitor| {
                came.store(visitor.address.port(), std::sync::atomic::Ordering::Relaxed);
                stop.cancel();
            }),
        );
        accepted.unwrap();
        assert_eq!(came.into_inner(), connected.unwrap().local_addr().unwrap().port());
    }

    #[tokio::test]
    async fn an_interface_that_is_not_there_is_not_listened_on() {
        assert!(matches!(ClearDoor::open("test", "no-such-wire", 0), Err(ClearError::Interface(_))));
        let door = ClearDoor::open("test", "lo", 0).unwrap();
        let now = PrivateInterface::named("lo").unwrap();
        door.is_still(&now).unwrap();
        let more = PrivateInterface { address: [10, 0, 0, 1].into(), ..now.clone() };
        door.is_still(&more).expect("ours is among its addresses, though no longer the first");
        for other in [
            PrivateInterface { addresses: vec![[10, 0, 0, 1].into()], ..now.clone() },
            PrivateInterface { index: now.index + 1, ..now },
        ] {
            assert!(matches!(door.is_still(&other), Err(ClearError::Moved(_))), "{other:?}");
        }
        let taken = ClearDoor::open("test", "lo", door.at.port());
        assert!(matches!(taken, Err(ClearError::Io { .. })));
    }
}
