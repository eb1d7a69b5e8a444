//! The edge's door: clear text on one private interface, bounded.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use super::{Shared, session};
use crate::listen::caps::{Caps, Place};
use crate::listen::quick::Quick;

/// Pause after an accept that failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A connection from somewhere.
pub(super) struct Visitor {
    pub(super) stream: Quick,
    pub(super) address: SocketAddr,
    pub(super) place: Place,
}

/// Lets connections in until the edge stops.
pub(super) async fn accept(shared: Arc<Shared>, listener: TcpListener, caps: Caps) {
    loop {
        let accepted = tokio::select! {
            () = shared.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(door = "edge", %error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (Some(place), Ok(stream)) = (caps.enter(address.ip()), Quick::new(stream)) else { continue };
        shared.tasks.spawn(session::serve(shared.clone(), Visitor { stream, address, place }));
    }
}
