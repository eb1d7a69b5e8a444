//! The committer: the one writer of log and index.
//!
//! One thread takes all work that waits, makes one append of it (one write, one
//! `fdatasync`), answers everybody and hands it to the [`indexer`]. While it syncs, the next
//! batch gathers by itself: alone one waits for nobody, together many share a sync.
//! Deliberately absent: decisions (it asks for the proof of one).

mod batch;
mod indexer;
pub(crate) mod records;
pub(crate) mod replay;
mod stores;
mod worker;

use std::sync::Arc;
use std::sync::mpsc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

pub(crate) use batch::{key_id, log_location};
pub(crate) use records::{Facts, Sheet};
pub(crate) use worker::{Parts, start};

use crate::access::decide::{Granted, Request};
use crate::change::Change;
use crate::ingest::{Share, StudyKey};
use crate::store::{StoreOutcome, StoreRequest};
use crate::trail::Entry;
use crate::{Refused, log};

/// The way to the committer; clones share it.
#[derive(Clone)]
pub(crate) struct Committer {
    queue: mpsc::Sender<Work>,
    read_only: ReadOnly,
    /// After `queue`: the thread ends when the last queue is gone, and only then is waited for.
    _thread: Arc<Thread>,
}

/// The committer's thread, waited for by whoever lets go of the committer last: nothing of an
/// archive runs on when it is dropped.
struct Thread(parking_lot::Mutex<Option<std::thread::JoinHandle<()>>>);

impl Drop for Thread {
    fn drop(&mut self) {
        if let Some(thread) = self.0.get_mut().take() {
            // A panic of the thread has been told of already, by the hook and by read-only.
            drop(thread.join());
        }
    }
}

/// Why nothing can be written any more, once that is so. It never goes back: a failed sync
/// leaves nobody knowing what is on the disk, so only a restart, which looks, may try again.
#[derive(Clone, Default)]
pub(crate) struct ReadOnly(Arc<Mutex<Option<String>>>);

impl ReadOnly {
    /// The reason, when it is so.
    pub(crate) fn reason(&self) -> Option<String> {
        self.0.lock().clone()
    }

    /// From now on; the first reason stays.
    fn set(&self, reason: &str) {
        let mut held = self.0.lock();
        if held.is_none() {
            tracing::error!(reason, "the archive is read-only until restart");
            *held = Some(reason.to_owned());
        }
    }
}

/// Work for the committer.
enum Work {
    /// An instance, sealed.
    Keep(Box<Prepared>, oneshot::Sender<Result<StoreOutcome, Refused>>),
    /// A change (or none) and its entry.
    Change(Option<Box<Change>>, Entry, oneshot::Sender<Result<u64, Refused>>),
    /// An entry somebody waits for.
    Record(Entry, oneshot::Sender<Result<u64, Refused>>),
    /// An entry nobody waits for.
    Note(Entry),
    /// A series summary, sealed.
    Summary(Box<records::NewSummary>),
    /// Time has passed: checkpoints may be due.
    Tick,
    /// Someone wants a checkpoint of all that is written by now.
    Checkpoint(oneshot::Sender<Result<crate::log::Checkpoint, Refused>>),
    /// Someone wants to know when all before this is written.
    #[cfg(any(test, feature = "testing"))]
    Settle(oneshot::Sender<()>),
    /// Checkpoint and stop.
    Close(oneshot::Sender<()>),
}

/// An instance ready to be committed: sealed, and what the index has to know.
pub(crate) struct Prepared {
    /// The record, parts as in [`records`].
    pub(crate) record: log::NewRecord,
    /// What the record's sheet says.
    pub(crate) facts: Facts,
    /// The attributes.
    pub(crate) header: leadglass_dicom::DataSet,
    /// What stays until the index has it.
    pub(crate) held: InFlight,
    /// Who stores, as the trail says it; outcome and count are filled in.
    pub(crate) entry: Entry,
}

/// What an instance on its way holds until the index has it: its study's key, so that the
/// study gets no second one, and the memory of its header.
pub(crate) struct InFlight {
    pub(crate) _key: Option<StudyKey>,
    pub(crate) _memory: Share,
}

impl Committer {
    /// Keeps an instance: durable when it returns, and every search that begins then finds it.
    pub(crate) async fn keep(
        &self,
        _granted: &Granted<StoreRequest>,
        prepared: Prepared,
    ) -> Result<StoreOutcome, Refused> {
        self.ask(|reply| Work::Keep(Box::new(prepared), reply)).await
    }

    /// Writes a change and its entry as one.
    pub(crate) async fn change<R: Request>(
        &self,
        _granted: &Granted<R>,
        change: Option<Change>,
        entry: Entry,
    ) -> Result<u64, Refused> {
        self.ask(|reply| Work::Change(change.map(Box::new), entry, reply)).await
    }

    /// Writes a change that nobody asked for and the archive itself makes: a wrong setup code
    /// that is counted, a review that is opened.
    pub(crate) async fn change_of_ours(&self, change: Change, entry: Entry) -> Result<u64, Refused> {
        self.ask(|reply| Work::Change(Some(Box::new(change)), entry, reply)).await
    }

    /// Writes an entry; durable when it returns.
    pub(crate) async fn record(&self, entry: Entry) -> Result<u64, Refused> {
        self.ask(|reply| Work::Record(entry, reply)).await
    }

    /// Hands over an entry that nobody waits for.
    pub(crate) fn note(&self, entry: Entry) {
        self.hand_over(Work::Note(entry));
    }

    /// Hands over a series summary; it is a view, so nobody waits for it.
    pub(crate) fn summarize(&self, summary: records::NewSummary) {
        self.hand_over(Work::Summary(Box::new(summary)));
    }

    /// Signs a checkpoint of all that was handed over before.
    pub(crate) async fn checkpoint(&self) -> Result<crate::log::Checkpoint, Refused> {
        self.ask(Work::Checkpoint).await
    }

    /// Says that time has passed.
    pub(crate) fn tick(&self) {
        self.hand_over(Work::Tick);
    }

    /// Returns when all that was handed over has been written, or has failed.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) async fn settled(&self) {
        let (reply, answer) = oneshot::channel();
        if self.hand_over(Work::Settle(reply)) {
            let _ = answer.await;
        }
    }

    /// From now on nothing can be written.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn fail(&self, reason: &str) {
        self.read_only.set(reason);
    }

    /// Writes what waits, checkpoints and stops the thread.
    pub(crate) async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        if self.hand_over(Work::Close(reply)) {
            let _ = answer.await;
        }
    }

    /// Why nothing can be written, when that is so.
    pub(crate) fn read_only(&self) -> Option<String> {
        self.read_only.reason()
    }

    async fn ask<T>(&self, work: impl FnOnce(oneshot::Sender<Result<T, Refused>>) -> Work) -> Result<T, Refused> {
        if let Some(reason) = self.read_only.reason() {
            return Err(Refused::ReadOnly(reason));
        }
        let (reply, answer) = oneshot::channel();
        self.hand_over(work(reply));
        answer.await.unwrap_or_else(|_| {
            Err(Refused::ReadOnly(self.read_only.reason().unwrap_or_else(|| "the archive is closed".into())))
        })
    }

    fn hand_over(&self, work: Work) -> bool {
        self.queue.send(work).is_ok()
    }
}
