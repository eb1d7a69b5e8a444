//! The edge's door: clear text on one private interface, bounded.

use std::sync::Arc;

use super::{Shared, session};
use crate::clear::{ClearDoor, LOOK_AGAIN};
use crate::listen::caps::Caps;

/// Lets connections in until the edge stops. While the interface is not private nobody is
/// listened to; it is looked at each minute.
pub(super) async fn accept(shared: Arc<Shared>, mut door: ClearDoor, caps: Caps) {
    loop {
        let serve = |visitor| drop(shared.tasks.spawn(session::serve(shared.clone(), visitor)));
        let Err(error) = door.accept(&caps, &shared.stop, serve).await else { return };
        tracing::error!(door = "edge", %error, "modalities are not listened to");
        let port = door.at.port();
        drop(door);
        let Some(again) = opened_again(&shared, port).await else { return };
        tracing::info!(door = "edge", at = %again.at, "modalities are listened to again");
        door = again;
    }
}

/// Once the interface is as it should be; never when the edge stops before.
async fn opened_again(shared: &Shared, port: u16) -> Option<ClearDoor> {
    let mut looks = tokio::time::interval(LOOK_AGAIN);
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return None,
            _ = looks.tick() => {}
        }
        match ClearDoor::open("edge", &shared.config.listen.interface, port) {
            Ok(door) => return Some(door),
            Err(error) => tracing::warn!(door = "edge", %error, "modalities are not listened to"),
        }
    }
}
