//! The thread that applies to the index what is durable.
//!
//! Nobody who stores waits for it: the log is what makes an instance safe, and who searches
//! waits, by [`Index`], until what was acknowledged is applied. While nobody waits it lets
//! records gather for a moment, since a transaction of many costs little more than one of few.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::ReadOnly;
use super::batch::{Effect, applied};
use crate::index::{Index, IndexError, Writer};
use crate::log::Appended;

/// Batches that may wait; the committer waits when there are more.
const MOST_WAITING: usize = 32;
/// Records applied in one transaction, about.
const MOST_RECORDS: usize = 512;
/// How long records gather while nobody waits for them.
const GATHERING: Duration = Duration::from_millis(10);
/// How often it is tried again when the disk is full.
const RETRY: Duration = Duration::from_millis(500);
/// Records held meanwhile: trail entries of reads, mostly, for nothing is stored then.
const MOST_HELD: usize = 100_000;

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
    pub(super) fn start(index: Index, writer: Writer, read_only: ReadOnly) -> std::io::Result<Indexer> {
        let (queue, waiting) = sync_channel(MOST_WAITING);
        let thread = std::thread::Builder::new().name("indexer".into());
        let thread = thread.spawn(move || {
            let _guard = TellPanic(read_only.clone());
            run(&index, writer, &waiting, &read_only);
        })?;
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

/// Nothing may be acknowledged that will never be searched.
struct TellPanic(ReadOnly);

impl Drop for TellPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.set("the index stopped");
        }
    }
}

fn run(index: &Index, mut writer: Writer, waiting: &Receiver<Durable>, read_only: &ReadOnly) {
    while let Ok(first) = waiting.recv() {
        index.linger(GATHERING);
        let mut records = first.appended.len();
        let mut gathered = vec![first];
        while records < MOST_RECORDS
            && let Ok(next) = waiting.try_recv()
        {
            records += next.appended.len();
            gathered.push(next);
        }
        while let Err(error) = apply(&mut writer, &gathered) {
            if !matches!(error, IndexError::NoRoom) || records > MOST_HELD {
                return read_only.set(&format!("the index cannot be written: {error}"));
            }
            tracing::warn!("the disk is full: searches lack the latest records until there is room");
            // A full disk becomes an emptier one without a restart; what comes meanwhile is held.
            let again = Instant::now() + RETRY;
            loop {
                match waiting.recv_timeout(again.saturating_duration_since(Instant::now())) {
                    Ok(next) => {
                        records += next.appended.len();
                        gathered.push(next);
                    }
                    Err(RecvTimeoutError::Timeout) => break,
                    // The next start applies them.
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        }
    }
}

fn apply(writer: &mut Writer, gathered: &[Durable]) -> Result<(), IndexError> {
    let records = gathered.iter().flat_map(|durable| durable.effects.iter().zip(&durable.appended));
    let changes: Vec<_> =
        records.flat_map(|(effect, appended)| applied(effect, appended.sequence, appended.location)).collect();
    writer.apply(&changes)
}
