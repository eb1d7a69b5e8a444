//! Credential tries of a run (A-05, A-06, N-05, N-07): at most one an account, and few a system.
//!
//! A system is what the owner gave one label: the same accounts may stand behind all of its
//! addresses and ports. A try is on the disk before it is made, so that a killed run makes none
//! twice. Of the shards of a run only the first makes tries, since no shard knows what another
//! tried. Deliberately absent: any count of failures that a target tells.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::catalogue::Name;
use crate::run::Run;
use crate::scope::{Asset, Scope};

/// Most tries of accounts with a name on one system.
const MOST: usize = 2;

/// The tries of a run.
#[derive(Default)]
pub struct Tries {
    systems: Mutex<BTreeMap<u32, System>>,
    log: Option<mpsc::UnboundedSender<Try>>,
    forbidden: bool,
}

/// Whom a try says to be. Either is tried once a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// An account that failures may lock, blank or delivered: few a system.
    Named(Name),
    /// Nobody: FTP's anonymous, SMB's null session. There is nothing to lock.
    Nobody(Name),
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
    /// How many of them have a name.
    named: usize,
    /// When the last try of one of these is or was due.
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
        (Tries { systems: Mutex::new(systems), log: Some(log), forbidden: false }, tries)
    }

    /// Makes none, or those of [`Tries::logged`]: the first shard of a run makes them for all.
    #[must_use]
    pub fn only_if(self, is_first_shard: bool) -> Tries {
        Tries { forbidden: !is_first_shard, ..self }
    }

    /// Asks for one try of an account of an asset's system. Waits until it is written down, and,
    /// for an account with a name, until the pause after the one before is over.
    pub async fn claim(&self, run: &Run, asset: &Asset, account: Account) -> Claim {
        let at_most = run.scope.credentials.map_or(0, |opted| allowed(opted.lockout));
        let Some(place) = place(&run.scope, asset).filter(|_| !self.forbidden) else { return Claim::Spent };
        let Some(due) = self.reserve(place, account, at_most, run.limits.between_log_ins) else {
            return Claim::Spent;
        };
        tokio::select! {
            biased;
            () = run.stop.cancelled() => return Claim::Ending,
            () = tokio::time::sleep_until(due) => {}
        }
        if self.systems.lock().get(&place).is_some_and(|system| system.closed) {
            return Claim::Spent;
        }
        let Some(log) = &self.log else { return Claim::Granted };
        let (written, is_written) = oneshot::channel();
        let sent = log.send(Try { asset: place, account: account.name(), written });
        if sent.is_ok() && is_written.await.is_ok() { Claim::Granted } else { Claim::Ending }
    }

    /// No more tries on an asset's system.
    pub fn close(&self, scope: &Scope, asset: &Asset) {
        if let Some(place) = place(scope, asset) {
            self.systems.lock().entry(place).or_default().closed = true;
        }
    }

    /// Takes the account's turn; when it is.
    fn reserve(&self, place: u32, account: Account, at_most: usize, pause: Duration) -> Option<Instant> {
        let mut systems = self.systems.lock();
        let system = systems.entry(place).or_default();
        let is_named = matches!(account, Account::Named(_));
        let has_had = if is_named { system.named >= at_most } else { at_most == 0 };
        if system.closed || has_had || !system.accounts.insert(account.name()) {
            return None;
        }
        let now = Instant::now();
        if !is_named {
            return Some(now);
        }
        system.named += 1;
        let due = system.last.map_or(now, |last| (last + pause).max(now));
        system.last = Some(due);
        Some(due)
    }
}

impl Account {
    /// As logs say it.
    fn name(self) -> Name {
        match self {
            Account::Named(name) | Account::Nobody(name) => name,
        }
    }
}

/// How many tries leave an account two failures away from its lock, at most [`MOST`].
fn allowed(lockout: u8) -> usize {
    usize::from(lockout.saturating_sub(2)).min(MOST)
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
    use crate::run::Limits;
    use crate::scope::CredentialOptIn;
    use crate::testing;

    /// Stands for the minute.
    const PAUSE: Duration = Duration::from_millis(40);

    fn run(lockout: u8, tries: Tries) -> Run {
        let mut scope = testing::scope();
        scope.credentials = Some(CredentialOptIn { try_blank: true, try_default: true, lockout });
        let run = testing::run(scope);
        let limits = Limits { between_log_ins: PAUSE, ..run.limits.clone() };
        Run { limits, tries, ..run }
    }

    async fn claim(run: &Run, account: &'static str) -> Claim {
        run.tries.claim(run, &run.scope.assets[0], Account::Named(Name::fixed(account))).await
    }

    async fn claim_nobody(run: &Run, account: &'static str) -> Claim {
        run.tries.claim(run, &run.scope.assets[0], Account::Nobody(Name::fixed(account))).await
    }

    #[tokio::test]
    async fn an_account_is_tried_once_and_the_next_one_after_the_pause() {
        let (run, begun) = (run(5, Tries::default()), Instant::now());
        assert_eq!(claim(&run, "blank").await, Claim::Granted);
        assert_eq!(claim(&run, "blank").await, Claim::Spent);
        assert!(begun.elapsed() < PAUSE);
        assert_eq!(claim(&run, "orthanc-delivered").await, Claim::Granted);
        assert!(begun.elapsed() >= PAUSE);
        assert_eq!(claim(&run, "dicoogle-delivered").await, Claim::Spent);
    }

    #[tokio::test]
    async fn nobody_is_tried_once_too_and_not_where_accounts_lock_at_once() {
        let run = run(5, Tries::default());
        assert_eq!(claim_nobody(&run, "anonymous").await, Claim::Granted);
        assert_eq!(claim_nobody(&run, "anonymous").await, Claim::Spent);
        assert_eq!(claim(&run, "guest-session").await, Claim::Granted);
        assert_eq!(claim(&run, "blank").await, Claim::Granted);
        assert_eq!(claim(&run, "orthanc-delivered").await, Claim::Spent);
        let run = self::run(2, Tries::default());
        assert_eq!(claim_nobody(&run, "anonymous").await, Claim::Spent);
    }

    #[tokio::test]
    async fn only_the_first_shard_tries() {
        assert_eq!(claim(&run(5, Tries::default().only_if(true)), "blank").await, Claim::Granted);
        let run = run(5, Tries::default().only_if(false));
        assert_eq!(claim(&run, "blank").await, Claim::Spent);
        assert_eq!(claim_nobody(&run, "anonymous").await, Claim::Spent);
    }

    #[tokio::test]
    async fn a_system_that_was_closed_or_tried_before_is_left_alone() {
        let run = run(5, Tries::default());
        run.tries.close(&run.scope, &run.scope.assets[0]);
        assert_eq!(claim(&run, "blank").await, Claim::Spent);
        let (tries, _log) = Tries::logged([(0, Name::fixed("blank"))]);
        assert_eq!(claim(&self::run(5, tries), "orthanc-delivered").await, Claim::Spent);
    }

    #[tokio::test]
    async fn nothing_is_tried_that_is_not_written_down() {
        let (tries, log) = Tries::logged([]);
        drop(log);
        assert_eq!(claim(&run(5, tries), "blank").await, Claim::Ending);
        let (tries, mut log) = Tries::logged([]);
        let run = run(5, tries);
        let (claimed, ()) = tokio::join!(claim(&run, "blank"), async {
            let first = log.recv().await.unwrap();
            assert_eq!((first.asset, first.account.as_str()), (0, "blank"));
            first.written();
        });
        assert_eq!(claimed, Claim::Granted);
    }

    #[test]
    fn an_account_is_never_brought_near_its_lock() {
        for (lockout, tries) in [(0, 0), (1, 0), (2, 0), (3, 1), (4, 2), (5, 2), (255, 2)] {
            assert_eq!(allowed(lockout), tries, "lock after {lockout}");
        }
    }
}
