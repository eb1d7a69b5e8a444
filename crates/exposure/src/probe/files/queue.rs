//! Work shared between the threads of a walk: bounded, last in first out.

use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Condvar, Mutex};

use super::folder::Folder;

/// Pieces of work that wait at most. Who cannot give work away does it itself.
const ROOM: usize = 256;

/// A piece of work.
pub(super) enum Work {
    /// A folder that is open, and all below it.
    Within(Arc<Folder>),
    /// A folder by its name, and all below it.
    Below(Arc<Folder>, CString),
    /// Some files of a folder.
    Files(Arc<Folder>, Vec<CString>),
}

/// What waits.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    /// Threads that wait for work and do not find any.
    hungry: AtomicUsize,
}

#[derive(Default)]
struct State {
    waiting: Vec<Work>,
    busy: usize,
}

impl Queue {
    /// A queue with its first piece of work.
    pub(super) fn with(first: Work) -> Queue {
        let queue = Queue::default();
        queue.state.lock().waiting.push(first);
        queue
    }

    /// Whether somebody waits for work.
    pub(super) fn is_hungry(&self) -> bool {
        self.hungry.load(Ordering::Relaxed) > 0
    }

    /// Gives work away; gives it back when there is no room.
    pub(super) fn offer(&self, work: Work) -> Result<(), Work> {
        let mut state = self.state.lock();
        if state.waiting.len() >= ROOM {
            return Err(work);
        }
        state.waiting.push(work);
        self.changed.notify_one();
        Ok(())
    }

    /// The next piece of work; `None` when all is done. [`Queue::done`] must follow each piece.
    pub(super) fn next(&self) -> Option<Work> {
        let mut state = self.state.lock();
        loop {
            if let Some(work) = state.waiting.pop() {
                state.busy += 1;
                return Some(work);
            }
            if state.busy == 0 {
                return None;
            }
            self.hungry.fetch_add(1, Ordering::Relaxed);
            self.changed.wait(&mut state);
            self.hungry.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// A piece of work is done.
    pub(super) fn done(&self) {
        let mut state = self.state.lock();
        state.busy -= 1;
        if state.busy == 0 && state.waiting.is_empty() {
            self.changed.notify_all();
        }
    }
}
