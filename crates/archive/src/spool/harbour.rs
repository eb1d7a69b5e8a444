//! Where objects come to rest: one thread gives numbers and names, and makes the names of all
//! who wait durable in one sync of the directory.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};

use tokio::sync::oneshot;

use super::arrival::Draft;
use super::keys::HeldKey;
use super::look::FileKind;
use super::{Shared, Sheet, SpoolRefused, Waits};

/// Most objects that share a sync.
const BATCH: usize = 256;

/// The way to the thread. It ends when all of these are gone.
#[derive(Clone)]
pub(super) struct Harbour {
    sender: Sender<Order>,
}

enum Order {
    Keep { draft: Draft, sheet: Arc<Sheet>, key: HeldKey, told: oneshot::Sender<Result<u64, SpoolRefused>> },
    Close { sender: String, told: oneshot::Sender<u64> },
    Refresh { told: oneshot::Sender<()> },
}

impl Harbour {
    pub(super) fn start(shared: Arc<Shared>) -> std::io::Result<Harbour> {
        let (sender, receiver) = channel();
        std::thread::Builder::new().name("spool".into()).spawn(move || run(&shared, &receiver))?;
        Ok(Harbour { sender })
    }

    /// Gives a durable file its number and a durable name.
    pub(super) async fn keep(&self, draft: Draft, sheet: Arc<Sheet>, key: HeldKey) -> Result<u64, SpoolRefused> {
        let (told, answer) = oneshot::channel();
        let stopped = || SpoolRefused::Broken("the spool's thread stopped".into());
        self.sender.send(Order::Keep { draft, sheet, key, told }).map_err(|_| stopped())?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// See [`super::Spool::close_sender`]. Between two objects that come to rest, so that each
    /// is of before or of after.
    pub(super) async fn close(&self, sender: String) -> Result<u64, SpoolRefused> {
        let (told, answer) = oneshot::channel();
        let stopped = || SpoolRefused::Broken("the spool's thread stopped".into());
        self.sender.send(Order::Close { sender, told }).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())
    }

    pub(super) async fn refresh(&self) {
        let (told, answer) = oneshot::channel();
        if self.sender.send(Order::Refresh { told }).is_ok() {
            let _ = answer.await;
        }
    }
}

/// An object with its name, not yet known to be durable.
struct Named {
    number: u64,
    draft: Draft,
    sheet: Arc<Sheet>,
    key: HeldKey,
    told: oneshot::Sender<Result<u64, SpoolRefused>>,
}

fn run(shared: &Arc<Shared>, orders: &Receiver<Order>) {
    while let Ok(first) = orders.recv() {
        let mut named = Vec::new();
        let (mut refreshes, mut closes) = (Vec::new(), Vec::new());
        for order in std::iter::once(first).chain(orders.try_iter().take(BATCH)) {
            match order {
                Order::Keep { draft, sheet, key, told } => named.extend(name(shared, draft, sheet, key, told)),
                Order::Refresh { told } => refreshes.push(told),
                Order::Close { sender, told } => closes.push((sender, told)),
            }
        }
        settle(shared, named);
        for (sender, told) in closes {
            let last = shared.close(&sender);
            let _ = told.send(last);
        }
        if !refreshes.is_empty() {
            refresh(shared);
        }
        for told in refreshes {
            let _ = told.send(());
        }
    }
}

fn name(
    shared: &Shared,
    draft: Draft,
    sheet: Arc<Sheet>,
    key: HeldKey,
    told: oneshot::Sender<Result<u64, SpoolRefused>>,
) -> Option<Named> {
    if shared.poisoned.load(Ordering::Acquire) {
        let _ = told.send(Err(SpoolRefused::Poisoned));
        return None;
    }
    if !shared.keys.is_open(key.id()) {
        let _ = told.send(Err(SpoolRefused::Full("what its sender has here is being discarded: send it again")));
        return None;
    }
    let number = {
        let mut state = shared.state.lock();
        state.last += 1;
        state.last
    };
    match std::fs::rename(&draft.path, shared.directory().path(number, FileKind::Waiting)) {
        Ok(()) => Some(Named { number, draft, sheet, key, told }),
        Err(error) => {
            let _ = told.send(Err(SpoolRefused::Broken(error.to_string())));
            None
        }
    }
}

fn settle(shared: &Shared, named: Vec<Named>) {
    if named.is_empty() {
        return;
    }
    if let Err(error) = shared.directory().sync() {
        // The names may be there after a restart, or not: nobody was told that they are.
        shared.poison();
        for Named { draft, told, .. } in named {
            draft.keep();
            let _ = told.send(Err(SpoolRefused::Broken(error.to_string())));
        }
        return;
    }
    for Named { number, draft, sheet, key, told } in named {
        let bytes = draft.keep();
        shared.state.lock().waiting.insert(number, Waits::new(sheet, bytes, key));
        // Even when the sender has gone meanwhile: the object is here and will be sent on.
        let _ = told.send(Ok(number));
    }
    shared.arrived.send_replace(());
}

/// Takes note of what a command beside this process moved or removed.
fn refresh(shared: &Shared) {
    let directory = shared.directory();
    let listing = match directory.listing() {
        Ok(listing) => listing,
        Err(error) => {
            tracing::warn!(%error, "the spool's directory cannot be listed");
            return;
        }
    };
    let is = |kind: FileKind, number: u64| listing.contains(&(number, kind));
    let mut back = false;
    {
        let mut state = shared.state.lock();
        let gone: Vec<u64> = state.apart.keys().copied().filter(|number| !is(FileKind::Apart, *number)).collect();
        for number in gone {
            let Some(waits) = state.apart.remove(&number) else { continue };
            if is(FileKind::Waiting, number) {
                state.waiting.insert(number, waits);
                back = true;
            } else {
                shared.give_back(waits.bytes);
            }
        }
    }
    if back {
        shared.arrived.send_replace(());
    }
    if let Err(error) = shared.keys.retire() {
        tracing::warn!(%error, "a key of the spool that nothing needs could not be destroyed");
    }
}
