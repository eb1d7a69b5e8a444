//! The spool: objects that were acknowledged and wait to be sent on.
//!
//! It has a data directory of its own, one sealed file an object:
//!
//! ```text
//! data_dir/lock       flock: one process at a time
//! data_dir/keyring/   wrapped keys                        (seal)
//! data_dir/spool/     <random>.new     on its way in
//!                     <number>.obj     waits, in order of arrival
//!                     <number>.apart   refused for good by whoever it was sent to
//!                     <number>.why     the reason, sealed
//!                     <number>.damaged does not open; waits for somebody to mend it
//! ```
//! An object is acknowledged once its file, its key and its name would survive a power cut.
//! It is forgotten when it was sent on, and the key that sealed it once nothing else needs it.
//! The archive keeps one too, for what unknown senders sent ([`crate::held`]), whose senders are
//! told apart: each has keys of its own, so that what one sent can be destroyed.
//! Deliberately absent: who may spool and where objects go, which is the edge's matter; the
//! index, the log and the trail, which an edge without a shield does not have.

mod arrival;
mod file;
mod harbour;
mod keys;
mod look;
mod reader;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use leadglass_dicom::AeTitle;
use leadglass_dicom::clock::Clock;
use leadglass_dicom::scan::Limits;
use parking_lot::Mutex;
use tokio::sync::watch;

pub use arrival::Arrival;
pub use file::{Sheet, Shown, sender_id};
pub use look::{Listed, SpoolDirectory};
pub use reader::SpoolReader;

use crate::seal::{KeyId, Keyring};
use crate::settings::{KeySource, OpenError};
use file::Reason;
use harbour::Harbour;
use keys::{HeldKey, Keys};

/// How and where a spool is opened.
#[derive(Clone)]
pub struct SpoolSettings {
    /// Its data directory. Made when absent, mode 0700.
    pub data_dir: PathBuf,
    /// Where the master key comes from.
    pub key_source: KeySource,
    /// Bytes of all objects together, as sealed, above which none is taken.
    pub max_bytes: u64,
    /// Free bytes on the file system below which none is taken.
    pub reserve_bytes: u64,
    /// What reading a data set may cost, and how large one may be.
    pub scan: Limits,
    /// The clock of sheets.
    pub clock: Arc<dyn Clock>,
}

/// Why an object is not taken, or cannot be handed out.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SpoolRefused {
    /// The bytes are no data set, or break a limit: C-STORE 0xC000.
    #[error("cannot understand: {0}")]
    CannotUnderstand(String),
    /// The data set is not the one announced: C-STORE 0xA900.
    #[error("the data set does not match: {0}")]
    DoesNotMatch(&'static str),
    /// The spool or its disk is full: C-STORE 0xA700. Passes when objects were sent on.
    #[error("the spool is full: {0}")]
    Full(&'static str),
    /// An earlier write failed; nothing is taken until restart: C-STORE 0xA700.
    #[error("the spool takes nothing since a write to it failed; restart after looking at the disk")]
    Poisoned,
    /// There is no object of that number.
    #[error("no object of that number waits in the spool")]
    NoSuchObject,
    /// Stored bytes do not open.
    #[error("object {0:016x} of the spool is damaged")]
    Damaged(u64),
    /// The disk, or a fault of ours.
    #[error("the spool cannot be written or read: {0}")]
    Broken(String),
}

/// An open spool. Clones share it.
#[derive(Clone)]
pub struct Spool {
    shared: Arc<Shared>,
    harbour: Harbour,
}

/// What clones, arrivals and the harbour's thread share.
struct Shared {
    settings: SpoolSettings,
    keyring: Arc<Keyring>,
    keys: Keys,
    state: Mutex<State>,
    /// Bytes of files, those on their way in too.
    used: Mutex<u64>,
    poisoned: AtomicBool,
    /// Changes when something arrives or comes back.
    arrived: watch::Sender<()>,
    /// Keys that files need which were set aside.
    _damaged: Vec<HeldKey>,
    /// None when whoever opened it holds one that covers it.
    _lock: Option<File>,
}

/// What is known of the files.
#[derive(Default)]
struct State {
    waiting: BTreeMap<u64, Waits>,
    apart: BTreeMap<u64, Waits>,
    /// The highest number ever given.
    last: u64,
}

/// One object's file.
struct Waits {
    sheet: Arc<Sheet>,
    /// [`Sheet::sender`].
    sender: Arc<str>,
    bytes: u64,
    key: HeldKey,
}

/// An object that waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Its number: the order of arrival.
    pub number: u64,
    /// What is known of it.
    pub sheet: Arc<Sheet>,
    /// Whose it is: [`Sheet::sender`].
    pub sender: Arc<str>,
    /// Bytes of its file.
    pub bytes: u64,
}

/// How full a spool is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filling {
    /// Objects that wait.
    pub waiting: u64,
    /// Objects set apart.
    pub apart: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

impl Spool {
    /// Opens a spool, making what its data directory lacks. What was on its way in when the
    /// process ended is removed: nobody was told that it had arrived. Blocks on disk.
    ///
    /// # Errors
    /// Another process has it open, the master key is not there or another, a file is damaged.
    pub fn open(settings: SpoolSettings) -> Result<Spool, OpenError> {
        let lock = crate::open::locked(&settings.data_dir)?;
        Ok(Spool::opened(settings, Some(lock))?.0)
    }

    /// Opens one whose data directory lies within another that this process has locked, and
    /// gives numbers above `after`. What does not open is set aside, and how many files that were
    /// is said: the rest, and whoever holds the other directory, goes on without them. Blocks on disk.
    pub(crate) fn open_within(settings: SpoolSettings, after: u64) -> Result<(Spool, u64), OpenError> {
        look::make_directory(&settings.data_dir)?;
        let (spool, set_aside) = Spool::opened(settings, None)?;
        let mut state = spool.shared.state.lock();
        state.last = state.last.max(after);
        drop(state);
        Ok((spool, set_aside))
    }

    /// The spool, and how many files were set aside: none where it stands alone, and does not open then.
    fn opened(settings: SpoolSettings, lock: Option<File>) -> Result<(Spool, u64), OpenError> {
        let directory = SpoolDirectory::make(&settings.data_dir)?;
        let listing = directory.listing()?;
        if !listing.is_empty() {
            // A fresh keyring beside sealed objects would only hide that theirs is lost.
            Keyring::open_existing(&settings.data_dir, &settings.key_source)?;
        }
        let keyring = Arc::new(Keyring::open_or_create(&settings.data_dir, &settings.key_source)?);
        directory.sweep()?;
        let keys = Keys::open(keyring.clone())?;
        let mut state = State::default();
        let (mut used, mut damaged, mut set_aside) = (0, Vec::new(), 0);
        for (number, kind) in listing {
            state.last = state.last.max(number);
            let Some(files) = state.of(kind) else {
                damaged.push(number);
                continue;
            };
            match directory.head(number, kind, &keyring) {
                Ok((sheet, key, bytes)) => {
                    used += bytes;
                    files.insert(number, Waits::new(Arc::new(sheet), bytes, keys.held(key)));
                }
                // What may not be read can be sound: whoever starts this is told so.
                Err(error) if lock.is_some() || matches!(error, OpenError::Io { .. }) => return Err(error),
                Err(error) => {
                    tracing::error!(%error, "a file of the spool is set aside");
                    directory.set_aside(number, kind)?;
                    damaged.push(number);
                    set_aside += 1;
                }
            }
        }
        let kept = needed_by(&damaged, &directory, &keyring, &keys);
        keys.retire()?;
        let shared = Arc::new(Shared {
            settings,
            keyring,
            keys,
            state: Mutex::new(state),
            used: Mutex::new(used),
            poisoned: AtomicBool::new(false),
            arrived: watch::Sender::new(()),
            _damaged: kept,
            _lock: lock,
        });
        let harbour = Harbour::start(shared.clone())
            .map_err(|source| OpenError::Io { what: "starting the spool's thread".into(), source })?;
        Ok((Spool { shared, harbour }, set_aside))
    }

    /// Opens the way for one object. Its bytes are scanned within limits as they arrive.
    ///
    /// # Errors
    /// [`SpoolRefused::Full`], [`SpoolRefused::Poisoned`] or [`SpoolRefused::Broken`].
    pub fn begin(&self, sheet: Sheet) -> Result<Arrival, SpoolRefused> {
        self.shared.has_room(0)?;
        Arrival::new(self.clone(), sheet)
    }

    /// The oldest objects that wait of a calling AE title, at most so many, in order of arrival.
    pub fn waiting(&self, calling_ae: &AeTitle, most: usize) -> Vec<Waiting> {
        let state = self.shared.state.lock();
        let of_it = state.waiting.iter().filter(|(_, waits)| waits.sheet.calling_ae == calling_ae.as_str());
        of_it.take(most).map(|(number, waits)| waits.listed(*number)).collect()
    }

    /// All objects that wait, in order of arrival.
    pub fn all_waiting(&self) -> Vec<Waiting> {
        self.shared.state.lock().waiting.iter().map(|(number, waits)| waits.listed(*number)).collect()
    }

    /// All objects that wait of one sender ([`Sheet::sender`]), up to that number, in order of
    /// arrival.
    pub fn waiting_of(&self, sender: &str, through: u64) -> Vec<Waiting> {
        let state = self.shared.state.lock();
        let of_it = state.waiting.range(..=through).filter(|(_, waits)| *waits.sender == *sender);
        of_it.map(|(number, waits)| waits.listed(*number)).collect()
    }

    /// Bytes of the file of an object that waits.
    pub fn bytes_of(&self, number: u64) -> Option<u64> {
        self.shared.state.lock().waiting.get(&number).map(|waits| waits.bytes)
    }

    /// The highest number given so far.
    pub fn last(&self) -> u64 {
        self.shared.state.lock().last
    }

    /// Draws a line under what came of a sender: what it has on its way in is not kept, what
    /// comes after gets another key. Says the highest number before the line.
    ///
    /// # Errors
    /// [`SpoolRefused::Broken`].
    pub async fn close_sender(&self, sender: &str) -> Result<u64, SpoolRefused> {
        self.harbour.close(sender.to_owned()).await
    }

    /// Destroys what waits of a sender up to that number, and the keys that a line drawn before
    /// ([`Spool::close_sender`]) left without use. Durable when this returns how many went.
    ///
    /// # Errors
    /// [`SpoolRefused::Broken`]; some may be gone then, and a second try goes on.
    pub async fn destroy(&self, sender: &str, through: u64) -> Result<u64, SpoolRefused> {
        let (shared, sender) = (self.shared.clone(), sender.to_owned());
        off_the_runtime(move || shared.destroy(&sender, through)).await
    }

    /// What was forgotten of a sender is so for good, and what comes of it from now on gets
    /// another key.
    ///
    /// # Errors
    /// [`SpoolRefused::Broken`].
    pub async fn settle_sender(&self, sender: &str) -> Result<(), SpoolRefused> {
        let (shared, sender) = (self.shared.clone(), sender.to_owned());
        off_the_runtime(move || shared.settle(&sender)).await
    }

    /// As [`Spool::read`], on a thread that may block.
    ///
    /// # Errors
    /// As [`Spool::read`].
    pub fn read_blocking(&self, number: u64) -> Result<SpoolReader, SpoolRefused> {
        SpoolReader::open(&self.shared, number)
    }

    /// As [`Spool::forget`] of each of these, durable, and with [`Spool::settle_sender`], on a
    /// thread that may block.
    ///
    /// # Errors
    /// [`SpoolRefused::Broken`].
    pub fn forget_blocking(&self, sender: &str, numbers: &[u64]) -> Result<(), SpoolRefused> {
        numbers.iter().try_for_each(|number| self.shared.forget(*number))?;
        self.shared.settle(sender)
    }

    /// Calling AE titles of which something waits.
    pub fn senders(&self) -> Vec<String> {
        let state = self.shared.state.lock();
        let mut senders: Vec<String> = state.waiting.values().map(|waits| waits.sheet.calling_ae.clone()).collect();
        senders.sort_unstable();
        senders.dedup();
        senders
    }

    /// Changes when an object arrives, or comes back.
    pub fn arrivals(&self) -> watch::Receiver<()> {
        self.shared.arrived.subscribe()
    }

    /// Opens an object that waits, to be read from its first byte.
    ///
    /// # Errors
    /// [`SpoolRefused::NoSuchObject`], [`SpoolRefused::Damaged`] or [`SpoolRefused::Broken`].
    pub async fn read(&self, number: u64) -> Result<SpoolReader, SpoolRefused> {
        let shared = self.shared.clone();
        off_the_runtime(move || SpoolReader::open(&shared, number)).await
    }

    /// Forgets an object: it is where it should be.
    ///
    /// # Errors
    /// [`SpoolRefused::Broken`] when its file cannot be removed.
    pub async fn forget(&self, number: u64) -> Result<(), SpoolRefused> {
        let shared = self.shared.clone();
        off_the_runtime(move || shared.forget(number)).await
    }

    /// Sets an object apart with the reason why it is not taken elsewhere; durable when this
    /// returns. A person looks at it, then retries or discards.
    ///
    /// # Errors
    /// [`SpoolRefused::NoSuchObject`] or [`SpoolRefused::Broken`].
    pub async fn set_apart(&self, number: u64, reason: String) -> Result<(), SpoolRefused> {
        let shared = self.shared.clone();
        off_the_runtime(move || shared.set_apart(number, &reason)).await
    }

    /// Looks at the directory for what a command beside this process did (retried,
    /// discarded), and retires keys that nothing needs any more.
    pub async fn refresh(&self) {
        self.harbour.refresh().await;
    }

    /// How full it is.
    pub fn filling(&self) -> Filling {
        let state = self.shared.state.lock();
        let count = |files: &BTreeMap<u64, Waits>| files.len() as u64;
        Filling { waiting: count(&state.waiting), apart: count(&state.apart), bytes: *self.shared.used.lock() }
    }
}

impl Waits {
    fn new(sheet: Arc<Sheet>, bytes: u64, key: HeldKey) -> Waits {
        Waits { sender: sheet.sender().into(), sheet, bytes, key }
    }

    fn listed(&self, number: u64) -> Waiting {
        Waiting { number, sheet: self.sheet.clone(), sender: self.sender.clone(), bytes: self.bytes }
    }
}

impl State {
    fn of(&mut self, kind: look::FileKind) -> Option<&mut BTreeMap<u64, Waits>> {
        match kind {
            look::FileKind::Waiting => Some(&mut self.waiting),
            look::FileKind::Apart => Some(&mut self.apart),
            look::FileKind::Damaged => None,
        }
    }
}

impl Shared {
    fn directory(&self) -> SpoolDirectory {
        SpoolDirectory::of(&self.settings.data_dir)
    }

    /// Whether so many more bytes may come, by both limits.
    fn has_room(&self, more: u64) -> Result<(), SpoolRefused> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(SpoolRefused::Poisoned);
        }
        if self.used.lock().saturating_add(more) > self.settings.max_bytes {
            return Err(SpoolRefused::Full("it holds as many bytes as it may"));
        }
        let free = self.directory().free_bytes().map_err(|error| SpoolRefused::Broken(error.to_string()))?;
        if free < self.settings.reserve_bytes.saturating_add(more) {
            return Err(SpoolRefused::Full("the disk has no more than its reserve"));
        }
        Ok(())
    }

    /// A write failed: what the disk holds is unknown, and no further one is believed.
    fn poison(&self) {
        if !self.poisoned.swap(true, Ordering::AcqRel) {
            tracing::error!("a write to the spool failed: it takes nothing until restart");
        }
    }

    fn give_back(&self, bytes: u64) {
        let mut used = self.used.lock();
        *used = used.saturating_sub(bytes);
    }

    fn forget(&self, number: u64) -> Result<(), SpoolRefused> {
        self.directory().remove(number, look::FileKind::Waiting).map_err(broken)?;
        if let Some(waits) = self.state.lock().waiting.remove(&number) {
            self.give_back(waits.bytes);
        }
        Ok(())
    }

    fn close(&self, sender: &str) -> u64 {
        let state = self.state.lock();
        let of_it = state.waiting.values().filter(|waits| *waits.sender == *sender);
        self.keys.close(sender, of_it.map(|waits| waits.key.id()));
        state.last
    }

    fn destroy(&self, sender: &str, through: u64) -> Result<u64, SpoolRefused> {
        let over: Vec<u64> = {
            let state = self.state.lock();
            let of_it = state.waiting.range(..=through).filter(|(_, waits)| *waits.sender == *sender);
            of_it.map(|(number, _)| *number).collect()
        };
        over.iter().try_for_each(|number| self.forget(*number))?;
        self.directory().sync().map_err(|error| SpoolRefused::Broken(error.to_string()))?;
        let needed = {
            let state = self.state.lock();
            state.waiting.values().chain(state.apart.values()).map(|waits| waits.key.id()).collect()
        };
        let destroyed = self.keys.destroy_closed(sender, &needed).and_then(|()| self.keys.retire());
        destroyed.map_err(|error| SpoolRefused::Broken(error.to_string()))?;
        Ok(over.len() as u64)
    }

    fn settle(&self, sender: &str) -> Result<(), SpoolRefused> {
        self.directory().sync().map_err(|error| SpoolRefused::Broken(error.to_string()))?;
        self.keys.renew(sender);
        self.keys.retire().map_err(|error| SpoolRefused::Broken(error.to_string()))
    }

    fn set_apart(&self, number: u64, reason: &str) -> Result<(), SpoolRefused> {
        let reason =
            Reason { reason: reason.to_owned(), since_ns: crate::perform::nanoseconds(self.settings.clock.now()) };
        self.directory().set_apart(number, &reason, &self.keyring).map_err(broken)?;
        let mut state = self.state.lock();
        let waits = state.waiting.remove(&number).ok_or(SpoolRefused::NoSuchObject)?;
        state.apart.insert(number, waits);
        Ok(())
    }
}

/// The keys that files need which were set aside, so that somebody can still mend them: those they
/// name, and all where one does not say which.
fn needed_by(damaged: &[u64], directory: &SpoolDirectory, keyring: &Keyring, keys: &Keys) -> Vec<HeldKey> {
    let named: Option<Vec<KeyId>> = damaged.iter().map(|number| directory.key_of_damaged(*number)).collect();
    let is_needed = |id: &KeyId| named.as_ref().is_none_or(|named| named.contains(id));
    keyring.key_ids().into_iter().filter(is_needed).map(|id| keys.held(id)).collect()
}

fn broken(error: OpenError) -> SpoolRefused {
    match error {
        OpenError::Io { what, source } => SpoolRefused::Broken(format!("{what}: {source}")),
        other => SpoolRefused::Broken(other.to_string()),
    }
}

/// Runs what blocks on disk on a thread that may.
async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SpoolRefused> + Send + 'static,
) -> Result<T, SpoolRefused> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(SpoolRefused::Broken("a worker thread stopped".into())))
}
