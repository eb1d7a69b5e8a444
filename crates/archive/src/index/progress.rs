//! How far the log has been applied, and waiting for it.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::IndexError;

/// Sequence numbers of the log.
pub(super) struct Progress {
    state: Mutex<State>,
    advanced: Condvar,
    wanted: Condvar,
}

#[derive(Default)]
struct State {
    applied: u64,
    /// The last record durable that searches show.
    searched: u64,
    /// The last record durable.
    last: u64,
    /// Nothing more will be applied, for now or for good: nobody must wait for it.
    stalled: bool,
    /// How many wait.
    waiting: usize,
}

impl From<u64> for Progress {
    fn from(applied: u64) -> Progress {
        let state = State { applied, ..State::default() };
        Progress { state: Mutex::new(state), advanced: Condvar::new(), wanted: Condvar::new() }
    }
}

impl Progress {
    pub(super) fn applied(&self) -> u64 {
        self.state.lock().applied
    }

    pub(super) fn announce(&self, searched: u64, last: u64) {
        let mut state = self.state.lock();
        state.searched = state.searched.max(searched);
        state.last = state.last.max(last);
    }

    pub(super) fn advance(&self, applied: u64) {
        let mut state = self.state.lock();
        (state.applied, state.stalled) = (applied, false);
        self.advanced.notify_all();
    }

    /// Until the next advance nobody waits.
    pub(super) fn stall(&self) {
        self.state.lock().stalled = true;
        self.advanced.notify_all();
    }

    /// Whether nobody who searches has to wait.
    pub(super) fn is_caught_up(&self) -> bool {
        let state = self.state.lock();
        state.applied >= state.searched
    }

    pub(super) fn wait_for_searched(&self) -> Result<(), IndexError> {
        self.wait(|state| state.searched)
    }

    pub(super) fn wait_for_all(&self) -> Result<(), IndexError> {
        self.wait(|state| state.last)
    }

    /// Waits until somebody waits for what is to be applied, but no longer than that.
    pub(super) fn linger(&self, longest: Duration) {
        let mut state = self.state.lock();
        self.wanted.wait_while_for(&mut state, |state| state.waiting == 0, longest);
    }

    /// Waits for what is announced now; what is announced meanwhile is not waited for. An
    /// answer without it would be wrong: when it cannot be had there is none.
    fn wait(&self, target: impl FnOnce(&State) -> u64) -> Result<(), IndexError> {
        let mut state = self.state.lock();
        let target = target(&state);
        state.waiting += 1;
        while state.applied < target && !state.stalled {
            self.wanted.notify_one();
            self.advanced.wait(&mut state);
        }
        state.waiting -= 1;
        if state.applied < target { Err(IndexError::Behind) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn who_asks_waits_for_what_was_announced_before() {
        let progress = Arc::new(Progress::from(3));
        progress.wait_for_all().unwrap();
        progress.announce(5, 6);
        let waiting = std::thread::spawn({
            let progress = progress.clone();
            move || {
                progress.wait_for_searched().unwrap();
                progress.applied()
            }
        });
        progress.advance(4);
        assert!(!waiting.is_finished(), "5 is not applied yet");
        progress.advance(5);
        assert!(waiting.join().unwrap() >= 5);
        progress.stall();
        progress.wait_for_searched().unwrap();
        assert!(matches!(progress.wait_for_all(), Err(IndexError::Behind)));
    }

    #[test]
    fn who_applies_lingers_only_while_nobody_waits() {
        let progress = Arc::new(Progress::from(0));
        progress.linger(Duration::from_millis(1));
        progress.announce(1, 1);
        let waiting = std::thread::spawn({
            let progress = progress.clone();
            move || progress.wait_for_searched().unwrap()
        });
        progress.linger(Duration::MAX);
        progress.advance(1);
        waiting.join().unwrap();
    }
}
