//! Reviews: what somebody other than who did it has to look at, until it is closed.
//!
//! Break-glass, an envelope that was exceeded, a canary that was touched. Each is opened with
//! its entry in the trail and nags until it is closed with a reason.

use crate::access::requests;
use crate::change::{Change, ReviewFact};
use crate::trail::Alert;
use crate::{Archive, Caller, Refused};

use super::{no_randomness, rfc3339};

/// Shortest reason in characters.
const SHORTEST_REASON: usize = 10;
/// Longest.
const LONGEST_REASON: usize = 1_000;

/// Why a review was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Alarm {
    /// Somebody took a patient in an emergency.
    BreakGlass,
    /// A caller went beyond its envelope.
    Envelope,
    /// A canary patient was touched.
    Canary,
    /// Somebody who knows the first factor guesses at the second.
    SecondFactor,
}

/// Something to look at.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Review {
    /// Its number, as text.
    pub id: String,
    /// Why it was opened.
    pub alarm: Alarm,
    /// When, RFC 3339.
    pub opened: String,
    /// Who brought it about.
    pub caller: String,
    /// About which patient.
    pub patient_id: Option<String>,
    /// In words.
    pub detail: String,
    /// Who closed it, when and why.
    pub closed: Option<Closed>,
}

/// How a review ended.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Closed {
    /// Who.
    pub by: String,
    /// When, RFC 3339.
    pub at: String,
    /// What they found.
    pub reason: String,
}

impl Archive {
    /// Reviews, those still open first, newest first.
    ///
    /// # Errors
    /// Only those of every operation: not allowed, or no trail.
    pub async fn reviews(&self, caller: &Caller) -> Result<Vec<Review>, Refused> {
        self.perform(caller, requests::ReadReviews, async |_| {
            let mut reviews: Vec<Review> = self.inner.registry.reviews().into_iter().map(Review::from).collect();
            reviews.sort_by(|a, b| (a.closed.is_some(), &b.opened, &b.id).cmp(&(b.closed.is_some(), &a.opened, &a.id)));
            Ok(reviews)
        })
        .await
    }

    /// Closes a review with what was found.
    ///
    /// # Errors
    /// [`Refused::NotFound`] for one that is not open, [`Refused::NotAllowed`] for whoever
    /// brought it about, [`Refused::Invalid`] for a reason that says nothing.
    pub async fn close_review(&self, caller: &Caller, id: &str, reason: &str) -> Result<(), Refused> {
        let request = requests::CloseReview { id: id.to_owned(), reason: reason.to_owned() };
        self.perform_change(caller, request, async |granted| {
            let requests::CloseReview { id, reason } = granted.request();
            let reason = checked_reason(reason)?;
            let review = self.inner.registry.review(id).filter(|review| review.closed.is_none());
            let mut review = review.ok_or(Refused::NotFound)?;
            if caller.is_called(&review.caller) {
                return Err(Refused::NotAllowed);
            }
            let at = rfc3339(self.inner.clock.now());
            review.closed = Some(Closed { by: caller.identity().to_owned(), at, reason });
            Ok((Some(Change::ReviewSet { review }), ()))
        })
        .await
    }

    /// Opens a review, with the entry of its alert. What cannot be written is logged: it must
    /// not keep anybody from being refused.
    pub(crate) async fn raise(
        &self,
        alarm: Alarm,
        caller: &Caller,
        patient_id: Option<String>,
        detail: &str,
        alert: Alert,
    ) {
        let review = match self.new_review(alarm, caller, patient_id, detail) {
            Ok(review) => review,
            Err(error) => return tracing::error!(%error, "a review could not be opened"),
        };
        self.put_review(review, alert).await;
    }

    /// Writes a review and the entry of its alert as one.
    pub(crate) async fn put_review(&self, review: ReviewFact, alert: Alert) {
        let entry = alert.into_entry(self.now_ns());
        if let Err(error) = self.inner.committer.change_of_ours(Change::ReviewSet { review }, entry).await {
            tracing::error!(%error, "a review could not be opened");
        }
    }

    /// A review of now, open.
    pub(crate) fn new_review(
        &self,
        alarm: Alarm,
        caller: &Caller,
        patient_id: Option<String>,
        detail: &str,
    ) -> Result<ReviewFact, Refused> {
        let mut number = [0; 8];
        aws_lc_rs::rand::fill(&mut number).map_err(|_| no_randomness())?;
        Ok(ReviewFact {
            id: hex::encode(number),
            alarm,
            opened: rfc3339(self.inner.clock.now()),
            caller: caller.identity().to_owned(),
            patient_id,
            detail: detail.to_owned(),
            closed: None,
        })
    }

    /// How many reviews wait for somebody.
    pub fn open_reviews(&self) -> usize {
        self.inner.registry.reviews().iter().filter(|review| review.closed.is_none()).count()
    }
}

/// A reason that says something.
pub(crate) fn checked_reason(reason: &str) -> Result<String, Refused> {
    let reason = reason.trim();
    let length = reason.chars().count();
    if !(SHORTEST_REASON..=LONGEST_REASON).contains(&length) || reason.chars().any(char::is_control) {
        let bounds = format!("{SHORTEST_REASON} to {LONGEST_REASON}");
        return Err(Refused::Invalid(format!("a reason has {bounds} printable characters")));
    }
    Ok(reason.to_owned())
}

impl From<ReviewFact> for Review {
    fn from(fact: ReviewFact) -> Review {
        let ReviewFact { id, alarm, opened, caller, patient_id, detail, closed } = fact;
        Review { id, alarm, opened, caller, patient_id, detail, closed }
    }
}
