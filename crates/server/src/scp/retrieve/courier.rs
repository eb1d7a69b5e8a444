//! Carries instances to a C-MOVE destination: associations opened as they are needed, each
//! with the contexts of the instances it is for.

use leadglass_archive::administer::Peer;
use leadglass_archive::retrieve::{Retrieval, StoredInstance};
use leadglass_dicom::{AeTitle, Encoding, TransferSyntax, Uid};
use leadglass_dimse::AssociationError;
use leadglass_dimse::association::AbortSource;

use super::sub_operation::{Outcome, SubOperation, context_for};
use crate::host::Host;
use crate::scp::outbound::{self, MAX_CONTEXTS, Outbound};

/// Associations in a row that may fail before the rest is given up.
const MAX_FAILURES: u32 = 2;

/// An abstract syntax with its transfer syntaxes.
type Context = (Uid, Vec<Uid>);

/// A courier to one destination.
pub struct Courier<'a> {
    host: &'a Host,
    peer: Peer,
    originator: (AeTitle, u16),
    /// The contexts of each association, and how many instances it is for.
    batches: std::vec::IntoIter<(Vec<Context>, usize)>,
    contexts: Vec<Context>,
    left_in_batch: usize,
    association: Option<Outbound>,
    failures: u32,
}

impl<'a> Courier<'a> {
    /// A courier for these instances, in their order.
    pub fn new(host: &'a Host, peer: Peer, originator: (AeTitle, u16), instances: &[StoredInstance]) -> Courier<'a> {
        let batches = batches(instances).into_iter();
        let (contexts, left_in_batch) = (Vec::new(), 0);
        Courier { host, peer, originator, batches, contexts, left_in_batch, association: None, failures: 0 }
    }

    /// Delivers the next instance.
    pub async fn deliver(&mut self, retrieval: &Retrieval, instance: &StoredInstance) -> Outcome {
        if self.left_in_batch == 0 {
            self.leave().await;
            (self.contexts, self.left_in_batch) = self.batches.next().unwrap_or_default();
        }
        self.left_in_batch = self.left_in_batch.saturating_sub(1);
        let Some(mut association) = self.associated().await else {
            return Outcome::Failed;
        };
        let Some(context) = context_for(instance, association.contexts()) else {
            self.association = Some(association);
            return Outcome::Failed;
        };
        let sub_operation = SubOperation { context, originator: Some(self.originator.clone()) };
        match sub_operation.store(&mut association, retrieval, instance, &mut Vec::new()).await {
            Ok(outcome) => {
                self.failures = 0;
                self.association = Some(association);
                outcome
            }
            Err(error) => {
                tracing::info!(%error, "a C-MOVE destination failed");
                self.failures += 1;
                if matches!(error, AssociationError::Source(_) | AssociationError::PeerMisbehaved(_)) {
                    association.abort(AbortSource::ServiceUser).await;
                }
                Outcome::Failed
            }
        }
    }

    /// Releases the association.
    pub async fn leave(&mut self) {
        if let Some(association) = self.association.take()
            && let Err(error) = association.release().await
        {
            tracing::info!(%error, "a C-MOVE destination did not release");
        }
    }

    async fn associated(&mut self) -> Option<Outbound> {
        if self.association.is_some() {
            return self.association.take();
        }
        if self.failures >= MAX_FAILURES {
            return None;
        }
        match outbound::associate(self.host, &self.peer, self.contexts.clone(), Vec::new()).await {
            Ok(association) => Some(association),
            Err(error) => {
                tracing::info!(error = %anyhow::Error::new(error), "a C-MOVE destination is not reached");
                self.failures = MAX_FAILURES;
                None
            }
        }
    }
}

/// Groups instances so that the contexts of each group fit one association: for each SOP
/// class the syntaxes its instances are kept in, and the plain ones where they convert.
fn batches(instances: &[StoredInstance]) -> Vec<(Vec<Context>, usize)> {
    let mut batches: Vec<(Vec<Context>, usize)> = Vec::new();
    for instance in instances {
        let wanted = contexts_of(instance);
        let fits = batches.last().is_some_and(|(contexts, _)| {
            contexts.len() + wanted.iter().filter(|context| !contexts.contains(context)).count() <= MAX_CONTEXTS
        });
        if !fits {
            batches.push((Vec::new(), 0));
        }
        if let Some((contexts, count)) = batches.last_mut() {
            contexts.extend(wanted.into_iter().filter(|context| !contexts.contains(context)).collect::<Vec<_>>());
            *count += 1;
        }
    }
    batches
}

fn contexts_of(instance: &StoredInstance) -> Vec<Context> {
    let sop_class = instance.sop_class.as_uid();
    let mut contexts = vec![(sop_class.clone(), vec![instance.transfer_syntax.uid().clone()])];
    if instance.transfer_syntax.is_native() {
        let plain = [Encoding::ExplicitLittleEndian, Encoding::ImplicitLittleEndian];
        let plain = plain.map(|encoding| TransferSyntax::of_encoding(encoding).uid().clone());
        contexts.push((sop_class.clone(), plain.to_vec()));
    }
    contexts
}

#[cfg(test)]
mod tests {
    use super::*;
    use leadglass_dicom::{SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid};

    fn instance(class: usize, syntax: &str) -> StoredInstance {
        StoredInstance {
            study: StudyInstanceUid::parse("1.2").unwrap(),
            series: SeriesInstanceUid::parse("1.3").unwrap(),
            sop_instance: SopInstanceUid::parse("1.4").unwrap(),
            sop_class: SopClassUid::parse(&format!("1.5.{class}")).unwrap(),
            transfer_syntax: TransferSyntax::from_uid(Uid::parse(syntax).unwrap()),
            data_set_bytes: 0,
            digest: [0; 32],
            frames: 0,
        }
    }

    #[test]
    fn many_instances_of_one_class_need_two_contexts() {
        let instances: Vec<_> = (0..500).map(|_| instance(1, "1.2.840.10008.1.2")).collect();
        let batches = batches(&instances);
        assert_eq!(batches.len(), 1);
        assert_eq!((batches[0].0.len(), batches[0].1), (2, 500));
    }

    #[test]
    fn more_contexts_than_an_association_holds_are_split() {
        let instances: Vec<_> = (0..300).map(|class| instance(class, "1.2.840.10008.1.2.4.70")).collect();
        let counts: Vec<usize> = batches(&instances).iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [128, 128, 44]);
    }
}
