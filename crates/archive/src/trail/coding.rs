//! Operations in the words of PS3.15 A.5.
//!
//! Which message an entry is depends on its operation, door, purpose and outcome; this table
//! says so, and only this table. What has no message there (counts read for a graph) is in
//! the trail and is not sent as a message.

use super::event::{Action, Coding, Event, EventId, EventType};
use super::{Act, Entry, Outcome};
use crate::Operation;
use crate::access::Door;

const LOGIN: EventType = EventType("110122", "Login");
const LOGOUT: EventType = EventType("110123", "Logout");
const EMERGENCY: EventType = EventType("110127", "Emergency Override Started");
const NODE: EventType = EventType("110126", "Node Authentication");
const NETWORK: EventType = EventType("110128", "Network Configuration");
const SECURITY: EventType = EventType("110129", "Security Configuration");
const RESTRICTED: EventType = EventType("110132", "Use of Restricted Function");
const OBJECT: EventType = EventType("110135", "Object Security Attributes Changed");
const ROLES: EventType = EventType("110136", "Security Roles Changed");
const USER: EventType = EventType("110137", "User Security Attributes Changed");

/// What an operation is as a message.
enum Line {
    /// Always this message.
    Is(EventId, Action),
    /// A security alert of that type.
    Alert(EventType),
    /// It depends: see [`special`].
    Special,
    /// No message when it was carried out; when it was refused, use of a restricted function.
    Quiet,
}

use Line::{Alert, Is, Quiet, Special};

/// The table.
const LINES: &[(Operation, Line)] = &[
    (Operation::Authenticate, Special),
    (Operation::SignIn, Special),
    (Operation::SignOut, Special),
    (Operation::ReadAccount, Quiet),
    (Operation::ChangeAccount, Alert(USER)),
    (Operation::AddUser, Alert(USER)),
    (Operation::ChangeUser, Alert(USER)),
    (Operation::ResetUser, Alert(USER)),
    (Operation::EndSessions, Alert(USER)),
    (Operation::ListUsers, Alert(RESTRICTED)),
    (Operation::Store, Special),
    (Operation::Hold, Is(EventId::InstancesTransferred, Action::Create)),
    (Operation::ListHeld, Alert(RESTRICTED)),
    (Operation::ReadHeld, Is(EventId::Query, Action::Execute)),
    (Operation::AcceptHeld, Alert(NETWORK)),
    (Operation::EnrolHeld, Alert(NETWORK)),
    (Operation::DiscardHeld, Alert(OBJECT)),
    (Operation::Search, Is(EventId::Query, Action::Execute)),
    (Operation::Retrieve, Special),
    (Operation::RetrieveDeidentified, Is(EventId::Export, Action::Read)),
    (Operation::MakeProject, Alert(SECURITY)),
    (Operation::ListProjects, Alert(RESTRICTED)),
    (Operation::Commit, Is(EventId::InstancesAccessed, Action::Read)),
    (Operation::CompleteSetup, Alert(USER)),
    (Operation::IssueSetupCode, Alert(USER)),
    (Operation::AddPeer, Alert(NETWORK)),
    (Operation::RevokePeer, Alert(NETWORK)),
    (Operation::AddLegacyPeer, Alert(NETWORK)),
    (Operation::RevokeLegacyPeer, Alert(NETWORK)),
    (Operation::ListPeers, Alert(RESTRICTED)),
    (Operation::InvitePeer, Alert(NETWORK)),
    (Operation::WithdrawInvitation, Alert(NETWORK)),
    (Operation::ListInvitations, Alert(RESTRICTED)),
    (Operation::Enrol, Alert(NETWORK)),
    (Operation::RenewPeer, Alert(NETWORK)),
    (Operation::FindDestination, Quiet),
    (Operation::CreateToken, Alert(USER)),
    (Operation::RevokeToken, Alert(USER)),
    (Operation::ListTokens, Alert(RESTRICTED)),
    (Operation::ReadHostSecret, Alert(RESTRICTED)),
    (Operation::WriteHostSecret, Alert(SECURITY)),
    (Operation::ReadStatistics, Quiet),
    (Operation::ReadTrail, Is(EventId::AuditLogUsed, Action::Read)),
    (Operation::DeliverTrail, Is(EventId::AuditLogUsed, Action::Read)),
    (Operation::EraseFromTrail, Alert(OBJECT)),
    (Operation::DefineRole, Alert(ROLES)),
    (Operation::ListRoles, Alert(RESTRICTED)),
    (Operation::Mark, Alert(OBJECT)),
    (Operation::ReadMarks, Alert(RESTRICTED)),
    (Operation::Explain, Alert(RESTRICTED)),
    (Operation::BreakGlass, Alert(EMERGENCY)),
    (Operation::Share, Alert(USER)),
    (Operation::EndGrant, Alert(USER)),
    (Operation::ListGrants, Alert(RESTRICTED)),
    (Operation::ReadReviews, Alert(RESTRICTED)),
    (Operation::CloseReview, Alert(SECURITY)),
    (Operation::SetEnvelope, Alert(SECURITY)),
    (Operation::ListEnvelopes, Alert(RESTRICTED)),
    (Operation::ReleaseBrake, Alert(SECURITY)),
    (Operation::ReadQuarantine, Alert(RESTRICTED)),
    (Operation::Verify, Is(EventId::AuditLogUsed, Action::Read)),
];

impl Entry {
    /// How the entry is coded; `None` for what PS3.15 has no message for.
    pub fn coding(&self) -> Option<Coding> {
        let operation = match self.act {
            Act::Event(event) => return Some(event.coding()),
            Act::Operation(operation) => operation,
        };
        let alert = |kind| Some(Coding { id: EventId::SecurityAlert, action: Action::Execute, kind: Some(kind) });
        let line = LINES.iter().find(|(listed, _)| *listed == operation).map(|(_, line)| line);
        match line {
            Some(Is(id, action)) => Some(Coding { id: *id, action: *action, kind: None }),
            Some(Alert(kind)) => alert(*kind),
            Some(Special) => Some(special(operation, self)),
            Some(Quiet) if self.outcome != Outcome::Refused => None,
            Some(Quiet) | None => alert(RESTRICTED),
        }
    }

    /// The code that searches and filters know it by: of the type for a security alert, of
    /// the kind of message otherwise.
    pub fn event_code(&self) -> Option<&'static str> {
        let coding = self.coding()?;
        match coding.kind {
            Some(kind) if coding.id == EventId::SecurityAlert => Some(kind.0),
            _ => Some(coding.id.code().0),
        }
    }

    /// Whether it is a security alert.
    pub fn is_alert(&self) -> bool {
        self.coding().is_some_and(|coding| coding.id == EventId::SecurityAlert)
    }

    /// Whether it is the message of its own that PS3.15 wants of a beginning: only transfers
    /// have one. Any other beginning is told by the entry that closes it.
    pub fn is_told(&self) -> bool {
        let begun = self.outcome == Outcome::Begun;
        self.coding().is_some_and(|coding| !begun || coding.id == EventId::BeginTransferring)
    }
}

impl Outcome {
    /// EventOutcomeIndicator, PS3.15 A.5.2: 0 success, 4 minor, 8 serious, 12 major failure.
    pub fn indicator(self) -> u8 {
        match self {
            Outcome::Begun | Outcome::Done => 0,
            Outcome::Interrupted | Outcome::Unanswerable | Outcome::Quarantined => 4,
            Outcome::Refused => 8,
            Outcome::Failed => 12,
        }
    }
}

impl Event {
    /// The events and types that have that code.
    pub fn is_code(code: &str) -> bool {
        EventId::ALL.iter().any(|id| id.code().0 == code)
            || Event::ALL.iter().any(|event| event.coding().kind.is_some_and(|kind| kind.0 == code))
    }
}

fn special(operation: Operation, entry: &Entry) -> Coding {
    let of = |id, action, kind| Coding { id, action, kind };
    match operation {
        Operation::Authenticate
            if matches!(entry.door, Door::Dimse | Door::Legacy) && entry.outcome == Outcome::Refused =>
        {
            of(EventId::SecurityAlert, Action::Execute, Some(NODE))
        }
        Operation::Authenticate | Operation::SignIn => of(EventId::UserAuthentication, Action::Execute, Some(LOGIN)),
        Operation::SignOut => of(EventId::UserAuthentication, Action::Execute, Some(LOGOUT)),
        Operation::Store if entry.outcome == Outcome::Quarantined => {
            of(EventId::SecurityAlert, Action::Execute, Some(OBJECT))
        }
        Operation::Store if entry.door == Door::Host => of(EventId::Import, Action::Create, None),
        Operation::Store => of(EventId::InstancesTransferred, Action::Create, None),
        Operation::Retrieve if entry.subject.purpose.as_deref() == Some("viewing") => {
            of(EventId::InstancesAccessed, Action::Read, None)
        }
        Operation::Retrieve if entry.door == Door::Host => of(EventId::Export, Action::Read, None),
        Operation::Retrieve if entry.outcome == Outcome::Begun => of(EventId::BeginTransferring, Action::Execute, None),
        _ => of(EventId::InstancesTransferred, Action::Read, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::Subject;

    #[test]
    fn every_operation_has_its_line() {
        for operation in Operation::ALL {
            let lines = LINES.iter().filter(|(listed, _)| listed == operation).count();
            assert_eq!(lines, 1, "{} has {lines} lines in the table of coding.rs", operation.name());
        }
    }

    fn entry(operation: Operation, door: Door, outcome: Outcome, purpose: Option<&str>) -> Entry {
        let source = crate::Source { address: None, door };
        let subject = Subject { purpose: purpose.map(str::to_owned), ..Subject::default() };
        Entry { act: operation.into(), outcome, subject, ..Entry::of_strangers(&source, "", 0, 0) }
    }

    #[test]
    fn what_depends_is_coded_by_door_purpose_and_outcome() {
        use Operation::{Authenticate, ReadStatistics, Retrieve, Store};
        let cases = [
            (Authenticate, Door::DicomWeb, Outcome::Done, None, Some("110114"), 0),
            (Authenticate, Door::DicomWeb, Outcome::Refused, None, Some("110114"), 8),
            (Authenticate, Door::Dimse, Outcome::Refused, None, Some("110126"), 8),
            (Authenticate, Door::Legacy, Outcome::Refused, None, Some("110126"), 8),
            (Store, Door::Dimse, Outcome::Done, None, Some("110104"), 0),
            (Store, Door::Legacy, Outcome::Done, None, Some("110104"), 0),
            (Store, Door::Dimse, Outcome::Quarantined, None, Some("110135"), 4),
            (Store, Door::Host, Outcome::Done, None, Some("110107"), 0),
            (Retrieve, Door::DicomWeb, Outcome::Done, Some("viewing"), Some("110103"), 0),
            (Retrieve, Door::Dimse, Outcome::Begun, Some("to CT1"), Some("110102"), 0),
            (Retrieve, Door::Dimse, Outcome::Interrupted, Some("to CT1"), Some("110104"), 4),
            (Retrieve, Door::Host, Outcome::Done, Some("to the caller"), Some("110106"), 0),
            (ReadStatistics, Door::Admin, Outcome::Done, None, None, 0),
            (ReadStatistics, Door::Admin, Outcome::Refused, None, Some("110132"), 8),
        ];
        for (operation, door, outcome, purpose, code, indicator) in cases {
            let entry = entry(operation, door, outcome, purpose);
            assert_eq!((entry.event_code(), outcome.indicator()), (code, indicator), "{entry:?}");
        }
    }
}
