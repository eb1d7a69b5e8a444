//! The approval queue: what unknown senders sent, neither accepted nor lost.
//!
//! A sender whose certificate is believed, but which with its title is nobody's, may have its
//! objects wait, when that is configured. They lie in a [`spool`](crate::spool) of their own
//! below the data directory, with a keyring of its own and keys of each sender's own: the log
//! has no record of them but in the trail, and the index has none at all, so that no search,
//! retrieval, count or export can come upon them. Somebody accepts what waits of a sender once,
//! makes it a peer, or discards it; what nobody decides on expires.
//!
//! A decision is a record of the log, made before it is carried out, and carried out again after
//! a crash until it is. Deliberately absent: any way of an object into the archive but
//! [`Archive::store`](crate::Archive::store).

mod carry;
mod decide;
mod expire;
mod hold;
mod room;
mod view;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

pub use decide::{Enrolment, TakenIn};
pub use hold::{Arriving, Hold};
pub use view::{HeldObject, HeldSender};

use crate::Refused;
use crate::access::registry::Registry;
use crate::ingest::Memory;
use crate::settings::{OpenError, Settings};
use crate::spool::{Spool, SpoolDirectory, SpoolRefused, SpoolSettings, Waiting};
use crate::trail::{Alert, Event};
use expire::Warnings;
use room::Rooms;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Whether, and how much, waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldSettings {
    /// Whether what unknown senders send waits; they are refused otherwise. What waits
    /// already does so either way.
    pub admits: bool,
    /// How long an object waits before it expires.
    pub expires: Duration,
    /// Most senders of whom something waits.
    pub senders: u64,
    /// Most of these with one certificate, under different titles.
    pub senders_per_certificate: u64,
    /// Most objects of one sender.
    pub objects_per_sender: u64,
    /// Most bytes of one sender's objects.
    pub bytes_per_sender: u64,
    /// Most objects.
    pub objects: u64,
    /// Most bytes, as sealed.
    pub bytes: u64,
    /// Most bytes of memory that objects on their way in hold together. Apart from that of peers'
    /// objects, so that who is nobody takes nothing from who is somebody.
    pub memory_bytes: usize,
}

impl Default for HeldSettings {
    fn default() -> HeldSettings {
        HeldSettings {
            admits: false,
            expires: 30 * DAY,
            senders: 32,
            senders_per_certificate: 4,
            objects_per_sender: 5_000,
            bytes_per_sender: 8 << 30,
            objects: 20_000,
            bytes: 32 << 30,
            memory_bytes: 128 << 20,
        }
    }
}

/// What is decided of what waits of a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// It is taken in; its sender stays unknown.
    Accept,
    /// Its sender is a peer from now on, and it is taken in as that peer's.
    Enrol,
    /// It is destroyed.
    Discard,
    /// The last decision was carried out.
    CarriedOut,
}

/// The queue of an archive.
pub(crate) struct Held {
    settings: HeldSettings,
    /// None as long as nothing waits and nothing may.
    spool: Option<Spool>,
    rooms: Rooms,
    /// What objects on their way in hold.
    memory: Memory,
    /// Files that did not open and were set aside when it was opened.
    set_aside: u64,
    /// Held from a decision until it is carried out, and while what expired is destroyed.
    carrying: Arc<tokio::sync::Mutex<()>>,
    /// Where decisions are carried out, since the first was.
    runtime: OnceLock<tokio::runtime::Handle>,
    /// What was told of what expires soon.
    warnings: Mutex<Warnings>,
    closed: AtomicBool,
}

impl Held {
    /// The queue of that data directory; none is made where nothing may wait. Blocks on disk.
    pub(crate) fn open(settings: &Settings, registry: &Registry) -> Result<Held, OpenError> {
        let data_dir = settings.data_dir.join("held");
        let is_there = SpoolDirectory::of(&data_dir).is_there();
        let limits = settings.held.clone();
        let spool = (limits.admits || is_there).then(|| {
            let scan =
                leadglass_dicom::scan::Limits { data_set_bytes: settings.max_data_set_bytes, ..settings.scan.clone() };
            let settings = SpoolSettings {
                data_dir,
                key_source: settings.key_source.clone(),
                max_bytes: limits.bytes,
                reserve_bytes: settings.reserve_bytes,
                scan,
                clock: settings.clock.clone(),
            };
            // Numbers that a decision was about are never given again.
            let after = registry.all_held().iter().map(|held| held.through).max().unwrap_or_default();
            Spool::open_within(settings, after)
        });
        let (spool, set_aside) = spool.transpose()?.unzip();
        let rooms = Rooms::new(&limits);
        for waiting in spool.iter().flat_map(Spool::all_waiting) {
            let shown = waiting.sheet.shown.as_ref().map(|shown| shown.certificate_sha256.as_str());
            rooms.count(&waiting.sender, shown.unwrap_or_default(), waiting.bytes, waiting.sheet.received_ns);
        }
        if limits.admits {
            registry.hold();
        }
        Ok(Held {
            settings: limits,
            spool,
            rooms,
            memory: Memory::default(),
            set_aside: set_aside.unwrap_or_default(),
            carrying: Default::default(),
            runtime: OnceLock::new(),
            warnings: Default::default(),
            closed: AtomicBool::new(false),
        })
    }

    /// What is to be told of how it was opened.
    pub(crate) fn opening(&self) -> Option<Alert> {
        let said = format!(
            "{} files of the approval queue do not open and are set aside in held/spool (.damaged): the rest goes on \
             without them",
            self.set_aside
        );
        (self.set_aside > 0).then(|| Alert::of(Event::IntegrityBroken).saying(said))
    }

    /// The archive is closed: nothing comes in or goes any more.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Unknown senders of whom something waits.
    pub(crate) fn senders(&self) -> u64 {
        let senders = self.spool.iter().flat_map(Spool::all_waiting).map(|waiting| waiting.sender);
        senders.collect::<BTreeSet<_>>().len() as u64
    }

    /// Gives back the room of those of these objects that wait no more, however far it came.
    fn give_back(&self, spool: &Spool, sender: &str, over: &[Waiting]) {
        let gone = over.iter().filter(|one| spool.bytes_of(one.number).is_none());
        let (objects, bytes) = gone.fold((0, 0), |(objects, bytes), one| (objects + 1, bytes + one.bytes));
        self.rooms.leave(sender, objects, bytes);
    }

    /// What waits.
    fn spool(&self) -> Result<&Spool, Refused> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Refused::ReadOnly("the archive is closed".into()));
        }
        self.spool.as_ref().ok_or(Refused::NotFound)
    }
}

/// What went wrong with the queue, as callers are told.
fn spool_failed(refused: &SpoolRefused) -> Refused {
    match refused {
        SpoolRefused::Full(_) => Refused::OutOfResources(refused.to_string()),
        SpoolRefused::Poisoned => Refused::ReadOnly(refused.to_string()),
        SpoolRefused::NoSuchObject => Refused::NotFound,
        SpoolRefused::Damaged(_) => Refused::Damaged(refused.to_string()),
        SpoolRefused::CannotUnderstand(_) | SpoolRefused::DoesNotMatch(_) => Refused::Invalid(refused.to_string()),
        SpoolRefused::Broken(_) => Refused::Broken(refused.to_string()),
    }
}
