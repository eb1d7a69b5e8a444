//! How far the log has been applied, and waiting for it.

use parking_lot::{Condvar, Mutex};

/// Sequence numbers of the log.
pub(super) struct Progress {
    state: Mutex<State>,
    advanced: Condvar,
}

#[derive(Default)]
struct State {
    applied: u64,
    /// The last record durable that searches show.
    searched: u64,
    /// The last record durable.
    last: u64,
    /// Nothing more will be applied.
    stopped: bool,
}

impl From<u64> for Progress {
    fn from(applied: u64) -> Progress {
        Progress { state: Mutex::new(State { applied, ..State::default() }), advanced: Condvar::new() }
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
        self.state.lock().applied = applied;
        self.advanced.notify_all();
    }

    pub(super) fn stop(&self) {
        self.state.lock().stopped = true;
        self.advanced.notify_all();
    }

    pub(super) fn wait_for_searched(&self) {
        self.wait(|state| state.searched);
    }

    pub(super) fn wait_for_all(&self) {
        self.wait(|state| state.last);
    }

    /// Waits for what is announced now; what is announced meanwhile is not waited for.
    fn wait(&self, target: impl FnOnce(&State) -> u64) {
        let mut state = self.state.lock();
        let target = target(&state);
        while state.applied < target && !state.stopped {
            self.advanced.wait(&mut state);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn who_asks_waits_for_what_was_announced_before() {
        let progress = Arc::new(Progress::from(3));
        progress.wait_for_all();
        progress.announce(5, 6);
        let waiting = std::thread::spawn({
            let progress = progress.clone();
            move || {
                progress.wait_for_searched();
                progress.applied()
            }
        });
        progress.advance(4);
        assert!(!waiting.is_finished(), "5 is not applied yet");
        progress.advance(5);
        assert!(waiting.join().unwrap() >= 5);
        progress.stop();
        progress.wait_for_all();
    }
}
