//! Handing the trail on: to an audit repository, a file, a witness of checkpoints.
//!
//! The log is the spool: whoever delivers keeps the number of the last record that arrived,
//! and asks for what comes after it. Beginning is one operation, decided and recorded like
//! any other; the entry stays open while it goes on. Deliberately absent: sockets, files, and
//! any way to ask for what is not the trail.

use std::ops::ControlFlow;

use super::identity::entry_of;
use super::{Entry, OpenEntry, Outcome, Subject};
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
        Ok(TrailDelivery { archive: self.clone(), entry, places: [None; 2] })
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
        let (batch, reached) = blocking(move || read(&archive, record, near, most)).await??;
        self.places = [near, reached.or(near)];
        self.entry.count(batch.items.len() as u64);
        Ok(batch)
    }

    /// Ends in order.
    pub fn end(self) {
        self.entry.close(Outcome::Done);
    }
}

fn read(archive: &Archive, record: u64, near: Option<Place>, most: usize) -> Result<(Batch, Option<Place>), Refused> {
    let inner = &archive.inner;
    let verifier = inner.keyring.checkpoint_key().map_err(|error| Refused::Broken(error.to_string()))?.verifier();
    let mut batch = Batch { items: Vec::new(), upto: record };
    let mut reached = None;
    let walked = inner.log.replay(record + 1, near.map(|(_, location)| location), &mut |view| {
        let sequence = view.header.sequence;
        match view.kind() {
            Some(Kind::Trail) => match entry_of(&inner.keyring, &view) {
                Ok((entry, _)) => batch.items.push(Delivered::Entry(sequence, Box::new(entry))),
                Err(error) => tracing::error!(record = sequence, %error, "a trail entry cannot be handed on"),
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
    Ok((batch, reached))
}
