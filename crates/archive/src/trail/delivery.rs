//! Handing the trail on: to an audit repository, a file, a witness of checkpoints.
//!
//! The log is the spool: whoever delivers keeps the number of the last record that arrived,
//! and asks for what comes after it. Beginning is one operation, decided and recorded like
//! any other; the entry stays open while it goes on. What cannot be read is handed on as that,
//! and an alarm: whoever damages the trail takes nothing out of what others hold unseen.
//! Deliberately absent: sockets, files, and any way to ask for what is not the trail.

use std::ops::ControlFlow;

use super::identity::entry_of;
use super::{Alert, Entry, Event, OpenEntry, Outcome, Subject};
use crate::access::decide::Request;
use crate::log::{Checkpoint, Kind, Location};
use crate::{Archive, Caller, Operation, Refused, blocking, log_failed};

/// Records looked at in one go, most of them no entries.
const MOST_RECORDS: u64 = 50_000;

/// The request to hand the trail on.
struct DeliverTrail {
    destination: String,
}

impl Request for DeliverTrail {
    const OPERATION: Operation = Operation::DeliverTrail;

    fn subject(&self) -> Subject {
        Subject { detail: Some(self.destination.clone()), ..Subject::default() }
    }
}

/// Something to hand on, with the number of its record.
#[derive(Clone, Debug)]
pub enum Delivered {
    /// An entry, as its record has it: one that was begun is followed by the one that closes it.
    Entry(u64, Box<Entry>),
    /// A signed checkpoint.
    Checkpoint(u64, Checkpoint),
}

/// What came after a record.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// In the order of the log.
    pub items: Vec<Delivered>,
    /// The last record looked at: what was asked about, when there is nothing after it.
    pub upto: u64,
}

/// A delivery under way. Dropped, its entry says that it was interrupted.
pub struct TrailDelivery {
    archive: Archive,
    entry: OpenEntry,
    destination: String,
    /// The last record of which it was told that it cannot be read.
    told: u64,
    /// Where the last reading began and ended: what did not arrive is asked for again.
    places: [Option<Place>; 2],
}

/// A record and where it is.
type Place = (u64, Location);

impl Archive {
    /// Begins to hand the trail on to the destination of that (configured) name.
    ///
    /// # Errors
    /// Only those of every operation.
    pub async fn deliver_trail(&self, caller: &Caller, destination: &str) -> Result<TrailDelivery, Refused> {
        let request = DeliverTrail { destination: destination.to_owned() };
        let (_, entry) = self.begin(caller, request).await?;
        let destination = destination.to_owned();
        Ok(TrailDelivery { archive: self.clone(), entry, destination, told: 0, places: [None; 2] })
    }
}

impl TrailDelivery {
    /// At most so many entries and checkpoints after that record.
    ///
    /// # Errors
    /// [`Refused::Damaged`] when the log cannot be read.
    pub async fn after(&mut self, record: u64, most: usize) -> Result<Batch, Refused> {
        let before = |place: &Place| place.0 <= record;
        let near = self.places.into_iter().flatten().filter(before).max_by_key(|place| place.0);
        let archive = self.archive.clone();
        let Reading { batch, reached, unreadable } = blocking(move || read(&archive, record, near, most)).await??;
        self.places = [near, reached.or(near)];
        if let Some((last, said)) = unreadable.filter(|(last, _)| *last > self.told) {
            self.told = last;
            self.archive.alert(broken(&said));
        }
        self.entry.count(batch.items.len() as u64);
        Ok(batch)
    }

    /// How far a destination has got, to be kept outside of the log: nobody else can write one,
    /// nor take another's.
    pub fn place(&self, record: u64, sent: u64) -> String {
        let tag = self.archive.inner.keyring.note_tag(&self.note(record, sent));
        format!("{record} {sent} {}\n", hex::encode(tag))
    }

    /// What such a note says; `None` for one that was not written here for this destination, or
    /// is of more records than the log has.
    pub fn placed(&self, text: &str) -> Option<(u64, u64)> {
        let mut words = text.split_ascii_whitespace();
        let (record, sent) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let tag = hex::decode(words.next()?).ok()?;
        let ours = self.archive.inner.keyring.note_tag(&self.note(record, sent));
        let is_ours = aws_lc_rs::constant_time::verify_slices_are_equal(&ours, &tag).is_ok();
        (is_ours && record <= self.archive.inner.log.last_sequence()).then_some((record, sent))
    }

    fn note(&self, record: u64, sent: u64) -> Vec<u8> {
        [&record.to_be_bytes(), &sent.to_be_bytes(), self.destination.as_bytes()].concat()
    }

    /// Ends in order.
    pub fn end(self) {
        self.entry.close(Outcome::Done);
    }
}

/// What came of a look into the log.
struct Reading {
    batch: Batch,
    reached: Option<Place>,
    /// The last record that cannot be read, and what is to be said of it.
    unreadable: Option<(u64, String)>,
}

fn read(archive: &Archive, record: u64, near: Option<Place>, most: usize) -> Result<Reading, Refused> {
    let inner = &archive.inner;
    let verifier = inner.keyring.checkpoint_key().map_err(|error| Refused::Broken(error.to_string()))?.verifier();
    let mut batch = Batch { items: Vec::new(), upto: record };
    let (mut reached, mut unreadable) = (None, None);
    let now_ns = archive.now_ns();
    let mut lost = |items: &mut Vec<Delivered>, sequence: u64, said: String| {
        tracing::error!(record = sequence, said, "a part of the trail cannot be handed on");
        items.push(Delivered::Entry(sequence, Box::new(broken(&said).into_entry(now_ns))));
        unreadable = Some((sequence, said));
    };
    let walked = inner.log.replay(record + 1, near.map(|(_, location)| location), &mut |view| {
        let sequence = view.header.sequence;
        let expected = batch.upto + 1;
        if sequence > expected {
            lost(&mut batch.items, sequence - 1, format!("records {expected} to {} cannot be read", sequence - 1));
        }
        match view.kind() {
            Some(Kind::Trail) => match entry_of(&inner.keyring, &view) {
                Ok((entry, _)) => batch.items.push(Delivered::Entry(sequence, Box::new(entry))),
                Err(_) => {
                    let leaf = hex::encode(view.header.leaf);
                    lost(&mut batch.items, sequence, format!("entry {sequence} cannot be read; its leaf is {leaf}"));
                }
            },
            Some(Kind::Checkpoint) => {
                let note = view.checkpoint_note().and_then(|note| verifier.open(&note).ok());
                batch.items.extend(note.map(|checkpoint| Delivered::Checkpoint(sequence, checkpoint)));
            }
            _ => {}
        }
        (batch.upto, reached) = (sequence, Some((sequence, view.location)));
        let full = batch.items.len() >= most || sequence - record >= MOST_RECORDS;
        if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    walked.map_err(|error| log_failed(&error))?;
    Ok(Reading { batch, reached, unreadable })
}

fn broken(said: &str) -> Alert {
    Alert::of(Event::IntegrityBroken).ended(Outcome::Failed).saying(said)
}
