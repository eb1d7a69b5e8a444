//! Credential tries of a run: at most one an account, and few a system.
//!
//! A system is what the owner gave one label: the same accounts may stand behind all of its
//! addresses and ports. A try is on the disk before it is made, so that a killed run makes none
//! twice. Deliberately absent: any count of failures that a target tells.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::catalogue::Name;
use crate::scope::{Asset, Scope};

/// The tries of a run.
#[derive(Default)]
pub struct Tries {
    systems: Mutex<BTreeMap<u32, System>>,
    log: Option<mpsc::UnboundedSender<Try>>,
}

/// One try that is to be written down before it is made.
pub struct Try {
    /// Place in the scope of the first asset with the system's label.
    pub asset: u32,
    /// The pair of name and password, by the id that stands in reports.
    pub account: Name,
    written: oneshot::Sender<()>,
}

/// What was tried on a system.
#[derive(Default)]
struct System {
    accounts: BTreeSet<Name>,
    /// When the last try is or was due.
    last: Option<Instant>,
    /// No more: it let us in, it showed a sign of a lock, or it was tried before the run was resumed.
    closed: bool,
}

/// What a request for a try came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It may be made, now.
    Granted,
    /// The account or the system had its tries.
    Spent,
    /// The run ends.
    Ending,
}

impl Tries {
    /// Tries that go to a log first. `made` are those of the run before it was resumed: their
    /// systems are not tried again.
    pub fn logged(made: impl IntoIterator<Item = (u32, Name)>) -> (Tries, mpsc::UnboundedReceiver<Try>) {
        let (log, tries) = mpsc::unbounded_channel();
        let mut systems: BTreeMap<u32, System> = BTreeMap::new();
        for (asset, account) in made {
            let system = systems.entry(asset).or_default();
            system.accounts.insert(account);
            system.closed = true;
        }
        (Tries { systems: Mutex::new(systems), log: Some(log) }, tries)
    }

    /// Asks for one try of an account of an asset's system, where the system may have `at_most`.
    /// Waits until `pause` after the one before, and until it is written down.
    pub async fn claim(
        &self,
        scope: &Scope,
        asset: &Asset,
        account: Name,
        at_most: usize,
        pause: Duration,
        stop: &CancellationToken,
    ) -> Claim {
        let Some(place) = place(scope, asset) else { return Claim::Spent };
        let Some(due) = self.reserve(place, account, at_most, pause) else { return Claim::Spent };
        tokio::select! {
            biased;
            () = stop.cancelled() => return Claim::Ending,
            () = tokio::time::sleep_until(due) => {}
        }
        if self.systems.lock().get(&place).is_some_and(|system| system.closed) {
            return Claim::Spent;
        }
        let Some(log) = &self.log else { return Claim::Granted };
        let (written, is_written) = oneshot::channel();
        let sent = log.send(Try { asset: place, account, written });
        if sent.is_ok() && is_written.await.is_ok() { Claim::Granted } else { Claim::Ending }
    }

    /// No more tries on an asset's system.
    pub fn close(&self, scope: &Scope, asset: &Asset) {
        if let Some(place) = place(scope, asset) {
            self.systems.lock().entry(place).or_default().closed = true;
        }
    }

    /// Takes the account's turn; when it is.
    fn reserve(&self, place: u32, account: Name, at_most: usize, pause: Duration) -> Option<Instant> {
        let mut systems = self.systems.lock();
        let system = systems.entry(place).or_default();
        if system.closed || system.accounts.len() >= at_most || !system.accounts.insert(account) {
            return None;
        }
        let now = Instant::now();
        let due = system.last.map_or(now, |last| (last + pause).max(now));
        system.last = Some(due);
        Some(due)
    }
}

impl Try {
    /// Says that it is on the disk: now it may be made.
    pub fn written(self) {
        self.written.send(()).ok();
    }
}

/// The system's key: the first asset with the label.
fn place(scope: &Scope, asset: &Asset) -> Option<u32> {
    let place = scope.assets.iter().position(|other| other.label == asset.label)?;
    u32::try_from(place).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    /// Stands for the minute.
    const PAUSE: Duration = Duration::from_millis(40);

    async fn claim(tries: &Tries, scope: &Scope, account: &'static str, at_most: usize) -> Claim {
        let stop = CancellationToken::new();
        tries.claim(scope, &scope.assets[0], Name::fixed(account), at_most, PAUSE, &stop).await
    }

    #[tokio::test]
    async fn an_account_is_tried_once_and_the_next_one_after_the_pause() {
        let (tries, scope, begun) = (Tries::default(), testing::scope(), Instant::now());
        assert_eq!(claim(&tries, &scope, "blank", 2).await, Claim::Granted);
        assert_eq!(claim(&tries, &scope, "blank", 2).await, Claim::Spent);
        assert!(begun.elapsed() < PAUSE);
        assert_eq!(claim(&tries, &scope, "orthanc-delivered", 2).await, Claim::Granted);
        assert!(begun.elapsed() >= PAUSE);
        assert_eq!(claim(&tries, &scope, "dicoogle-delivered", 2).await, Claim::Spent);
    }

    #[tokio::test]
    async fn a_system_that_was_closed_or_tried_before_is_left_alone() {
        let (tries, scope) = (Tries::default(), testing::scope());
        tries.close(&scope, &scope.assets[0]);
        assert_eq!(claim(&tries, &scope, "blank", 2).await, Claim::Spent);
        let (tries, _log) = Tries::logged([(0, Name::fixed("blank"))]);
        assert_eq!(claim(&tries, &scope, "orthanc-delivered", 2).await, Claim::Spent);
    }

    #[tokio::test]
    async fn nothing_is_tried_that_is_not_written_down() {
        let scope = testing::scope();
        let (tries, log) = Tries::logged([]);
        drop(log);
        assert_eq!(claim(&tries, &scope, "blank", 2).await, Claim::Ending);
        let (tries, mut log) = Tries::logged([]);
        let (claimed, ()) = tokio::join!(claim(&tries, &scope, "blank", 2), async {
            let first = log.recv().await.unwrap();
            assert_eq!((first.asset, first.account.as_str()), (0, "blank"));
            first.written();
        });
        assert_eq!(claimed, Claim::Granted);
    }
}
