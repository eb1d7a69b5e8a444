//! The instances of one request: each opened at the archive, finished beside the reading of
//! the next, and remembered in the order they came.

use leadglass_archive::store::{Incoming, StoreRefused, Stored};
use leadglass_archive::{Caller, Refused};
use leadglass_dicom::TransferSyntax;
use tokio::task::JoinSet;

use super::ExpectedStudy;
use super::arrival::Arrival;
use super::outcome::{Failure, FailureReason, Outcome};
use crate::metrics::WEB;
use crate::web::{Problem, WebState};

/// The instances of a request.
pub struct Instances {
    state: WebState,
    caller: Caller,
    study: ExpectedStudy,
    outcomes: Vec<Option<Outcome>>,
    finishing: JoinSet<(usize, Failure, Result<Stored, StoreRefused>)>,
}

impl Instances {
    /// For a request of that caller, into that study if it named one.
    pub fn new(state: WebState, caller: Caller, study: ExpectedStudy) -> Instances {
        Instances { state, caller, study, outcomes: Vec::new(), finishing: JoinSet::new() }
    }

    /// Opens the way for one instance. A caller that may not store at all ends the request
    /// here, before the rest of it is read.
    pub async fn open(&self, transfer_syntax: TransferSyntax) -> Result<Result<Arrival, FailureReason>, Problem> {
        let incoming = Incoming { transfer_syntax, announced: None, expected_study: self.study.clone() };
        match self.state.archive().store(&self.caller, incoming).await {
            Ok(ingest) => Ok(Ok(Arrival::new(ingest))),
            Err(Refused::NotAllowed) => Err(Refused::NotAllowed.into()),
            Err(refused) => Ok(Err((&StoreRefused::Refused(refused)).into())),
        }
    }

    /// Makes an instance durable while the caller goes on; waits first when enough of them
    /// are under way. `names` is what a failure will be called.
    pub async fn finish(&mut self, ingest: Arrival, names: Failure) -> Result<(), Problem> {
        while self.finishing.len() >= self.state.limits().stores_in_flight {
            self.note_finished().await?;
        }
        let place = self.outcomes.len();
        self.outcomes.push(None);
        self.finishing.spawn(async move { (place, names, ingest.finish().await) });
        Ok(())
    }

    /// Remembers an instance that was not stored.
    pub fn failed(&mut self, failure: Failure) {
        self.outcomes.push(Some(Err(failure)));
    }

    /// What became of all, in the order they came.
    pub async fn outcomes(mut self) -> Result<Vec<Outcome>, Problem> {
        while !self.finishing.is_empty() {
            self.note_finished().await?;
        }
        Ok(self.outcomes.into_iter().flatten().collect())
    }

    /// The log line of one object.
    fn note(&self, result: &Result<Stored, StoreRefused>) {
        if tracing::enabled!(tracing::Level::DEBUG) {
            let caller = self.caller.name();
            let (study, outcome) = match result {
                Ok(stored) => (self.state.study_names().name(&stored.study), format!("{:?}", stored.outcome)),
                Err(refused) => ("-".to_owned(), format!("{:?}", FailureReason::from(refused))),
            };
            tracing::debug!(door = WEB, caller, study, outcome, "object");
        }
    }

    async fn note_finished(&mut self) -> Result<(), Problem> {
        let Some(finished) = self.finishing.join_next().await else { return Ok(()) };
        let (place, names, result) = finished.map_err(Problem::internal)?;
        self.note(&result);
        let outcome = result.map_err(|refused| {
            tracing::info!(%refused, "an instance was not stored");
            Failure { reason: (&refused).into(), ..names }
        });
        if let Some(slot) = self.outcomes.get_mut(place) {
            *slot = Some(outcome);
        }
        Ok(())
    }
}
