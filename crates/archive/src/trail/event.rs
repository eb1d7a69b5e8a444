//! Events: what PS3.15 A.5 calls that which happened, as data.
//!
//! An operation asked of the archive is recorded by `perform`; [`Event`] names what happens
//! beside operations (a start, a certificate turned away, a role changed), raised as an
//! [`Alert`]. [`Coding`] is how either is coded: CID 400 (event), CID 403 (type), action and
//! outcome. Deliberately absent: XML and FHIR, which say the same in their own forms.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Entry, Outcome, Subject};
use crate::access::{Caller, Door, Source};

/// The fifteen kinds of audit message, PS3.15 A.5.3 (CID 400).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventId {
    /// A.5.3.1 Application Activity.
    ApplicationActivity,
    /// A.5.3.2 Audit Log Used.
    AuditLogUsed,
    /// A.5.3.3 Begin Transferring DICOM Instances.
    BeginTransferring,
    /// A.5.3.4 Data Export.
    Export,
    /// A.5.3.5 Data Import.
    Import,
    /// A.5.3.6 DICOM Instances Accessed.
    InstancesAccessed,
    /// A.5.3.7 DICOM Instances Transferred.
    InstancesTransferred,
    /// A.5.3.8 DICOM Study Deleted.
    StudyDeleted,
    /// A.5.3.9 Network Entry.
    NetworkEntry,
    /// A.5.3.10 Query.
    Query,
    /// A.5.3.11 Security Alert.
    SecurityAlert,
    /// A.5.3.12 User Authentication.
    UserAuthentication,
    /// A.5.3.13 Order Record.
    OrderRecord,
    /// A.5.3.14 Patient Record.
    PatientRecord,
    /// A.5.3.15 Procedure Record.
    ProcedureRecord,
}

impl EventId {
    /// All fifteen.
    pub const ALL: &[EventId] = &[
        EventId::ApplicationActivity,
        EventId::AuditLogUsed,
        EventId::BeginTransferring,
        EventId::Export,
        EventId::Import,
        EventId::InstancesAccessed,
        EventId::InstancesTransferred,
        EventId::StudyDeleted,
        EventId::NetworkEntry,
        EventId::Query,
        EventId::SecurityAlert,
        EventId::UserAuthentication,
        EventId::OrderRecord,
        EventId::PatientRecord,
        EventId::ProcedureRecord,
    ];

    /// Code value and meaning in the coding scheme DCM.
    pub fn code(self) -> (&'static str, &'static str) {
        match self {
            EventId::ApplicationActivity => ("110100", "Application Activity"),
            EventId::AuditLogUsed => ("110101", "Audit Log Used"),
            EventId::BeginTransferring => ("110102", "Begin Transferring DICOM Instances"),
            EventId::InstancesAccessed => ("110103", "DICOM Instances Accessed"),
            EventId::InstancesTransferred => ("110104", "DICOM Instances Transferred"),
            EventId::StudyDeleted => ("110105", "DICOM Study Deleted"),
            EventId::Export => ("110106", "Export"),
            EventId::Import => ("110107", "Import"),
            EventId::NetworkEntry => ("110108", "Network Entry"),
            EventId::OrderRecord => ("110109", "Order Record"),
            EventId::PatientRecord => ("110110", "Patient Record"),
            EventId::ProcedureRecord => ("110111", "Procedure Record"),
            EventId::Query => ("110112", "Query"),
            EventId::SecurityAlert => ("110113", "Security Alert"),
            EventId::UserAuthentication => ("110114", "User Authentication"),
        }
    }
}

/// EventActionCode, PS3.15 A.5.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `C`
    Create,
    /// `R`
    Read,
    /// `U`
    Update,
    /// `D`
    Delete,
    /// `E`
    Execute,
}

impl Action {
    /// The letter.
    pub fn code(self) -> &'static str {
        match self {
            Action::Create => "C",
            Action::Read => "R",
            Action::Update => "U",
            Action::Delete => "D",
            Action::Execute => "E",
        }
    }
}

/// A code of CID 403 and CID 401: what type of event. Code value and meaning, scheme DCM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventType(pub &'static str, pub &'static str);

/// How something that was recorded is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coding {
    /// Which kind of message.
    pub id: EventId,
    /// What was done.
    pub action: Action,
    /// The type within the kind, where the kind has types.
    pub kind: Option<EventType>,
}

macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident $name:literal: $id:ident $action:ident $code:literal $meaning:literal;)*) => {
        /// What happens beside operations, or is told by those who see what the archive does
        /// not (TLS, the edge, the host). Each is coded; the codes of CID 403 are all here.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Event {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl Event {
            /// All of them.
            pub const ALL: &[Event] = &[$(Event::$variant),*];

            /// The name in the trail.
            pub fn name(self) -> &'static str {
                match self { $(Event::$variant => $name,)* }
            }

            /// How it is coded.
            pub fn coding(self) -> Coding {
                match self {
                    $(Event::$variant => Coding {
                        id: EventId::$id,
                        action: Action::$action,
                        kind: if $code.is_empty() { None } else { Some(EventType($code, $meaning)) },
                    },)*
                }
            }
        }
    };
}

events! {
    /// The archive, the edge or another part of the house began to work.
    ApplicationStarted "application-started": ApplicationActivity Execute "110120" "Application Start";
    /// It stopped in order.
    ApplicationStopped "application-stopped": ApplicationActivity Execute "110121" "Application Stop";
    /// Logged in.
    LoggedIn "logged-in": UserAuthentication Execute "110122" "Login";
    /// Logged out, or a session ended.
    LoggedOut "logged-out": UserAuthentication Execute "110123" "Logout";
    /// A node came onto the network: an edge joined.
    NetworkAttached "network-attached": NetworkEntry Execute "110124" "Attach";
    /// It left.
    NetworkDetached "network-detached": NetworkEntry Execute "110125" "Detach";
    /// A certificate was turned away, or a peer is not who it says.
    NodeAuthenticationFailed "node-authentication-failed": SecurityAlert Execute "110126" "Node Authentication";
    /// Break-glass was begun.
    EmergencyOverrideStarted "emergency-override-started": SecurityAlert Execute "110127" "Emergency Override Started";
    /// Break-glass ended.
    EmergencyOverrideStopped "emergency-override-stopped": SecurityAlert Execute "110138" "Emergency Override Stopped";
    /// A peer, address, listener or `legacy` exception changed.
    NetworkConfigurationChanged "network-configuration-changed": SecurityAlert Execute "110128" "Network Configuration";
    /// Security settings changed, or the clock jumped.
    SecurityConfigurationChanged "security-configuration-changed": SecurityAlert Execute "110129" "Security Configuration";
    /// Hardware changed.
    HardwareConfigurationChanged "hardware-configuration-changed": SecurityAlert Execute "110130" "Hardware Configuration";
    /// Another version of the program, another setting of it.
    SoftwareConfigurationChanged "software-configuration-changed": SecurityAlert Execute "110131" "Software Configuration";
    /// What is restricted was used, or tried.
    RestrictedFunctionUsed "restricted-function-used": SecurityAlert Execute "110132" "Use of Restricted Function";
    /// The trail, or its delivery, stopped.
    AuditRecordingStopped "audit-recording-stopped": SecurityAlert Execute "110133" "Audit Recording Stopped";
    /// It began, or goes on again.
    AuditRecordingStarted "audit-recording-started": SecurityAlert Execute "110134" "Audit Recording Started";
    /// A restriction on a study or patient was set or lifted.
    ObjectSecurityAttributesChanged "object-security-attributes-changed": SecurityAlert Execute "110135" "Object Security Attributes Changed";
    /// A role or right changed.
    SecurityRolesChanged "security-roles-changed": SecurityAlert Execute "110136" "Security Roles Changed";
    /// A user, token, passkey or session changed.
    UserSecurityAttributesChanged "user-security-attributes-changed": SecurityAlert Execute "110137" "User Security Attributes Changed";
    /// Service from far away began.
    RemoteServiceStarted "remote-service-started": SecurityAlert Execute "110139" "Remote Service Operation Started";
    /// It ended.
    RemoteServiceStopped "remote-service-stopped": SecurityAlert Execute "110140" "Remote Service Operation Stopped";
    /// Service at the machine began.
    LocalServiceStarted "local-service-started": SecurityAlert Execute "110141" "Local Service Operation Started";
    /// It ended.
    LocalServiceStopped "local-service-stopped": SecurityAlert Execute "110142" "Local Service Operation Stopped";
    /// A caller went beyond its envelope (the brake).
    EnvelopeExceeded "envelope-exceeded": SecurityAlert Execute "110132" "Use of Restricted Function";
    /// A review waits longer than a day.
    ReviewDue "review-due": SecurityAlert Execute "110132" "Use of Restricted Function";
    /// A canary patient was touched.
    CanaryTouched "canary-touched": SecurityAlert Execute "110132" "Use of Restricted Function";
    /// The clock went back, or on by more than time passed.
    ClockJumped "clock-jumped": SecurityAlert Execute "110129" "Security Configuration";
    /// Stored bytes are not as they were written.
    IntegrityBroken "integrity-broken": SecurityAlert Execute "110135" "Object Security Attributes Changed";
    /// The audit of our own doors found something.
    ExposureFound "exposure-found": SecurityAlert Execute "110128" "Network Configuration";
    /// An unknown sender sent something, which waits for approval.
    SenderWaits "sender-waits": SecurityAlert Execute "110126" "Node Authentication";
    /// Something is about to leave the approval queue, or left it: accepted, discarded, expired.
    HeldEnds "held-ends": SecurityAlert Execute "110135" "Object Security Attributes Changed";
    /// Somebody searched, through a door that is not the archive's own (the edge's shield).
    Queried "queried": Query Execute "" "";
    /// A transfer began there.
    TransferBegun "transfer-begun": BeginTransferring Execute "" "";
    /// Instances were transferred there.
    InstancesTransferred "instances-transferred": InstancesTransferred Read "" "";
    /// Instances came in there.
    InstancesReceived "instances-received": InstancesTransferred Create "" "";
    /// Instances were looked at there.
    InstancesAccessed "instances-accessed": InstancesAccessed Read "" "";
    /// Instances left on a medium, a share or as a file.
    Exported "exported": Export Read "" "";
    /// Instances came from a medium.
    Imported "imported": Import Create "" "";
    /// A study was deleted.
    StudyDeleted "study-deleted": StudyDeleted Delete "" "";
    /// An order was made or changed.
    OrderChanged "order-changed": OrderRecord Update "" "";
    /// A patient's record was made or changed.
    PatientChanged "patient-changed": PatientRecord Update "" "";
    /// A procedure was made or changed.
    ProcedureChanged "procedure-changed": ProcedureRecord Update "" "";
    /// The trail itself was used, through no operation of its own.
    AuditLogUsed "audit-log-used": AuditLogUsed Read "" "";
}

impl Event {
    /// Whether it is a security alert (A.5.3.11).
    pub fn is_alert(self) -> bool {
        self.coding().id == EventId::SecurityAlert
    }

    /// The event of that name.
    pub fn named(name: &str) -> Option<Event> {
        Event::ALL.iter().copied().find(|event| event.name() == name)
    }
}

/// An event with who, from where, about what: raised by [`Archive::alert`](crate::Archive::alert).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    pub(super) event: Event,
    pub(super) outcome: Outcome,
    pub(super) caller: String,
    pub(super) person: Option<String>,
    pub(super) peer: Option<String>,
    pub(super) address: Option<IpAddr>,
    pub(super) door: Door,
    pub(super) subject: Subject,
}

impl Alert {
    /// That event, of the archive itself, as carried out.
    pub fn of(event: Event) -> Alert {
        Alert {
            event,
            outcome: Outcome::Done,
            caller: String::new(),
            person: None,
            peer: None,
            address: None,
            door: Door::Host,
            subject: Subject::default(),
        }
    }

    /// That caller brought it about.
    #[must_use]
    pub fn by(self, caller: &Caller) -> Alert {
        let (person, peer) = super::entry::parties(caller);
        let caller_name = caller.name().to_owned();
        Alert { caller: caller_name, person, peer, address: caller.address(), door: caller.door(), ..self }
    }

    /// A stranger brought it about, there.
    #[must_use]
    pub fn from(self, source: &Source) -> Alert {
        Alert { address: source.address, door: source.door, ..self }
    }

    /// About that patient, study, purpose.
    #[must_use]
    pub fn about(self, subject: Subject) -> Alert {
        Alert { subject, ..self }
    }

    /// In words: our own, or quoted with care. Sealed like the patient when one is named.
    #[must_use]
    pub fn saying(mut self, detail: impl Into<String>) -> Alert {
        self.subject.detail = Some(detail.into());
        self
    }

    /// It ended so.
    #[must_use]
    pub fn ended(self, outcome: Outcome) -> Alert {
        Alert { outcome, ..self }
    }

    /// The entry it becomes.
    pub(crate) fn into_entry(self, time_ns: i64) -> Entry {
        let Alert { event, outcome, caller, person, peer, address, door, subject } = self;
        Entry { closes: None, time_ns, caller, person, peer, address, door, act: event.into(), outcome, subject }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_of_cid_403_and_every_kind_of_message_has_an_event() {
        let types: BTreeSet<&str> = Event::ALL.iter().filter_map(|event| Some(event.coding().kind?.0)).collect();
        let wanted: BTreeSet<String> = (110_120..=110_142).map(|code| code.to_string()).collect();
        assert_eq!(types, wanted.iter().map(String::as_str).collect());
        let ids: BTreeSet<EventId> = Event::ALL.iter().map(|event| event.coding().id).collect();
        assert_eq!(ids, EventId::ALL.iter().copied().collect());
        let codes: BTreeSet<&str> = EventId::ALL.iter().map(|id| id.code().0).collect();
        assert_eq!(codes.len(), 15);
        assert_eq!((codes.first(), codes.last()), (Some(&"110100"), Some(&"110114")));
    }

    #[test]
    fn names_come_back() {
        for event in Event::ALL {
            assert_eq!(Event::named(event.name()), Some(*event));
            assert_eq!(serde_json::to_string(event).unwrap(), format!("{:?}", event.name()));
        }
    }
}
