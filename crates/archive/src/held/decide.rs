//! What becomes of what waits: accepted once, its sender enrolled, or discarded.
//!
//! Each decision is about what waits at that moment, and is one record with its entry before
//! anything of it is done; nothing expires between the two. Whoever decides reaches everything: nobody knows what is within what
//! nobody has accepted. Deliberately absent: a decision about single objects.

use time::OffsetDateTime;

use super::{Decision, spool_failed};
use crate::access::decide::GrantedScope;
use crate::access::{Scope, requests};
use crate::administer::reviews::checked_reason;
use crate::administer::{Peer, Verb, checked_terms};
use crate::change::{Change, HeldFact};
use crate::spool::{Sheet, Shown};
use crate::{Archive, Caller, Refused};

/// What an unknown sender is made.
#[derive(Clone, Debug)]
pub struct Enrolment {
    /// What it may do; storing at least.
    pub verbs: Vec<Verb>,
    /// With which instances: what waits and is out of it goes on waiting.
    pub scope: Scope,
    /// `host:port` for C-MOVE and commitment reports, when it has one.
    pub address: Option<String>,
    /// Department or place, for people.
    pub label: Option<String>,
    /// Whom to call about it.
    pub contact: Option<String>,
}

/// What became of what waited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct TakenIn {
    /// Kept by the archive.
    pub kept: u64,
    /// Kept by it before.
    pub already_there: u64,
    /// Set aside: the archive keeps other bytes of that SOP Instance UID.
    pub quarantined: u64,
    /// Destroyed.
    pub discarded: u64,
    /// Refused by the archive; waits on.
    pub left: u64,
}

impl Archive {
    /// Takes in what waits of a sender, as any store would be; the sender stays unknown.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when nothing of it waits, [`Refused::NotAllowed`] for a caller that
    /// does not reach everything, [`Refused::Invalid`] while another decision is carried out.
    pub async fn accept_held(&self, caller: &Caller, sender: &str) -> Result<TakenIn, Refused> {
        let request = requests::AcceptHeld { sender: sender.to_owned(), who: self.who_waits(sender) };
        let carrying = self.one_decision().await;
        self.perform_change(caller, request, async |granted| {
            let sheet = self.decidable(granted.scope(), sender)?;
            let through = self.inner.held.spool()?.last();
            let held = fact(caller, &sheet, Decision::Accept, through);
            Ok((Some(Change::HeldDecided { held }), ()))
        })
        .await?;
        self.carried_out(sender, carrying).await
    }

    /// Makes a sender a peer, under the title and the certificate it came with, and takes in
    /// what waits of it as that peer's.
    ///
    /// # Errors
    /// As [`Archive::accept_held`] and [`Archive::add_peer`]; [`Refused::Invalid`] without the
    /// verb to store, and when there is a peer of that title by now.
    pub async fn enrol_held(&self, caller: &Caller, sender: &str, as_: Enrolment) -> Result<TakenIn, Refused> {
        let sheet = self
            .inner
            .held
            .spool()
            .ok()
            .and_then(|spool| Some(spool.waiting_of(sender, u64::MAX).first()?.sheet.as_ref().clone()));
        let sheet = sheet.unwrap_or_else(|| Sheet { calling_ae: sender.to_owned(), ..empty() });
        let peer = peer(&sheet, as_);
        let request = requests::EnrolHeld { sender: sender.to_owned(), peer };
        let carrying = self.one_decision().await;
        self.perform_change(caller, request, async |granted| {
            let sheet = self.decidable(granted.scope(), sender)?;
            let certified = granted.request().peer.clone();
            if !certified.verbs.contains(&Verb::Store) {
                return Err(Refused::Invalid("who waits to store is enrolled with the verb store".into()));
            }
            if !self.inner.registry.is_nobodys(&certified.ae, &certified.certificate_sha256) {
                return Err(Refused::Invalid("there is a peer of that title or certificate by now".into()));
            }
            let peer = self.replacing(checked_terms(certified)?)?;
            let through = self.inner.held.spool()?.last();
            let held = fact(caller, &sheet, Decision::Enrol, through);
            Ok((Some(Change::HeldEnrolled { peer, held }), ()))
        })
        .await?;
        self.carried_out(sender, carrying).await
    }

    /// Destroys what waits of a sender, with a reason.
    ///
    /// # Errors
    /// As [`Archive::accept_held`]; [`Refused::Invalid`] for a reason that says nothing.
    pub async fn discard_held(&self, caller: &Caller, sender: &str, reason: &str) -> Result<TakenIn, Refused> {
        let request =
            requests::DiscardHeld { sender: sender.to_owned(), who: self.who_waits(sender), reason: reason.to_owned() };
        let carrying = self.one_decision().await;
        self.perform_change(caller, request, async |granted| {
            let sheet = self.decidable(granted.scope(), sender)?;
            checked_reason(&granted.request().reason)?;
            let through = self.inner.held.spool()?.close_sender(sender).await;
            let through = through.map_err(|refused| spool_failed(&refused))?;
            let held = fact(caller, &sheet, Decision::Discard, through);
            Ok((Some(Change::HeldDecided { held }), ()))
        })
        .await?;
        self.carried_out(sender, carrying).await
    }

    /// The sheet of the first that waits of a sender of whom something can be decided.
    fn decidable(&self, scope: &GrantedScope, sender: &str) -> Result<Sheet, Refused> {
        if !scope.is_everything() {
            return Err(Refused::NotAllowed);
        }
        let first = self.inner.held.spool()?.waiting_of(sender, u64::MAX).into_iter().next();
        let first = first.ok_or(Refused::NotFound)?;
        match self.inner.registry.held(sender) {
            Some(held) if held.decision != Decision::CarriedOut => {
                Err(Refused::Invalid("the decision before is still being carried out".into()))
            }
            _ => Ok(first.sheet.as_ref().clone()),
        }
    }

    /// The title of who waits under that name, for the trail.
    fn who_waits(&self, sender: &str) -> String {
        let spool = self.inner.held.spool().ok();
        let first = spool.and_then(|spool| spool.waiting_of(sender, u64::MAX).into_iter().next());
        first.map_or_else(|| "nobody".into(), |first| first.sheet.calling_ae.clone())
    }
}

fn fact(caller: &Caller, sheet: &Sheet, decision: Decision, through: u64) -> HeldFact {
    HeldFact {
        sender: sheet.sender(),
        ae: sheet.calling_ae.clone(),
        certificate_sha256: sheet.shown.as_ref().map(|shown| shown.certificate_sha256.clone()).unwrap_or_default(),
        decision,
        through,
        by: caller.identity().to_owned(),
    }
}

fn peer(sheet: &Sheet, as_: Enrolment) -> Peer {
    let Shown { certificate_sha256, expires_s, .. } = sheet.shown.clone().unwrap_or_default();
    Peer {
        ae: sheet.calling_ae.clone(),
        certificate_sha256,
        expires: expires_s.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok()),
        verbs: as_.verbs,
        scope: as_.scope,
        address: as_.address,
        label: as_.label,
        contact: as_.contact,
        ..Peer::default()
    }
}

fn empty() -> Sheet {
    Sheet {
        calling_ae: String::new(),
        sop_class: String::new(),
        sop_instance: String::new(),
        transfer_syntax: String::new(),
        received_ns: 0,
        shown: None,
    }
}

#[cfg(test)]
mod tests {
    use leadglass_dicom::{SopClassUid, TransferSyntax, Uid};

    use crate::held::Arriving;
    use crate::spool::Shown;
    use crate::testing::{Sample, TestArchive};
    use crate::{Credential, Door, Source};

    #[tokio::test]
    async fn nothing_is_decided_while_what_expired_is_destroyed() {
        let test = TestArchive::with(|settings| settings.held.admits = true);
        let (archive, sample) = (test.archive(), Sample::new(1, 1, 1));
        let source = Source { address: Some([192, 0, 2, 9].into()), door: Door::Dimse };
        let (certificate_der, calling_ae) = (b"a device".to_vec(), "NEW1".parse().unwrap());
        let credential = Credential::Peer { certificate_der, calling_ae, user_identity: None };
        let sender = archive.authenticate(source, credential).await.unwrap();
        let syntax = Uid::parse(leadglass_dicom::transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN).unwrap();
        let arriving = Arriving {
            transfer_syntax: TransferSyntax::from_uid(syntax),
            sop_class: SopClassUid::parse(Sample::SOP_CLASS).unwrap(),
            sop_instance: sample.sop_uid(),
            shown: Shown::default(),
        };
        let mut hold = archive.hold(&sender, arriving).await.unwrap();
        hold.push(&sample.encode()).await.unwrap();
        hold.finish().await.unwrap();
        let host = test.host().await;
        let id = archive.held(&host).await.unwrap()[0].sender.clone();
        let expiring = archive.inner.held.carrying.clone().try_lock_owned().unwrap();
        let mut deciding = Box::pin(archive.accept_held(&host, &id));
        for _ in 0..10 {
            assert!(futures::poll!(&mut deciding).is_pending());
            archive.inner.committer.settled().await;
        }
        assert!(archive.inner.registry.held(&id).is_none(), "nothing is on record as accepted and destroyed then");
        drop(expiring);
        assert_eq!(deciding.await.unwrap().kept, 1);
    }
}
