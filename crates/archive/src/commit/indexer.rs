//! The thread that applies to the index what is durable.
//!
//! Nobody who stores waits for it: the log is what makes an instance safe, and who searches
//! waits, by [`Index`](crate::index::Index), until what was acknowledged is applied. When it
//! lags, what has gathered becomes one transaction.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::ReadOnly;
use super::batch::{Effect, applied};
use crate::index::Writer;
use crate::log::Appended;

/// Batches that may wait; the committer waits when there are more.
const MOST_WAITING: usize = 16;
/// Records applied in one transaction, about.
const MOST_RECORDS: usize = 512;

/// Records that are in the log, and what each means.
pub(super) struct Durable {
    pub(super) effects: Vec<Effect>,
    pub(super) appended: Vec<Appended>,
}

/// The way to the thread. Dropped, it waits until all is applied.
pub(super) struct Indexer {
    queue: Option<SyncSender<Durable>>,
    thread: Option<JoinHandle<()>>,
}

impl Indexer {
    /// Starts the thread. When it cannot apply something it says so in `read_only` and ends;
    /// the next start applies what it did not.
    pub(super) fn start(writer: Writer, read_only: ReadOnly) -> std::io::Result<Indexer> {
        let (queue, waiting) = sync_channel(MOST_WAITING);
        let thread = std::thread::Builder::new().name("indexer".into());
        let thread = thread.spawn(move || run(writer, &waiting, &read_only))?;
        Ok(Indexer { queue: Some(queue), thread: Some(thread) })
    }

    /// Hands over a batch, in the order of the log.
    pub(super) fn apply(&self, durable: Durable) {
        // Nobody takes it any more only after a failure, which has been told.
        let _ = self.queue.as_ref().map(|queue| queue.send(durable));
    }
}

impl Drop for Indexer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been told of by the hook.
            drop(thread.join());
        }
    }
}

fn run(mut writer: Writer, waiting: &Receiver<Durable>, read_only: &ReadOnly) {
    while let Ok(first) = waiting.recv() {
        let mut records = first.appended.len();
        let mut gathered = vec![first];
        while records < MOST_RECORDS
            && let Ok(next) = waiting.try_recv()
        {
            records += next.appended.len();
            gathered.push(next);
        }
        let changes: Vec<_> = gathered
            .iter()
            .flat_map(|durable| durable.effects.iter().zip(&durable.appended))
            .flat_map(|(effect, appended)| applied(effect, appended.sequence, appended.location))
            .collect();
        if let Err(error) = writer.apply(&changes) {
            return read_only.set(&format!("the index cannot be written: {error}"));
        }
    }
}
