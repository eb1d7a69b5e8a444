//! Invitations: one-use tokens with which a device enrols itself.
//!
//! An administrator says beforehand what the peer will be: title, verbs, scope. The device
//! shows the token once, with a signing request for a key that never leaves it. Deliberately
//! absent: any word of the device's own about what it may do.

use std::time::{Duration, SystemTime};

use leadglass_dicom::AeTitle;
use time::OffsetDateTime;

use super::peers::checked_terms;
use super::{Certified, Peer, no_randomness};
use crate::access::requests;
use crate::access::secret::{enrolment_id, fresh_enrolment_token, secret_digest};
use crate::change::{Change, InvitationFact};
use crate::{Archive, Caller, Refused};

/// The longest an invitation may live.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// Most invitations open at once.
const MOST: usize = 1000;

/// What a peer is invited to be.
#[derive(Clone, Debug)]
pub struct NewInvitation {
    /// The peer it will be; certificate and expiry are not looked at.
    pub peer: Peer,
    /// How long the invitation lives: at most a day.
    pub lifetime: Duration,
}

/// An invitation without its secret.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Invitation {
    /// What it is called, in lists and at the beginning of its token.
    pub id: String,
    /// The peer it makes.
    pub peer: Peer,
    /// When it ends.
    #[serde(with = "time::serde::rfc3339")]
    pub expires: OffsetDateTime,
    /// Whether it can still be used.
    pub open: bool,
    /// How it ended before its time: used, withdrawn, void.
    pub ended: Option<String>,
}

impl Archive {
    /// Invites a device: the token comes back once and is kept only hashed.
    ///
    /// # Errors
    /// [`Refused::Invalid`] for a peer that cannot be one, a lifetime of more than a day, and
    /// when a thousand invitations are open.
    pub async fn invite_peer(&self, caller: &Caller, new: NewInvitation) -> Result<(String, Invitation), Refused> {
        let NewInvitation { peer, lifetime } = new;
        self.perform_change(caller, requests::InvitePeer { peer, lifetime }, async |granted| {
            let requests::InvitePeer { peer, lifetime } = granted.request().clone();
            if lifetime.is_zero() || lifetime > LONGEST {
                return Err(Refused::Invalid("an invitation lives at least a moment and at most 24 hours".into()));
            }
            let now = self.inner.clock.now();
            let open = self.inner.registry.invitations().iter().filter(|invitation| invitation.is_open(now)).count();
            if open >= MOST {
                return Err(Refused::Invalid("a thousand invitations are open: withdraw some".into()));
            }
            let peer = checked_terms(Peer { certificate_sha256: String::new(), expires: None, ..peer })?;
            let token = fresh_enrolment_token().ok_or_else(no_randomness)?;
            let (id, digest) = enrolment_id(&token).zip(secret_digest(&token)).ok_or_else(no_randomness)?;
            let invitation =
                InvitationFact { id: id.to_owned(), digest, peer, expires: now + lifetime, tries: 0, ended: None };
            let shown = invitation.clone().shown(now);
            Ok((Some(Change::PeerInvited { invitation }), (token, shown)))
        })
        .await
    }

    /// All invitations, the newest end first.
    ///
    /// # Errors
    /// Only those of every operation: not allowed, or no trail.
    pub async fn invitations(&self, caller: &Caller) -> Result<Vec<Invitation>, Refused> {
        self.perform(caller, requests::ListInvitations, async |_| {
            let now = self.inner.clock.now();
            Ok(self.inner.registry.invitations().into_iter().map(|invitation| invitation.shown(now)).collect())
        })
        .await
    }

    /// Withdraws an invitation that is open.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when none of that name is open.
    pub async fn withdraw_invitation(&self, caller: &Caller, id: &str) -> Result<(), Refused> {
        self.perform_change(caller, requests::WithdrawInvitation { id: id.to_owned() }, async |granted| {
            let invitation = self.open_invitation(&granted.request().id).ok_or(Refused::NotFound)?;
            Ok((Some(Change::InvitationEnded { invitation: invitation.ended("withdrawn") }), ()))
        })
        .await
    }

    /// Makes the peer that the caller's invitation is for, and ends a legacy peer of its title;
    /// works once. `sign` makes its certificate, once it is certain that the invitation is open.
    ///
    /// # Errors
    /// [`Refused::NotAllowed`] without an invitation that is open, and what `sign` refuses: the
    /// invitation then stays open.
    pub async fn enrol(
        &self,
        caller: &Caller,
        sign: impl AsyncFnOnce(&AeTitle) -> Result<Certified, Refused>,
    ) -> Result<Peer, Refused> {
        let id = caller.invitation().unwrap_or_default().to_owned();
        self.perform_change(caller, requests::Enrol { id }, async |granted| {
            let invitation = self.open_invitation(&granted.request().id).ok_or(Refused::NotAllowed)?;
            let ae = AeTitle::parse(&invitation.peer.ae).map_err(|_| Refused::NotAllowed)?;
            let Certified { sha256, expires } = sign(&ae).await?;
            let peer = Peer { certificate_sha256: sha256, expires: Some(expires.into()), ..invitation.peer.clone() };
            let peer = self.replacing(peer)?;
            let legacy = self.exception_ended(&peer.ae);
            let (enrolled, invitation) = (peer.clone(), invitation.ended("used"));
            Ok((Some(Change::PeerEnrolled { peer: enrolled, invitation, legacy: legacy.clone() }), (peer, legacy)))
        })
        .await
        .map(|(peer, legacy)| {
            self.tell_exception_ended(legacy);
            peer
        })
    }

    fn open_invitation(&self, id: &str) -> Option<InvitationFact> {
        let invitation = self.inner.registry.invitation(id)?;
        invitation.is_open(self.inner.clock.now()).then_some(invitation)
    }
}

impl InvitationFact {
    /// Whether it can be used.
    pub(crate) fn is_open(&self, now: SystemTime) -> bool {
        self.ended.is_none() && now < self.expires
    }

    /// Ended, and how.
    pub(crate) fn ended(self, how: &str) -> InvitationFact {
        InvitationFact { ended: Some(how.to_owned()), ..self }
    }

    fn shown(self, now: SystemTime) -> Invitation {
        let open = self.is_open(now);
        Invitation { id: self.id, peer: self.peer, expires: self.expires.into(), open, ended: self.ended }
    }
}
