//! Sending on what waits, over mutual TLS, one modality after the other's own order.
//!
//! Each calling AE title has a task of its own: a title that the archive does not let in holds
//! up no other. An object leaves the spool only on the archive's word. Failures that pass are
//! waited for with growing pauses; what the archive refuses for good is set apart.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use leadglass_archive::spool::{SpoolReader, SpoolRefused, Waiting};
use leadglass_dicom::{AeTitle, Uid};
use leadglass_dimse::AssociationError;
use leadglass_dimse::association::AbortSource;
use leadglass_dimse::message::{CStoreRequest, Priority};
use leadglass_dimse::negotiation::ContextResult;
use leadglass_dimse::scu::{self, ChunkSource};
use leadglass_dimse::status::Status;

use super::config::RemoveAfter;
use super::{Shared, commitment};
use crate::scu::Scu;

/// Objects looked at for one association.
const BATCH: usize = 256;
/// Presentation contexts for objects: one is left for storage commitment.
const MOST_CONTEXTS: usize = 127;

/// Runs a forwarder for each title that is configured or of which something waits.
pub(super) async fn all(shared: Arc<Shared>) {
    let waiting = shared.spool.senders();
    let waiting = waiting.iter().filter_map(|title| AeTitle::parse(title).ok());
    let titles: BTreeSet<String> =
        shared.modalities.titles().cloned().chain(waiting).map(|title| title.to_string()).collect();
    for title in titles.into_iter().filter_map(|title| AeTitle::parse(&title).ok()) {
        shared.tasks.spawn(Forwarder { shared: shared.clone(), ae: title, tries: HashMap::new() }.run());
    }
}

/// Sends on what waits of one title.
struct Forwarder {
    shared: Arc<Shared>,
    ae: AeTitle,
    /// How often an object was tried that the archive answers with a failure that may pass.
    tries: HashMap<u64, u32>,
}

/// What a status means for an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It is where it should be.
    Taken,
    /// The archive has no room at present: it is waited for.
    NotNow,
    /// Something that may pass: tried so many times.
    Again,
    /// Never, as it is.
    Refused,
}

/// Why the present association is of no more use.
#[derive(Debug, thiserror::Error)]
enum Held {
    #[error("{0:#}")]
    NotReached(anyhow::Error),
    #[error("the association ended: {0}")]
    Ended(#[from] AssociationError),
    #[error("the archive answered {0}")]
    NotNow(Status),
    #[error("the archive lets this title store nothing: enrol it with the verb `store`")]
    NotLetIn,
    #[error("{0}")]
    Spool(#[from] SpoolRefused),
    #[error("storage commitment: {0}")]
    NotCommitted(String),
}

impl Forwarder {
    async fn run(mut self) {
        let stop = self.shared.stop.clone();
        let mut arrivals = self.shared.spool.arrivals();
        let longest = Duration::from_secs(self.shared.config.archive.retry_longest_s);
        let first = Duration::from_secs(self.shared.config.archive.retry_first_s);
        let mut pause = first;
        loop {
            arrivals.mark_unchanged();
            let batch = self.shared.spool.waiting(&self.ae, BATCH);
            if batch.is_empty() {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = arrivals.changed() => continue,
                }
            }
            let forwarded = tokio::select! {
                // Dropped half way, an object is sent again after the next start.
                () = stop.cancelled() => return,
                forwarded = self.forward(batch) => forwarded,
            };
            match forwarded {
                Ok(()) => pause = first,
                Err((sent, held)) => {
                    if sent > 0 {
                        pause = first;
                    }
                    tracing::warn!(modality = %self.ae, sent, again_in_s = pause.as_secs(), reason = %held, "objects wait");
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(pause) => {}
                    }
                    pause = (pause * 2).min(longest);
                }
            }
        }
    }

    /// Sends a batch on one association. Says how many were taken before it was held up.
    async fn forward(&mut self, batch: Vec<Waiting>) -> Result<(), (u64, Held)> {
        let (mut association, contexts) = self.associate(&batch).await.map_err(|held| (0, held))?;
        let mut taken = Vec::new();
        let sent = self.send(&mut association, &contexts, &batch, &mut taken).await;
        let settled = self.settle(&mut association, &taken).await;
        let count = taken.len() as u64;
        match sent.and(settled) {
            Ok(()) => {
                let _ = association.release().await;
                tracing::info!(modality = %self.ae, objects = count, "sent on");
                Ok(())
            }
            Err(held) => {
                association.abort(AbortSource::ServiceUser).await;
                Err((count, held))
            }
        }
    }

    /// An association for the classes and transfer syntaxes of a batch, as many as there is
    /// room for, and the id proposed for each.
    async fn associate(&self, batch: &[Waiting]) -> Result<(Scu, HashMap<(String, String), u8>), Held> {
        let mut request = self.shared.upstream.request(&self.ae);
        let mut contexts = HashMap::new();
        for Waiting { sheet, .. } in batch {
            let kind = (sheet.sop_class.clone(), sheet.transfer_syntax.clone());
            if contexts.contains_key(&kind) || contexts.len() == MOST_CONTEXTS {
                continue;
            }
            if let (Ok(class), Ok(syntax)) = (Uid::parse(&kind.0), Uid::parse(&kind.1))
                && let Some(id) = request.propose(&class, &[syntax])
            {
                contexts.insert(kind, id);
            }
        }
        if self.shared.config.archive.remove_after == RemoveAfter::Committed {
            commitment::propose(&mut request).map_err(|error| Held::NotCommitted(error.to_string()))?;
        }
        let association = self.shared.upstream.associate(request).await.map_err(Held::NotReached)?;
        Ok((association, contexts))
    }

    async fn send<'b>(
        &mut self,
        association: &mut Scu,
        contexts: &HashMap<(String, String), u8>,
        batch: &'b [Waiting],
        taken: &mut Vec<&'b Waiting>,
    ) -> Result<(), Held> {
        for waiting in batch {
            let kind = (waiting.sheet.sop_class.clone(), waiting.sheet.transfer_syntax.clone());
            // No room was left for its kind: the next association has it.
            let Some(id) = contexts.get(&kind).copied() else { continue };
            if association.context(id).is_none() {
                self.not_accepted(association, id, waiting).await?;
                continue;
            }
            let status = match self.send_one(association, id, waiting).await {
                Err(Held::Spool(SpoolRefused::NoSuchObject)) => continue,
                Err(Held::Spool(refused @ SpoolRefused::Damaged(_))) => {
                    self.set_apart(waiting, refused.to_string()).await?;
                    return Err(refused.into());
                }
                sent => sent?,
            };
            match Verdict::of(status) {
                Verdict::Taken => taken.push(waiting),
                Verdict::NotNow => return Err(Held::NotNow(status)),
                Verdict::Refused => self.set_apart(waiting, format!("the archive answered {status}")).await?,
                Verdict::Again => {
                    let tries = self.tries.entry(waiting.number).or_default();
                    *tries += 1;
                    if *tries >= self.shared.config.archive.attempts {
                        let reason = format!("the archive answered {status}, {tries} times");
                        self.set_apart(waiting, reason).await?;
                    } else {
                        return Err(Held::NotNow(status));
                    }
                }
            }
        }
        Ok(())
    }

    async fn send_one(&self, association: &mut Scu, context_id: u8, waiting: &Waiting) -> Result<Status, Held> {
        let number = waiting.number;
        let reader = self.shared.spool.read(number).await?;
        let uid = |text: &str| Uid::parse(text).map_err(|_| SpoolRefused::Damaged(number));
        let request = CStoreRequest {
            message_id: association.next_message_id(),
            affected_sop_class: uid(&waiting.sheet.sop_class)?,
            affected_sop_instance: uid(&waiting.sheet.sop_instance)?,
            priority: Priority::Medium,
            move_originator: None,
        };
        match scu::store(association, context_id, &request, Spooled(reader)).await {
            Ok(response) => Ok(response.status),
            Err(AssociationError::Source(error)) if error.kind() == io::ErrorKind::InvalidData => {
                Err(SpoolRefused::Damaged(number).into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The archive accepted the association and not the object's kind.
    async fn not_accepted(&mut self, association: &Scu, id: u8, waiting: &Waiting) -> Result<(), Held> {
        let result = association.refused().iter().find(|(refused, _)| *refused == id).map(|(_, result)| result);
        match result {
            Some(ContextResult::AbstractSyntaxNotSupported | ContextResult::TransferSyntaxesNotSupported) => {
                let reason = format!(
                    "the archive takes no objects of SOP class {} in transfer syntax {}",
                    waiting.sheet.sop_class, waiting.sheet.transfer_syntax
                );
                self.set_apart(waiting, reason).await
            }
            _ => Err(Held::NotLetIn),
        }
    }

    async fn set_apart(&mut self, waiting: &Waiting, reason: String) -> Result<(), Held> {
        tracing::error!(
            modality = %self.ae, object = format!("{:016x}", waiting.number), %reason,
            "an object is set apart: see `leadglass edge spool list`"
        );
        self.tries.remove(&waiting.number);
        Ok(self.shared.spool.set_apart(waiting.number, reason).await?)
    }

    /// Forgets what the archive took: at once, or once it has committed to it.
    async fn settle(&mut self, association: &mut Scu, taken: &[&Waiting]) -> Result<(), Held> {
        if taken.is_empty() {
            return Ok(());
        }
        let mut uncommitted = BTreeSet::new();
        if self.shared.config.archive.remove_after == RemoveAfter::Committed {
            let within = Duration::from_secs(self.shared.config.archive.commitment_s);
            let asked = tokio::time::timeout(within, commitment::ask(association, taken)).await;
            let asked = asked.unwrap_or_else(|_| Err(anyhow::anyhow!("no report within its time")));
            uncommitted = asked.map_err(|error| Held::NotCommitted(format!("{error:#}")))?;
        }
        for waiting in taken {
            if uncommitted.contains(&waiting.sheet.sop_instance) {
                continue;
            }
            self.shared.spool.forget(waiting.number).await?;
            self.tries.remove(&waiting.number);
        }
        match uncommitted.len() {
            0 => Ok(()),
            count => Err(Held::NotCommitted(format!("the archive does not commit to {count} objects"))),
        }
    }
}

impl Verdict {
    /// PS3.4 B.2.3, PS3.7 C.
    fn of(status: Status) -> Verdict {
        match status.0 {
            _ if status.is_done() => Verdict::Taken,
            0xA700..=0xA7FF | 0x0213 => Verdict::NotNow,
            // Not an object's fault: the identifier in use, a fault there, the operation unknown.
            0x0110 | 0x0210 | 0x0211 | 0x0212 => Verdict::Again,
            _ => Verdict::Refused,
        }
    }
}

/// A spooled data set on its way.
struct Spooled(SpoolReader);

impl ChunkSource for Spooled {
    async fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        self.0.next().await.map_err(|refused| match refused {
            SpoolRefused::Damaged(_) => io::ErrorKind::InvalidData.into(),
            other => io::Error::other(other),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_archive_has_leaves_and_only_what_cannot_pass_is_set_apart() {
        for (status, verdict) in [
            (0x0000, Verdict::Taken),
            (0xB000, Verdict::Taken),
            (0xB007, Verdict::Taken),
            (0xA700, Verdict::NotNow),
            (0xA7FF, Verdict::NotNow),
            (0x0213, Verdict::NotNow),
            (0x0110, Verdict::Again),
            (0xA900, Verdict::Refused),
            (0xC000, Verdict::Refused),
            (0xC123, Verdict::Refused),
            (0x0111, Verdict::Refused),
            (0x0122, Verdict::Refused),
            (0x0124, Verdict::Refused),
        ] {
            assert_eq!(Verdict::of(Status(status)), verdict, "{status:04X}");
        }
    }
}
