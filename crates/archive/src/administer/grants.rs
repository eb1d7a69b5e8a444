//! Rights for a time: a study shared with somebody, a patient taken in an emergency.
//!
//! A grant adds one right to one user and ends by itself. Break-glass is a grant with a reason
//! that somebody else has to review; the privacy officer's queue and the trail know of it
//! before the first image is seen.

use std::sync::Arc;
use std::time::Duration;

use leadglass_dicom::StudyInstanceUid;
use time::OffsetDateTime;
use tokio::sync::MutexGuard;

use crate::access::{GrantedScope, Restriction, Right, Role, Scope, requests};
use crate::change::{Change, GrantFact};
use crate::index::Index;
use crate::trail::{Alert, Event, Subject};
use crate::{Archive, Caller, Operation, Refused, Selection, look_up};

use super::reviews::{Alarm, checked_reason};
use super::{LONGEST_NAME, no_randomness};

/// The longest a patient may be taken in an emergency.
const LONGEST_EMERGENCY: Duration = Duration::from_secs(60 * 60);
/// The longest a study may be shared.
const LONGEST_SHARE: Duration = Duration::from_secs(30 * 24 * 3600);
/// Grants of one user that live at once.
const MOST: usize = 1_000;
/// Patients that one user has taken in emergencies at once.
const MOST_EMERGENCIES: usize = 5;

/// Why a user holds a grant.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ground {
    /// Somebody who reaches the study shares it. It ends with them.
    Share {
        /// Their login name.
        by: String,
    },
    /// An emergency.
    BreakGlass {
        /// In the user's own words.
        reason: String,
    },
}

/// What a person holds and gave for a time, and what they may take and give.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct OwnGrants {
    /// Whether they may take a patient in an emergency.
    pub may_break_glass: bool,
    /// Whether they may share studies.
    pub may_share: bool,
    /// Emergencies of theirs that live.
    pub emergencies: Vec<Grant>,
    /// What they share.
    pub given: Vec<Grant>,
    /// What is shared with them.
    pub received: Vec<Grant>,
}

/// A right of a user for a time.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Grant {
    /// Its number, as text.
    pub id: String,
    /// Whose.
    pub user: String,
    /// What it allows, over what, until when.
    pub right: Right,
    /// Why.
    pub ground: Ground,
    /// Whether it was ended before its time.
    pub ended: bool,
}

impl Archive {
    /// Takes one patient in an emergency: for so many minutes, 60 at most, the user may find
    /// and see that patient's studies, restricted ones too. Durable on the trail and in the
    /// review queue when this returns; what takes alerts elsewhere follows the trail, and has it
    /// some seconds later where it can be reached.
    ///
    /// # Errors
    /// [`Refused::Invalid`] for a reason of less than ten characters or more than an hour,
    /// [`Refused::NotAllowed`] for whoever is no person with that right.
    pub async fn break_glass(
        &self,
        caller: &Caller,
        patient_id: &str,
        reason: &str,
        lifetime: Duration,
    ) -> Result<Grant, Refused> {
        let (patient_id, reason) = (patient_id.to_owned(), reason.to_owned());
        self.perform_change(caller, requests::BreakGlass { patient_id, reason, lifetime }, async |granted| {
            let requests::BreakGlass { patient_id, reason, lifetime } = granted.request();
            // A person who is there, not a program of theirs.
            let user = caller.user().filter(|_| caller.has_session()).ok_or(Refused::NotAllowed)?;
            let reason = checked_reason(reason)?;
            let plain = patient_id.chars().all(|c| !c.is_control() && c != '\\');
            if !(1..=LONGEST_NAME).contains(&patient_id.chars().count()) || !plain || patient_id.trim() != patient_id {
                return Err(Refused::Invalid("a Patient ID has 1 to 64 printable characters".into()));
            }
            if lifetime.is_zero() || *lifetime > LONGEST_EMERGENCY {
                return Err(Refused::Invalid("an emergency lasts a minute at least and an hour at most".into()));
            }
            let scope =
                Scope { patient_ids: vec![patient_id.clone()], cleared: Restriction::ALL.to_vec(), ..Scope::default() };
            let review = self.new_review(Alarm::BreakGlass, caller, Some(patient_id.clone()), &reason)?;
            let grant = self.new_grant(user, scope, *lifetime, Ground::BreakGlass { reason })?;
            Ok((Some(Change::GlassBroken { grant: grant.clone(), review }), Grant::from(grant)))
        })
        .await
    }

    /// Shares a study that the caller reaches with a user, for 30 days at most. What is
    /// restricted stays so for whoever is not cleared.
    ///
    /// # Errors
    /// [`Refused::NotFound`] for a study that is not wholly in the caller's reach or a user that is
    /// not there, [`Refused::NotAllowed`] for whoever is no person.
    pub async fn share(
        &self,
        caller: &Caller,
        study: &StudyInstanceUid,
        with: &str,
        lifetime: Duration,
    ) -> Result<Grant, Refused> {
        let request = requests::Share { study: study.clone(), with: with.to_owned(), lifetime };
        self.perform_change(caller, request, async |granted| {
            let requests::Share { study, with, lifetime } = granted.request();
            if lifetime.is_zero() || *lifetime > LONGEST_SHARE {
                return Err(Refused::Invalid("a study is shared for a minute at least and 30 days at most".into()));
            }
            let by = caller.user().filter(|_| caller.has_session()).ok_or(Refused::NotAllowed)?.to_owned();
            let user = self.inner.registry.user(with).filter(|user| user.disabled.is_none());
            let user = user.ok_or(Refused::NotFound)?;
            if user.name == by {
                return Err(Refused::Invalid("a study is shared with somebody else".into()));
            }
            if !self.reaches_all_of(study, granted.scope().clone()).await? {
                return Err(Refused::NotFound);
            }
            let scope = Scope { studies: vec![study.to_string()], ..Scope::default() };
            let grant = self.new_grant(&user.name, scope, *lifetime, Ground::Share { by })?;
            Ok((Some(Change::GrantSet { grant: grant.clone() }), Grant::from(grant)))
        })
        .await
    }

    /// Ends a grant before its time.
    ///
    /// # Errors
    /// [`Refused::NotFound`] for one that does not live.
    pub async fn end_grant(&self, caller: &Caller, id: &str) -> Result<(), Refused> {
        self.perform_change(caller, requests::EndGrant { id: id.to_owned() }, async |granted| {
            self.with_end(&granted.request().id, |_| true)
        })
        .await
    }

    /// Ends an emergency of the caller's own, or what they share, before its time.
    ///
    /// # Errors
    /// [`Refused::NotFound`] for one that does not live or that is another's,
    /// [`Refused::NotAllowed`] for whoever is no person with a session and the factors they need.
    pub async fn end_own_grant(&self, caller: &Caller, id: &str) -> Result<(), Refused> {
        let request = requests::ChangeAccount { what: format!("grant {id} ended") };
        self.perform_change(caller, request, async |_| {
            let user = caller.user().filter(|_| caller.has_session()).ok_or(Refused::NotAllowed)?;
            if self.owes_second_factor(caller)? {
                return Err(Refused::NotAllowed);
            }
            self.with_end(id, |grant| match &grant.ground {
                Ground::BreakGlass { .. } => grant.user == user,
                Ground::Share { by } => by == user,
            })
        })
        .await
    }

    /// The caller's own grants that live, the newest end last; none before they have shown the
    /// factors they need.
    ///
    /// # Errors
    /// [`Refused::NotAllowed`] for whoever is no person with a session.
    pub async fn own_grants(&self, caller: &Caller) -> Result<OwnGrants, Refused> {
        self.perform(caller, requests::ReadAccount, async |_| {
            let user = caller.user().filter(|_| caller.has_session()).ok_or(Refused::NotAllowed)?;
            if self.owes_second_factor(caller)? {
                return Ok(OwnGrants::default());
            }
            let may = |operation| caller.may(operation);
            let (may_break_glass, may_share) = (may(Operation::BreakGlass), may(Operation::Share));
            let mut own = OwnGrants { may_break_glass, may_share, ..OwnGrants::default() };
            for grant in self.living_grants() {
                match &grant.ground {
                    Ground::BreakGlass { .. } if grant.user == user && may_break_glass => own.emergencies.push(grant),
                    Ground::Share { by } if by == user => own.given.push(grant),
                    Ground::Share { by } if grant.user == user && self.is_enabled(by) => own.received.push(grant),
                    _ => {}
                }
            }
            Ok(own)
        })
        .await
    }

    /// Grants that live, the newest end last.
    ///
    /// # Errors
    /// Only those of every operation: not allowed, or no trail.
    pub async fn grants(&self, caller: &Caller) -> Result<Vec<Grant>, Refused> {
        self.perform(caller, requests::ListGrants, async |_| Ok(self.living_grants())).await
    }

    /// Ends the emergencies that are over, or whose user may no longer take one: each once, also
    /// when that was while the archive was down, and for good.
    pub(crate) async fn end_emergencies(&self, _one_at_a_time: MutexGuard<'_, ()>) {
        for mut grant in self.inner.registry.emergencies_over(self.inner.clock.now()) {
            grant.ended = true;
            let entry = emergency_over(&grant).into_entry(self.now_ns());
            if let Err(error) = self.inner.committer.change_of_ours(Change::GrantSet { grant }, entry).await {
                return tracing::warn!(%error, "that an emergency is over is not on the trail yet");
            }
        }
    }

    fn living_grants(&self) -> Vec<Grant> {
        let mut grants = self.inner.registry.grants(self.inner.clock.now());
        grants.sort_by(|a, b| (a.right.until, &a.id).cmp(&(b.right.until, &b.id)));
        grants.into_iter().map(Grant::from).collect()
    }

    /// The end of a grant that lives, when that is for whoever asks.
    fn with_end(&self, id: &str, theirs: impl FnOnce(&GrantFact) -> bool) -> Result<(Option<Change>, ()), Refused> {
        let now = self.inner.clock.now();
        let grant = self.inner.registry.grant(id).filter(|grant| grant.lives(now) && theirs(grant));
        let mut grant = grant.ok_or(Refused::NotFound)?;
        match grant.ground {
            // That it stopped is told with the end, as of one that ends by itself.
            Ground::BreakGlass { .. } => grant.right.until = Some(OffsetDateTime::from(now)),
            Ground::Share { .. } => grant.ended = true,
        }
        Ok((Some(Change::GrantSet { grant }), ()))
    }

    fn is_enabled(&self, user: &str) -> bool {
        self.inner.registry.user(user).is_some_and(|user| user.disabled.is_none())
    }

    /// Whether every instance of a study is within reach: what is shared is the whole of it.
    async fn reaches_all_of(&self, study: &StudyInstanceUid, scope: GrantedScope) -> Result<bool, Refused> {
        let selection = Selection { studies: vec![study.clone()], ..Selection::default() };
        let study = study.clone();
        look_up(&self.inner.index, move |index: &Index| {
            let reached = index.select(&selection, &scope)?.len() as u64;
            Ok(reached > 0 && reached == index.instances_of(&study)?)
        })
        .await
    }

    fn new_grant(&self, user: &str, scope: Scope, lifetime: Duration, ground: Ground) -> Result<GrantFact, Refused> {
        let now = self.inner.clock.now();
        let living = self.inner.registry.grants(now);
        let most = if matches!(ground, Ground::BreakGlass { .. }) { MOST_EMERGENCIES } else { MOST };
        let alike = |grant: &&GrantFact| {
            grant.user == user && std::mem::discriminant(&grant.ground) == std::mem::discriminant(&ground)
        };
        if living.iter().filter(alike).count() >= most {
            return Err(Refused::OutOfResources("that user holds too many grants: end some".into()));
        }
        let mut number = [0; 8];
        aws_lc_rs::rand::fill(&mut number).map_err(|_| no_randomness())?;
        let until = Some(OffsetDateTime::from(now + lifetime));
        let right = Right { role: Role::Viewer.name().to_owned(), scope: Arc::new(scope), until };
        Ok(GrantFact { id: hex::encode(number), user: user.to_owned(), right, ground, ended: false })
    }
}

fn emergency_over(grant: &GrantFact) -> Alert {
    let patient_id = grant.right.scope.patient_ids.first().cloned();
    let subject = Subject { patient_id, ..Subject::default() };
    Alert::of(Event::EmergencyOverrideStopped).about(subject).saying(format!("of {}", grant.user))
}

impl From<GrantFact> for Grant {
    fn from(fact: GrantFact) -> Grant {
        let GrantFact { id, user, right, ground, ended } = fact;
        Grant { id, user, right, ground, ended }
    }
}
