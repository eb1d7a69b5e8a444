//! What administrators and the host ask for: each a request of its own, so that a grant
//! for one is no grant for another.

use std::collections::BTreeSet;
use std::time::Duration;

use leadglass_dicom::StudyInstanceUid;
use leadglass_dicom::deidentify::Profile;

use super::decide::Request;
use super::{Marked, Marks, Right, Scope};
use crate::Operation;
use crate::administer::{NewLegacyPeer, NewUser, Peer, UserChange};
use crate::brake::Envelope;
use crate::trail::Subject;

macro_rules! request {
    ($name:ident { $($field:ident: $type:ty),* } $(is about $this:ident => $detail:expr)?) => {
        #[derive(Clone, Debug)]
        pub(crate) struct $name {
            $(pub(crate) $field: $type,)*
        }
        request!(@impl $name $($this => $detail)?);
    };
    ($name:ident) => {
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $name;
        request!(@impl $name);
    };
    (@impl $name:ident $($this:ident => $detail:expr)?) => {
        impl Request for $name {
            const OPERATION: Operation = Operation::$name;
            $(fn subject(&self) -> Subject {
                let $this = self;
                Subject { detail: Some($detail), ..Subject::default() }
            })?
        }
    };
}

request!(CompleteSetup { administrator: String } is about this => this.administrator.clone());
request!(IssueSetupCode);
request!(AddPeer { peer: Peer } is about this => format!(
    "{}, certificate {}, verbs {:?}, address {}, scope {}",
    this.peer.ae,
    this.peer.certificate_sha256,
    this.peer.verbs,
    this.peer.address.as_deref().unwrap_or("none"),
    this.peer.scope
));
request!(RevokePeer { ae: String } is about this => this.ae.clone());
request!(ListHeld);
request!(AcceptHeld { sender: String, who: String } is about this => format!("{} of {}", this.sender, this.who));
request!(EnrolHeld { sender: String, peer: Peer } is about this => format!(
    "{}: {}, certificate {}, verbs {:?}, address {}, scope {}",
    this.sender,
    this.peer.ae,
    this.peer.certificate_sha256,
    this.peer.verbs,
    this.peer.address.as_deref().unwrap_or("none"),
    this.peer.scope
));
request!(DiscardHeld { sender: String, who: String, reason: String } is about this => format!(
    "{} of {}: {}",
    this.sender,
    this.who,
    this.reason
));
request!(ReadHeld { sender: String } is about this => this.sender.clone());
request!(AddLegacyPeer { new: NewLegacyPeer } is about this => format!(
    "{} in clear text from {}, {} days, scope {}",
    this.new.ae,
    this.new.address,
    this.new.lifetime.as_secs() / 86_400,
    this.new.scope
));
request!(RevokeLegacyPeer { ae: String } is about this => this.ae.clone());
request!(ListPeers);
request!(InvitePeer { peer: Peer, lifetime: Duration } is about this => format!(
    "{}, verbs {:?}, address {}, scope {}, {} s",
    this.peer.ae,
    this.peer.verbs,
    this.peer.address.as_deref().unwrap_or("none"),
    this.peer.scope,
    this.lifetime.as_secs()
));
request!(WithdrawInvitation { id: String } is about this => this.id.clone());
request!(ListInvitations);
request!(Enrol { id: String } is about this => format!("invitation {}", this.id));
request!(RenewPeer { ae: String } is about this => this.ae.clone());
request!(FindDestination { ae: String } is about this => this.ae.clone());
request!(CreateToken {
    name: String,
    role: String,
    lifetime: Duration,
    scope: Scope,
    owner: Option<String>
} is about this => format!(
    "{}{}, role {}, {} s, scope {}",
    this.name,
    this.owner.as_ref().map(|owner| format!(" of {owner:?}")).unwrap_or_default(),
    this.role,
    this.lifetime.as_secs(),
    this.scope
));
request!(RevokeToken { name: String } is about this => this.name.clone());
request!(ListTokens);
request!(DefineRole { name: String, operations: BTreeSet<Operation> } is about this => format!(
    "{}: {}",
    this.name,
    this.operations.iter().map(|operation| operation.name()).collect::<Vec<_>>().join(", ")
));
request!(ListRoles);
request!(MakeProject { name: String, profile: Profile } is about this => format!(
    "{}: {}",
    this.name,
    serde_json::to_string(&this.profile).unwrap_or_default()
));
request!(ListProjects);
request!(Explain);
request!(EndGrant { id: String } is about this => this.id.clone());
request!(ListGrants);
request!(ReadReviews);
request!(CloseReview { id: String, reason: String } is about this => format!("{}: {}", this.id, this.reason));
request!(SetEnvelope { of: String, envelope: Option<Envelope> } is about this => match this.envelope {
    Some(envelope) => format!("{}: {envelope}", this.of),
    None => format!("{}: as kind and habit leave it", this.of),
});
request!(ListEnvelopes);
request!(ReleaseBrake { of: String } is about this => this.of.clone());
request!(SignIn { user: String } is about this => this.user.clone());
request!(SignOut);
request!(ReadAccount);
request!(ChangeAccount { what: String } is about this => this.what.clone());
request!(AddUser { new: NewUser } is about this => format!(
    "{:?}{}, may {}, patients {:?}",
    this.new.name,
    if this.new.service { ", a service account" } else { "" },
    words(&this.new.rights),
    this.new.patients
));
request!(ChangeUser { name: String, change: UserChange } is about this => format!(
    "{:?}{}{}{}",
    this.name,
    this.change.rights.as_deref().map(|rights| format!(", may {}", words(rights))).unwrap_or_default(),
    this.change.patients.as_ref().map(|patients| format!(", patients {patients:?}")).unwrap_or_default(),
    match this.change.disabled {
        Some(true) => ", disabled",
        Some(false) => ", enabled",
        None => "",
    }
));
request!(ResetUser { name: String } is about this => format!("{:?}", this.name));
request!(EndSessions { name: String } is about this => format!("{:?}", this.name));
request!(ListUsers);
request!(ReadMarks { subject: Marked } is about this => this.subject.key());
request!(ReadHostSecret { name: String } is about this => this.name.clone());
request!(WriteHostSecret { name: String } is about this => this.name.clone());
request!(ReadStatistics);
request!(Verify);

fn words(rights: &[Right]) -> String {
    if rights.is_empty() {
        return "nothing".into();
    }
    rights.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Labelling or restricting a study or a patient.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) subject: Marked,
    pub(crate) marks: Marks,
}

impl Request for Mark {
    const OPERATION: Operation = Operation::Mark;

    fn subject(&self) -> Subject {
        let of = match &self.subject {
            Marked::Study(uid) => Subject { study: Some(uid.clone()), ..Subject::default() },
            Marked::Patient(id) => Subject { patient_id: Some(id.clone()), ..Subject::default() },
        };
        let restrictions: Vec<&str> = self.marks.restrictions.iter().map(|restriction| restriction.name()).collect();
        let canary = if self.marks.canary { ", a canary" } else { "" };
        Subject { detail: Some(format!("labels {:?}, restrictions {restrictions:?}{canary}", self.marks.labels)), ..of }
    }
}

/// Taking a patient in an emergency.
#[derive(Clone, Debug)]
pub(crate) struct BreakGlass {
    pub(crate) patient_id: String,
    pub(crate) reason: String,
    pub(crate) lifetime: Duration,
}

impl Request for BreakGlass {
    const OPERATION: Operation = Operation::BreakGlass;

    fn subject(&self) -> Subject {
        let detail = format!("for {} s: {}", self.lifetime.as_secs(), self.reason);
        Subject { patient_id: Some(self.patient_id.clone()), detail: Some(detail), ..Subject::default() }
    }
}

/// Sharing a study with a user.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    pub(crate) study: StudyInstanceUid,
    pub(crate) with: String,
    pub(crate) lifetime: Duration,
}

impl Request for Share {
    const OPERATION: Operation = Operation::Share;

    fn subject(&self) -> Subject {
        let detail = format!("with {} for {} s", self.with, self.lifetime.as_secs());
        Subject { study: Some(self.study.to_string()), detail: Some(detail), ..Subject::default() }
    }
}
