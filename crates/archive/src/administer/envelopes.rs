//! Envelopes: set for a caller, listed, and begun anew when somebody was held with good reason.

use crate::access::requests;
use crate::brake::Envelope;
use crate::change::Change;
use crate::{Archive, Caller, Refused};

use super::checked_name;

/// Most of anything an envelope may allow: a number, not the absence of one.
const MOST: u64 = 1 << 50;

/// A caller's envelope that was set.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SetEnvelope {
    /// AE title, token's name, user's name.
    pub caller: String,
    /// What it may do.
    #[serde(flatten)]
    pub envelope: Envelope,
}

impl Archive {
    /// Sets a caller's envelope, by the name the trail knows it under; none goes back to what
    /// kind and habit leave.
    ///
    /// # Errors
    /// [`Refused::Invalid`] for hours that are no part of a day, or a number without measure,
    /// [`Refused::NotAllowed`] for one's own.
    pub async fn set_envelope(&self, caller: &Caller, of: &str, envelope: Option<Envelope>) -> Result<(), Refused> {
        let request = requests::SetEnvelope { of: of.to_owned(), envelope };
        self.perform_change(caller, request, async |granted| {
            let of = checked_name(&granted.request().of)?;
            if caller.is_called(&of) {
                return Err(Refused::NotAllowed);
            }
            let envelope = granted.request().envelope;
            if envelope.and_then(|envelope| envelope.hours).is_some_and(|hours| !hours.is_possible()) {
                return Err(Refused::Invalid("hours are from 0 to 23 and to 0 to 24, not the same".into()));
            }
            let numbers = envelope.map(|envelope| {
                let Envelope {
                    patients_opened_an_hour,
                    patients_listed_an_hour,
                    bytes_an_hour,
                    new_patients_a_day,
                    ..
                } = envelope;
                [patients_opened_an_hour, patients_listed_an_hour, bytes_an_hour, new_patients_a_day]
            });
            if numbers.into_iter().flatten().any(|number| number > MOST) {
                return Err(Refused::Invalid(format!("an envelope's numbers end at {MOST}")));
            }
            Ok((Some(Change::EnvelopeSet { caller: of, envelope }), ()))
        })
        .await
    }

    /// The envelopes that were set.
    ///
    /// # Errors
    /// Only those of every operation: not allowed, or no trail.
    pub async fn envelopes(&self, caller: &Caller) -> Result<Vec<SetEnvelope>, Refused> {
        self.perform(caller, requests::ListEnvelopes, async |_| Ok(self.inner.registry.envelopes())).await
    }

    /// Lets a caller begin anew that was held: what it took so far is no longer counted.
    ///
    /// # Errors
    /// [`Refused::NotAllowed`] also for whoever would release themselves.
    pub async fn release_brake(&self, caller: &Caller, of: &str) -> Result<(), Refused> {
        self.perform_change(caller, requests::ReleaseBrake { of: of.to_owned() }, async |granted| {
            match caller.is_called(&granted.request().of) {
                true => Err(Refused::NotAllowed),
                false => Ok((None, ())),
            }
        })
        .await?;
        self.inner.brake.release(of);
        Ok(())
    }
}
