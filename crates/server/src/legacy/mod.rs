//! Legacy peers: the listener of the one declared exception.
//!
//! There is a listener only while it is configured, a legacy peer lives, and the doors beside it
//! could be where others come. What comes over it stores, in clear text, and does nothing else:
//! the archive decides, and nothing else may come through [`Door::Legacy`]. Deliberately absent:
//! any way to be let in but a declared title from its declared address.
//!
//! [`Door::Legacy`]: leadglass_archive::Door::Legacy

mod session;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clear::{ClearDoor, ClearError, LOOK_AGAIN};
use crate::cli::serve::listening_in_clear;
use crate::config::Legacy;
use crate::host::Host;
use crate::interfaces::private::private_address;
use crate::listen::caps::Caps;
use crate::posture::{Addresses, Held};
use crate::run::conditions;
use crate::scp::{SopClasses, Tally};

/// How often it is looked whether there is anybody to listen for.
const LOOK: Duration = Duration::from_secs(1);

/// What the sessions share.
struct Shared {
    host: Arc<Host>,
    classes: SopClasses,
    /// Open associations.
    open: Tally,
    stop: CancellationToken,
}

/// Keeps the listener open while it may be, until `stop`.
pub(crate) async fn keep(host: Arc<Host>, stop: CancellationToken) {
    let Legacy { interface, port } = host.config.dimse.legacy.clone();
    let mut looks = tokio::time::interval(LOOK);
    let mut said = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = looks.tick() => {}
        }
        if host.archive.legacy_counts().alive == 0 {
            note_closed(&host, None);
            continue;
        }
        // Asked before anything is bound: a listener that may not be there is not there for a moment.
        let address = private_address(&interface).map_err(ClearError::from);
        if let Some(held) = address.as_ref().ok().and_then(|address| not_yet(&host, *address)) {
            if said.replace(held) != Some(held) {
                tracing::warn!(why = held.words(), "legacy peers are not listened to");
            }
            note_closed(&host, Some(held.words().to_owned()));
            continue;
        }
        let door = match address.and_then(|_| ClearDoor::open("legacy", &interface, port)) {
            Ok(door) => door,
            Err(error) => {
                tracing::error!(%error, "legacy peers are not listened to");
                note_closed(&host, Some(error.to_string()));
                let pause = tokio::time::sleep(LOOK_AGAIN);
                tokio::select! { () = stop.cancelled() => return, () = pause => continue }
            }
        };
        said = None;
        if let Err(error) = listen(&host, door, &stop).await {
            tracing::error!(%error, "legacy peers are no longer listened to");
            note_closed(&host, Some(error.to_string()));
        }
    }
}

/// Why the listener may not open: it stands beside the doors, and opens after a stranger's look at
/// them came to its end and found nothing.
fn not_yet(host: &Host, address: IpAddr) -> Option<Held> {
    let seen = host.posture.shown();
    held(host, address).or((seen.looked.is_none() || seen.unfinished.is_some()).then_some(Held::Unseen))
}

/// Why the listener may not be where others could come, or while the doors are held back. A look that
/// did not come to its end closes nothing, or whoever keeps the doors busy could.
fn held(host: &Host, address: IpAddr) -> Option<Held> {
    if !host.archive.is_set_up() {
        return Some(Held::NotSetUp);
    }
    let (at, seen) = (SocketAddr::new(address, 0), host.posture.shown());
    let here = conditions(host).hold(Addresses { https: at, dicom: at });
    here.or(seen.held).or((!seen.findings.is_empty()).then_some(Held::Exposed))
}

/// Lets legacy peers in as long as one lives and the listener may be there.
async fn listen(host: &Arc<Host>, door: ClearDoor, stop: &CancellationToken) -> Result<(), ClearError> {
    let peers = host.archive.legacy_counts().alive;
    tracing::warn!(at = %door.at, peers, "CLEAR TEXT: legacy peers are listened to, unauthenticated; see `leadglass peer list`");
    let (closing, cut, tasks) = (stop.child_token(), CancellationToken::new(), TaskTracker::new());
    let shared = Arc::new(Shared {
        host: host.clone(),
        classes: SopClasses::with_private(&host.config.dimse.private_storage_sop_classes),
        open: Tally::default(),
        stop: closing.clone(),
    });
    let limits = &host.config.limits;
    let caps = Caps::new(limits.connections, limits.connections_per_address);
    let serve = |visitor| {
        let (session, cut) = (session::serve(shared.clone(), visitor), cut.clone());
        drop(tasks.spawn(async move { cut.run_until_cancelled(session).await }));
    };
    let ended = tokio::select! {
        ended = door.accept(&caps, &closing, serve) => ended,
        () = nobody_is_left(host, &door) => Ok(()),
    };
    drop(door);
    note_closed(host, None);
    closing.cancel();
    tasks.close();
    let finished = tokio::time::timeout(Duration::from_secs(limits.stop_s), tasks.wait()).await.is_ok();
    // Who is in the middle of something has had his time: nobody speaks in clear when nobody is listened to.
    cut.cancel();
    tasks.wait().await;
    tracing::info!(finished, "the listener of legacy peers is closed");
    ended
}

/// Returns when no legacy peer lives, or when the listener may no longer be there.
async fn nobody_is_left(host: &Host, door: &ClearDoor) {
    let mut looks = tokio::time::interval(LOOK);
    loop {
        looks.tick().await;
        let peers = host.archive.legacy_counts().alive;
        if peers == 0 || held(host, door.at.ip()).is_some() {
            return;
        }
        host.posture.in_clear(Some(door.at), peers, None);
        listening_in_clear(host, Some(door.at));
    }
}

fn note_closed(host: &Host, why: Option<String>) {
    host.posture.in_clear(None, host.archive.legacy_counts().alive, why);
    listening_in_clear(host, None);
}

#[cfg(test)]
mod tests {
    use leadglass_archive::{Credential, Door, Source};
    use leadglass_dicom::clock::SystemClock;
    use time::OffsetDateTime;

    use super::*;
    use crate::config::Config;
    use crate::first_run;
    use crate::gate::Exposure;

    #[tokio::test]
    async fn it_opens_after_a_look_and_not_beside_doors_that_are_held_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.data.dir = folder.path().join("archive");
        let host = Host::open(config, Arc::new(SystemClock)).await.unwrap();
        let here: IpAddr = [127, 0, 0, 1].into();
        let seen = |findings, unfinished| host.posture.looked(OffsetDateTime::UNIX_EPOCH, findings, unfinished);
        assert_eq!(not_yet(&host, here), Some(Held::NotSetUp));
        let code = first_run::issue_setup_code(&host).await.unwrap().unwrap();
        let source = Source { address: None, door: Door::Admin };
        let caller = host.archive.authenticate(source, Credential::SetupCode(code)).await.unwrap();
        host.archive.complete_setup(&caller, "test").await.unwrap();
        assert_eq!((not_yet(&host, here), held(&host, here)), (Some(Held::Unseen), None), "nobody has looked");
        seen(Vec::new(), Some("busy".into()));
        assert_eq!((not_yet(&host, here), held(&host, here)), (Some(Held::Unseen), None));
        seen(Vec::new(), None);
        assert_eq!(not_yet(&host, here), None);
        assert_eq!(not_yet(&host, [10, 0, 0, 1].into()), Some(Held::NoSecondFactor));
        host.posture.opened(Some(host.posture.shown().configured), Some(Held::PublicDimse));
        assert_eq!(held(&host, here), Some(Held::PublicDimse));
        host.posture.opened(None, None);
        seen(vec![Exposure { check: "X", title: "", port: 1, remediation: "", in_clear: false }], None);
        assert_eq!(held(&host, here), Some(Held::Exposed));
        host.archive.close().await;
    }
}
