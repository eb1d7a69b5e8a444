//! The DICOM door: one association per connection, one handler per service.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::host::Host;
use crate::listen::Visitor;

/// Our application entity: what its associations share.
#[derive(Clone)]
pub struct Entity {
    #[expect(dead_code, reason = "grows")]
    host: Arc<Host>,
    #[expect(dead_code, reason = "grows")]
    stop: CancellationToken,
    #[expect(dead_code, reason = "grows")]
    tasks: TaskTracker,
}

impl Entity {
    /// The entity of that host.
    pub fn new(host: Arc<Host>, stop: CancellationToken, tasks: TaskTracker) -> Entity {
        Entity { host, stop, tasks }
    }
}

/// Serves one connection.
pub async fn serve(_entity: Entity, visitor: Visitor) {
    drop(visitor);
}
