//! Wrong setup codes and enrolment tokens: after the fifth the right one is void, across
//! restarts too.

use super::Source;
use crate::change::Change;
use crate::trail::{Entry, Outcome, Subject};
use crate::{Archive, Operation};

/// Wrong secrets after which the right one is void too.
const SETUP_TRIES: u32 = 5;

impl Archive {
    /// Counts a wrong setup code. Strangers can bring about this change alone, and at most
    /// five times a code; it is durable before they hear that the code was wrong.
    pub(super) async fn count_setup_try(&self, source: &Source) {
        let _one_at_a_time = self.inner.changing.lock().await;
        let mut setup = self.inner.registry.setup();
        let lives = setup.expires.is_some_and(|end| self.inner.clock.now() < end);
        if setup.done || setup.digest.is_none() || !lives {
            return;
        }
        setup.tries += 1;
        let (change, entry) = if setup.tries < SETUP_TRIES {
            let entry = Entry::of_strangers(source, "wrong setup code", u64::from(setup.tries), self.now_ns());
            (Change::SetupCodeTried { setup }, entry)
        } else {
            let reason = "too many wrong setup codes: the code is void";
            let entry = Entry {
                outcome: Outcome::Done,
                act: Operation::IssueSetupCode.into(),
                subject: Subject { detail: Some(reason.into()), ..Subject::default() },
                ..Entry::of_strangers(source, reason, 0, self.now_ns())
            };
            (Change::SetupCodeVoided, entry)
        };
        if let Err(error) = self.inner.committer.change_of_ours(change, entry).await {
            tracing::error!(%error, "a wrong setup code could not be counted");
        }
    }

    /// Counts a wrong token under the name of an invitation that is open, like a setup code.
    pub(super) async fn count_invitation_try(&self, source: &Source, id: &str) {
        let _one_at_a_time = self.inner.changing.lock().await;
        let invitation = self.inner.registry.invitation(id);
        let Some(mut invitation) = invitation.filter(|invitation| invitation.is_open(self.inner.clock.now())) else {
            return;
        };
        invitation.tries += 1;
        let (change, reason) = if invitation.tries < SETUP_TRIES {
            (Change::InvitationTried { invitation: invitation.clone() }, "wrong enrolment token")
        } else {
            let invitation = invitation.clone().ended("void: too many wrong tokens");
            (Change::InvitationEnded { invitation }, "too many wrong enrolment tokens: the invitation is void")
        };
        let entry = Entry::of_strangers(source, reason, u64::from(invitation.tries), self.now_ns());
        if let Err(error) = self.inner.committer.change_of_ours(change, entry).await {
            tracing::error!(%error, "a wrong enrolment token could not be counted");
        }
    }
}
